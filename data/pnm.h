/* pnm.h: PGM and PPM pictures in binary (P5, P6), 8 or 16 bits, any maximum. */
#ifndef DATA_PNM_H
#define DATA_PNM_H

#include "core/err.h"

struct pnm {
    int w, h;
    int n_channels;               /* 1 or 3 */
    int max;                      /* the value of white, 1 .. 65535; two bytes each above 255 */
    const unsigned char *samples; /* [h, w, n_channels], in the bytes given */
};

/* Read the header and check that all samples are there. ERR_INPUT with the offset otherwise. */
MUST_USE bool pnm_read(struct pnm *pnm, const char *path, const unsigned char *bytes, size_t n,
                       int max_side, struct err *e);

/* rgb[h, w, 3]: scaled to 255, grey three times. */
void pnm_rgb(uint8_t *rgb, const struct pnm *pnm);

#endif
