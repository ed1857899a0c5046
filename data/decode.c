/*
 * stb_image [Barrett2021] decodes PNG, JPEG and BMP; this file gives it no other format, capped and
 * zeroed memory, JPEGs whose tables have been checked (its own check comes too late: version 2.27
 * writes beyond its table), and a reader that notices when it is asked for bytes beyond the end (it
 * would take them as zeros). PNM is read here: stb's reader overruns its buffer on a maximum above
 * 255.
 */
#include "data/decode.h"
#include "data/jpeg.h"
#include "data/png.h"
#include "data/pnm.h"

#include <stdlib.h>
#include <string.h>

enum {
    DECODE_MAX_BYTES = 64 << 20, /* of a file: ten times a large photograph */
    DECODE_MAX_SIDE = 16384,
    DECODE_MAX_PIXELS = 1 << 26, /* 67 million: no camera of 2024 makes more in one shot */
    DECODE_MAX_ALLOC = 1 << 29,  /* the largest single block: that many pixels, 16 bits x 4 */
};

/* The library asks for memory itself, so this file is an exception to "malloc only in arena.c": an
 * arena would need a global to be found here. A block over the cap is refused, which ends
 * decompression bombs. */
static void *decode_malloc(size_t n)
{
    return n > DECODE_MAX_ALLOC ? NULL : calloc(1, n);
}

static void *decode_realloc(void *p, size_t n)
{
    return n > DECODE_MAX_ALLOC ? NULL : realloc(p, n);
}

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_MAX_DIMENSIONS DECODE_MAX_SIDE
#define STBI_MALLOC(n)      decode_malloc(n)
#define STBI_REALLOC(p, n)  decode_realloc(p, n)
#define STBI_FREE(p)        free(p)
#define STBI_ASSERT(x)      ASSERT(x)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop
#pragma GCC diagnostic ignored "-Wunused-function" /* gcc judges static ones at the file's end */

struct decode_reader {
    const unsigned char *bytes;
    size_t n, at;
    bool beyond; /* bytes after the end were asked for */
};

/* stb reads ahead in blocks of DECODE_BLOCK bytes: a short block is fine, an empty one is not, nor
 * is any other request that cannot be met. */
enum { DECODE_BLOCK = sizeof(((stbi__context *)0)->buffer_start) };

static int decode_read(void *user, char *out, int n)
{
    struct decode_reader *r = user;
    size_t got = MIN((size_t)MAX(n, 0), r->n - r->at);
    r->beyond |= got < (size_t)MAX(n, 0) && (got == 0 || n != DECODE_BLOCK);
    memcpy(out, r->bytes + r->at, got);
    r->at += got;
    return (int)got;
}

static void decode_skip(void *user, int n)
{
    struct decode_reader *r = user;
    if (n < 0) {
        r->at -= MIN(r->at, (size_t) - (int64_t)n);
    } else {
        r->beyond |= (size_t)n > r->n - r->at;
        r->at += MIN((size_t)n, r->n - r->at);
    }
}

static int decode_eof(void *user)
{
    struct decode_reader *r = user;
    return r->at == r->n;
}

static const char *decode_reason(void)
{
    const char *reason = stbi_failure_reason();
    return reason ? reason : "unknown reason";
}

static bool decode_check_size(const char *path, int w, int h, struct err *e)
{
    return (w >= 1 && h >= 1 && w <= DECODE_MAX_SIDE && h <= DECODE_MAX_SIDE &&
            (int64_t)w * h <= DECODE_MAX_PIXELS) ||
           err_set(e, ERR_INPUT,
                   "%s: expected a picture of at most %d a side and %d pixels, found %d x %d", path,
                   DECODE_MAX_SIDE, DECODE_MAX_PIXELS, w, h);
}

static bool decode_pnm(struct decode *d, const char *path, const unsigned char *bytes, size_t n,
                       struct err *e)
{
    struct pnm pnm;
    if (!pnm_read(&pnm, path, bytes, n, DECODE_MAX_SIDE, e) ||
        !decode_check_size(path, pnm.w, pnm.h, e)) {
        return false;
    }
    d->rgb = decode_malloc(3 * (size_t)pnm.w * (size_t)pnm.h);
    if (!d->rgb) {
        return err_set(e, ERR_FAILED, "%s: out of memory for %d x %d pixels", path, pnm.w, pnm.h);
    }
    d->w = pnm.w;
    d->h = pnm.h;
    pnm_rgb(d->rgb, &pnm);
    return true;
}

/* bytes: a BMP, or a PNG or JPEG that has been tidied. */
static bool decode_stb(struct decode *d, const char *path, const unsigned char *bytes, size_t n,
                       struct err *e)
{
    int w = 0, h = 0, n_comp = 0;
    if (!stbi_info_from_memory(bytes, (int)n, &w, &h, &n_comp)) {
        return err_set(e, ERR_INPUT, "%s: expected a PNG, JPEG, BMP or PNM picture, found: %s",
                       path, decode_reason());
    }
    if (!decode_check_size(path, w, h, e)) {
        return false;
    }
    static const stbi_io_callbacks calls = {
        .read = decode_read, .skip = decode_skip, .eof = decode_eof};
    struct decode_reader r = {.bytes = bytes, .n = n};
    d->rgb = stbi_load_from_callbacks(&calls, &r, &d->w, &d->h, &n_comp, 3);
    if (!d->rgb) {
        return err_set(e, ERR_INPUT, "%s: cannot decode the picture: %s", path, decode_reason());
    }
    if (r.beyond || d->w != w || d->h != h) {
        decode_close(d);
        return err_set(e, ERR_INPUT,
                       "%s: the picture is cut off: it goes on after byte %zu, the last one", path,
                       n);
    }
    return true;
}

bool decode_open(struct decode *d, const char *path, const unsigned char *bytes, size_t n,
                 struct err *e)
{
    ASSERT(d && path && (bytes || n == 0));
    *d = (struct decode){.w = 0};
    if (n == 0 || n > DECODE_MAX_BYTES) {
        return err_set(e, ERR_INPUT, "%s: expected a picture of 1 byte to %d MiB, found %zu bytes",
                       path, DECODE_MAX_BYTES >> 20, n);
    }
    if (bytes[0] == 'P') {
        return decode_pnm(d, path, bytes, n, e);
    }
    if (bytes[0] == 'B') {
        return decode_stb(d, path, bytes, n, e);
    }
    bool jpeg = bytes[0] == 0xff;
    if (!jpeg && bytes[0] != 0x89) {
        return err_set(e, ERR_INPUT,
                       "%s: byte 0: expected a PNG, JPEG, BMP or PNM picture, found byte 0x%02x",
                       path, bytes[0]);
    }
    unsigned char *tidy = decode_malloc(n);
    size_t n_tidy = 0;
    if (!tidy) {
        return err_set(e, ERR_FAILED, "%s: out of memory for %zu bytes", path, n);
    }
    bool ok = jpeg ? jpeg_tidy(tidy, &n_tidy, path, bytes, n, e)
                   : png_tidy(tidy, &n_tidy, path, bytes, n, e);
    ok = ok && decode_stb(d, path, tidy, n_tidy, e);
    free(tidy);
    return ok;
}

void decode_close(struct decode *d)
{
    free(d->rgb);
    *d = (struct decode){.w = 0};
}
