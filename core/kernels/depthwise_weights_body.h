/*
 * depthwise_weights_body.h: the gradient of depthwise weights. The sums of a kernel row, or of all
 * nine places of a 3x3, stay in registers while rows of pixels pass by; with thirty-two registers
 * two neighbouring registers of channels go together (more sums in flight than one multiply-add
 * takes, and lines by pairs). A sum takes its pixels in the order of rows and columns, or of pairs
 * of rows where x comes from far.
 */
#include "core/kernels/depthwise_body.h"

/* Nine sums each of the registers of channels done together, and the dy of some pixels, stay in
 * registers while the columns they see pass by, each loaded once. */
enum { DEPTH_SUMS = 9 * DEPTH_VECS, DEPTH_WEIGHT_PIXELS = 4 };

/* What comes next is asked for with every few pixels (as bursts between rows it takes up to a fifth
 * more time), or with every row where registers are too few for that. */
enum { DEPTH_ASK_OFTEN = SIMD_ROWS_1 > 16 };

SIMD_INLINE void depth_ask(struct ahead *ahead)
{
    if (ahead->lines > 0) {
        ahead_ask(ahead);
    }
}

/* What does not change from pixel to pixel; i: first channel. */
struct depth_sums {
    const struct kernel_depth_weights *d;
    struct depth_read read;
    int i;
};

/* acc[(k * COLS + j) * V + v] += P pixels, S columns apart, by kernel rows K0 .. K1 - 1, all
 * inside. x: the row that kernel row 0 meets, at column col of the image, which place 0 brings to
 * the first pixel. */
SIMD_INLINE void depth_add(const int V, const int K0, const int K1, const int COLS, const int P,
                           const int S, v_f32 acc[DEPTH_SUMS], const struct depth_sums *s,
                           const float *x, const float *dy, ptrdiff_t col)
{
    const ptrdiff_t step = s->d->step, row = s->d->w * step;
    const size_t w = (size_t)s->d->w;
    v_f32 g[DEPTH_WEIGHT_PIXELS * DEPTH_VECS];
    V_FOR (p, P) {
        V_FOR (v, V) {
            g[p * V + v] = v_get(dy + v * VL, s->read.part, s->read.m);
        }
        dy += step;
    }
    const float *at[3] = {x, x + row, x + 2 * row};
    V_FOR (m, (P - 1) * S + COLS) {
        /* 3x3: at most one column on each side does not exist. */
        const bool sure = K1 > 1 && m >= 1 && m <= (P - 1) * S + 1;
        if (sure || __builtin_expect((size_t)(col + m) < w, 1)) {
            V_FOR (kv, (K1 - K0) * V) {
                const int k = K0 + kv / V, v = kv % V;
                const v_f32 b = depth_x(&s->read, at[k] + v * VL);
                V_FOR (p, P) {
                    if (m >= p * S && m - p * S < COLS) {
                        const int sum = (k * COLS + m - p * S) * V + v;
                        acc[sum] = v_fma(b, g[p * V + v], acc[sum]);
                    }
                }
            }
        }
        V_FOR (k, K1) {
            at[k] += step;
            SIMD_OPAQUE(at[k]);
        }
    }
}

/* Output row y by kernel rows kernel_row + K0 .. K1 - 1, from place q on; S: stride, or 0 for a
 * larger one. */
SIMD_INLINE void depth_add_row(const int V, const int K0, const int K1, const int COLS, const int S,
                               v_f32 acc[DEPTH_SUMS], const struct depth_sums *s,
                               struct ahead *ahead, int y, int kernel_row, int q)
{
    const struct kernel_depth_weights *d = s->d;
    const int most = S > 0 ? DEPTH_WEIGHT_PIXELS : 1, stride = S > 0 ? S : d->stride;
    const int iy = y * stride - d->pad + kernel_row;
    const float *dy = d->dy + (ptrdiff_t)y * d->ow * d->step + s->i;
    ptrdiff_t col = q - d->pad;
    const float *x = d->x + ((ptrdiff_t)iy * d->w + col) * d->step + s->i;
    int left = d->ow;
    if (!DEPTH_ASK_OFTEN) {
        depth_ask(ahead);
    }
    for (; left >= most; left -= most) {
        if (DEPTH_ASK_OFTEN) {
            depth_ask(ahead);
        }
        depth_add(V, K0, K1, COLS, most, S, acc, s, x, dy, col);
        dy += most * d->step;
        x += most * stride * d->step;
        col += most * stride;
    }
    switch (left) {
    case 1:
        depth_add(V, K0, K1, COLS, 1, S, acc, s, x, dy, col);
        break;
    case 2:
        depth_add(V, K0, K1, COLS, 2, S, acc, s, x, dy, col);
        break;
    case 3:
        depth_add(V, K0, K1, COLS, 3, S, acc, s, x, dy, col);
        break;
    default:
        break;
    }
}

