/*
 * depthwise_body.h: depthwise work, a register of channels of up to eight pixels at a time, or two
 * of up to four: a column of the input is loaded once for all the pixels that see it. Pixels at a
 * border, and channels that do not fill a register, read through masks.
 */
#ifndef CORE_KERNELS_DEPTHWISE_BODY_H
#define CORE_KERNELS_DEPTHWISE_BODY_H

#include "core/kernels/ahead_body.h"
#include "core/kernels/post_body.h"

/* Eight sums hide the latency of two units. Where there are thirty-two registers, few pixels are
 * done with two neighbouring registers of channels. */
enum { DEPTH_PIXELS = 8, DEPTH_FEW_PIXELS = 4, DEPTH_VECS = SIMD_ROWS_1 > 16 ? 2 : 1 };

/* Which columns may not exist: none; those that only the first or the last pixel sees; any. */
enum depth_border { DEPTH_INNER, DEPTH_EDGES, DEPTH_ANY };

/* How x is read. */
struct depth_read {
    int lo, hi; /* columns that exist */
    enum depth_border border;
    bool part; /* the channels do not fill the register */
    bool relu;
    v_mask m; /* channels */
};

SIMD_INLINE v_f32 depth_x(const struct depth_read *r, const float *x)
{
    v_f32 v = v_get(x, r->part, r->m);
    if (r->relu) {
        v = v_at_least(v, v_zero());
    }
    V_OPAQUE(v); /* else it is loaded again for each of its products */
    return v;
}

/* Column j of those that P pixels see, S apart and KW wide, is column col of the image. */
SIMD_INLINE bool depth_exists(const int P, const int KW, const int S, const int j,
                              const struct depth_read *r, ptrdiff_t col)
{
    const bool edge = KW == 1 || j < KW - 1 || j > (P - 1) * S; /* one of a wider row: any */
    const bool sure = r->border == DEPTH_INNER || (r->border == DEPTH_EDGES && !edge);
    return sure || __builtin_expect(col >= r->lo && col < r->hi, 1);
}

/* acc[p * V + v] += KW places of one kernel row, S columns from pixel to pixel; x is column col. */
SIMD_INLINE void depth_run(const int P, const int V, const int KW, const int S,
                           v_f32 acc[DEPTH_PIXELS], const struct depth_read *r, const float *x,
                           ptrdiff_t col, ptrdiff_t x_col, const float *w, ptrdiff_t w_col)
{
    v_f32 wv[5 * DEPTH_VECS];
    V_FOR (q, KW * V) {
        wv[q] = v_get(w + q / V * w_col + q % V * VL, r->part, r->m);
    }
    V_FOR (j, (P - 1) * S + KW) {
        const bool seen = j % S < KW; /* by some pixel */
        if (seen && depth_exists(P, KW, S, j, r, col + j)) {
            V_FOR (v, V) {
                const v_f32 b = depth_x(r, x + v * VL);
                V_FOR (q, KW) {
                    if (j >= q && (j - q) % S == 0 && (j - q) / S < P) {
                        const int sum = (j - q) / S * V + v;
                        acc[sum] = v_fma(b, wv[q * V + v], acc[sum]);
                    }
                }
            }
        }
        x += x_col;
        SIMD_OPAQUE(x);
    }
}

SIMD_INLINE void depth_tile(const int P, const int V, const int S, const struct kernel_depth *d,
                            const struct kernel_depth_row *row, const struct depth_read *r,
                            size_t first, int i)
{
    const ptrdiff_t x_col = d->x_col, w_col = d->w_col, col = (ptrdiff_t)first * d->stride;
    const float *x = d->x + col * x_col + i, *w = d->w + i;
    v_f32 acc[DEPTH_PIXELS];
    V_FOR (p, P * V) {
        acc[p] = v_zero();
    }
    for (int t = 0; t < row->n_taps; t++) {
        const struct kernel_tap tap = row->taps[t];
        switch (tap.n) {
        case 2:
            depth_run(P, V, 2, S, acc, r, x + tap.x, col, x_col, w + tap.w, w_col);
            break;
        case 3:
            depth_run(P, V, 3, S, acc, r, x + tap.x, col, x_col, w + tap.w, w_col);
            break;
        case 5:
            depth_run(P, V, 5, S, acc, r, x + tap.x, col, x_col, w + tap.w, w_col);
            break;
        default:
            for (int q = 0; q < tap.n; q++) {
                depth_run(P, V, 1, S, acc, r, x + tap.x + q * x_col, col + q, x_col,
                          w + tap.w + q * w_col, w_col);
            }
            break;
        }
    }
    /* Copies: a store of a register may change any structure, as far as the compiler knows. */
    const struct kernel_post *post = d->post;
    float *y = d->y;
    ptrdiff_t at = row->y + (ptrdiff_t)first * d->y_pixel + i;
    const ptrdiff_t y_pixel = d->y_pixel;
    V_FOR (p, P) {
        V_FOR (v, V) {
            v_f32 sum = acc[p * V + v];
            if (post) {
                sum = post_value(post, sum, y, at + v * VL, i + v * VL, r->m);
            }
            v_put(y + at + v * VL, sum, r->part, r->m);
        }
        at += y_pixel;
    }
}

