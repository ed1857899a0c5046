/*
 * depthwise_body.h: depthwise work, a register of channels of up to eight pixels at a time.
 * Forward: a column of the input is loaded once for all the pixels that see it. Weights: the sums
 * of a kernel row or of all nine places of a 3x3 stay in registers while the row of pixels passes
 * by. Pixels at a border, and channels that do not fill a register, read through masks.
 */
#include "core/kernels/ahead_body.h"
#include "core/kernels/post_body.h"

/* Eight sums hide the latency of two units; nine with their dy fit sixteen registers. */
enum { DEPTH_PIXELS = 8, DEPTH_SUMS = 9 };

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
        const bool seen = j % S < KW; /* by some pixel */
        if (seen && depth_exists(P, KW, S, j, r, col + j)) {
            const v_f32 v = depth_x(r, x);
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
                            const struct kernel_depth_row *row, const struct depth_read *r,
                            size_t first, int i)
{
    const ptrdiff_t x_col = d->x_col, w_col = d->w_col, col = (ptrdiff_t)first * d->stride;
    const float *x = d->x + col * x_col + i, *w = d->w + i;
    v_f32 acc[DEPTH_PIXELS];
    V_FOR (p, P) {
        acc[p] = v_zero();
    }
    for (int t = 0; t < row->n_taps; t++) {
        const struct kernel_tap tap = row->taps[t];
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
    ptrdiff_t at = row->y + (ptrdiff_t)first * d->y_pixel + i;
    const ptrdiff_t y_pixel = d->y_pixel;
    V_FOR (p, P) {
        if (post) {
            acc[p] = post_value(post, acc[p], y, at, i, r->m);
        }
        v_put(y + at, acc[p], r->part, r->m);
        at += y_pixel;
    }
}

/* One register of channels of P pixels of all rows: what one row has read is near for the next. */
SIMD_INLINE void depth_channels(const int P, const int S, const struct kernel_depth *d,
                                const struct depth_read *r, struct ahead *ahead, size_t first,
                                int i)
{
    for (int k = 0; k < d->n_rows; k++) {
        if (ahead->lines > 0) {
            ahead_ask(ahead);
        }
        depth_tile(P, S, d, &d->rows[k], r, first, i);
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
    int i = 0;
    const bool inner = col >= d->lo && last + taps->widest <= d->hi;
    if (inner && !d->relu) {
        const struct depth_read r = {.m = v_first(VL)};
        for (; i + VL <= d->c; i += VL) {
            depth_channels(P, S, d, &r, ahead, first, i);
        }
    } else if (col + taps->narrowest > d->lo && last < d->hi && !d->relu) {
        const struct depth_read r = {
            .lo = d->lo, .hi = d->hi, .border = DEPTH_EDGES, .m = v_first(VL)};
        for (; i + VL <= d->c; i += VL) {
            depth_channels(P, S, d, &r, ahead, first, i);
        }
    } else {
        const struct depth_read r = {
            .lo = d->lo, .hi = d->hi, .border = DEPTH_ANY, .relu = d->relu, .m = v_first(VL)};
        for (; i + VL <= d->c; i += VL) {
            depth_channels(P, S, d, &r, ahead, first, i);
        }
    }
    if (i < d->c) {
        const struct depth_read r = {.lo = d->lo,
                                     .hi = d->hi,
                                     .border = DEPTH_ANY,
                                     .part = true,
                                     .relu = d->relu,
                                     .m = v_first(d->c - i)};
        depth_channels(P, S, d, &r, ahead, first, i);
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
    struct ahead ahead = ahead_of(d->ahead, n_tiles * (size_t)(d->n_rows * ((d->c + VL - 1) / VL)));
    for (size_t first = 0; left > 0; n_tiles--) {
        size_t p = (left + n_tiles - 1) / n_tiles;
        fns[p - 1](d, &taps, &ahead, first);
        first += p;
        left -= p;
    }
}

/* ---- gradient of the weights ---- */

/* Pixels whose dy stay in registers while the columns they see pass by, each loaded once. */
enum { DEPTH_WEIGHT_PIXELS = 4 };

/* acc[k * COLS + j] += P pixels, S columns apart. x: the row that kernel row 0 meets, at column col
 * of the image, which place 0 brings to the first pixel. Kernel rows r0 .. r1 - 1 are inside (all:
 * every one). */
SIMD_INLINE void depth_sums(const int ROWS, const int COLS, const int P, const int S,
                            const bool all, v_f32 acc[DEPTH_SUMS],
                            const struct kernel_depth_weights *d, const struct depth_read *r,
                            const float *x, const float *dy, ptrdiff_t col, int r0, int r1)
{
    const ptrdiff_t step = d->step, row = d->w * step;
    const size_t w = (size_t)d->w;
    v_f32 g[DEPTH_WEIGHT_PIXELS];
    V_FOR (p, P) {
        g[p] = v_get(dy, r->part, r->m);
        dy += step;
    }
    const float *at[3] = {x, x + row, x + 2 * row};
    V_FOR (m, (P - 1) * S + COLS) {
        /* 3x3: at most two columns on each side do not exist. */
        const bool sure = ROWS == 3 && m >= 2 && m <= (P - 1) * S;
        if (sure || __builtin_expect((size_t)(col + m) < w, 1)) {
            V_FOR (k, ROWS) {
                if (all || __builtin_expect(k >= r0 && k < r1, 1)) {
                    const v_f32 v = depth_x(r, at[k]);
                    V_FOR (p, P) {
                        if (m >= p * S && m - p * S < COLS) {
                            acc[k * COLS + m - p * S] = v_fma(v, g[p], acc[k * COLS + m - p * S]);
                        }
                    }
                }
            }
        }
        V_FOR (k, ROWS) {
            at[k] += step;
            SIMD_OPAQUE(at[k]);
        }
    }
}

/* One output row; S: stride, or 0 for a larger one. all: every kernel row is inside. */
SIMD_INLINE void depth_weights_row(const int ROWS, const int COLS, const int S, const bool all,
                                   v_f32 acc[DEPTH_SUMS], const struct kernel_depth_weights *d,
                                   const struct depth_read *r, int y, int kernel_row, int q, int i)
{
    const int most = S > 0 ? DEPTH_WEIGHT_PIXELS : 1, stride = S > 0 ? S : d->stride;
    const int iy = y * stride - d->pad + kernel_row, r0 = iy < 0 ? -iy : 0, r1 = d->h - iy;
    const float *dy = d->dy + (ptrdiff_t)y * d->ow * d->step + i;
    ptrdiff_t col = q - d->pad;
    const float *x = d->x + ((ptrdiff_t)iy * d->w + col) * d->step + i;
    int left = d->ow;
    for (; left >= most; left -= most) {
        depth_sums(ROWS, COLS, most, S, all, acc, d, r, x, dy, col, r0, r1);
        dy += most * d->step;
        x += most * stride * d->step;
        col += most * stride;
    }
    switch (left) {
    case 1:
        depth_sums(ROWS, COLS, 1, S, all, acc, d, r, x, dy, col, r0, r1);
        break;
    case 2:
        depth_sums(ROWS, COLS, 2, S, all, acc, d, r, x, dy, col, r0, r1);
        break;
    case 3:
        depth_sums(ROWS, COLS, 3, S, all, acc, d, r, x, dy, col, r0, r1);
        break;
    default:
        break;
    }
}

/* 3x3: all nine sums stay in registers from row to row. */
SIMD_INLINE void depth_weights_3x3(const int S, const struct kernel_depth_weights *d,
                                   struct ahead *ahead, int i, const struct depth_read *r)
{
    v_f32 acc[DEPTH_SUMS];
    V_FOR (t, 9) {
        acc[t] = v_get(d->dw + t * d->step + i, r->part, r->m);
    }
    for (int y = d->y0; y < d->y1; y++) {
        const int iy = y * d->stride - d->pad;
        if (ahead->lines > 0) {
            ahead_ask(ahead);
        }
        if (iy >= 0 && iy + 3 <= d->h) {
            depth_weights_row(3, 3, S, true, acc, d, r, y, 0, 0, i);
        } else {
            depth_weights_row(3, 3, S, false, acc, d, r, y, 0, 0, i);
        }
    }
    V_FOR (t, 9) {
        v_put(d->dw + t * d->step + i, acc[t], r->part, r->m);
    }
}

/* One row of any kernel: COLS places from place q on. */
SIMD_INLINE void depth_weights_places(const int COLS, const int S,
                                      const struct kernel_depth_weights *d, int y, int kernel_row,
                                      int q, int i, const struct depth_read *r)
{
    float *dw = d->dw + (kernel_row * d->kw + q) * d->step + i;
    v_f32 acc[DEPTH_SUMS];
    V_FOR (j, COLS) {
        acc[j] = v_get(dw + j * d->step, r->part, r->m);
    }
    depth_weights_row(1, COLS, S, true, acc, d, r, y, kernel_row, q, i);
    V_FOR (j, COLS) {
        v_put(dw + j * d->step, acc[j], r->part, r->m);
    }
}

SIMD_INLINE void depth_weights_channels(const int S, const struct kernel_depth_weights *d,
                                        struct ahead *ahead, int i, const struct depth_read *r)
{
    if (d->kh == 3 && d->kw == 3 && d->pad <= 2) {
        depth_weights_3x3(S, d, ahead, i, r);
        return;
    }
    for (int y = d->y0; y < d->y1; y++) {
        if (ahead->lines > 0) {
            ahead_ask(ahead);
        }
        for (int k = 0; k < d->kh; k++) {
            const int iy = y * d->stride - d->pad + k;
            int q = iy >= 0 && iy < d->h ? 0 : d->kw;
            for (; q + 5 <= d->kw; q += 5) {
                depth_weights_places(5, S, d, y, k, q, i, r);
            }
            for (; q + 3 <= d->kw; q += 3) {
                depth_weights_places(3, S, d, y, k, q, i, r);
            }
            for (; q < d->kw; q++) {
                depth_weights_places(1, S, d, y, k, q, i, r);
            }
        }
    }
}

SIMD_INLINE void depth_weights(const int S, const struct kernel_depth_weights *d)
{
    int i = 0;
    struct ahead ahead = ahead_of(d->ahead, (size_t)((d->c + VL - 1) / VL * (d->y1 - d->y0)));
    if (d->relu) {
        const struct depth_read r = {.relu = true, .m = v_first(VL)};
        for (; i + VL <= d->c; i += VL) {
            depth_weights_channels(S, d, &ahead, i, &r);
        }
    } else {
        const struct depth_read r = {.m = v_first(VL)};
        for (; i + VL <= d->c; i += VL) {
            depth_weights_channels(S, d, &ahead, i, &r);
        }
    }
    if (i < d->c) {
        const struct depth_read r = {.part = true, .relu = d->relu, .m = v_first(d->c - i)};
        depth_weights_channels(S, d, &ahead, i, &r);
    }
}

void SIMD_NAME(depthwise_weights_f32)(const struct kernel_depth_weights *d)
{
    if (d->stride == 1) {
        depth_weights(1, d);
    } else if (d->stride == 2) {
        depth_weights(2, d);
    } else {
        depth_weights(0, d);
    }
}
