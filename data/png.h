/* png.h: the chunks of a PNG file, checked before a decoder sees them: their order, sizes and
 * checksums. */
#ifndef DATA_PNG_H
#define DATA_PNG_H

#include "core/err.h"

/*
 * Copy bytes[n] to out[n] without the chunks that are no picture (texts, times, colour profiles,
 * transparency, empty data) and whatever follows the end; *n_out <= n. ERR_INPUT with the offset of
 * the chunk that is cut off, damaged or unknown.
 */
MUST_USE bool png_tidy(unsigned char *out, size_t *n_out, const char *path,
                       const unsigned char *bytes, size_t n, struct err *e);

#endif