/* V registers of channels of P pixels of all rows: what one row has read is near for the next. */
SIMD_INLINE void depth_channels(const int P, const int V, const int S, const struct kernel_depth *d,
                                const struct depth_read *r, struct ahead *ahead, size_t first,
                                int i)
{
    for (int k = 0; k < d->n_rows; k++) {
        if (ahead->lines > 0) {
            ahead_ask(ahead);
        }
        depth_tile(P, V, S, d, &d->rows[k], r, first, i);
    }
}

/* Columns that the widest and the narrowest tap have. */
struct depth_taps {
    int widest, narrowest;
};

/* All channels of P pixels. */
SIMD_INLINE void depth_pixels(const int P, const int S, const struct kernel_depth *d,
                              const struct depth_taps *taps, struct ahead *ahead, size_t first)
{
    const ptrdiff_t col = (ptrdiff_t)first * d->stride;
    const ptrdiff_t last = col + (P - 1) * d->stride;
    const int V = P <= DEPTH_FEW_PIXELS ? (int)DEPTH_VECS : 1;
    int i = 0;
    const bool inner = col >= d->lo && last + taps->widest <= d->hi;
    if (inner && !d->relu) {
        const struct depth_read r = {.m = v_first(VL)};
        for (; i + V * VL <= d->c; i += V * VL) {
            depth_channels(P, V, S, d, &r, ahead, first, i);
        }
    } else if (col + taps->narrowest > d->lo && last < d->hi && !d->relu) {
        const struct depth_read r = {
            .lo = d->lo, .hi = d->hi, .border = DEPTH_EDGES, .m = v_first(VL)};
        for (; i + V * VL <= d->c; i += V * VL) {
            depth_channels(P, V, S, d, &r, ahead, first, i);
        }
    } else {
        const struct depth_read r = {
            .lo = d->lo, .hi = d->hi, .border = DEPTH_ANY, .relu = d->relu, .m = v_first(VL)};
        for (; i + V * VL <= d->c; i += V * VL) {
            depth_channels(P, V, S, d, &r, ahead, first, i);
        }
    }
    for (; i < d->c; i += VL) {
        const struct depth_read r = {.lo = d->lo,
                                     .hi = d->hi,
                                     .border = DEPTH_ANY,
                                     .part = true,
                                     .relu = d->relu,
                                     .m = v_first(d->c - i)};
        depth_channels(P, 1, S, d, &r, ahead, first, i);
    }
}

typedef void depth_pixels_fn(const struct kernel_depth *d, const struct depth_taps *taps,
                             struct ahead *ahead, size_t first);

#define DEPTH_FN(P, S)                                                                             \
    static void depth_pixels_##P##_##S(const struct kernel_depth *d,                               \
                                       const struct depth_taps *taps, struct ahead *ahead,         \
                                       size_t first)                                               \
    {                                                                                              \
        depth_pixels(P, S, d, taps, ahead, first);                                                 \
    }
SIMD_8(DEPTH_FN, 1)
SIMD_8(DEPTH_FN, 2)

/* [stride - 1][pixels - 1] */
static depth_pixels_fn *const depth_fns[2][DEPTH_PIXELS] = {
#define DEPTH_ROW(P, S) [S - 1][P - 1] = depth_pixels_##P##_##S,
    SIMD_8(DEPTH_ROW, 1) SIMD_8(DEPTH_ROW, 2)
#undef DEPTH_ROW
};

static struct depth_taps depth_taps_of(const struct kernel_depth *d)
{
    struct depth_taps t = {.widest = 0};
    if (d->n_rows > 0 && d->rows[0].n_taps > 0) {
        t.narrowest = d->rows[0].taps[0].n;
    }
    for (int k = 0; k < d->n_rows; k++) {
        for (int i = 0; i < d->rows[k].n_taps; i++) {
            const int n = d->rows[k].taps[i].n;
            t.widest = n > t.widest ? n : t.widest;
            t.narrowest = n < t.narrowest ? n : t.narrowest;
        }
    }
    return t;
}

void SIMD_NAME(depthwise_rows_f32)(const struct kernel_depth *d)
{
    /* Pixels three or more columns apart share nothing: one at a time. */
    const size_t most = d->stride <= 2 ? DEPTH_PIXELS : 1;
    depth_pixels_fn *const *fns = depth_fns[d->stride == 2];
    const struct depth_taps taps = depth_taps_of(d);
    size_t left = d->n_pixels, n_tiles = (left + most - 1) / most;
    const int together = VL * (left <= DEPTH_FEW_PIXELS ? (int)DEPTH_VECS : 1);
    const size_t pieces = (size_t)d->n_rows * (size_t)((d->c + together - 1) / together);
    struct ahead ahead = ahead_of(d->ahead, n_tiles * pieces);
    for (size_t first = 0; left > 0; n_tiles--) {
        size_t p = (left + n_tiles - 1) / n_tiles;
        fns[p - 1](d, &taps, &ahead, first);
        first += p;
        left -= p;
    }
}

#endif