/* N places of dw from place `first` on, to and from registers. */
SIMD_INLINE void depth_sums_load(const int V, const int N, v_f32 acc[DEPTH_SUMS],
                                 const struct depth_sums *s, int first)
{
    const float *dw = s->d->dw + first * s->d->step + s->i;
    V_FOR (t, N * V) {
        acc[t] = v_get(dw + t / V * s->d->step + t % V * VL, s->read.part, s->read.m);
    }
}

SIMD_INLINE void depth_sums_store(const int V, const int N, const v_f32 acc[DEPTH_SUMS],
                                  const struct depth_sums *s, int first)
{
    /* Copies: a store of a register may change any structure, as far as the compiler knows. */
    const ptrdiff_t step = s->d->step;
    const bool part = s->read.part;
    const v_mask m = s->read.m;
    float *dw = s->d->dw + first * step + s->i;
    V_FOR (t, N * V) {
        v_put(dw + t / V * step + t % V * VL, acc[t], part, m);
    }
}

/* 3x3 with a border of at most one: all nine sums stay in registers from row to row. */
SIMD_INLINE void depth_weights_3x3(const int V, const int S, const struct depth_sums *s,
                                   struct ahead *ahead)
{
    const struct kernel_depth_weights *d = s->d;
    v_f32 acc[DEPTH_SUMS];
    depth_sums_load(V, 9, acc, s, 0);
    for (int y = d->y0; y < d->y1; y++) {
        const int iy = y * d->stride - d->pad;
        if (iy < 0) {
            depth_add_row(V, 1, 3, 3, S, acc, s, ahead, y, 0, 0);
        } else if (iy + 3 > d->h) {
            depth_add_row(V, 0, 2, 3, S, acc, s, ahead, y, 0, 0);
        } else {
            depth_add_row(V, 0, 3, 3, S, acc, s, ahead, y, 0, 0);
        }
    }
    depth_sums_store(V, 9, acc, s, 0);
}

/* One row of any kernel: COLS places from place q on. */
SIMD_INLINE void depth_weights_places(const int V, const int COLS, const int S,
                                      const struct depth_sums *s, struct ahead *ahead, int y,
                                      int kernel_row, int q)
{
    v_f32 acc[DEPTH_SUMS];
    depth_sums_load(V, COLS, acc, s, kernel_row * s->d->kw + q);
    depth_add_row(V, 0, 1, COLS, S, acc, s, ahead, y, kernel_row, q);
    depth_sums_store(V, COLS, acc, s, kernel_row * s->d->kw + q);
}

/* All nine places of a 3x3 in one pass over the pixels? */
SIMD_INLINE bool depth_weights_at_once(const struct kernel_depth_weights *d)
{
    return d->kh == 3 && d->kw == 3 && d->pad <= 1 && d->h >= 2;
}

SIMD_INLINE void depth_weights_channels(const int V, const int S, const struct depth_sums *s,
                                        struct ahead *ahead)
{
    const struct kernel_depth_weights *d = s->d;
    if (depth_weights_at_once(d)) {
        depth_weights_3x3(V, S, s, ahead);
        return;
    }
    for (int y = d->y0; y < d->y1; y++) {
        for (int k = 0; k < d->kh; k++) {
            const int iy = y * d->stride - d->pad + k;
            int q = iy >= 0 && iy < d->h ? 0 : d->kw;
            for (; q + 5 <= d->kw; q += 5) {
                depth_weights_places(V, 5, S, s, ahead, y, k, q);
            }
            for (; q + 3 <= d->kw; q += 3) {
                depth_weights_places(V, 3, S, s, ahead, y, k, q);
            }
            for (; q < d->kw; q++) {
                depth_weights_places(V, 1, S, s, ahead, y, k, q);
            }
        }
    }
}

