/*
 * sprites.h: images whose factors are known, in the manner of dSprites [Matthey2017]: one white
 * shape on black, its shape, scale, rotation, x and y from a full grid of 3 x 6 x 40 x 32 x 32 =
 * 737,280. Drawn here, by integers alone: the same bits on every machine. Anti-aliased by 8 x 8
 * samples a pixel (dSprites is not). Sets of them are data/dataset.h's sprites[:N].
 */
#ifndef DATA_SPRITES_H
#define DATA_SPRITES_H

#include "core/base.h"

enum sprites_factor {
    SPRITES_SHAPE,    /* square, ellipse (2 : 1), heart; of one area */
    SPRITES_SCALE,    /* 0.5 .. 1 in steps of 0.1 */
    SPRITES_ROTATION, /* k turns / 40; a square repeats after 10, an ellipse after 20 */
    SPRITES_X,        /* centre at (0.25 + 0.5 k / 31) of the side: no shape is cut off */
    SPRITES_Y,
    SPRITES_N_FACTORS
};

enum {
    SPRITES_N = 3 * 6 * 40 * 32 * 32, /* images in the grid */
    SPRITES_N_TEST = SPRITES_N / 10,  /* of the split; the rest is for training */
    SPRITES_N_TRAIN = SPRITES_N - SPRITES_N_TEST,
    SPRITES_SIDE = 32, /* pixels, unless said otherwise */
    SPRITES_MIN_SIDE = 8,
    SPRITES_MAX_SIDE = 256
};

/* How many values a factor has. */
int sprites_card(enum sprites_factor factor);

/* Index in the grid (y fastest, shape slowest) <-> factors. */
void sprites_factors(int32_t factors[SPRITES_N_FACTORS], size_t index);
size_t sprites_index(const int32_t factors[SPRITES_N_FACTORS]);

/* The image out[side, side] of these factors, 0 black .. 255 white. About 20 us at side 32; may run
 * in parallel. */
void sprites_draw(uint8_t *out, int side, const int32_t factors[SPRITES_N_FACTORS]);

#endif
