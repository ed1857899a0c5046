/*
 * pickle_stack.h: the stack machine of a pickle: its bytes, stack, marks and memo, and the
 * instructions that move data between them. Nothing here knows an opcode or may call anything.
 * Inside core/pickle*.c only. Every function that can fail sets the error, with path and offset of
 * the instruction, and returns false or NULL; NULL values are passed through.
 */
#ifndef CORE_PICKLE_STACK_H
#define CORE_PICKLE_STACK_H

#include "core/pickle.h"

struct pickle_stack {
    const char *path;
    const unsigned char *bytes;
    size_t n, at;
    size_t op_at; /* offset of the opcode, for messages */
    struct arena *keep;
    struct err *e;
    struct pickle_value *pool; /* values not handed out yet */
    size_t n_pool;
    struct pickle_value **stack; /* [n_stack] */
    size_t n_stack, stack_cap;
    size_t marks[PICKLE_MAX_DEPTH]; /* heights of the stack */
    int n_marks;
    struct pickle_value **memo; /* [memo_cap] NULL = not set */
    size_t n_memo, memo_cap;
    bool stopped;
};

/* Always false: "PATH: offset N: WHAT". */
bool pickle_stack_fail(struct pickle_stack *r, const char *what);

/* An empty value of a type, on no stack yet. */
struct pickle_value *pickle_stack_new(struct pickle_stack *r, enum pickle_type type);

/* The next n bytes of the file; n_bytes of them as a little-endian number. */
const unsigned char *pickle_stack_take(struct pickle_stack *r, uint64_t n);
bool pickle_stack_take_uint(struct pickle_stack *r, int n_bytes, uint64_t *out);

/* Values above the last mark only can be popped and seen. */
bool pickle_stack_push(struct pickle_stack *r, struct pickle_value *v);
struct pickle_value *pickle_stack_pop(struct pickle_stack *r);
struct pickle_value *pickle_stack_top(struct pickle_stack *r);

bool pickle_stack_push_int(struct pickle_stack *r, enum pickle_type type, int64_t x);
/* What follows in the file: a two's complement number of n bytes, little-endian; a big-endian
 * double; text or bytes behind a count of n_bytes bytes. */
bool pickle_stack_push_long(struct pickle_stack *r, uint64_t n);
bool pickle_stack_push_real(struct pickle_stack *r);
bool pickle_stack_push_text(struct pickle_stack *r, enum pickle_type type, int n_bytes);

/* Set a mark; make one sequence of all above the last mark, or a tuple of the last n. */
bool pickle_stack_mark(struct pickle_stack *r);
bool pickle_stack_collect(struct pickle_stack *r, enum pickle_type type);
bool pickle_stack_tuple(struct pickle_stack *r, size_t n);

/* Items above the mark, or one (a dict: two), into the sequence below. */
bool pickle_stack_add(struct pickle_stack *r, enum pickle_type type, bool marked);

bool pickle_stack_memo_put(struct pickle_stack *r, uint64_t i);
bool pickle_stack_memo_get(struct pickle_stack *r, uint64_t i);

/* Is it text or bytes, and these? NULL is not. */
bool pickle_stack_is_text(const struct pickle_value *v, const char *s);

#endif
