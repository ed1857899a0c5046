#include "data/jpeg.h"

#include <string.h>

/*
 * The second byte of a marker [ITU-T T.81, table B.1]. A segment's length counts its own two bytes.
 */
enum {
    JPEG_DHT = 0xc4,  /* Huffman tables */
    JPEG_RST0 = 0xd0, /* restart in the coded data, up to JPEG_RST7; no segment */
    JPEG_RST7 = 0xd7,
    JPEG_SOI = 0xd8, /* start and end of the picture; no segments */
    JPEG_EOI = 0xd9,
    JPEG_SOS = 0xda,   /* a scan: header, then coded data up to the next marker */
    JPEG_APP0 = 0xe0,  /* JFIF; up to JPEG_APP15 */
    JPEG_APP14 = 0xee, /* Adobe */
    JPEG_APP15 = 0xef,
    JPEG_COM = 0xfe,
    JPEG_MAX_SCANS = 200, /* encoders write about 10; each may cost a pass over the whole picture */
    JPEG_MAX_CODES = 256, /* a Huffman table has a code for each value of a byte at most */
};

struct jpeg_walk {
    const char *path;
    const unsigned char *bytes;
    size_t n, at;
    unsigned char *out;
    size_t n_out;
    int n_scans;
};

static bool jpeg_cut_off(const struct jpeg_walk *w, struct err *e)
{
    return err_set(e, ERR_INPUT,
                   "%s: the picture is cut off: it goes on after byte %zu, the last one", w->path,
                   w->n);
}

static void jpeg_copy(struct jpeg_walk *w, size_t from, size_t to)
{
    memcpy(w->out + w->n_out, w->bytes + from, to - from);
    w->n_out += to - from;
}

/* The next marker; filling 0xff are passed over. */
static bool jpeg_marker(struct jpeg_walk *w, int *marker, struct err *e)
{
    if (w->at + 2 > w->n) {
        return jpeg_cut_off(w, e);
    }
    if (w->bytes[w->at] != 0xff) {
        return err_set(e, ERR_INPUT, "%s: byte %zu: expected a JPEG marker, found 0x%02x", w->path,
                       w->at, w->bytes[w->at]);
    }
    while (w->at + 1 < w->n && w->bytes[w->at + 1] == 0xff) {
        w->at++;
    }
    if (w->at + 2 > w->n) {
        return jpeg_cut_off(w, e);
    }
    *marker = w->bytes[w->at + 1];
    return true;
}

/* Tables of one segment: 1 byte class and number, 16 counts of codes by length, then the values. */
static bool jpeg_check_huffman(const struct jpeg_walk *w, size_t from, size_t to, struct err *e)
{
    size_t end = MIN(to, w->n);
    for (size_t at = from; at < end;) {
        size_t n_codes = 0, room = 1; /* codes that could still be made, of the length in turn */
        for (size_t i = 0; i < 16 && at + 1 + i < end; i++) {
            size_t count = w->bytes[at + 1 + i];
            room = 2 * room;
            if (count > room) {
                return err_set(
                    e, ERR_INPUT,
                    "%s: byte %zu: expected at most %zu Huffman codes of %zu bits, found %zu",
                    w->path, at + 1 + i, room, i + 1, count);
            }
            room -= count;
            n_codes += count;
        }
        if (n_codes > JPEG_MAX_CODES || at + 17 + n_codes > to) {
            return err_set(e, ERR_INPUT,
                           "%s: byte %zu: expected a Huffman table of at most %d codes and "
                           "as long as its segment, found %zu codes",
                           w->path, at, JPEG_MAX_CODES, n_codes);
        }
        at += 17 + n_codes;
    }
    return true;
}

