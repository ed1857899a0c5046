/*
 * tiles_body.h: the product over taps of pairs of bf16 by tiles of 16 x 16 (core/simd_amx.h). A
 * block of 32 rows x 32 columns is four tiles of sums, which take each step of the inner dimension
 * from two tiles of x and two of w:
 *
 *                  w: [pairs, columns]   6   7
 *   x: [rows, pairs]   4                 0   1
 *                      5                 2   3
 *
 * Tiles of a block's edges are configured smaller, so nothing outside is touched. A step takes as
 * many pairs as cut the longest tap evenly (24 pairs are two steps of 12). What does not fit that
 * shape is copied with zeros behind it: the end of a shorter tap, and x where pairs of a row are
 * not neighbours (backward weights).
 *
 * Who includes it defines the TILE_ words, TILES_FUNCTION and TILES_FINISH(post, v, y, at, col).
 */
#include "core/kernel.h"

#include <string.h>

enum { TILES_SIDE = 16, TILES_BLOCK = 2 * TILES_SIDE, TILES_FLOATS = TILES_SIDE * TILES_SIDE };

struct tiles_block {
    const struct kernel_gemm *g;
    struct tiles *tiles;
    size_t row;
    int col;
    int m[2], n[2]; /* rows and columns of the tiles; the second may be 0 */
    int step;       /* pairs of a tile of x and w */
};

static void tiles_configure(const struct tiles_block *b)
{
    struct tile_config c = {.palette = 1};
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++) {
            c.rows[2 * i + j] = (uint8_t)(b->n[j] > 0 ? b->m[i] : 0);
            c.row_bytes[2 * i + j] = (uint16_t)(b->m[i] > 0 ? 4 * b->n[j] : 0);
        }
        c.rows[4 + i] = (uint8_t)b->m[i];
        c.row_bytes[4 + i] = (uint16_t)(b->m[i] > 0 ? 4 * b->step : 0);
        c.rows[6 + i] = (uint8_t)(b->n[i] > 0 ? b->step : 0);
        c.row_bytes[6 + i] = (uint16_t)(4 * b->n[i]);
    }
    TILE_CONFIG(b->tiles, &c);
}

/* The sums begin with y or zero. */
static void tiles_begin(const struct tiles_block *b)
{
    const struct kernel_gemm *g = b->g;
    ptrdiff_t step = g->y_row * (ptrdiff_t)sizeof(float);
    const float *y0 = g->y + (ptrdiff_t)b->row * g->y_row + b->col,
                *y1 = y0 + TILES_SIDE * g->y_row;
    if (!g->accumulate) {
        return; /* configuring has made them zero */
    }
    TILE_LOAD(b->tiles, 0, y0, step);
    if (b->n[1] > 0) {
        TILE_LOAD(b->tiles, 1, y0 + TILES_SIDE, step);
    }
    if (b->m[1] > 0) {
        TILE_LOAD(b->tiles, 2, y1, step);
        if (b->n[1] > 0) {
            TILE_LOAD(b->tiles, 3, y1 + TILES_SIDE, step);
        }
    }
}

/* n_pairs (at most b->step) of every row of x side by side, zeros behind; 4-byte moves, as pairs
 * are no floats. */
static void tiles_copy_x(const struct tiles_block *b, uint32_t *to, const float *x, int n_pairs)
{
    for (int r = 0; r < b->m[0] + b->m[1]; r++, x += b->g->x_row, to += TILES_SIDE) {
        for (int i = 0; i < n_pairs; i++) {
            memcpy(&to[i], x + i * b->g->x_inner, sizeof *to);
        }
        for (int i = n_pairs; i < b->step; i++) {
            to[i] = 0;
        }
    }
}

static void tiles_copy_w(const struct tiles_block *b, uint32_t *to, const float *w, int n_pairs)
{
    size_t n = (size_t)(b->n[0] + b->n[1]);
    memset(to, 0, (size_t)b->step * TILES_BLOCK * sizeof *to);
    for (int i = 0; i < n_pairs; i++) {
        memcpy(to + i * TILES_BLOCK, w + i * b->g->w_inner, n * sizeof *to);
    }
}

