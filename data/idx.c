#include "data/idx.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "core/file.h"

/* The largest official file holds 47 MB; this lets in twenty times as much. */
static const size_t idx_max_bytes = (size_t)1 << 30;
static const size_t idx_max_data = (size_t)1
                                   << 31; /* unpacked: four times EMNIST, the largest of the kin */

/* Deflate cannot pack better than 1032 to 1 (a length-distance pair of 2 bits stands for 258
 * bytes), so a header that promises more than that is a lie, found before memory is asked for. */
enum { IDX_MAX_RATIO = 1032 };

enum { IDX_MAX_SIDE = 4096 };

/* The decompressed bytes of a file, one piece after another. */
struct idx_stream {
    const char *path;
    const unsigned char *bytes; /* the file as it is on disk */
    size_t n_bytes;
    size_t at; /* of the decompressed bytes: how many were taken */
    bool gz;
    z_stream z;
};

static void *idx_zalloc(void *opaque, unsigned n, unsigned size)
{
    struct err ignored; /* zlib reports Z_MEM_ERROR */
    return arena_try(opaque, n, size, &ignored);
}

static void idx_zfree(void *opaque, void *p)
{
    (void)opaque; /* the arena forgets it all at once */
    (void)p;
}

static bool idx_begin(struct idx_stream *s, struct arena *keep, struct err *e)
{
    s->gz = s->n_bytes >= 2 && s->bytes[0] == 0x1f && s->bytes[1] == 0x8b;
    if (!s->gz) {
        return true;
    }
    s->z = (z_stream){.zalloc = idx_zalloc, .zfree = idx_zfree, .opaque = keep};
    s->z.next_in = (unsigned char *)(uintptr_t)s->bytes; /* zlib lacks a const */
    s->z.avail_in = (unsigned)s->n_bytes;
    return inflateInit2(&s->z, 16 + MAX_WBITS) == Z_OK || /* 16: a gzip header and trailer */
           err_set(e, ERR_FAILED, "%s: out of memory for decompression", s->path);
}

/* Decompress up to n bytes to out; *got < n only at the end of the stream, whose checksum is then
 * verified. */
static bool idx_inflate(struct idx_stream *s, unsigned char *out, size_t n, size_t *got,
                        struct err *e)
{
    *got = 0;
    while (*got < n) {
        unsigned want = (unsigned)MIN(n - *got, (size_t)1 << 30);
        s->z.next_out = out + *got;
        s->z.avail_out = want;
        int code = inflate(&s->z, Z_NO_FLUSH);
        *got += want - s->z.avail_out;
        if (code == Z_STREAM_END) {
            return true;
        }
        if (code == Z_BUF_ERROR || (code == Z_OK && s->z.avail_out > 0 && s->z.avail_in == 0)) {
            return err_set(
                e, ERR_INPUT,
                "%s: the gzip stream is cut off: it goes on after byte %lu, the last one", s->path,
                s->z.total_in);
        }
        if (code == Z_MEM_ERROR) {
            return err_set(e, ERR_FAILED, "%s: out of memory for decompression", s->path);
        }
        if (code != Z_OK) {
            return err_set(e, ERR_INPUT, "%s: byte %lu: bad gzip stream: %s", s->path,
                           s->z.total_in, s->z.msg ? s->z.msg : zError(code));
        }
    }
    return true;
}

/* Exactly n more bytes. what: for the message. */
static bool idx_pull(struct idx_stream *s, void *out, size_t n, const char *what, struct err *e)
{
    size_t got = 0;
    if (s->gz) {
        if (!idx_inflate(s, out, n, &got, e)) {
            return false;
        }
    } else {
        got = MIN(n, s->n_bytes - s->at);
        memcpy(out, s->bytes + s->at, got);
    }
    s->at += got;
    return got == n ||
           err_set(e, ERR_INPUT, "%s: byte %zu%s: expected %zu more bytes of %s, found the end",
                   s->path, s->at, s->gz ? " after decompression" : "", n - got, what);
}

/* Nothing may follow. */
static bool idx_end(struct idx_stream *s, struct err *e)
{
    if (!s->gz) {
        return s->at == s->n_bytes ||
               err_set(e, ERR_INPUT,
                       "%s: byte %zu: expected the end as the header says, found %zu "
                       "more bytes",
                       s->path, s->at, s->n_bytes - s->at);
    }
    unsigned char more;
    size_t got = 0;
    if (!idx_inflate(s, &more, 1, &got, e)) {
        return false;
    }
    if (got > 0) {
        return err_set(
            e, ERR_INPUT,
            "%s: byte %zu after decompression: expected the end as the header says, found more",
            s->path, s->at);
    }
    return s->z.avail_in == 0 ||
           err_set(e, ERR_INPUT,
                   "%s: byte %lu: expected the end of the file after the gzip stream, "
                   "found %u more bytes",
                   s->path, s->z.total_in, s->z.avail_in);
}

