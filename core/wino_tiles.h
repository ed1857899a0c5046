/*
 * wino_tiles.h: where the 4x4 tiles of Winograd's F(4x4, 3x3) lie in a batch, and their way in:
 * what both of its rooms do alike, the convolution and the gradient of its weights.
 */
#ifndef CORE_WINO_TILES_H
#define CORE_WINO_TILES_H

#include "core/kernel.h"

struct wino_tiles {
    int in_row, in_column, in_image; /* tiles of a row, a column, an image */
};

/* Tiles of outputs [h, w]. */
struct wino_tiles wino_tiles_of(int h, int w);

struct wino_tile {
    int image, y, x; /* its first output */
};

struct wino_tile wino_tiles_at(const struct wino_tiles *t, int tile);

/* To the tile that follows: cheaper than to ask where it lies, which divides twice. */
static inline void wino_tiles_step(const struct wino_tiles *t, struct wino_tile *at)
{
    at->x += 4;
    if (at->x == 4 * t->in_row) {
        at->x = 0;
        at->y += 4;
        if (at->y == 4 * t->in_column) {
            at->y = 0;
            at->image++;
        }
    }
}

/* Images [n, h, w, c] whose tiles of 6x6 inputs begin pad pixels before their outputs. */
struct wino_source {
    const float *data;
    const float *zeros; /* wino_tiles_zeros of them: a row outside of the image */
    int h, w, c, pad;
    bool relu; /* on the way in */
};

/* Floats of a row of inputs of c channels. */
size_t wino_tiles_zeros(const struct wino_tiles *t, int c);

/* v[36][v_step] = B^T d B of the tiles from `tile` on that lie in its row, n at most; how many. */
int wino_tiles_input(const struct kernels *k, float *v, ptrdiff_t v_step,
                     const struct wino_tiles *t, const struct wino_source *s, int tile, int n);

#endif
