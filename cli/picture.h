/* picture.h: small pictures as PNG files: grey or RGB, 8 bits. */
#ifndef CLI_PICTURE_H
#define CLI_PICTURE_H

#include "core/arena.h"
#include "core/tensor.h"

struct picture {
    int h, w, c;     /* c is 1 or 3 */
    uint8_t *pixels; /* [h, w, c] */
};

/* Black, in the arena. */
void picture_init(struct picture *p, struct arena *keep, int h, int w, int c);

/* Put x[h, w, c] at (top, left), each value v shown as v scale[c] + shift[c] in 0 .. 1; every pixel
 * `times` wide and high. */
void picture_put(struct picture *p, int top, int left, const float *x, struct shape shape,
                 int times, const float *scale, const float *shift);

/* Atomic. */
MUST_USE bool picture_write(const struct picture *p, const char *path, struct arena tmp,
                            struct err *e);

#endif
