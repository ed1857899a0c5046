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

/* Or what is read at the same place of the next channels, and behind the last of the next rows, is
 * asked for with each column: lines of two registers, which must be all that they hold. */
enum { DEPTH_NEXT = DEPTH_VECS * VL == 2 * AHEAD_LINE };

/* What does not change from pixel to pixel; i: first channel. */
struct depth_sums {
    const struct kernel_depth_weights *d;
    struct depth_read read;
    int i;
    /* Where it is asked for: how far what comes next lies from what is read. */
    ptrdiff_t x_next, dy_next;
};

SIMD_INLINE void depth_ask_lines(const float *p)
{
    __builtin_prefetch(p, 0, 2);
    __builtin_prefetch(p + AHEAD_LINE, 0, 2);
}

/* acc[(k * COLS + j) * V + v] += P pixels, S columns apart, by kernel rows K0 .. K1 - 1, all
 * inside. x: the row that kernel row 0 meets, at column col of the image, which place 0 brings to
 * the first pixel. next: of a 3x3, what comes next is asked for. */
SIMD_INLINE void depth_add(const int V, const int K0, const int K1, const int COLS, const int P,
                           const int S, const enum depth_border border, const bool next,
                           v_f32 acc[DEPTH_SUMS], const struct depth_sums *s, const float *x,
                           const float *dy, ptrdiff_t col)
{
    const ptrdiff_t step = s->d->step, row = s->d->w * step;
    const size_t w = (size_t)s->d->w;
    const float *dy_line = next ? dy + s->dy_next : NULL;
    v_f32 g[DEPTH_WEIGHT_PIXELS * DEPTH_VECS];
    V_FOR (p, P) {
        V_FOR (v, V) {
            g[p * V + v] = v_get(dy + v * VL, s->read.part, s->read.m);
        }
        dy += step;
    }
    const float *at[3] = {x, x + row, x + 2 * row};
    V_FOR (m, (P - 1) * S + COLS) {
        if (next && m >= 1 && m <= P * S) { /* columns and rows that no tile before has read */
            V_FOR (k, K1) {
                if (k >= (K0 == 0 ? 3 - S : 1)) {
                    depth_ask_lines(at[k] + s->x_next);
                }
            }
            if (m <= P) {
                depth_ask_lines(dy_line);
                dy_line += step;
                SIMD_OPAQUE(dy_line);
            }
        }
        /* 3x3: at most one column on each side does not exist. */
        const bool last = m > (P - 1) * S + 1;
        const bool sure = border < DEPTH_ANY || (K1 > 1 && m >= 1 && !last);
        const bool seen = !(m == 0 && (border == DEPTH_LEFT || border == DEPTH_BOTH)) &&
                          !(last && (border == DEPTH_RIGHT || border == DEPTH_BOTH));
        if (sure ? seen : __builtin_expect((size_t)(col + m) < w, 1)) {
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
        if (K1 == 1 && S > 0 && col >= 0 && col + (most - 1) * S + COLS <= d->w) {
            depth_add(V, K0, K1, COLS, most, S, DEPTH_INNER, false, acc, s, x, dy, col);
        } else {
            depth_add(V, K0, K1, COLS, most, S, DEPTH_ANY, false, acc, s, x, dy, col);
        }
        dy += most * d->step;
        x += most * stride * d->step;
        col += most * stride;
    }
    switch (left) {
    case 1:
        depth_add(V, K0, K1, COLS, 1, S, DEPTH_ANY, false, acc, s, x, dy, col);
        break;
    case 2:
        depth_add(V, K0, K1, COLS, 2, S, DEPTH_ANY, false, acc, s, x, dy, col);
        break;
    case 3:
        depth_add(V, K0, K1, COLS, 3, S, DEPTH_ANY, false, acc, s, x, dy, col);
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

/* Rows of a 3x3 that are whole tiles, of an image with the usual border? */
SIMD_INLINE bool depth_weights_even(const struct kernel_depth_weights *d)
{
    return d->stride <= 2 && d->pad == 1 && d->ow % DEPTH_WEIGHT_PIXELS == 0 &&
           d->w == d->ow * d->stride;
}

/* The same of such a row: each tile knows what it lacks. */
SIMD_INLINE void depth_add_even(const int V, const int K0, const int K1, const int S,
                                const bool next, v_f32 acc[DEPTH_SUMS], const struct depth_sums *s,
                                int y)
{
    enum { P = DEPTH_WEIGHT_PIXELS };
    const struct kernel_depth_weights *d = s->d;
    const ptrdiff_t step = d->step;
    const float *dy = d->dy + (ptrdiff_t)y * d->ow * step + s->i;
    const float *x = d->x + ((ptrdiff_t)(y * S - 1) * d->w - 1) * step + s->i;
    const enum depth_border right = S == 1 ? DEPTH_RIGHT : DEPTH_INNER;
    const enum depth_border both = S == 1 ? DEPTH_BOTH : DEPTH_LEFT;
    if (d->ow == P) {
        depth_add(V, K0, K1, 3, P, S, both, next, acc, s, x, dy, 0);
        return;
    }
    depth_add(V, K0, K1, 3, P, S, DEPTH_LEFT, next, acc, s, x, dy, 0);
    for (int left = d->ow - 2 * P; left > 0; left -= P) {
        dy += P * step;
        x += P * S * step;
        depth_add(V, K0, K1, 3, P, S, DEPTH_INNER, next, acc, s, x, dy, 0);
    }
    depth_add(V, K0, K1, 3, P, S, right, next, acc, s, x + P * S * step, dy + P * step, 0);
}

/* How rows of a 3x3 are added: any; those whose tiles know what they lack; these, and what comes
 * next is asked for. */
enum depth_rows { DEPTH_ANY_ROWS, DEPTH_EVEN_ROWS, DEPTH_NEXT_ROWS };

/* Output row y of a 3x3 with a border of at most one, by kernel rows K0 .. K1 - 1. */
SIMD_INLINE void depth_add_3x3(const int V, const int K0, const int K1, const int S,
                               const enum depth_rows rows, v_f32 acc[DEPTH_SUMS],
                               const struct depth_sums *s, struct ahead *ahead, int y)
{
    if (rows != DEPTH_ANY_ROWS) {
        depth_add_even(V, K0, K1, S, rows == DEPTH_NEXT_ROWS, acc, s, y);
    } else {
        depth_add_row(V, K0, K1, 3, S, acc, s, ahead, y, 0, 0);
    }
}

/* All of its rows: the nine sums stay in registers from row to row. */
SIMD_INLINE void depth_weights_3x3(const int V, const int S, const enum depth_rows rows,
                                   const struct depth_sums *s, struct ahead *ahead)
{
    const struct kernel_depth_weights *d = s->d;
    v_f32 acc[DEPTH_SUMS];
    depth_sums_load(V, 9, acc, s, 0);
    for (int y = d->y0; y < d->y1; y++) {
        const int iy = y * d->stride - d->pad;
        if (iy < 0) {
            depth_add_3x3(V, 1, 3, S, rows, acc, s, ahead, y);
        } else if (iy + 3 > d->h) {
            depth_add_3x3(V, 0, 2, S, rows, acc, s, ahead, y);
        } else {
            depth_add_3x3(V, 0, 3, S, rows, acc, s, ahead, y);
        }
    }
    depth_sums_store(V, 9, acc, s, 0);
}

/* Output rows y .. y1 - 1 by one row of any kernel: COLS places from place q on. */
SIMD_INLINE void depth_weights_places(const int V, const int COLS, const int S,
                                      const struct depth_sums *s, struct ahead *ahead, int y,
                                      int y1, int kernel_row, int q)
{
    v_f32 acc[DEPTH_SUMS];
    depth_sums_load(V, COLS, acc, s, kernel_row * s->d->kw + q);
    for (; y < y1; y++) {
        depth_add_row(V, 0, 1, COLS, S, acc, s, ahead, y, kernel_row, q);
    }
    depth_sums_store(V, COLS, acc, s, kernel_row * s->d->kw + q);
}

/* Floats of x and dy that are passed over again for the next kernel row: half of a small L1. */
enum { DEPTH_AGAIN_FLOATS = 4096 };

/* All nine places of a 3x3 in one pass over the pixels? */
SIMD_INLINE bool depth_weights_at_once(const struct kernel_depth_weights *d)
{
    return d->kh == 3 && d->kw == 3 && d->pad <= 1 && d->h >= 2;
}

/* V registers of channels from channel i on. */
SIMD_INLINE void depth_weights_channels(const int V, const int S,
                                        const struct kernel_depth_weights *d,
                                        struct depth_read read, struct ahead *ahead, int i)
{
    struct depth_sums sums = {.d = d, .read = read, .i = i}, *const s = &sums;
    if (depth_weights_at_once(d)) {
        const bool even = S > 0 && depth_weights_even(d), last = i + V * VL >= d->c;
        if (DEPTH_NEXT && even && d->next) {
            const ptrdiff_t n_rows = d->y1 - d->y0;
            s->x_next = last ? n_rows * S * d->w * d->step - i : V * VL;
            s->dy_next = last ? n_rows * d->ow * d->step - i : V * VL;
            depth_weights_3x3(V, S, DEPTH_NEXT_ROWS, s, ahead);
        } else if (even && ahead->lines == 0) {
            /* Where memory is waited for, it is slower: 32x32x96 .82 and 1.05. */
            depth_weights_3x3(V, S, DEPTH_EVEN_ROWS, s, ahead);
        } else {
            depth_weights_3x3(V, S, DEPTH_ANY_ROWS, s, ahead);
        }
        return;
    }
    const int row = (d->stride * d->w + d->ow) * V * VL, again = DEPTH_AGAIN_FLOATS / row;
    const int n_rows = again > 1 ? again : 1;
    for (int y0 = d->y0; y0 < d->y1; y0 += n_rows) {
        for (int k = 0; k < d->kh; k++) {
            int y = y0, y1 = y0 + n_rows < d->y1 ? y0 + n_rows : d->y1;
            while (y < y1 && y * d->stride - d->pad + k < 0) {
                y++;
            }
            while (y < y1 && (y1 - 1) * d->stride - d->pad + k >= d->h) {
                y1--;
            }
            int q = y < y1 ? 0 : d->kw;
            for (; q + 5 <= d->kw; q += 5) {
                depth_weights_places(V, 5, S, s, ahead, y, y1, k, q);
            }
            for (; q + 3 <= d->kw; q += 3) {
                depth_weights_places(V, 3, S, s, ahead, y, y1, k, q);
            }
            for (; q < d->kw; q++) {
                depth_weights_places(V, 1, S, s, ahead, y, y1, k, q);
            }
        }
    }
}

/* A function for each case, as in depthwise_body.h. */
#define DEPTH_WEIGHTS_FN(S, case, V, ...)                                                          \
    static __attribute__((noinline)) void depth_weights_##case##_##S(                              \
        const struct kernel_depth_weights *d, struct ahead *ahead, int i)                          \
    {                                                                                              \
        const struct depth_read read = {__VA_ARGS__};                                              \
        depth_weights_channels(V, S, d, read, ahead, i);                                           \
    }
#define DEPTH_WEIGHTS_FNS(S)                                                                       \
    DEPTH_WEIGHTS_FN(S, plain, DEPTH_VECS, .m = v_first(VL))                                       \
    DEPTH_WEIGHTS_FN(S, relu, DEPTH_VECS, .relu = true, .m = v_first(VL))                          \
    DEPTH_WEIGHTS_FN(S, part, 1, .part = true, .relu = d->relu, .m = v_first(d->c - i))
DEPTH_WEIGHTS_FNS(0)
DEPTH_WEIGHTS_FNS(1)
DEPTH_WEIGHTS_FNS(2)

typedef void depth_weights_fn(const struct kernel_depth_weights *d, struct ahead *ahead, int i);

/* [stride, or 0 for a larger one][plain, relu, part] */
static depth_weights_fn *const depth_weights_fns[3][3] = {
    {depth_weights_plain_0, depth_weights_relu_0, depth_weights_part_0},
    {depth_weights_plain_1, depth_weights_relu_1, depth_weights_part_1},
    {depth_weights_plain_2, depth_weights_relu_2, depth_weights_part_2}};

static void depth_weights(int stride, const struct kernel_depth_weights *d)
{
    enum { TOGETHER = DEPTH_VECS * VL };
    const int n_blocks = (d->c + TOGETHER - 1) / TOGETHER;
    const int runs = DEPTH_ASK_OFTEN ? (d->ow + DEPTH_WEIGHT_PIXELS - 1) / DEPTH_WEIGHT_PIXELS : 1;
    const int passes = depth_weights_at_once(d) ? 1 : d->kh;
    const size_t pieces = (size_t)n_blocks * (size_t)(d->y1 - d->y0) * (size_t)(runs * passes);
    struct ahead ahead = ahead_of(d->ahead, pieces);
    int i = 0;
    depth_weights_fn *const *fns = depth_weights_fns[stride];
    for (; i + TOGETHER <= d->c; i += TOGETHER) {
        fns[d->relu](d, &ahead, i);
    }
    for (; i < d->c; i += VL) {
        fns[2](d, &ahead, i);
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
        const struct depth_sums s = {.d = d, .read = read, .i = i};
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