static bool idx_header(struct idx *idx, struct idx_stream *s, size_t *n_bytes, struct err *e)
{
    unsigned char head[4];
    if (!idx_pull(s, head, sizeof head, "the IDX magic", e)) {
        return false;
    }
    if (head[0] != 0 || head[1] != 0 || head[2] != 8 || head[3] < 1 || head[3] > IDX_MAX_DIMS) {
        return err_set(e, ERR_INPUT,
                       "%s: byte 0: expected the IDX magic 00 00 08 and 1 to %d dimensions, found "
                       "%02x %02x %02x %02x",
                       s->path, IDX_MAX_DIMS, head[0], head[1], head[2], head[3]);
    }
    idx->n_dims = head[3];
    *n_bytes = 1;
    for (int i = 0; i < idx->n_dims; i++) {
        unsigned char p[4];
        if (!idx_pull(s, p, sizeof p, "the sizes", e)) {
            return false;
        }
        idx->dims[i] = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (!base_mul(*n_bytes, idx->dims[i], n_bytes)) {
            return err_set(e, ERR_INPUT,
                           "%s: byte %zu: expected a size that memory can hold, found %zu", s->path,
                           s->at - 4, idx->dims[i]);
        }
    }
    size_t most = s->gz ? MIN(s->n_bytes * IDX_MAX_RATIO, idx_max_data) : s->n_bytes - s->at;
    return *n_bytes <= most ||
           err_set(e, ERR_INPUT,
                   "%s: byte 4: expected at most %zu bytes of data in a file of %zu, found "
                   "a header that promises %zu",
                   s->path, most, s->n_bytes, *n_bytes);
}

bool idx_read(struct idx *idx, struct arena *keep, struct source *src, const char *path,
              struct err *e)
{
    ASSERT(idx && keep && src && path);
    size_t mark = keep->used;
    unsigned char *file = NULL;
    struct idx_stream s = {.path = path};
    if (!source_read(src, keep, path, idx_max_bytes, &file, &s.n_bytes, e)) {
        return false;
    }
    s.bytes = file;
    size_t n = 0;
    bool ok = idx_begin(&s, keep, e) && idx_header(idx, &s, &n, e);
    unsigned char *data = ok ? arena_try(keep, n, 1, e) : NULL;
    ok = data && idx_pull(&s, data, n, "data", e) && idx_end(&s, e);
    if (ok) {
        /* Let the data take the place of the file and of the decompressor's memory. */
        keep->used = mark;
        idx->bytes = arena_push(keep, n, 1);
        memmove(idx->bytes, data, n);
    }
    return ok;
}

bool idx_find(char path[SOURCE_MAX_PATH], const char *dir, const char *stem, struct err *e)
{
    char name[128];
    for (int dotted = 0; dotted < 2; dotted++) {
        for (int gz = 0; gz < 2; gz++) {
            snprintf(name, sizeof name, "%s%s", stem, gz ? ".gz" : "");
            char *dash = strstr(name, "-idx");
            if (dotted && dash) {
                *dash = '.';
            }
            if (!source_path(path, dir, name, e)) {
                return false;
            }
            if (file_exists(path)) {
                return true;
            }
        }
    }
    return err_set(e, ERR_INPUT, "%s: expected the file %s, plain or .gz, found none", dir, stem);
}

static bool idx_check_images(struct dataset *ds, const struct idx *idx, const char *path,
                             struct err *e)
{
    if (idx->n_dims < 3) {
        return err_set(e, ERR_INPUT, "%s: byte 3: expected images of 3 or 4 dimensions, found %d",
                       path, idx->n_dims);
    }
    size_t n = idx->dims[0], h = idx->dims[1], w = idx->dims[2],
           c = idx->n_dims == 4 ? idx->dims[3] : 1;
    if (n == 0 || n > INT32_MAX) {
        return err_set(e, ERR_INPUT, "%s: byte 4: expected at least one image, found %zu", path, n);
    }
    if (h == 0 || w == 0 || h > IDX_MAX_SIDE || w > IDX_MAX_SIDE) {
        return err_set(e, ERR_INPUT,
                       "%s: byte 8: expected images of 1 to %d pixels a side, found %zu x %zu",
                       path, IDX_MAX_SIDE, h, w);
    }
    if (c != 1 && c != 3) {
        return err_set(e, ERR_INPUT, "%s: byte 16: expected 1 or 3 channels, found %zu", path, c);
    }
    ds->shape = (struct shape){(int)h, (int)w, (int)c};
    ds->n = n;
    ds->pixels = idx->bytes;
    return true;
}

