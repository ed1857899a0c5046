/*
 * gemm_body.h: the product over taps. A tile of P rows x KB vectors of columns stays in registers
 * while the whole inner dimension passes by: each step loads KB vectors of w and one scalar of x a
 * row. Tiles of every height up to SIMD_ROWS_KB are compiled, so that any number of rows is cut
 * into nearly equal tiles and no tile is ever half empty.
 */
#include "core/kernels/ahead_body.h"
#include "core/kernels/post_body.h"

#include <stdint.h>

enum { GEMM_MAX_ACC = 32, GEMM_MAX_KB = 4, GEMM_MAX_ROWS = SIMD_ROWS_1 };

/* Rows of x this far apart, and neighbours within, are compiled for themselves where a tile is one
 * register wide: sixteen channels in and out, the first third of the networks for CIFAR. There a
 * step is one load a product, and addresses made by the way cost a tenth (28 x 1: 288 -> 260
 * cycles). GEMM_NEAR and what is multiplied (GEMM_ONE, GEMM_MULTIPLY_ADD) stand in gemm_f32.h and
 * gemm_bf16.h. */
#define GEMM_FUNCTION(isa, name) isa(name)

/* Lines that a tile asks for at each step, where it asks: about as many as a tile like it reads
 * anew. Asked for between taps instead, in loops of their own, they cost a quarter of the time (1x1
 * 96 -> 16 from L2: .040 -> .033 ms). */
#define GEMM_FAR_LINES(P, KB) ((KB) > 1 ? 2 : (P) > 20 ? 3 : (P) > 8 ? 2 : 1)

/* The pointers of one tile. */
struct gemm_at {
    const struct kernel_gemm *g;
    const float *x, *w;
    float *y;
    ptrdiff_t y_offset; /* of y from g->y: add and mask are laid out as y */
    int col;            /* first column */
    v_mask last;        /* lanes of the last vector */
    const float *ahead; /* what to ask for */
    int ahead_lines;    /* of a tile */
};

/* Finish sums[n_rows, n_vec * VL] into y. Apart from the tiles: one copy of this code; the way
 * through L1 is little beside a long inner dimension. */
static __attribute__((noinline)) void gemm_finish(const struct kernel_gemm *g,
                                                  const struct gemm_at *at, const float *sums,
                                                  int n_rows, int n_vec)
{
    for (int k = 0; k < n_vec; k++) {
        v_mask m = k == n_vec - 1 ? at->last : v_first(VL);
        int col = at->col + k * VL;
        for (int r = 0; r < n_rows; r++) {
            ptrdiff_t o = at->y_offset + r * g->y_row + k * VL;
            v_f32 v = post_value(g->post, v_load(sums + (r * n_vec + k) * VL), g->y, o, col, m);
            v_store_part(g->y + o, m, v);
        }
    }
}

/* The same where post is what backward data asks for, the mask of a ReLU and a sum going on:
 * nothing is asked anew for each register. */
static __attribute__((noinline)) void gemm_finish_mask(const struct kernel_gemm *g,
                                                       const struct gemm_at *at, const float *sums,
                                                       int n_rows, int n_vec)
{
    const bool into = g->post->into;
    float *y = g->y + at->y_offset;
    const float *mask = g->post->mask + at->y_offset;
    const v_mask all = v_first(VL);
    for (int r = 0; r < n_rows; r++, y += g->y_row, mask += g->y_row) {
        for (int k = 0; k < n_vec; k++, sums += VL) {
            v_mask m = k == n_vec - 1 ? at->last : all;
            v_store_part(y + k * VL, m, post_masked(v_load(sums), mask, y, into, k * VL, m));
        }
    }
}

