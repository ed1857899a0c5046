/*
 * gemm_body.h: the product over taps. A tile of P rows x KB vectors of columns stays in registers
 * while the whole inner dimension passes by: each step loads KB vectors of w and one scalar of x a
 * row. Tiles of every height up to SIMD_ROWS are compiled, so that any number of rows is cut into
 * nearly equal tiles and no tile is ever half empty.
 */
#include "core/kernels/squares_body.h"

#include <stdint.h>

enum { GEMM_MAX_ACC = 32, GEMM_MAX_KB = 4, GEMM_MAX_ROWS = SIMD_ROWS_1 };

/* Rows of x this far apart, and neighbours within, are compiled for themselves where a tile is one
 * register wide: sixteen channels in and out, the first third of the networks for CIFAR. There a
 * step is one load a product, and addresses made by the way cost a tenth (28 x 1: 288 -> 260
 * cycles). GEMM_NEAR and what is multiplied (GEMM_ONE, GEMM_MULTIPLY_ADD) stand in gemm_f32.h and
 * gemm_bf16.h. */
#define GEMM_FUNCTION(isa, name) isa(name)

/* Lines that a tile asks for at each step, where it asks: at most about as many as a tile like it
 * reads anew, and no more than are left for its steps (16 x 1 with two a step instead of one: 3x3
 * weights of 16 channels, 128 images, 2.41 ms instead of 2.10). Asked for between taps instead, in
 * loops of their own, they cost a quarter of the time (1x1 96 -> 16 from L2: .040 -> .033 ms). */
#define GEMM_FAR_LINES(P, KB) ((KB) > 1 ? 2 : (P) > 20 ? 3 : (P) > 8 ? 2 : 1)

SIMD_INLINE int gemm_lines(int lines, int steps, const int most)
{
    int each = lines > 2 * steps ? 3 : lines > steps ? 2 : 1;
    return each < most ? each : most;
}

/* Where a tile's sums go: rows from y on, columns from col. */
struct gemm_place {
    float *y;
    int col;
    v_mask last; /* lanes of the last vector */
};

/* Finish sums[n_rows, n_vec * VL] into y. Apart from the tiles: one copy of this code; the way
 * through L1 is little beside a long inner dimension. */
static __attribute__((noinline)) void gemm_finish(const struct kernel_gemm *g,
                                                  const struct gemm_place *at, const float *sums,
                                                  int n_rows, int n_vec)
{
    for (int k = 0; k < n_vec; k++) {
        v_mask m = k == n_vec - 1 ? at->last : v_first(VL);
        int col = at->col + k * VL;
        for (int r = 0; r < n_rows; r++) {
            ptrdiff_t o = at->y - g->y + r * g->y_row + k * VL; /* add, mask: laid out as y */
            v_f32 v = post_value(g->post, v_load(sums + (r * n_vec + k) * VL), g->y, o, col, m);
            v_store_part(g->y + o, m, v);
        }
    }
}

/* The same where post is what backward data asks for, the mask of a ReLU and a sum going on:
 * nothing is asked anew for each register. */
static __attribute__((noinline)) void gemm_finish_mask(const struct kernel_gemm *g,
                                                       const struct gemm_place *at,
                                                       const float *sums, int n_rows, int n_vec)
{
    const bool into = g->post->into;
    float *y = at->y;
    const float *mask = g->post->mask + (y - g->y);
    const v_mask all = v_first(VL);
    for (int r = 0; r < n_rows; r++, y += g->y_row, mask += g->y_row) {
        for (int k = 0; k < n_vec; k++, sums += VL) {
            v_mask m = k == n_vec - 1 ? at->last : all;
            v_store_part(y + k * VL, m, post_masked(v_load(sums), mask, y, into, k * VL, m));
        }
    }
}

/* What the last vector of columns is: full; less, under a mask; or just half, where half a
 * register takes half the time and no mask. */
enum gemm_end { GEMM_FULL, GEMM_PART, GEMM_HALF, GEMM_N_ENDS };

SIMD_INLINE v_f32 gemm_get(const float *p, const enum gemm_end end, v_mask last)
{
    return end == GEMM_HALF ? v_load_half(p) : v_get(p, end == GEMM_PART, last);
}

