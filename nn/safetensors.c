#include "nn/safetensors.h"

#include "core/file.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t header_max_bytes = 100000000; /* the format's own limit */
static const size_t file_max_bytes = (size_t)1 << 30;
static const size_t separators_max =
    1 << 18;                      /* about 20,000 tensors; bounds what the JSON parser allocates */
static const int nesting_max = 4; /* header, tensor, shape; one to spare */
static const double integer_max = 9007199254740992.0; /* 2^53: exact in a double */

static const struct {
    const char *name;
    size_t bytes;
} types[] = {
    [SAFETENSORS_F32] = {"F32", 4}, [SAFETENSORS_F64] = {"F64", 8}, [SAFETENSORS_I64] = {"I64", 8},
    [SAFETENSORS_I32] = {"I32", 4}, [SAFETENSORS_U8] = {"U8", 1},
};

/* Depth and number of separators outside strings, before a recursive parser sees the text. */
static bool check_nesting(const char *text, size_t n, const char *path, struct err *e)
{
    size_t n_separators = 0;
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
            continue;
        }
        in_string = c == '"';
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        n_separators += c == ',' || c == ':' || c == '{' || c == '[';
        if (depth > nesting_max || n_separators > separators_max || c == 0) {
            return err_set(e, ERR_INPUT,
                           "%s: offset %zu: the header is nested too deeply, too long, or not text",
                           path, 8 + i);
        }
    }
    return true;
}

static bool copy_text(char *to, size_t len, const char *from)
{
    size_t n = from ? strlen(from) : len;
    if (n >= len) {
        return false;
    }
    memcpy(to, from, n + 1);
    return true;
}

static bool read_integer(const cJSON *item, int64_t *value)
{
    double v = cJSON_IsNumber(item) ? item->valuedouble : -1;
    if (!(v >= 0 && v <= integer_max) || v != floor(v)) {
        return false;
    }
    *value = (int64_t)v;
    return true;
}

static bool read_type(const cJSON *item, enum safetensors_type *type)
{
    for (size_t i = 0; cJSON_IsString(item) && i < N_ELEMS(types); i++) {
        if (strcmp(item->valuestring, types[i].name) == 0) {
            *type = (enum safetensors_type)i;
            return true;
        }
    }
    return false;
}

/* Shape, and the bytes it asks for. */
static bool read_shape(const cJSON *item, struct safetensors_entry *t)
{
    size_t bytes = types[t->type].bytes;
    t->n_dims = 0;
    if (!cJSON_IsArray(item)) {
        return false;
    }
    const cJSON *dim;
    cJSON_ArrayForEach(dim, item)
    {
        if (t->n_dims == (int)N_ELEMS(t->dims) || !read_integer(dim, &t->dims[t->n_dims]) ||
            !base_mul(bytes, (size_t)t->dims[t->n_dims], &bytes)) {
            return false;
        }
        t->n_dims++;
    }
    t->bytes = bytes;
    return true;
}

/* One tensor of the header; its data is checked to lie within n_data bytes and to have the shape's
 * length. */