/* One step of the inner dimension: KB vectors of w and one element of each row of x. */
SIMD_INLINE void gemm_step(const int P, const int KB, const bool tail, const bool near,
                           v_f32 acc[GEMM_MAX_ACC], struct simd_rows *rows, const char *x,
                           const char *w, v_mask last)
{
    v_f32 wv[GEMM_MAX_KB];
    V_FOR (k, KB) {
        wv[k] = v_get((const float *)(const void *)w + k * VL, tail && k == KB - 1, last);
    }
    if (!near) {
        simd_rows_at(rows, x, P);
    }
    V_FOR (p, P) {
        const float *xp = near ? (const float *)(const void *)x + p * GEMM_NEAR : simd_row(rows, p);
        v_f32 b = GEMM_ONE(xp);
        V_FOR (k, KB) {
            acc[p * KB + k] = GEMM_MULTIPLY_ADD(b, wv[k], acc[p * KB + k]);
        }
    }
}

/* tail: the last vector is not full. far: lines are asked for, some at each step. */
SIMD_INLINE void gemm_tile(const int P, const int KB, const bool tail, const bool near,
                           const bool far, const struct kernel_gemm *g, const struct gemm_at *at)
{
    v_f32 acc[GEMM_MAX_ACC];
    V_FOR (i, P * KB) {
        acc[i] = v_zero();
    }
    if (g->accumulate) {
        V_FOR (i, P * KB) {
            acc[i] =
                v_get(at->y + i / KB * g->y_row + i % KB * VL, tail && i % KB == KB - 1, at->last);
        }
    }
    struct simd_rows rows = simd_rows_of(g->x_row);
    /* What the inner loop does not need waits in memory: in a register of the vector unit, where
     * gcc would put it, it would come back only after all products in flight. Where the next tap
     * begins is looked up before this one's loop: looked up after it, it would hold back the loads
     * of the next tap's first steps for twenty cycles. */
    const struct gemm_at *volatile home = at;
    const volatile ptrdiff_t x_bytes = (near ? 1 : g->x_inner) * (ptrdiff_t)sizeof(float);
    const volatile ptrdiff_t w_bytes = g->w_inner * (ptrdiff_t)sizeof(float);
    const char *volatile x_next = NULL, *volatile w_next = NULL;
    volatile int n_next = 0;
    const float *volatile ahead;
    volatile int ahead_left, n_rest;
    if (far) {
        ahead = at->ahead;
        ahead_left = at->ahead_lines;
    }
    if (g->n_taps > 0) {
        x_next = (const char *)(at->x + g->taps[0].x);
        w_next = (const char *)(at->w + g->taps[0].w);
        n_next = g->taps[0].n;
    }
    for (volatile int t = 0; t < home->g->n_taps; t++) {
        const char *x = x_next, *w = w_next;
        int n = n_next;
        if (t + 1 < home->g->n_taps) {
            const struct kernel_tap *tap = &home->g->taps[t + 1];
            x_next = (const char *)(home->x + tap->x);
            w_next = (const char *)(home->w + tap->w);
            n_next = tap->n;
        }
        const ptrdiff_t x_step = x_bytes, w_step = w_bytes;
        if (far) {
            const int lines = GEMM_FAR_LINES(P, KB), most = ahead_left / lines;
            const int n_far = n < most ? n : most;
            const float *line = ahead;
            ahead_left -= n_far * lines;
            n_rest = n - n_far;
            for (int m = n_far; m > 0; m--) {
                V_FOR (l, lines) {
                    __builtin_prefetch(line + l * AHEAD_LINE, 0, 3);
                }
                gemm_step(P, KB, tail, near, acc, &rows, x, w, at->last);
                x += x_step;
                w += w_step;
                line += lines * AHEAD_LINE;
                SIMD_OPAQUE(x); /* else both are computed anew behind the loop */
                SIMD_OPAQUE(w);
            }
            ahead = line;
            n = n_rest;
        }
        for (; n > 0; n--, x += x_step, w += w_step) {
            gemm_step(P, KB, tail, near, acc, &rows, x, w, at->last);
        }
    }
    at = home;
    g = at->g;
    if (g->post) {
        float sums[GEMM_MAX_ACC * VL];
        V_FOR (i, P * KB) {
            v_store(sums + i * VL, acc[i]);
        }
        if (post_is_mask(g->post)) {
            gemm_finish_mask(g, at, sums, P, KB);
        } else {
            gemm_finish(g, at, sums, P, KB);
        }
        return;
    }
    /* A store of a register may change any structure, as far as the compiler knows. */
    float *y = at->y;
    const ptrdiff_t y_row = g->y_row;
    const v_mask last = at->last;
    V_FOR (p, P) {
        V_FOR (k, KB) {
            v_put(y + k * VL, acc[p * KB + k], tail && k == KB - 1, last);
        }
        y += y_row;
    }
}