SIMD_INLINE void gemm_put(float *p, v_f32 v, const enum gemm_end end, v_mask last)
{
    if (end == GEMM_HALF) {
        v_store_half(p, v);
    } else {
        v_put(p, v, end == GEMM_PART, last);
    }
}

/* One step of the inner dimension: KB vectors of w and one element of each row of x. The first of a
 * tile only multiplies: on Zen 4 a multiply-add waits for the port by which the tile before is
 * being stored, a product does not (28 x 1 of 16 terms 516 -> 453 cycles, 448 of them products). */
SIMD_INLINE void gemm_step(const int P, const int KB, const enum gemm_end end, const bool near,
                           const bool first, v_f32 acc[GEMM_MAX_ACC], struct simd_rows *rows,
                           const char *x, const char *w, v_mask last)
{
    v_f32 wv[GEMM_MAX_KB];
    V_FOR (k, KB) {
        wv[k] =
            gemm_get((const float *)(const void *)w + k * VL, k == KB - 1 ? end : GEMM_FULL, last);
    }
    if (!near) {
        simd_rows_at(rows, x, P);
    }
    V_FOR (p, P) {
        const float *xp = near ? (const float *)(const void *)x + p * GEMM_NEAR : simd_row(rows, p);
        v_f32 b = GEMM_ONE(xp);
        V_FOR (k, KB) {
            const int i = p * KB + k;
            if (first) {
                acc[i] = GEMM_MULTIPLY(b, wv[k]);
            } else if (k == KB - 1 && end == GEMM_HALF) {
                acc[i] = v_fma_half(b, wv[k], acc[i]);
            } else {
                acc[i] = GEMM_MULTIPLY_ADD(b, wv[k], acc[i]);
            }
        }
    }
}

/* Tiles that follow one another, from x and y on until y_end, of columns from col on: those of a
 * line, or, where there are more lines, the same one of each. far: lines of memory are asked for,
 * some at each step.
 *
 * Between two tiles as little as may be is stored: a store waits in its queue behind the sums of
 * the tile before, and holds up the products of the next (14 x 2 of 32 terms: about a cycle each;
 * tiles one call each, with their pointers in a structure, took 2 to 5 % more; two tiles of 16 x 1
 * of 27 terms a call, 928 cycles of which 864 are products, take 885 where a call does 32 lines).
 */