static bool idx_check_labels(struct dataset *ds, struct arena *keep, const struct idx *idx,
                             const char *path, int n_classes, struct err *e)
{
    if (idx->n_dims != 1) {
        return err_set(e, ERR_INPUT, "%s: byte 3: expected labels of 1 dimension, found %d", path,
                       idx->n_dims);
    }
    if (idx->dims[0] != ds->n) {
        return err_set(e, ERR_INPUT,
                       "%s: byte 4: expected %zu labels, one for each image, found %zu", path,
                       ds->n, idx->dims[0]);
    }
    ds->n_classes = n_classes;
    ds->labels = arena_try(keep, ds->n, sizeof *ds->labels, e);
    if (!ds->labels) {
        return false;
    }
    for (size_t i = 0; i < ds->n; i++) {
        if (idx->bytes[i] >= n_classes) {
            return err_set(e, ERR_INPUT, "%s: byte %zu: expected a label below %d, found %d", path,
                           8 + i, n_classes, idx->bytes[i]);
        }
        ds->labels[i] = idx->bytes[i];
    }
    return true;
}

bool idx_open(struct dataset *ds, struct arena *keep, const char *images_path,
              const char *labels_path, int n_classes, size_t limit, struct err *e)
{
    ASSERT(ds && keep && n_classes > 0);
    struct source src;
    struct idx images, labels;
    if (!source_init(&src, e)) {
        return false;
    }
    bool ok = idx_read(&images, keep, &src, images_path, e) &&
              idx_check_images(ds, &images, images_path, e) &&
              idx_read(&labels, keep, &src, labels_path, e) &&
              idx_check_labels(ds, keep, &labels, labels_path, n_classes, e);
    source_sha256(&src, ds->sha256);
    source_release(&src);
    if (ok && limit > 0) {
        ds->n = MIN(ds->n, limit);
    }
    return ok;
}

/* Feed n bytes to the compressor; the output buffer is large enough for all of it. */
static void idx_deflate(z_stream *z, const void *bytes, size_t n, int flush)
{
    z->next_in = (unsigned char *)(uintptr_t)bytes; /* zlib lacks a const */
    z->avail_in = (unsigned)n;
    int code = deflate(z, flush);
    ASSERT(code == (flush == Z_FINISH ? Z_STREAM_END : Z_OK) && z->avail_in == 0);
}

bool idx_write(const struct idx *idx, const char *path, struct arena tmp, struct err *e)
{
    ASSERT(idx->n_dims >= 1 && idx->n_dims <= IDX_MAX_DIMS);
    unsigned char head[4 + 4 * IDX_MAX_DIMS] = {0, 0, 8, (unsigned char)idx->n_dims};
    size_t n = 1;
    for (int i = 0; i < idx->n_dims; i++) {
        ASSERT(idx->dims[i] <= UINT32_MAX && base_mul(n, idx->dims[i], &n));
        for (int k = 0; k < 4; k++) {
            head[4 + 4 * i + k] = (unsigned char)(idx->dims[i] >> (24 - 8 * k));
        }
    }
    if (n > idx_max_bytes) {
        return err_set(e, ERR_FAILED, "%s: %zu bytes are more than hdnas would read again", path,
                       n);
    }
    z_stream z = {.zalloc = idx_zalloc, .zfree = idx_zfree, .opaque = &tmp};
    /* 9: the smallest file; 8: the default memory level. */
    if (deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return err_set(e, ERR_FAILED, "%s: out of memory for compression", path);
    }
    size_t n_head = 4 + 4 * (size_t)idx->n_dims;
    size_t n_out = deflateBound(&z, n_head + n);
    unsigned char *out = arena_try(&tmp, n_out, 1, e);
    if (!out) {
        return false;
    }
    z.next_out = out;
    z.avail_out = (unsigned)n_out;
    idx_deflate(&z, head, n_head, Z_NO_FLUSH);
    idx_deflate(&z, idx->bytes, n, Z_FINISH);
    return file_write(path, out, z.total_out, e);
}
