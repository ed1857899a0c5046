/*
 * decode.h: one PNG, JPEG, BMP or PNM picture from memory to RGB. Hostile files are expected: sizes
 * are checked before anything is decoded, memory is capped, a picture that ends early is refused.
 */
#ifndef DATA_DECODE_H
#define DATA_DECODE_H

#include "core/err.h"

struct decode {
    int w, h;
    uint8_t *rgb; /* [h, w, 3], owned */
};

/* path: for messages. ERR_INPUT says what is wrong. */
MUST_USE bool decode_open(struct decode *d, const char *path, const unsigned char *bytes, size_t n,
                          struct err *e);

/* Safe on a struct filled with zeros. */
void decode_close(struct decode *d);

#endif
