/*
 * depthwise_body.h: depthwise work, a register of channels of up to eight pixels at a time.
 * Forward: a column of the input is loaded once for all the pixels that see it. Weights: the sums
 * of a kernel row or of all nine places of a 3x3 stay in registers while the row of pixels passes
 * by. Pixels at a border, and channels that do not fill a register, read through masks.
 */
#include "core/kernels/post_body.h"

/* Eight sums hide the latency of two units; nine with their dy fit sixteen registers. */
enum { DEPTH_PIXELS = 8, DEPTH_SUMS = 9 };

/* How x is read. */
struct depth_read {
    int lo, hi;        /* columns that exist */
    bool border, part; /* some may not; the channels do not fill the register */
    bool relu;
    v_mask m; /* channels */
};

SIMD_INLINE v_f32 depth_x(const struct depth_read *r, const float *x, ptrdiff_t col)
{
    v_f32 v;
    if (r->border && (col < r->lo || col >= r->hi)) {
        return v_zero();
    }
    v = v_get(x, r->part, r->m);
    return r->relu ? v_at_least(v, v_zero()) : v;
}

/* acc[p] += KW places of one kernel row, S columns from pixel to pixel; x is column col. */
SIMD_INLINE void depth_run(const int P, const int KW, const int S, v_f32 acc[DEPTH_PIXELS],
                           const struct depth_read *r, const float *x, ptrdiff_t col,
                           ptrdiff_t x_col, const float *w, ptrdiff_t w_col)
{
    v_f32 wv[5];
    V_FOR (q, KW) {
        wv[q] = v_get(w + q * w_col, r->part, r->m);
    }
    V_FOR (j, (P - 1) * S + KW) {
        if (j % S < KW) { /* some pixel sees it */
            v_f32 v = depth_x(r, x, col + j);
            V_FOR (q, KW) {
                if (j >= q && (j - q) % S == 0 && (j - q) / S < P) {
                    acc[(j - q) / S] = v_fma(v, wv[q], acc[(j - q) / S]);
                }
            }
        }
        x += x_col;
        SIMD_OPAQUE(x);
    }
}

SIMD_INLINE void depth_tile(const int P, const int S, const struct kernel_depth *d,
                            const struct depth_read *r, size_t first, int i)
{
    const ptrdiff_t x_col = d->x_col, w_col = d->w_col, col = (ptrdiff_t)first * d->stride;
    const float *x = d->x + col * x_col + i, *w = d->w + i;
    v_f32 acc[DEPTH_PIXELS];
    V_FOR (p, P) {
        acc[p] = v_zero();
    }
    for (int t = 0; t < d->n_taps; t++) {
        const struct kernel_tap tap = d->taps[t];
        switch (tap.n) {
        case 2:
            depth_run(P, 2, S, acc, r, x + tap.x, col, x_col, w + tap.w, w_col);
            break;
        case 3:
            depth_run(P, 3, S, acc, r, x + tap.x, col, x_col, w + tap.w, w_col);
            break;
        case 5:
            depth_run(P, 5, S, acc, r, x + tap.x, col, x_col, w + tap.w, w_col);
            break;
        default:
            for (int q = 0; q < tap.n; q++) {
                depth_run(P, 1, S, acc, r, x + tap.x + q * x_col, col + q, x_col,
                          w + tap.w + q * w_col, w_col);
            }
            break;
        }
    }
    /* Copies: a store of a register may change any structure, as far as the compiler knows. */
    const struct kernel_post *post = d->post;
    float *y = d->y;
    ptrdiff_t at = (ptrdiff_t)first * d->y_pixel + i;
    const ptrdiff_t y_pixel = d->y_pixel;
    V_FOR (p, P) {
        if (post) {
            acc[p] = post_value(post, acc[p], y, at, i, r->m);
        }
        v_put(y + at, acc[p], r->part, r->m);
        at += y_pixel;
    }
}

/* All channels of P pixels. */
SIMD_INLINE void depth_pixels(const int P, const int S, const struct kernel_depth *d, size_t first)
{
    const ptrdiff_t col = (ptrdiff_t)first * d->stride;
    int i = 0, widest = 0;
    for (int t = 0; t < d->n_taps; t++) {
        widest = d->taps[t].n > widest ? d->taps[t].n : widest;
    }
    const bool border = col < d->lo || col + (P - 1) * d->stride + widest > d->hi;
    if (!border && !d->relu) {
        const struct depth_read r = {.m = v_first(VL)};
        for (; i + VL <= d->c; i += VL) {
            depth_tile(P, S, d, &r, first, i);
        }
    } else {
        const struct depth_read r = {
            .lo = d->lo, .hi = d->hi, .border = true, .relu = d->relu, .m = v_first(VL)};
        for (; i + VL <= d->c; i += VL) {
            depth_tile(P, S, d, &r, first, i);
        }
    }
    if (i < d->c) {
        const struct depth_read r = {.lo = d->lo,
                                     .hi = d->hi,
                                     .border = true,
                                     .part = true,
                                     .relu = d->relu,
                                     .m = v_first(d->c - i)};
        depth_tile(P, S, d, &r, first, i);
    }
}

typedef void depth_pixels_fn(const struct kernel_depth *d, size_t first);

#define DEPTH_FN(P, S)                                                                             \
    static void depth_pixels_##P##_##S(const struct kernel_depth *d, size_t first)                 \
    {                                                                                              \
        depth_pixels(P, S, d, first);                                                              \
    }
