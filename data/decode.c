/* stb_image [Barrett2021] does the work; this file gives it only the formats we promise, capped
 * memory and a reader that notices when it is asked for bytes beyond the end (stb would take them
 * as zeros). */
#include "data/decode.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    DECODE_MAX_BYTES = 64 << 20, /* of a file: ten times a large photograph */
    DECODE_MAX_SIDE = 16384,
    DECODE_MAX_PIXELS = 1 << 26, /* 67 million: no camera of 2024 makes more in one shot */
    DECODE_MAX_ALLOC = 1 << 29,  /* the largest single block: that many pixels, 16 bits x 4 */
    DECODE_MAX_SCANS =
        200, /* of a progressive JPEG; encoders write about 10. Each may cost a pass over all */
};

/* The library asks for memory itself, so this file is an exception to "malloc only in arena.c": an
 * arena would need a global to be found here. A block over the cap is refused, which ends
 * decompression bombs. */
static void *decode_malloc(size_t n)
{
    return n > DECODE_MAX_ALLOC ? NULL : malloc(n);
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
#define STBI_ONLY_PNM
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

/* Scans of a JPEG, counted from above: FF DA may also stand in a comment or thumbnail. */
static int decode_count_scans(const unsigned char *bytes, size_t n)
{
    int count = 0;
    const unsigned char *p = bytes, *end = bytes + n;
    while ((p = memchr(p, 0xff, (size_t)(end - p))) && ++p < end) {
        count += *p == 0xda;
    }
    return count;
}

static const char *decode_reason(void)
{
    const char *reason = stbi_failure_reason();
    return reason ? reason : "unknown reason";
}

bool decode_open(struct decode *d, const char *path, const unsigned char *bytes, size_t n,
                 struct err *e)
{
    ASSERT(d && path && (bytes || n == 0));
    *d = (struct decode){.w = 0};
    int w = 0, h = 0, n_comp = 0;
    if (n == 0 || n > DECODE_MAX_BYTES) {
        return err_set(e, ERR_INPUT, "%s: expected a picture of 1 byte to %d MiB, found %zu bytes",
                       path, DECODE_MAX_BYTES >> 20, n);
    }
    if (!stbi_info_from_memory(bytes, (int)n, &w, &h, &n_comp)) {
        return err_set(e, ERR_INPUT, "%s: expected a PNG, JPEG, BMP or PNM picture, found: %s",
                       path, decode_reason());
    }
    if (w < 1 || h < 1 || w > DECODE_MAX_SIDE || h > DECODE_MAX_SIDE ||
        (int64_t)w * h > DECODE_MAX_PIXELS) {
        return err_set(e, ERR_INPUT,
                       "%s: expected a picture of at most %d a side and %d pixels, found %d x %d",
                       path, DECODE_MAX_SIDE, DECODE_MAX_PIXELS, w, h);
    }
    if (bytes[0] == 0xff && decode_count_scans(bytes, n) > DECODE_MAX_SCANS) {
        return err_set(e, ERR_INPUT, "%s: expected a JPEG of at most %d scans, found more", path,
                       DECODE_MAX_SCANS);
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

void decode_close(struct decode *d)
{
    free(d->rgb);
    *d = (struct decode){.w = 0};
}