SIMD_INLINE void depth_weights(const int S, const struct kernel_depth_weights *d)
{
    enum { TOGETHER = DEPTH_VECS * VL };
    const int n_blocks = (d->c + TOGETHER - 1) / TOGETHER;
    const int runs = DEPTH_ASK_OFTEN ? (d->ow + DEPTH_WEIGHT_PIXELS - 1) / DEPTH_WEIGHT_PIXELS : 1;
    const int passes = depth_weights_at_once(d) ? 1 : d->kh;
    const size_t pieces = (size_t)n_blocks * (size_t)(d->y1 - d->y0) * (size_t)(runs * passes);
    struct ahead ahead = ahead_of(d->ahead, pieces);
    int i = 0;
    if (d->relu) {
        for (; i + TOGETHER <= d->c; i += TOGETHER) {
            const struct depth_sums s = {d, {.relu = true, .m = v_first(VL)}, i};
            depth_weights_channels(DEPTH_VECS, S, &s, &ahead);
        }
    } else {
        for (; i + TOGETHER <= d->c; i += TOGETHER) {
            const struct depth_sums s = {d, {.m = v_first(VL)}, i};
            depth_weights_channels(DEPTH_VECS, S, &s, &ahead);
        }
    }
    for (; i < d->c; i += VL) {
        const struct depth_sums s = {d, {.part = true, .relu = d->relu, .m = v_first(d->c - i)}, i};
        depth_weights_channels(1, S, &s, &ahead);
    }
}

/* A pair of output rows, four pixels of each: what they read that no pair before has read. */
enum {
    DEPTH_PAIR_DY = 2 * DEPTH_WEIGHT_PIXELS,
    DEPTH_PAIR_X = 2 * 2 * DEPTH_PAIR_DY,
    DEPTH_PAIR_ROWS = 5
};

/* Lines of x and dy to come, as many as a pair of four pixels reads anew in one register. */
struct depth_next {
    const float *x, *dy;
};

/* acc[place] += four pixels of each of two output rows, two rows and columns apart, from kernel row
 * K0 of the first on: five rows of x, the middle one for both. x: the row that kernel row 0 meets,
 * at column col of the image. What comes next is asked for column by column. */
SIMD_INLINE void depth_add_pair(const int K0, v_f32 acc[DEPTH_SUMS], const struct depth_sums *s,
                                struct depth_next next, const float *x, const float *dy,
                                ptrdiff_t col)
{
    enum { P = DEPTH_WEIGHT_PIXELS, S = 2, LINES = DEPTH_PAIR_X / DEPTH_PAIR_DY };
    const ptrdiff_t step = s->d->step, row = s->d->w * step, dy_row = s->d->ow * step;
    const size_t w = (size_t)s->d->w;
    v_f32 g[2 * P];
    V_FOR (p, P) {
        V_FOR (y, 2) {
            g[y * P + p] = v_get(dy + y * dy_row, s->read.part, s->read.m);
        }
        dy += step;
    }
    const float *at[DEPTH_PAIR_ROWS] = {x, x + row, x + 2 * row, x + 3 * row, x + 4 * row};
    V_FOR (m, (P - 1) * S + 3) {
        if (m < DEPTH_PAIR_DY) {
            V_FOR (l, LINES) {
                __builtin_prefetch(next.x + (m * LINES + l) * AHEAD_LINE, 0, 2);
            }
            __builtin_prefetch(next.dy + m * AHEAD_LINE, 0, 2);
        }
        const bool sure = m >= 1 && m <= (P - 1) * S + 1;
        if (sure || __builtin_expect((size_t)(col + m) < w, 1)) {
            V_FOR (k0, DEPTH_PAIR_ROWS - K0) {
                const int k = K0 + k0;
                const v_f32 b = depth_x(&s->read, at[k]);
                V_FOR (yp, 2 * P) {
                    const int r = k - yp / P * S, q = m - yp % P * S;
                    if (r >= 0 && r < 3 && q >= 0 && q < 3) {
                        acc[r * 3 + q] = v_fma(b, g[yp], acc[r * 3 + q]);
                    }
                }
            }
        }
        V_FOR (k, DEPTH_PAIR_ROWS) {
            at[k] += step;
            SIMD_OPAQUE(at[k]);
        }
    }
}