SIMD_8(DEPTH_FN, 1)
SIMD_8(DEPTH_FN, 2)

    /* [stride - 1][pixels - 1] */
    static depth_pixels_fn *const depth_fns[2][DEPTH_PIXELS] = {
#define DEPTH_ROW(P, S) [S - 1][P - 1] = depth_pixels_##P##_##S,
        SIMD_8(DEPTH_ROW, 1) SIMD_8(DEPTH_ROW, 2)
#undef DEPTH_ROW
};

void SIMD_NAME(depthwise_row_f32)(const struct kernel_depth *d)
{
    /* Pixels three or more columns apart share nothing: one at a time. */
    const size_t most = d->stride <= 2 ? DEPTH_PIXELS : 1;
    depth_pixels_fn *const *fns = depth_fns[d->stride == 2];
    size_t left = d->n_pixels, n_tiles = (left + most - 1) / most;
    for (size_t first = 0; left > 0; n_tiles--) {
        size_t p = (left + n_tiles - 1) / n_tiles;
        fns[p - 1](d, first);
        first += p;
        left -= p;
    }
}

/* acc += pixels first .. last - 1 of ROWS kernel rows of COLS places from place q on. */
SIMD_INLINE void depth_sums(const int ROWS, const int COLS, v_f32 acc[DEPTH_SUMS],
                            const float *const x0[3], const float *dy, const struct kernel_depth *d,
                            const struct depth_read *r, int q, size_t first, size_t last)
{
    const ptrdiff_t x_col = d->x_col, y_pixel = d->y_pixel, x_pixel = d->stride * x_col;
    const float *x[3] = {x0[0], x0[1], x0[2]};
    dy += (ptrdiff_t)first * y_pixel;
    V_FOR (k, ROWS) {
        x[k] += (ptrdiff_t)first * x_pixel;
    }
    for (size_t p = first; p < last; p++, dy += y_pixel) {
        const v_f32 g = v_get(dy, r->part, r->m);
        const ptrdiff_t col = (ptrdiff_t)p * d->stride + q;
        V_FOR (k, ROWS) {
            V_FOR (j, COLS) {
                acc[k * COLS + j] =
                    v_fma(depth_x(r, x[k] + j * x_col, col + j), g, acc[k * COLS + j]);
            }
            x[k] += x_pixel;
        }
    }
}

/* ROWS kernel rows from tap t on, COLS places from place q on: pixels at the left border, those
 * between (inner), those at the right. */
SIMD_INLINE void depth_weights(const int ROWS, const int COLS, const struct kernel_depth *d, int t,
                               int q, int i, const bool part, v_mask m)
{
    const struct depth_read border = {
        .lo = d->lo, .hi = d->hi, .border = true, .part = part, .relu = d->relu, .m = m};
    const struct depth_read inner = {.part = part, .m = m};
    const ptrdiff_t n = (ptrdiff_t)d->n_pixels, s = d->stride, w_col = d->w_col;
    ptrdiff_t left = d->lo <= q ? 0 : (d->lo - q + s - 1) / s;
    ptrdiff_t right = d->hi - q - COLS < 0 ? 0 : (d->hi - q - COLS) / s + 1;
    v_f32 acc[DEPTH_SUMS];
    const float *x[3] = {NULL, NULL, NULL}, *dy = d->y + i;
    V_FOR (r, ROWS) {
        x[r] = d->x + d->taps[t + r].x + q * d->x_col + i;
        V_FOR (k, COLS) {
            acc[r * COLS + k] = v_get(d->dw + d->taps[t + r].w + (q + k) * w_col + i, part, m);
        }
    }
    left = d->relu || left > n ? n : left;
    right = right > n ? n : right < left ? left : right;
    depth_sums(ROWS, COLS, acc, x, dy, d, &border, q, 0, (size_t)left);
    depth_sums(ROWS, COLS, acc, x, dy, d, &inner, q, (size_t)left, (size_t)right);
    depth_sums(ROWS, COLS, acc, x, dy, d, &border, q, (size_t)right, (size_t)n);
    V_FOR (r, ROWS) {
        V_FOR (k, COLS) {
            v_put(d->dw + d->taps[t + r].w + (q + k) * w_col + i, acc[r * COLS + k], part, m);
        }
    }
}

SIMD_INLINE void depth_weights_channels(const struct kernel_depth *d, int i, const bool part,
                                        v_mask m)
{
    for (int t = 0; t < d->n_taps; t++) {
        const int n = d->taps[t].n;
        if (n == 3 && t + 2 < d->n_taps && d->taps[t + 1].n == 3 && d->taps[t + 2].n == 3) {
            depth_weights(3, 3, d, t, 0, i, part, m);
            t += 2;
            continue;
        }
        int q = 0;
        for (; q + 5 <= n; q += 5) {
            depth_weights(1, 5, d, t, q, i, part, m);
        }
        for (; q + 3 <= n; q += 3) {
            depth_weights(1, 3, d, t, q, i, part, m);
        }
        for (; q < n; q++) {
            depth_weights(1, 1, d, t, q, i, part, m);
        }
    }
}

void SIMD_NAME(depthwise_weights_f32)(const struct kernel_depth *d)
{
    int i = 0;
    for (; i + VL <= d->c; i += VL) {
        depth_weights_channels(d, i, false, v_first(VL));
    }
    if (i < d->c) {
        depth_weights_channels(d, i, true, v_first(d->c - i));
    }
}