static bool read_entry(const cJSON *item, struct safetensors_entry *t, const unsigned char *data,
                       size_t n_data, const char *path, struct err *e)
{
    const cJSON *dtype = NULL, *shape = NULL, *offsets = NULL, *field;
    if (!copy_text(t->name, sizeof t->name, item->string) || t->name[0] == 0) {
        return err_set(e, ERR_INPUT, "%s: a tensor's name is empty or longer than %zu bytes", path,
                       sizeof t->name - 1);
    }
    if (!cJSON_IsObject(item)) {
        return err_set(e, ERR_INPUT, "%s: tensor %s is not described by an object", path, t->name);
    }
    cJSON_ArrayForEach(field, item)
    {
        const cJSON **slot = strcmp(field->string, "dtype") == 0          ? &dtype
                             : strcmp(field->string, "shape") == 0        ? &shape
                             : strcmp(field->string, "data_offsets") == 0 ? &offsets
                                                                          : NULL;
        if (!slot || *slot) {
            return err_set(e, ERR_INPUT, "%s: tensor %s: key '%.40s' is unknown or there twice",
                           path, t->name, field->string);
        }
        *slot = field;
    }
    if (!read_type(dtype, &t->type)) {
        return err_set(e, ERR_INPUT, "%s: tensor %s: dtype is not one of F32 F64 I64 I32 U8", path,
                       t->name);
    }
    if (!read_shape(shape, t)) {
        return err_set(e, ERR_INPUT, "%s: tensor %s: shape is not a list of at most 8 sizes", path,
                       t->name);
    }
    int64_t begin, end;
    if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 ||
        !read_integer(offsets->child, &begin) || !read_integer(offsets->child->next, &end) ||
        begin > end || (uint64_t)end > n_data) {
        return err_set(e, ERR_INPUT,
                       "%s: tensor %s: data_offsets are not two offsets within %zu bytes", path,
                       t->name, n_data);
    }
    if ((size_t)(end - begin) != t->bytes) {
        return err_set(e, ERR_INPUT, "%s: tensor %s: shape wants %zu bytes, data_offsets give %zu",
                       path, t->name, t->bytes, (size_t)(end - begin));
    }
    t->data = data + begin;
    return true;
}

/* Keys and values too long for their place are left out: nothing here needs them. */
static bool read_meta(const cJSON *item, struct safetensors *st, struct arena *keep, struct err *e)
{
    if (!cJSON_IsObject(item)) {
        return err_set(e, ERR_INPUT, "%s: __metadata__ is not an object", st->path);
    }
    size_t n = (size_t)cJSON_GetArraySize(item);
    st->meta = arena_try(keep, n, sizeof *st->meta, e);
    if (!st->meta) {
        return false;
    }
    const cJSON *value;
    cJSON_ArrayForEach(value, item)
    {
        if (!cJSON_IsString(value)) {
            return err_set(e, ERR_INPUT, "%s: __metadata__ is not an object of strings", st->path);
        }
        if (safetensors_meta(st, value->string)) {
            return err_set(e, ERR_INPUT, "%s: __metadata__: key '%.40s' is there twice", st->path,
                           value->string);
        }
        st->n_meta += copy_text(st->meta[st->n_meta][0], 256, value->string) &&
                      copy_text(st->meta[st->n_meta][1], 256, value->valuestring);
    }
    return true;
}

static int by_offset(const void *a, const void *b)
{
    const struct safetensors_entry *x = a, *y = b;
    const unsigned char *p = x->data, *q = y->data;
    return p != q ? (p < q ? -1 : 1) : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static int by_name(const void *a, const void *b)
{
    const struct safetensors_entry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* The tensors must tile the data: no hole, no overlap, no tail. Then sort by name; a name twice is
 * refused. */
static bool check_entries(struct safetensors *st, const unsigned char *data, size_t n_data,
                          struct err *e)
{
    size_t n = (size_t)st->n, at = 0;
    qsort(st->entries, n, sizeof *st->entries, by_offset);
    for (size_t i = 0; i < n; i++) {
        size_t begin = (size_t)((const unsigned char *)st->entries[i].data - data);
        if (begin != at) {
            return err_set(e, ERR_INPUT, "%s: tensor %s begins at %zu of the data, expected %zu",
                           st->path, st->entries[i].name, begin, at);
        }
        at += st->entries[i].bytes;
    }
    if (at != n_data) {
        return err_set(e, ERR_INPUT, "%s: the tensors take %zu bytes, the file holds %zu", st->path,
                       at, n_data);
    }
    qsort(st->entries, n, sizeof *st->entries, by_name);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(st->entries[i - 1].name, st->entries[i].name) == 0) {
            return err_set(e, ERR_INPUT, "%s: tensor %s is there twice", st->path,
                           st->entries[i].name);
        }
    }
    return true;
}

/* Data that does not lie on a multiple of its element size is copied, so that it can be read
 * through a pointer. */