SIMD_INLINE void gemm_tile(const int P, const int KB, const enum gemm_end end, const bool near,
                           const bool far, const struct kernel_gemm *g, const float *x_first,
                           float *y, const float *y_end, int col, struct ahead *ahead)
{
    /* What the inner loop does not need waits in memory: in a register of the vector unit, where
     * gcc would put it, it would come back only after all products in flight. */
    const struct kernel_gemm *volatile home = g;
    const float *volatile x_tile = x_first, *volatile stop = y_end;
    float *volatile y_tile = y;
    const volatile int col_home = col;
    struct ahead *volatile ahead_home;
    const float *volatile line_home;
    volatile int lines_left, n_rest;
    v_mask last = v_first(VL);
    if (end == GEMM_PART) {
        last = v_first(g->n_cols - col - (KB - 1) * VL);
    } else if (end == GEMM_HALF) {
        last = v_first(VL / 2);
    }
    if (far) {
        ahead_home = ahead;
    }
    for (;;) {
        v_f32 acc[GEMM_MAX_ACC];
        g = home;
        if (far) {
            struct kernel_ahead run = ahead_take(ahead_home);
            line_home = run.p;
            lines_left = (int)(run.n / AHEAD_LINE);
        }
        struct simd_rows rows = simd_rows_of(g->x_row);
        ptrdiff_t x_step = (near ? 1 : g->x_inner) * (ptrdiff_t)sizeof(float);
        const ptrdiff_t w_step = g->w_inner * (ptrdiff_t)sizeof(float);
        SIMD_OPAQUE(x_step); /* else the loops are compiled twice, for 1 and any */
        const struct kernel_tap *tap = g->taps;
        const char *x, *w;
        int left = g->n_taps, n = 0;
        const bool begins = GEMM_BEGINS && left > 0 && tap->n > 0;
        if (begins) {
            x = (const char *)(x_tile + tap->x);
            w = (const char *)(home->w + col_home + tap->w);
            gemm_step(P, KB, end, near, true, acc, &rows, x, w, last);
            n = tap->n - 1;
        } else {
            V_FOR (i, P * KB) {
                acc[i] = v_zero();
            }
        }
        if (g->accumulate) {
            const float *from = y_tile;
            V_FOR (i, P * KB) {
                V_OPAQUE(acc[i]); /* rounded in tiles of every size: no multiply-add */
                acc[i] = v_add(acc[i], gemm_get(from + i / KB * g->y_row + i % KB * VL,
                                                i % KB == KB - 1 ? end : GEMM_FULL, last));
            }
        }
        for (; left > 0; left--, tap++) {
            x = (const char *)(x_tile + tap->x);
            w = (const char *)(home->w + col_home + tap->w);
            if (begins && left == g->n_taps) {
                x += x_step;
                w += w_step;
            } else {
                n = tap->n;
            }
            if (far) {
                const int lines = gemm_lines(lines_left, n, GEMM_FAR_LINES(P, KB));
                const int most = (lines_left + lines - 1) / lines; /* none is left out */
                const int n_far = n < most ? n : most;
                const float *line = line_home;
                lines_left = n_far < most ? lines_left - n_far * lines : 0;
                n_rest = n - n_far;
                for (int m = n_far; m > 0; m--) {
                    __builtin_prefetch(line, 0, 2);
                    if (GEMM_FAR_LINES(P, KB) > 1 && lines > 1) {
                        __builtin_prefetch(line + AHEAD_LINE, 0, 2);
                    }
                    if (GEMM_FAR_LINES(P, KB) > 2 && lines > 2) {
                        __builtin_prefetch(line + 2 * AHEAD_LINE, 0, 2);
                    }
                    gemm_step(P, KB, end, near, false, acc, &rows, x, w, last);
                    x += x_step;
                    w += w_step;
                    line += lines * AHEAD_LINE;
                    SIMD_OPAQUE(x); /* else both are computed anew behind the loop */
                    SIMD_OPAQUE(w);
                }
                line_home = line;
                n = n_rest;
            }
            for (; n > 0; n--, x += x_step, w += w_step) {
                gemm_step(P, KB, end, near, false, acc, &rows, x, w, last);
            }
        }
        g = home;
        y = y_tile;
        if (g->post) {
            const struct gemm_place at = {.y = y, .col = col_home, .last = last};
            float sums[GEMM_MAX_ACC * VL];
            V_FOR (i, P * KB) {
                v_store(sums + i * VL, acc[i]);
            }
            if (post_is_mask(g->post)) {
                gemm_finish_mask(g, &at, sums, P, KB);
            } else {
                gemm_finish(g, &at, sums, P, KB);
            }
            g = home;
            y += P * g->y_row;
        } else {
            /* A store of a register may change any structure, as far as the compiler knows. */
            const ptrdiff_t y_row = g->y_row;
            V_FOR (p, P) {
                V_FOR (k, KB) {
                    gemm_put(y + k * VL, acc[p * KB + k], k == KB - 1 ? end : GEMM_FULL, last);
                }
                y += y_row;
            }
            g = home;
        }
        if (g->more.n == 0) {
            if (y == stop) {
                return;
            }
            y_tile = y;
            x_tile += P * g->x_row;
            continue;
        }
        y = y_tile + g->more.y; /* the same tile of the next line */
        if (y == stop) {
            return;
        }
        y_tile = y;
        x_tile += g->more.x;
    }
}

typedef void gemm_tile_fn(const struct kernel_gemm *g, const float *x, float *y, const float *y_end,
                          int col, struct ahead *ahead);

#define GEMM_TILE_AS(word, P, KB, end, far)                                                        \
    static void gemm_##word##_##P##x##KB(const struct kernel_gemm *g, const float *x, float *y,    \
                                         const float *y_end, int col, struct ahead *ahead)         \
    {                                                                                              \
        gemm_tile(P, KB, end, false, far, g, x, y, y_end, col, ahead);                             \
    }
#define GEMM_TILE(P, KB)                                                                           \
    GEMM_TILE_AS(tile, P, KB, GEMM_FULL, false)                                                    \
    GEMM_TILE_AS(part, P, KB, GEMM_PART, false)                                                    \
    GEMM_TILE_AS(far, P, KB, GEMM_FULL, true)                                                      \
    GEMM_TILE_AS(far_part, P, KB, GEMM_PART, true)
