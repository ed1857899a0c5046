#include "core/file.h"
#include "nn/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Wide types first, then by name, so that every tensor lies on a multiple of its element size. */
static int by_width(const void *a, const void *b)
{
    const struct safetensors_entry *x = *(const struct safetensors_entry *const *)a;
    const struct safetensors_entry *y = *(const struct safetensors_entry *const *)b;
    size_t p = safetensors_type_bytes(x->type), q = safetensors_type_bytes(y->type);
    return p != q ? (p > q ? -1 : 1) : strcmp(x->name, y->name);
}

/* A JSON string in quotes; at most 6 bytes for one. */
static char *put_string(char *to, const char *s)
{
    *to++ = '"';
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 0x20) {
            to += sprintf(to, "\\u%04x", c);
            continue;
        }
        if (c == '"' || c == '\\') {
            *to++ = '\\';
        }
        *to++ = (char)c;
    }
    *to++ = '"';
    return to;
}

static char *put_entry(char *to, const struct safetensors_entry *t, size_t at)
{
    to = put_string(to, t->name);
    to += sprintf(to, ":{\"dtype\":\"%s\",\"shape\":[", safetensors_type_name(t->type));
    for (int i = 0; i < t->n_dims; i++) {
        to += sprintf(to, "%s%lld", i ? "," : "", (long long)t->dims[i]);
    }
    return to + sprintf(to, "],\"data_offsets\":[%zu,%zu]}", at, at + t->bytes);
}

/* Enough for any header: names and values at 6 bytes a character, numbers at 20 digits. */
static size_t header_bound(const struct safetensors *st)
{
    return 64 + (size_t)st->n_meta * (2 * 6 * 256 + 8) + (size_t)st->n * (6 * 128 + 10 * 21 + 64);
}

static void put_length(unsigned char *p, size_t n)
{
    for (int i = 0; i < 8; i++) {
        p[i] = (unsigned char)(n >> 8 * i);
    }
}

bool safetensors_write(const struct safetensors *st, const char *path, struct arena tmp,
                       struct err *e)
{
    ASSERT(st && path);
    size_t n_data = 0;
    for (int i = 0; i < st->n; i++) {
        n_data += st->entries[i].bytes;
    }
    const struct safetensors_entry **order = arena_try(&tmp, (size_t)st->n, sizeof(void *), e);
    unsigned char *file = order ? arena_try(&tmp, header_bound(st) + n_data, 1, e) : NULL;
    if (!file) {
        return err_wrap(e, "writing %s", path);
    }
    for (int i = 0; i < st->n; i++) {
        order[i] = &st->entries[i];
    }
    qsort(order, (size_t)st->n, sizeof *order, by_width);
    char *text = (char *)file + 8, *to = text;
    to += sprintf(to, "{\"__metadata__\":{");
    for (int i = 0; i < st->n_meta; i++) {
        if (i > 0) {
            *to++ = ',';
        }
        to = put_string(to, st->meta[i][0]);
        *to++ = ':';
        to = put_string(to, st->meta[i][1]);
    }
    *to++ = '}';
    size_t at = 0;
    for (int i = 0; i < st->n; i++) {
        *to++ = ',';
        to = put_entry(to, order[i], at);
        at += order[i]->bytes;
    }
    *to++ = '}';
    while ((to - text) % 8 != 0) {
        *to++ = ' ';
    }
    put_length(file, (size_t)(to - text));
    for (int i = 0; i < st->n; i++) {
        memcpy(to, order[i]->data, order[i]->bytes);
        to += order[i]->bytes;
    }
    return file_write(path, file, (size_t)((unsigned char *)to - file), e);
}