typedef void gemm_tile_fn(const struct kernel_gemm *g, const struct gemm_at *at);

#define GEMM_TILE_AS(word, P, KB, tail, far)                                                       \
    static void gemm_##word##_##P##x##KB(const struct kernel_gemm *g, const struct gemm_at *at)    \
    {                                                                                              \
        gemm_tile(P, KB, tail, false, far, g, at);                                                 \
    }
#define GEMM_TILE(P, KB)                                                                           \
    GEMM_TILE_AS(tile, P, KB, false, false)                                                        \
    GEMM_TILE_AS(part, P, KB, true, false)                                                         \
    GEMM_TILE_AS(far, P, KB, false, true)                                                          \
    GEMM_TILE_AS(far_part, P, KB, true, true)
SIMD_TILES(GEMM_TILE)

#define GEMM_TILE_NEAR(P, KB)                                                                      \
    static void gemm_near_##P##x##KB(const struct kernel_gemm *g, const struct gemm_at *at)        \
    {                                                                                              \
        gemm_tile(P, KB, false, true, false, g, at);                                               \
    }
SIMD_TILES_1(GEMM_TILE_NEAR)

/* [lines asked for][last vector not full][columns of vectors - 1][rows - 1] */
static gemm_tile_fn *const gemm_tiles[2][2][GEMM_MAX_KB][GEMM_MAX_ROWS] = {
#define GEMM_ROW(P, KB)                                                                            \
    [0][0][KB - 1][P - 1] = gemm_tile_##P##x##KB, [0][1][KB - 1][P - 1] = gemm_part_##P##x##KB,    \
    [1][0][KB - 1][P - 1] = gemm_far_##P##x##KB, [1][1][KB - 1][P - 1] = gemm_far_part_##P##x##KB,
    SIMD_TILES(GEMM_ROW)
#undef GEMM_ROW
};

static gemm_tile_fn *const gemm_near_tiles[GEMM_MAX_ROWS] = {
#define GEMM_ROW(P, KB) [P - 1] = gemm_near_##P##x##KB,
    SIMD_TILES_1(GEMM_ROW)
#undef GEMM_ROW
};

/* One register of columns and sixteen channels (near ones): with thirty-two registers all weights
 * stay in them, and short tiles let the loads of the next ones run ahead of products that wait for
 * memory (1x1 16 -> 16 of 131072 pixels: .60 -> .32 to .38 ms). */
enum { GEMM_SQUARE = VL == 16, GEMM_SQUARE_ROWS = 8 };

/* mask: NULL, or what post->mask is; into: then added to y. */
SIMD_INLINE void gemm_square(const int P, float *y, const float *x, const v_f32 w[GEMM_NEAR],
                             const float *mask, const bool into)
{
    v_f32 acc[GEMM_SQUARE_ROWS];
    V_FOR (p, P) {
        acc[p] = v_zero();
    }
    V_FOR (i, GEMM_NEAR) {
        V_FOR (p, P) {
            v_f32 b = GEMM_ONE(x + p * GEMM_NEAR + i);
            acc[p] = GEMM_MULTIPLY_ADD(b, w[i], acc[p]);
        }
    }
    V_FOR (p, P) {
        v_store(y + p * VL,
                mask ? post_masked(acc[p], mask, y, into, p * VL, v_first(VL)) : acc[p]);
    }
}

static bool gemm_is_square(const struct kernel_gemm *g)
{
    return GEMM_SQUARE && g->n_cols == VL && g->n_rows > GEMM_MAX_ROWS && g->n_taps == 1 &&
           g->taps[0].n == GEMM_NEAR && g->x_row == GEMM_NEAR && g->x_inner == 1 &&
           g->y_row == VL && !g->accumulate && (!g->post || post_is_mask(g->post));
}

