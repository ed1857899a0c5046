#include "data/png.h"

#include <string.h>
#include <zlib.h>

static const unsigned char png_magic[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

/* A chunk: 4 bytes length of the data, 4 letters, the data, 4 bytes CRC of letters and data. */
enum { PNG_AROUND = 12, PNG_HEADER_LEN = 13 };

static uint32_t png_u32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Whether a chunk is copied. A capital letter first means that a decoder must know it. */
static bool png_keeps(const char *path, size_t at, const unsigned char *letters, uint32_t len,
                      bool *keep, struct err *e)
{
    static const char *const known[] = {"IHDR", "PLTE", "IDAT", "IEND"};
    *keep = false;
    for (size_t i = 0; i < N_ELEMS(known); i++) {
        *keep = *keep || memcmp(letters, known[i], 4) == 0;
    }
    if (*keep && memcmp(letters, "IDAT", 4) == 0) {
        *keep = len > 0;
        return true;
    }
    if (!*keep && !(letters[0] & 0x20)) {
        return err_set(
            e, ERR_INPUT,
            "%s: byte %zu: expected a PNG chunk that is known, found %02x %02x %02x %02x", path,
            at + 4, letters[0], letters[1], letters[2], letters[3]);
    }
    return true;
}

bool png_tidy(unsigned char *out, size_t *n_out, const char *path, const unsigned char *bytes,
              size_t n, struct err *e)
{
    ASSERT(out && n_out && path && bytes);
    if (n < sizeof png_magic || memcmp(bytes, png_magic, sizeof png_magic) != 0) {
        return err_set(e, ERR_INPUT, "%s: byte 0: expected the PNG magic 89 50 4e 47 0d 0a 1a 0a",
                       path);
    }
    memcpy(out, bytes, sizeof png_magic);
    *n_out = sizeof png_magic;
    for (size_t at = sizeof png_magic;;) {
        if (n - at < PNG_AROUND || png_u32(bytes + at) > n - at - PNG_AROUND) {
            return err_set(
                e, ERR_INPUT,
                "%s: the picture is cut off: the chunk at byte %zu goes on after byte %zu, "
                "the last one",
                path, at, n);
        }
        uint32_t len = png_u32(bytes + at);
        const unsigned char *letters = bytes + at + 4;
        uint32_t crc = png_u32(letters + 4 + len);
        uint32_t found = (uint32_t)crc32(crc32(0, NULL, 0), letters, len + 4);
        if (crc != found) {
            return err_set(e, ERR_INPUT,
                           "%s: the chunk at byte %zu is damaged: expected CRC %08x, "
                           "found %08x",
                           path, at, crc, found);
        }
        bool first = at == sizeof png_magic, header = memcmp(letters, "IHDR", 4) == 0;
        if (first != header || (first && len != PNG_HEADER_LEN)) {
            return err_set(e, ERR_INPUT,
                           "%s: byte %zu: expected one PNG header of %d bytes, and it first", path,
                           at, PNG_HEADER_LEN);
        }
        bool keep = false;
        if (!png_keeps(path, at, letters, len, &keep, e)) {
            return false;
        }
        if (keep) {
            memcpy(out + *n_out, bytes + at, len + PNG_AROUND);
            *n_out += len + PNG_AROUND;
        }
        if (memcmp(letters, "IEND", 4) == 0) {
            return true;
        }
        at += len + PNG_AROUND;
    }
}
