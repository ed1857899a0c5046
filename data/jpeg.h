/*
 * jpeg.h: the bones of a JPEG file, checked before a decoder sees it: which segments there are, how
 * many scans, whether every Huffman table fits, whether the end is there.
 */
#ifndef DATA_JPEG_H
#define DATA_JPEG_H

#include "core/err.h"

/*
 * Copy bytes[n] to out[n], without comments, application data (but JFIF and Adobe, which tell the
 * colours) and whatever follows the end of the picture; *n_out <= n. ERR_INPUT with the offset
 * where the file is cut off, a table is impossible, or there are more scans than any encoder
 * writes.
 */
MUST_USE bool jpeg_tidy(unsigned char *out, size_t *n_out, const char *path,
                        const unsigned char *bytes, size_t n, struct err *e);

#endif