/* One step: n_pairs of a tap from x and w on. */
static void tiles_step(const struct tiles_block *b, const float *x, const float *w, int n_pairs)
{
    uint32_t x_copy[TILES_BLOCK * TILES_SIDE], w_copy[TILES_SIDE * TILES_BLOCK];
    const void *x0 = x, *x1 = x + TILES_SIDE * b->g->x_row, *w0 = w, *w1 = w + TILES_SIDE;
    ptrdiff_t x_step = b->g->x_row * 4, w_step = b->g->w_inner * 4;
    if (n_pairs < b->step || b->g->x_inner != 1) {
        tiles_copy_x(b, x_copy, x, n_pairs);
        x0 = x_copy, x1 = x_copy + TILES_FLOATS, x_step = TILES_SIDE * 4;
    }
    if (n_pairs < b->step) {
        tiles_copy_w(b, w_copy, w, n_pairs);
        w0 = w_copy, w1 = w_copy + TILES_SIDE, w_step = TILES_BLOCK * 4;
    }
    TILE_LOAD(b->tiles, 4, x0, x_step);
    TILE_LOAD(b->tiles, 6, w0, w_step);
    TILE_DOT(b->tiles, 0, 4, 6);
    if (b->n[1] > 0) {
        TILE_LOAD(b->tiles, 7, w1, w_step);
        TILE_DOT(b->tiles, 1, 4, 7);
    }
    if (b->m[1] > 0) {
        TILE_LOAD(b->tiles, 5, x1, x_step);
        TILE_DOT(b->tiles, 2, 5, 6);
        if (b->n[1] > 0) {
            TILE_DOT(b->tiles, 3, 5, 7);
        }
    }
}

/* Tiles of sums to y, through a buffer where something is done to them. */
static void tiles_end(const struct tiles_block *b)
{
    const struct kernel_gemm *g = b->g;
    float sums[TILES_BLOCK * TILES_BLOCK];
    ptrdiff_t at = (ptrdiff_t)b->row * g->y_row + b->col, row = g->post ? TILES_BLOCK : g->y_row;
    float *to0 = g->post ? sums : g->y + at, *to1 = to0 + TILES_SIDE * row;
    ptrdiff_t step = row * (ptrdiff_t)sizeof(float);
    TILE_STORE(b->tiles, 0, to0, step);
    if (b->n[1] > 0) {
        TILE_STORE(b->tiles, 1, to0 + TILES_SIDE, step);
    }
    if (b->m[1] > 0) {
        TILE_STORE(b->tiles, 2, to1, step);
        if (b->n[1] > 0) {
            TILE_STORE(b->tiles, 3, to1 + TILES_SIDE, step);
        }
    }
    for (int r = 0; g->post && r < b->m[0] + b->m[1]; r++) {
        TILES_FINISH(g, at + r * g->y_row, b->col, sums + r * TILES_BLOCK, b->n[0] + b->n[1]);
    }
}

static void tiles_run(const struct tiles_block *b)
{
    const struct kernel_gemm *g = b->g;
    tiles_begin(b);
    for (int t = 0; t < g->n_taps; t++) {
        const float *x = g->x + g->taps[t].x + (ptrdiff_t)b->row * g->x_row;
        const float *w = g->w + g->taps[t].w + b->col;
        for (int i = 0; i < g->taps[t].n; i += b->step) {
            tiles_step(b, x + i * g->x_inner, w + i * g->w_inner, MIN(b->step, g->taps[t].n - i));
        }
    }
    tiles_end(b);
}

TILES_FUNCTION(const struct kernel_gemm *g)
{
    struct tiles tiles;
    int longest = 1;
    for (int t = 0; t < g->n_taps; t++) {
        longest = MAX(longest, g->taps[t].n);
    }
    int step = DIV_UP(longest, DIV_UP(longest, (int)TILES_SIDE));
    for (int col = 0; col < g->n_cols; col += TILES_BLOCK) {
        int n = MIN(g->n_cols - col, (int)TILES_BLOCK);
        for (size_t row = 0; row < g->n_rows; row += TILES_BLOCK) {
            int m = (int)MIN(g->n_rows - row, (size_t)TILES_BLOCK);
            const struct tiles_block b = {.g = g,
                                          .tiles = &tiles,
                                          .row = row,
                                          .col = col,
                                          .m = {MIN(m, (int)TILES_SIDE), MAX(0, m - TILES_SIDE)},
                                          .n = {MIN(n, (int)TILES_SIDE), MAX(0, n - TILES_SIDE)},
                                          .step = step};
            tiles_configure(&b);
            tiles_run(&b);
        }
    }
    if (g->n_rows > 0 && g->n_cols > 0) {
        TILE_RELEASE(&tiles);
    }
}
