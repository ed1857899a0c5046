/* resample.h: the central square of a picture, brought to another size. */
#ifndef DATA_RESAMPLE_H
#define DATA_RESAMPLE_H

#include "core/arena.h"

/*
 * rgb[h, w, 3] -> out[side, side, 3]. The central square is taken, so that nothing is distorted;
 * then a triangle filter, widened when shrinking so that every pixel counts (bilinear when growing,
 * a copy when the size is right). O(w h).
 */
MUST_USE bool resample_square(uint8_t *out, int side, const uint8_t *rgb, int w, int h,
                              struct arena tmp, struct err *e);

#endif