SIMD_TILES(GEMM_TILE)

#define GEMM_TILE_HALF(P, KB)                                                                      \
    GEMM_TILE_AS(half, P, KB, GEMM_HALF, false)                                                    \
    GEMM_TILE_AS(far_half, P, KB, GEMM_HALF, true)
GEMM_HALVES(GEMM_TILE_HALF)

#define GEMM_TILE_NEAR(P, KB)                                                                      \
    static void gemm_near_##P##x##KB(const struct kernel_gemm *g, const float *x, float *y,        \
                                     const float *y_end, int col, struct ahead *ahead)             \
    {                                                                                              \
        gemm_tile(P, KB, GEMM_FULL, true, false, g, x, y, y_end, col, ahead);                      \
    }
SIMD_TILES_1(GEMM_TILE_NEAR)

/* [lines asked for][last vector][columns of vectors - 1][rows - 1] */
static gemm_tile_fn *const gemm_tiles[2][GEMM_N_ENDS][GEMM_MAX_KB][GEMM_MAX_ROWS] = {
#define GEMM_ROW(P, KB)                                                                            \
    [0][GEMM_FULL][KB - 1][P - 1] = gemm_tile_##P##x##KB,                                          \
                               [0][GEMM_PART][KB - 1][P - 1] = gemm_part_##P##x##KB,               \
                               [1][GEMM_FULL][KB - 1][P - 1] = gemm_far_##P##x##KB,                \
                               [1][GEMM_PART][KB - 1][P - 1] = gemm_far_part_##P##x##KB,
    SIMD_TILES(GEMM_ROW)
#undef GEMM_ROW
#define GEMM_ROW(P, KB)                                                                            \
    [0][GEMM_HALF][KB - 1][P - 1] = gemm_half_##P##x##KB,                                          \
                               [1][GEMM_HALF][KB - 1][P - 1] = gemm_far_half_##P##x##KB,
        GEMM_HALVES(GEMM_ROW)
#undef GEMM_ROW
};

static gemm_tile_fn *const gemm_near_tiles[GEMM_MAX_ROWS] = {
#define GEMM_ROW(P, KB) [P - 1] = gemm_near_##P##x##KB,
    SIMD_TILES_1(GEMM_ROW)
#undef GEMM_ROW
};

static const size_t gemm_most_rows[GEMM_MAX_KB + 1] = {1, SIMD_ROWS};
static const size_t gemm_few_rows[GEMM_MAX_KB + 1] = {1, SIMD_FEW_ROWS};

/* What stays in L1 beside all else. */
enum { GEMM_L1_FLOATS = 4096 };

/* Tiles that the rows are cut into, kb registers wide: of as many rows as there are sums for or,
 * where weights are read from L1 for each of them, of few, since what is stored at the end of a
 * tile holds up less then. Not where a line of x holds several rows, which each tile reads anew
 * (1x1 weights of 72 -> 24 channels, .78); those of planes are near. */
SIMD_INLINE size_t gemm_n_tiles(const struct kernel_gemm *g, int kb)
{
    const size_t most = gemm_most_rows[kb], n = (g->n_rows + most - 1) / most;
    const size_t inner = g->n_taps > 0 ? (size_t)(g->n_taps * g->taps[0].n) : 0;
    const size_t short_ones = g->n_rows / gemm_few_rows[kb];
    const bool near =
        (g->x_inner == 1 || g->planes.n > 0) && inner * (size_t)(kb * VL) <= GEMM_L1_FLOATS;
    return near && short_ones > n ? short_ones : n;
}

/* The tiles of kb vectors of columns from col on, by their rows - 1. */
SIMD_INLINE gemm_tile_fn *const *gemm_tiles_of(const struct kernel_gemm *g, int col, int kb,
                                               bool far)
{
    const int n_last = g->n_cols - col - (kb - 1) * VL; /* lanes of the last vector */
    if (n_last < VL) {
        const bool half = 2 * n_last == VL && gemm_tiles[far][GEMM_HALF][kb - 1][0];
        return gemm_tiles[far][half ? GEMM_HALF : GEMM_PART][kb - 1];
    }
    const bool near = kb == 1 && !far && g->x_row == GEMM_NEAR && g->x_inner == 1;
    return near ? gemm_near_tiles : gemm_tiles[far][GEMM_FULL][kb - 1];
}

