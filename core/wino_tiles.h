/*
 * wino_tiles.h: where the 4x4 tiles of Winograd's F(4x4, 3x3) lie in a batch, and their way in:
 * what both of its rooms do alike, the convolution and the gradient of its weights.
 */
#ifndef CORE_WINO_TILES_H
#define CORE_WINO_TILES_H

#include "core/kernel.h"

/* Planes of a tile, and those multiplied by one call: what a call begins with costs 80 cycles, a
 * plane of 32 channels 1800. Six calls, as what they ask for takes turns in twos or threes. */
enum { WINO_E = 36, WINO_PLANES = 6 };

/* Floats from one plane of so many to the next: an odd number of cache lines, so that one tile's
 * stores do not fall into one set of the cache. */
static inline size_t wino_tiles_step(size_t floats)
{
    return DIV_UP(floats, (size_t)16) / 2 * 32 + 16;
}

struct wino_tiles {
    int in_row, in_column, in_image; /* tiles of a row, a column, an image */
};

/* Tiles of outputs [h, w]. */
struct wino_tiles wino_tiles_of(int h, int w);

struct wino_tile {
    int image, y, x; /* its first output */
};

struct wino_tile wino_tiles_at(const struct wino_tiles *t, int tile);

/* Images [n, h, w, c] whose tiles of 6x6 inputs begin pad pixels before their outputs. */
struct wino_source {
    const float *data;
    const float *zeros; /* wino_tiles_zeros of them: a row outside of the image */
    int h, w, c, pad;
    bool relu; /* on the way in */
};

/* Floats of a row of inputs of c channels. */
size_t wino_tiles_zeros(const struct wino_tiles *t, int c);

/* What the tiles first .. end - 1 of images [h][row] at p lie on and no tile before them: whole
 * rows of tiles, `beyond` rows of pixels further down. */
struct kernel_ahead wino_tiles_ahead(const struct wino_tiles *t, const float *p, int first, int end,
                                     int h, size_t row, int beyond);

/* What call i of n_calls (a multiple of n_runs) asks for of n_runs runs: they take turns, so that a
 * call has one to ask for. */
static inline struct kernel_ahead wino_tiles_turn(const struct kernel_ahead *runs, size_t n_runs,
                                                  size_t i, size_t n_calls)
{
    struct kernel_ahead run = runs[i % n_runs];
    size_t n = n_calls / n_runs, lines = DIV_UP(run.n, (size_t)16), at = lines * (i / n_runs) / n;
    return (struct kernel_ahead){run.p + 16 * at, 16 * (lines * (i / n_runs + 1) / n - at)};
}

/* v[36][v_step] = B^T d B of the tiles from `tile` on that lie in its row, n at most; how many. */
int wino_tiles_input(const struct kernels *k, float *v, ptrdiff_t v_step,
                     const struct wino_tiles *t, const struct wino_source *s, int tile, int n);

#endif
