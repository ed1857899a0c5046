/* safetensors.h: the container format: u64 LE header length, JSON header, data without hole or
 * tail. Hostile input safe. */
#ifndef NN_SAFETENSORS_H
#define NN_SAFETENSORS_H

#include "core/arena.h"

enum safetensors_type {
    SAFETENSORS_F32,
    SAFETENSORS_F64,
    SAFETENSORS_I64,
    SAFETENSORS_I32,
    SAFETENSORS_U8
};

struct safetensors_entry {
    char name[128];
    enum safetensors_type type;
    int n_dims;
    int64_t dims[8];
    const void *data; /* reader: into the file's bytes; writer: the caller's */
    size_t bytes;
};

struct safetensors {
    const char *path;
    struct safetensors_entry *entries; /* [n], sorted by name */
    int n;
    char (*meta)[2][256]; /* [n_meta] key, value */
    int n_meta;
};

MUST_USE bool safetensors_read(struct safetensors *st, struct arena *keep, const char *path,
                               struct err *e);
const struct safetensors_entry *safetensors_find(const struct safetensors *st, const char *name);
const char *safetensors_meta(const struct safetensors *st, const char *key); /* NULL = absent */
MUST_USE bool safetensors_write(const struct safetensors *st, const char *path, struct arena tmp,
                                struct err *e);

/* Bytes of one element, and the name in the header: "F32". */
size_t safetensors_type_bytes(enum safetensors_type type);
const char *safetensors_type_name(enum safetensors_type type);

#endif
