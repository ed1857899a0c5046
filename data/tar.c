#include "data/tar.h"

#include <string.h>
#include <zlib.h>

enum {
    TAR_BLOCK = 512,
    /* Fields of a header block, POSIX.1-1988 [ustar]. */
    TAR_NAME = 0,
    TAR_NAME_LEN = 100,
    TAR_SIZE = 124,
    TAR_SIZE_LEN = 12,
    TAR_SUM = 148,
    TAR_SUM_LEN = 8,
    TAR_TYPE = 156,
};

/* No archive of ours unpacks to more: 184 MB is the largest. */
static const size_t tar_max_total = (size_t)1 << 30;

struct tar_stream {
    const char *path;
    gzFile gz;
    size_t at; /* unpacked bytes read */
};

/* Exactly n bytes, or *ended at a clean end before the first one. */
static bool tar_pull(struct tar_stream *s, void *out, size_t n, bool *ended, struct err *e)
{
    unsigned char *p = out;
    size_t got = 0;
    while (got < n) {
        int part = gzread(s->gz, p + got, (unsigned)MIN(n - got, (size_t)1 << 20));
        if (part < 0) {
            int code;
            return err_set(e, ERR_INPUT, "%s: byte %zu after decompression: %s", s->path,
                           s->at + got, gzerror(s->gz, &code));
        }
        if (part == 0) {
            break;
        }
        got += (size_t)part;
    }
    *ended = got == 0 && n > 0;
    s->at += got;
    if (got == n || *ended) {
        return true;
    }
    return err_set(e, ERR_INPUT, "%s: byte %zu after decompression: the archive is cut off",
                   s->path, s->at);
}

/* An octal number, padded with spaces or ended by a space or zero. Negative if it is none. */
static int64_t tar_octal(const unsigned char *p, int len)
{
    int64_t value = 0;
    int i = 0;
    while (i < len && p[i] == ' ') {
        i++;
    }
    int first = i;
    for (; i < len && p[i] >= '0' && p[i] <= '7'; i++) {
        value = value * 8 + (p[i] - '0'); /* 12 digits are 36 bits */
    }
    return i > first && (i == len || p[i] == ' ' || p[i] == 0) ? value : -1;
}

static bool tar_check(const struct tar_stream *s, const unsigned char head[TAR_BLOCK],
                      struct err *e)
{
    int64_t sum = 0;
    for (int i = 0; i < TAR_BLOCK; i++) {
        sum += i >= TAR_SUM && i < TAR_SUM + TAR_SUM_LEN ? ' ' : head[i];
    }
    int64_t said = tar_octal(head + TAR_SUM, TAR_SUM_LEN);
    if (sum != said) {
        return err_set(
            e, ERR_INPUT,
            "%s: byte %zu after decompression: expected a tar header with checksum %lld, "
            "found %lld",
            s->path, s->at - TAR_BLOCK, (long long)sum, (long long)said);
    }
    int64_t size = tar_octal(head + TAR_SIZE, TAR_SIZE_LEN);
    if (size < 0 || (size_t)size > tar_max_total - MIN(s->at, tar_max_total)) {
        return err_set(
            e, ERR_INPUT,
            "%s: byte %zu after decompression: expected an archive of at most 1 GiB, found "
            "a file of %lld bytes",
            s->path, s->at - TAR_BLOCK, (long long)size);
    }
    return true;
}

static struct tar_member *tar_find(struct tar_member *members, int n, const unsigned char *head)
{
    char name[TAR_NAME_LEN + 1] = {0};
    memcpy(name, head + TAR_NAME, TAR_NAME_LEN);
    const char *slash = strrchr(name, '/');
    for (int i = 0; i < n; i++) {
        if (strcmp(members[i].name, slash ? slash + 1 : name) == 0) {
            return &members[i];
        }
    }
    return NULL;
}

/* Step over n bytes and the padding that fills the last block. */
static bool tar_skip(struct tar_stream *s, size_t n, struct err *e)
{
    unsigned char block[TAR_BLOCK];
    for (size_t left = DIV_UP(n, (size_t)TAR_BLOCK); left > 0; left--) {
        bool ended = false;
        if (!tar_pull(s, block, sizeof block, &ended, e)) {
            return false;
        }
        if (ended) {
            return err_set(e, ERR_INPUT, "%s: byte %zu after decompression: the archive is cut off",
                           s->path, s->at);
        }
    }
    return true;
}

static bool tar_take(struct tar_stream *s, struct tar_member *m, size_t n, struct arena *keep,
                     struct err *e)
{
    if (m->bytes) {
        return err_set(e, ERR_INPUT, "%s: %s is in it twice", s->path, m->name);
    }
    if (n > m->max_bytes) {
        return err_set(e, ERR_INPUT, "%s: expected %s to be at most %zu bytes long, found %zu",
                       s->path, m->name, m->max_bytes, n);
    }
    size_t padded = DIV_UP(n, (size_t)TAR_BLOCK) * TAR_BLOCK;
    bool ended = false;
    m->bytes = arena_try(keep, padded + 1, 1, e);
    m->n = n;
    if (!m->bytes || !tar_pull(s, m->bytes, padded, &ended, e)) {
        return false;
    }
    return !ended || err_set(e, ERR_INPUT, "%s: the archive is cut off at %s", s->path, m->name);
}

static bool tar_members(struct tar_stream *s, struct tar_member *members, int n_members,
                        struct arena *keep, struct err *e)
{
    unsigned char head[TAR_BLOCK];
    for (;;) {
        bool ended = false;
        if (!tar_pull(s, head, sizeof head, &ended, e)) {
            return false;
        }
        if (ended) {
            return true;
        }
        bool zero = true;
        for (int i = 0; i < TAR_BLOCK; i++) {
            zero = zero && head[i] == 0;
        }
        if (zero) {
            return true; /* two blocks of zeros end an archive; one is enough to know */
        }
        if (!tar_check(s, head, e)) {
            return false;
        }
        size_t n = (size_t)tar_octal(head + TAR_SIZE, TAR_SIZE_LEN);
        bool regular = head[TAR_TYPE] == '0' || head[TAR_TYPE] == 0;
        struct tar_member *m = regular ? tar_find(members, n_members, head) : NULL;
        if (!(m ? tar_take(s, m, n, keep, e) : tar_skip(s, n, e))) {
            return false;
        }
    }
}

bool tar_read_gz(const char *path, struct tar_member *members, int n_members, struct arena *keep,
                 struct err *e)
{
    ASSERT(path && members && n_members > 0 && keep);
    struct tar_stream s = {.path = path, .gz = gzopen(path, "rbe")};
    if (!s.gz) {
        return err_set(e, ERR_INPUT, "%s: cannot open", path);
    }
    for (int i = 0; i < n_members; i++) {
        members[i].bytes = NULL;
        members[i].n = 0;
    }
    bool ok = tar_members(&s, members, n_members, keep, e);
    gzclose(s.gz);
    for (int i = 0; ok && i < n_members; i++) {
        if (!members[i].bytes) {
            ok = err_set(e, ERR_INPUT, "%s: expected the file %s in it, found none", path,
                         members[i].name);
        }
    }
    return ok;
}