/* A segment with a length. Says where it ends; *keep: a decoder needs it. */
static bool jpeg_segment(const struct jpeg_walk *w, int marker, size_t *end, bool *keep,
                         struct err *e)
{
    if (w->at + 4 > w->n) {
        return jpeg_cut_off(w, e);
    }
    size_t len = (size_t)w->bytes[w->at + 2] << 8 | w->bytes[w->at + 3];
    if (len < 2) {
        return err_set(e, ERR_INPUT,
                       "%s: byte %zu: expected a segment length of at least 2, found %zu", w->path,
                       w->at + 2, len);
    }
    *end = w->at + 2 + len;
    if (*end > w->n) {
        return jpeg_cut_off(w, e);
    }
    bool app = marker >= JPEG_APP0 && marker <= JPEG_APP15;
    /* Longer ones carry a small picture as well. */
    bool colours = (marker == JPEG_APP0 || marker == JPEG_APP14) && len <= 64;
    *keep = marker != JPEG_COM && (!app || colours);
    return marker != JPEG_DHT || jpeg_check_huffman(w, w->at + 4, *end, e);
}

/* Coded data ends before the next marker that is no restart; 0xff 0x00 stands for 0xff. */
static size_t jpeg_coded_end(const struct jpeg_walk *w, size_t at)
{
    while (at + 1 < w->n) {
        const unsigned char *p = memchr(w->bytes + at, 0xff, w->n - 1 - at);
        if (!p) {
            break;
        }
        at = (size_t)(p - w->bytes);
        int next = p[1];
        if (next != 0 && next != 0xff && !(next >= JPEG_RST0 && next <= JPEG_RST7)) {
            return at;
        }
        at += next == 0xff ? 1 : 2;
    }
    return w->n;
}

static bool jpeg_walk(struct jpeg_walk *w, struct err *e)
{
    int marker = 0;
    for (;;) {
        size_t end = 0;
        bool keep = true;
        if (!jpeg_marker(w, &marker, e)) {
            return false;
        }
        if (marker == JPEG_EOI) {
            jpeg_copy(w, w->at, w->at + 2);
            return true;
        }
        if (!jpeg_segment(w, marker, &end, &keep, e)) {
            return false;
        }
        if (marker == JPEG_SOS) {
            end = jpeg_coded_end(w, end);
            if (++w->n_scans > JPEG_MAX_SCANS) {
                return err_set(e, ERR_INPUT,
                               "%s: byte %zu: expected a JPEG of at most %d scans, found more",
                               w->path, w->at, JPEG_MAX_SCANS);
            }
        }
        if (keep) {
            jpeg_copy(w, w->at, end);
        }
        w->at = end;
    }
}

/*
 * A decoder may lose its way in damaged coded data and take a marker where none was meant. The only
 * one that could hurt it is a table, so each place that could be taken for one is checked.
 */
static bool jpeg_check_hidden(const struct jpeg_walk *w, struct err *e)
{
    const struct jpeg_walk copy = {.path = w->path, .bytes = w->out, .n = w->n_out};
    for (size_t at = 0; at + 4 < copy.n; at++) {
        if (copy.bytes[at] != 0xff || copy.bytes[at + 1] != JPEG_DHT) {
            continue;
        }
        size_t end = at + 2 + ((size_t)copy.bytes[at + 2] << 8 | copy.bytes[at + 3]);
        if (!jpeg_check_huffman(&copy, at + 4, MAX(end, at + 4), e)) {
            return err_wrap(e, "after leaving out what is no picture");
        }
    }
    return true;
}

bool jpeg_tidy(unsigned char *out, size_t *n_out, const char *path, const unsigned char *bytes,
               size_t n, struct err *e)
{
    ASSERT(out && n_out && path && bytes);
    struct jpeg_walk w = {.path = path, .bytes = bytes, .n = n, .out = out};
    if (n < 2 || bytes[0] != 0xff || bytes[1] != JPEG_SOI) {
        return err_set(e, ERR_INPUT, "%s: byte 0: expected the JPEG magic ff d8", path);
    }
    jpeg_copy(&w, 0, 2);
    w.at = 2;
    if (!jpeg_walk(&w, e) || !jpeg_check_hidden(&w, e)) {
        return false;
    }
    *n_out = w.n_out;
    return true;
}