static bool align_entries(struct safetensors *st, struct arena *keep, struct err *e)
{
    for (int i = 0; i < st->n; i++) {
        struct safetensors_entry *t = &st->entries[i];
        if ((uintptr_t)t->data % types[t->type].bytes == 0) {
            continue;
        }
        void *copy = arena_try(keep, t->bytes, 1, e);
        if (!copy) {
            return false;
        }
        memcpy(copy, t->data, t->bytes);
        t->data = copy;
    }
    return true;
}

static bool read_header(struct safetensors *st, struct arena *keep, const cJSON *root,
                        const unsigned char *data, size_t n_data, struct err *e)
{
    if (!cJSON_IsObject(root)) {
        return err_set(e, ERR_INPUT, "%s: offset 8: the header is not a JSON object", st->path);
    }
    st->entries = arena_try(keep, (size_t)cJSON_GetArraySize(root), sizeof *st->entries, e);
    if (!st->entries) {
        return false;
    }
    bool has_meta = false;
    const cJSON *item;
    cJSON_ArrayForEach(item, root)
    {
        if (strcmp(item->string, "__metadata__") == 0) {
            if (has_meta) {
                return err_set(e, ERR_INPUT, "%s: __metadata__ is there twice", st->path);
            }
            has_meta = true;
            if (!read_meta(item, st, keep, e)) {
                return false;
            }
        } else if (!read_entry(item, &st->entries[st->n++], data, n_data, st->path, e)) {
            return false;
        }
    }
    return check_entries(st, data, n_data, e) && align_entries(st, keep, e);
}

static uint64_t little_endian_u64(const unsigned char *p)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--) {
        v = v << 8 | p[i];
    }
    return v;
}

size_t safetensors_type_bytes(enum safetensors_type type)
{
    ASSERT((size_t)type < N_ELEMS(types));
    return types[type].bytes;
}

const char *safetensors_type_name(enum safetensors_type type)
{
    ASSERT((size_t)type < N_ELEMS(types));
    return types[type].name;
}

bool safetensors_read(struct safetensors *st, struct arena *keep, const char *path, struct err *e)
{
    ASSERT(st && keep && path);
    *st = (struct safetensors){.path = path};
    unsigned char *bytes = NULL;
    size_t n = 0;
    if (!file_read(keep, path, file_max_bytes, &bytes, &n, e)) {
        return false;
    }
    uint64_t n_header = n >= 8 ? little_endian_u64(bytes) : 0;
    if (n < 8 || n_header > header_max_bytes || n_header > n - 8) {
        return err_set(e, ERR_INPUT,
                       "%s: offset 0: not a safetensors file: %zu bytes, header of %llu", path, n,
                       (unsigned long long)n_header);
    }
    const char *text = (const char *)bytes + 8;
    if (n_header == 0 || text[0] != '{') {
        return err_set(e, ERR_INPUT, "%s: offset 8: the header does not begin with '{'", path);
    }
    if (!check_nesting(text, (size_t)n_header, path, e)) {
        return false;
    }
    const char *end = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts(text, (size_t)n_header, &end, false);
    bool ok = root != NULL;
    for (; ok && end < text + n_header; end++) {
        ok = *end == ' ';
    }
    if (!ok) {
        size_t at = end ? (size_t)(end - text) : 0;
        err_set(e, ERR_INPUT, "%s: offset %zu: the header is not valid JSON", path, 8 + at);
    } else {
        ok = read_header(st, keep, root, bytes + 8 + n_header, n - 8 - (size_t)n_header, e);
    }
    cJSON_Delete(root);
    return ok;
}

const struct safetensors_entry *safetensors_find(const struct safetensors *st, const char *name)
{
    int low = 0, high = st->n;
    while (low < high) {
        int mid = low + (high - low) / 2;
        int order = strcmp(st->entries[mid].name, name);
        if (order == 0) {
            return &st->entries[mid];
        }
        low = order < 0 ? mid + 1 : low;
        high = order < 0 ? high : mid;
    }
    return NULL;
}

const char *safetensors_meta(const struct safetensors *st, const char *key)
{
    for (int i = 0; i < st->n_meta; i++) {
        if (strcmp(st->meta[i][0], key) == 0) {
            return st->meta[i][1];
        }
    }
    return NULL;
}
