/* tarball.h: for tests: tar archives made by hand. */
#ifndef TESTS_TARBALL_H
#define TESTS_TARBALL_H

#include <stdio.h>
#include <string.h>
#include <zlib.h>

/* Append a header block and n bytes, padded. type: '0' file, '5' folder, 'L' GNU long name ...
 * Returns bytes used. */
static inline size_t tarball_add(unsigned char *out, const char *name, char type, const void *bytes,
                                 size_t n)
{
    memset(out, 0, 512);
    snprintf((char *)out, 100, "%s", name);
    memcpy(out + 100,
           "0000644\0"
           "0000000\0"
           "0000000\0",
           24);
    snprintf((char *)out + 124, 12, "%011zo", n);
    memcpy(out + 136, "00000000000\0        ", 20); /* time, and the checksum field as spaces */
    out[156] = (unsigned char)type;
    memcpy(out + 257,
           "ustar\0"
           "00",
           8);
    unsigned sum = 0;
    for (int i = 0; i < 512; i++) {
        sum += out[i];
    }
    snprintf((char *)out + 148, 8, "%06o", sum);
    size_t padded = (n + 511) / 512 * 512;
    memset(out + 512, 0, padded);
    memcpy(out + 512, bytes, n);
    return 512 + padded;
}

/* Two blocks of zeros. */
static inline size_t tarball_end(unsigned char *out)
{
    memset(out, 0, 1024);
    return 1024;
}

/* Gzip; returns bytes used, 0 if they do not fit. */
static inline size_t tarball_gzip(unsigned char *out, size_t max, const void *bytes, size_t n)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)bytes, .avail_in = (unsigned)n};
    if (deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return 0;
    }
    z.next_out = out;
    z.avail_out = (unsigned)max;
    int code = deflate(&z, Z_FINISH);
    size_t used = z.total_out;
    deflateEnd(&z);
    return code == Z_STREAM_END ? used : 0;
}

#endif
