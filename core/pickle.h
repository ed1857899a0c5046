/*
 * pickle.h: Python pickles (protocols 2 to 4) as data: numbers, text, lists, tuples, dicts, numpy
 * arrays and scalars. Nothing is ever executed: a pickle is a program for a stack machine, of which
 * only the opcodes that build data are known, and of the functions it may name only numpy's and the
 * two that Python itself uses for bytes and ordered dicts. Anything else is refused with its
 * offset.
 */
#ifndef CORE_PICKLE_H
#define CORE_PICKLE_H

#include "core/arena.h"

enum pickle_type {
    PICKLE_NONE,
    PICKLE_BOOL, /* integer 0 or 1 */
    PICKLE_INT,
    PICKLE_REAL,
    PICKLE_TEXT,
    PICKLE_BYTES,
    PICKLE_LIST,
    PICKLE_TUPLE,
    PICKLE_DICT,  /* items are key, value, key, value ... */
    PICKLE_ARRAY, /* numbers of any shape, flattened */
    PICKLE_DTYPE,
    PICKLE_GLOBAL, /* a name of the allow list */
};

struct pickle_value {
    enum pickle_type type;
    int depth; /* 1 + that of the deepest item when it was put in */
    union {
        int64_t integer;
        double real;
        struct {
            const char *s; /* [n] inside the file, no zero behind */
            size_t n;
        } text;
        struct {
            struct pickle_value **items; /* [n] */
            size_t n, cap;
        } seq;
        struct {
            const unsigned char *data; /* [n, size] */
            size_t n;
            char kind; /* f, i, u, b */
            int size;
            bool swapped; /* big-endian */
        } array;
        int global;
    } u;
};

enum { PICKLE_MAX_DEPTH = 64 };

/* Read a file. It and all values live in keep, which bounds the memory: ERR_FAILED where it does
 * not suffice. ERR_INPUT with path and offset for what is no such pickle. The graph may share
 * values, and hold cycles: walk it by what you expect, not to its end. */
MUST_USE bool pickle_read(const struct pickle_value **root, struct arena *keep, const char *path,
                          struct err *e);

/* The value of a text key, NULL if v is no dict or has none. */
const struct pickle_value *pickle_get(const struct pickle_value *v, const char *key);

/* How many numbers or items there are in a list, tuple or array; 0 for all else. */
size_t pickle_count(const struct pickle_value *v);

/* Number i of a list, tuple or array; false if it is none. */
bool pickle_number(const struct pickle_value *v, size_t i, double *out);

/* A number by itself: int, real, bool, or an array of one. */
bool pickle_scalar(const struct pickle_value *v, double *out);

#endif