/* n tiles of so many rows, from x and y on. */
SIMD_INLINE void gemm_some_tiles(const struct kernel_gemm *g, gemm_tile_fn *tile, size_t height,
                                 size_t n, const float *x, float *y, int col, struct ahead *ahead)
{
    if (g->more.n == 0) {
        if (n > 0) {
            tile(g, x, y, y + (ptrdiff_t)(height * n) * g->y_row, col, ahead);
        }
        return;
    }
    for (; n > 0; n--) { /* a tile of each line, then the next one of each */
        tile(g, x, y, y + (1 + g->more.n) * g->more.y, col, ahead);
        x += (ptrdiff_t)height * g->x_row;
        y += (ptrdiff_t)height * g->y_row;
    }
}

/* More than one tile. n_all: tiles of all n_vec vectors at once, where they go together. */
static __attribute__((noinline)) void gemm_blocks(const struct kernel_gemm *g, int n_vec,
                                                  size_t n_all)
{
    unsigned n_blocks = ((unsigned)n_vec + SIMD_COLS - 1) / SIMD_COLS;
    /* Tiles twice as tall and half as wide: weights come from L2 half as often (7 rows of 288
     * terms, 64 channels: .89 -> .99 of the peak). */
    if (SIMD_COLS == 4 && n_vec % 4 == 0 && g->n_rows > gemm_most_rows[4] &&
        gemm_n_tiles(g, 2) == 1) {
        n_blocks *= 2;
    }
    struct ahead ahead;
    const bool far = ahead_any(g->ahead);
    if (far) { /* only where it is used: many calls are short */
        const size_t n_tiles =
            n_blocks == 1 ? n_all : gemm_n_tiles(g, (int)((unsigned)n_vec / n_blocks));
        const size_t times = (1 + (size_t)g->more.n) * (1 + (size_t)g->planes.n);
        ahead = ahead_of(g->ahead, n_tiles * n_blocks * times);
    }
    struct kernel_gemm plane = *g;
    for (int v = 0; v < n_vec; n_blocks--) {
        const int kb = (int)((unsigned)(n_vec - v) / n_blocks); /* nearly equal, larger ones last */
        gemm_tile_fn *const *tiles = gemm_tiles_of(g, v * VL, kb, far);
        const size_t n_tiles = kb == n_vec ? n_all : gemm_n_tiles(g, kb);
        const size_t low = g->n_rows / n_tiles, n_high = g->n_rows - low * n_tiles;
        const size_t high_rows = n_high * (low + 1); /* tiles of one more row, then of `low` */
        plane.x = g->x;
        plane.w = g->w;
        plane.y = g->y;
        for (int p = g->planes.n; p >= 0; p--) {
            const float *x = plane.x + (ptrdiff_t)high_rows * g->x_row;
            float *y = plane.y + v * VL;
            gemm_some_tiles(&plane, n_high > 0 ? tiles[low] : NULL, low + 1, n_high, plane.x, y,
                            v * VL, &ahead);
            y += (ptrdiff_t)high_rows * g->y_row;
            gemm_some_tiles(&plane, tiles[low - 1], low, n_tiles - n_high, x, y, v * VL, &ahead);
            plane.x += g->planes.x;
            plane.w += g->planes.w;
            plane.y += g->planes.y;
        }
        v += kb;
    }
}

void GEMM_FUNCTION(SIMD_NAME, GEMM_NAME)(const struct kernel_gemm *g)
{
    const int n_vec = (int)((unsigned)(g->n_cols + VL - 1) / VL);
    if (g->n_rows == 0 || n_vec == 0) {
        return;
    }
    if (squares_can(g)) {
        squares(g);
        return;
    }
    const size_t n_all = n_vec <= SIMD_COLS ? gemm_n_tiles(g, n_vec) : 0;
    if (n_all == 1 && g->planes.n == 0 && !ahead_any(g->ahead)) {
        float *end = g->more.n > 0 ? g->y + (1 + g->more.n) * g->more.y
                                   : g->y + (ptrdiff_t)g->n_rows * g->y_row;
        gemm_tiles_of(g, 0, n_vec, false)[g->n_rows - 1](g, g->x, g->y, end, 0, NULL);
        return;
    }
    gemm_blocks(g, n_vec, n_all);
}