/* Channels i .. end - 1 of four pixels, from pixel p on, of each of output rows y and y + 1. */
SIMD_INLINE void depth_pair_channels(const int K0, const struct kernel_depth_weights *d,
                                     struct depth_read read, struct kernel_ahead ahead[2], int y,
                                     int p, int i, int end)
{
    const ptrdiff_t col = p * d->stride - d->pad, iy = y * d->stride - d->pad;
    const float *x = d->x + (iy * d->w + col) * d->step;
    const float *dy = d->dy + ((ptrdiff_t)y * d->ow + p) * d->step;
    for (; i < end; i += VL) {
        const struct depth_sums s = {d, read, i};
        const struct depth_next next = {
            .x = ahead_next(&ahead[0], DEPTH_PAIR_X * AHEAD_LINE, dy + i),
            .dy = ahead_next(&ahead[1], DEPTH_PAIR_DY * AHEAD_LINE, dy + i)};
        v_f32 acc[DEPTH_SUMS];
        depth_sums_load(1, 9, acc, &s, 0);
        depth_add_pair(K0, acc, &s, next, x + i, dy + i, col);
        depth_sums_store(1, 9, acc, &s, 0);
    }
}

/* Output rows y and y + 1, all channels of four pixels before the next four. */
SIMD_INLINE void depth_weights_pair(const int K0, const struct kernel_depth_weights *d,
                                    struct kernel_ahead ahead[2], int y)
{
    const int full = d->c - d->c % VL;
    const struct depth_read part = {.part = true, .relu = d->relu, .m = v_first(d->c - full)};
    for (int p = 0; p < d->ow; p += DEPTH_WEIGHT_PIXELS) {
        if (d->relu) {
            const struct depth_read read = {.relu = true, .m = v_first(VL)};
            depth_pair_channels(K0, d, read, ahead, y, p, 0, full);
        } else {
            const struct depth_read read = {.m = v_first(VL)};
            depth_pair_channels(K0, d, read, ahead, y, p, 0, full);
        }
        depth_pair_channels(K0, d, part, ahead, y, p, full, d->c);
    }
}

/* In the order of memory, two output rows at a time, as far as pairs lie within the image; returns
 * the first row that is left. Sums come from L1 and go back for every four pixels, but what is
 * asked for is used in the order of asking, and every line as a whole. */
SIMD_INLINE int depth_weights_in_order(const struct kernel_depth_weights *d)
{
    struct kernel_ahead ahead[2] = {d->ahead[0], d->ahead[1]};
    int y = d->y0;
    for (; y + 2 <= d->y1 && y * 2 - d->pad + DEPTH_PAIR_ROWS <= d->h; y += 2) {
        if (y * 2 < d->pad) {
            depth_weights_pair(1, d, ahead, y);
        } else {
            depth_weights_pair(0, d, ahead, y);
        }
    }
    return y;
}

SIMD_INLINE bool depth_weights_by_pairs(const struct kernel_depth_weights *d)
{
    return DEPTH_VECS > 1 && d->in_order && depth_weights_at_once(d) &&
           d->ow % DEPTH_WEIGHT_PIXELS == 0;
}

void SIMD_NAME(depthwise_weights_f32)(const struct kernel_depth_weights *d)
{
    if (d->stride == 1) {
        depth_weights(1, d);
    } else if (d->stride == 2) {
        struct kernel_depth_weights rest = *d;
        if (depth_weights_by_pairs(d)) {
            rest.y0 = depth_weights_in_order(d);
            rest.ahead[0].n = rest.ahead[1].n = 0;
        }
        depth_weights(2, &rest);
    } else {
        depth_weights(0, d);
    }
}
