#include "cli/picture.h"

#include "core/file.h"

#include <string.h>
#include <zlib.h>

void picture_init(struct picture *p, struct arena *keep, int h, int w, int c)
{
    ASSERT(h > 0 && w > 0 && (c == 1 || c == 3));
    *p = (struct picture){.h = h, .w = w, .c = c};
    p->pixels = arena_push_zero(keep, (size_t)h * (size_t)w * (size_t)c, 1);
}

void picture_put(struct picture *p, int top, int left, const float *x, struct shape shape,
                 int times, const float *scale, const float *shift)
{
    ASSERT(shape.c == p->c && top + shape.h * times <= p->h && left + shape.w * times <= p->w);
    for (int i = 0; i < shape.h * times; i++) {
        for (int k = 0; k < shape.w * times; k++) {
            for (int c = 0; c < p->c; c++) {
                float v = x[((i / times) * shape.w + k / times) * p->c + c] * scale[c] + shift[c];
                v = v > 0 ? (v < 1 ? v : 1) : 0;
                p->pixels[((top + i) * p->w + left + k) * p->c + c] = (uint8_t)(v * 255 + 0.5f);
            }
        }
    }
}

static unsigned char *picture_u32(unsigned char *to, uint32_t v)
{
    for (int i = 3; i >= 0; i--) {
        *to++ = (unsigned char)(v >> 8 * i);
    }
    return to;
}

/* Length, letters, data (already at to + 8), CRC of letters and data. */
static unsigned char *picture_chunk(unsigned char *to, const char *letters, size_t n)
{
    picture_u32(to, (uint32_t)n);
    memcpy(to + 4, letters, 4);
    uLong crc = crc32(0, to + 4, (uInt)(n + 4));
    return picture_u32(to + 8 + n, (uint32_t)crc);
}

bool picture_write(const struct picture *p, const char *path, struct arena tmp, struct err *e)
{
    size_t row = (size_t)p->w * (size_t)p->c, n_raw = (row + 1) * (size_t)p->h;
    uLongf n_packed = compressBound((uLong)n_raw);
    unsigned char *raw = arena_try(&tmp, n_raw, 1, e);
    unsigned char *file = raw ? arena_try(&tmp, 128 + n_packed, 1, e) : NULL;
    if (!file) {
        return false;
    }
    for (int i = 0; i < p->h; i++) { /* filter 0: as they are */
        raw[(size_t)i * (row + 1)] = 0;
        memcpy(raw + (size_t)i * (row + 1) + 1, p->pixels + (size_t)i * row, row);
    }
    unsigned char *to = file;
    memcpy(to, "\x89PNG\r\n\x1a\n", 8);
    to += 8;
    picture_u32(picture_u32(to + 8, (uint32_t)p->w), (uint32_t)p->h);
    memcpy(to + 16, (const unsigned char[]){8, p->c == 3 ? 2 : 0, 0, 0, 0}, 5);
    to = picture_chunk(to, "IHDR", 13);
    if (compress2(to + 8, &n_packed, raw, (uLong)n_raw, 9) != Z_OK) {
        return err_set(e, ERR_FAILED, "%s: the picture could not be packed", path);
    }
    to = picture_chunk(to, "IDAT", n_packed);
    to = picture_chunk(to, "IEND", 0);
    return file_write(path, file, (size_t)(to - file), e);
}