SIMD_INLINE void gemm_squares(const struct kernel_gemm *g, const float *mask, const bool into)
{
    const float *x = g->x + g->taps[0].x, *from = g->w + g->taps[0].w;
    float *y = g->y;
    v_f32 w[GEMM_NEAR];
    V_FOR (i, GEMM_NEAR) {
        w[i] = v_load(from + i * g->w_inner);
    }
    size_t n = g->n_rows;
    for (; n >= GEMM_SQUARE_ROWS; n -= GEMM_SQUARE_ROWS) {
        gemm_square(GEMM_SQUARE_ROWS, y, x, w, mask, into);
        x += GEMM_SQUARE_ROWS * GEMM_NEAR;
        y += GEMM_SQUARE_ROWS * VL;
        mask = mask ? mask + GEMM_SQUARE_ROWS * VL : NULL;
    }
    for (; n > 0; n--) {
        gemm_square(1, y, x, w, mask, into);
        x += GEMM_NEAR;
        y += VL;
        mask = mask ? mask + VL : NULL;
    }
}

static __attribute__((noinline)) void gemm_squares_plain(const struct kernel_gemm *g)
{
    gemm_squares(g, NULL, false);
}

static __attribute__((noinline)) void gemm_squares_mask(const struct kernel_gemm *g)
{
    gemm_squares(g, g->post->mask, false);
}

static __attribute__((noinline)) void gemm_squares_mask_into(const struct kernel_gemm *g)
{
    gemm_squares(g, g->post->mask, true);
}

void GEMM_FUNCTION(SIMD_NAME, GEMM_NAME)(const struct kernel_gemm *g)
{
    static const size_t rows[GEMM_MAX_KB + 1] = {1, SIMD_ROWS_1, SIMD_ROWS_2, SIMD_ROWS_3,
                                                 SIMD_ROWS_4};
    const int n_vec = (int)((unsigned)(g->n_cols + VL - 1) / VL);
    if (g->n_rows == 0 || n_vec == 0) {
        return;
    }
    if (gemm_is_square(g)) {
        if (!g->post) {
            gemm_squares_plain(g);
        } else if (!g->post->into) {
            gemm_squares_mask(g);
        } else {
            gemm_squares_mask_into(g);
        }
        return;
    }
    unsigned n_blocks = ((unsigned)n_vec + SIMD_COLS - 1) / SIMD_COLS;
    struct ahead ahead;
    const bool far = g->ahead[0].n + g->ahead[1].n > 0;
    if (far) { /* only where it is used: many calls are short */
        const size_t most = rows[(unsigned)n_vec / n_blocks];
        ahead = ahead_of(g->ahead, (g->n_rows + most - 1) / most * n_blocks);
    }
    for (int v = 0; v < n_vec; n_blocks--) {
        const int kb = (int)((unsigned)(n_vec - v) / n_blocks); /* nearly equal, larger ones last */
        const bool tail = g->n_cols < (v + kb) * VL;
        struct gemm_at at = {.g = g, .col = v * VL, .w = g->w + v * VL};
        at.last = v_first(g->n_cols - (v + kb - 1) * VL);
        gemm_tile_fn *const *tiles = gemm_tiles[far][tail][kb - 1];
        if (kb == 1 && !tail && !far && g->x_row == GEMM_NEAR && g->x_inner == 1) {
            tiles = gemm_near_tiles;
        }
        size_t left = g->n_rows, n_tiles = (left + rows[kb] - 1) / rows[kb];
        for (size_t r = 0; left > 0; n_tiles--) {
            size_t p = n_tiles == 1 ? left : (left + n_tiles - 1) / n_tiles;
            at.x = g->x + (ptrdiff_t)r * g->x_row;
            at.y_offset = (ptrdiff_t)r * g->y_row + v * VL;
            at.y = g->y + at.y_offset;
            if (far) {
                struct kernel_ahead run = ahead_take(&ahead);
                at.ahead = run.p;
                at.ahead_lines = (int)(run.n / AHEAD_LINE);
            }
            tiles[p - 1](g, &at);
            r += p;
            left -= p;
        }
        v += kb;
    }
}
