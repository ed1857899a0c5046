#include "core/pickle_stack.h"

#include <string.h>

bool pickle_stack_fail(struct pickle_stack *r, const char *what)
{
    return err_set(r->e, ERR_INPUT, "%s: offset %zu: %s", r->path, r->op_at, what);
}

struct pickle_value *pickle_stack_new(struct pickle_stack *r, enum pickle_type type)
{
    enum { POOL = 1024 };
    if (r->n_pool == 0) {
        r->pool = arena_try(r->keep, POOL, sizeof *r->pool, r->e);
        if (!r->pool) {
            return NULL;
        }
        r->n_pool = POOL;
    }
    struct pickle_value *v = r->pool++;
    r->n_pool--;
    *v = (struct pickle_value){.type = type};
    return v;
}

/* Room for one more pointer; arrays double. */
static bool room(struct pickle_stack *r, struct pickle_value ***items, size_t n, size_t *cap)
{
    if (n < *cap) {
        return true;
    }
    size_t wanted = MAX((size_t)8, 2 * *cap);
    struct pickle_value **p = arena_try(r->keep, wanted, sizeof *p, r->e);
    if (p && n > 0) {
        memcpy(p, *items, n * sizeof *p);
    }
    if (p) {
        *items = p;
        *cap = wanted;
    }
    return p != NULL;
}

bool pickle_stack_push(struct pickle_stack *r, struct pickle_value *v)
{
    if (!v || !room(r, &r->stack, r->n_stack, &r->stack_cap)) {
        return false;
    }
    r->stack[r->n_stack++] = v;
    return true;
}

/* Values above the last mark, or on the whole stack. */
static size_t height(const struct pickle_stack *r)
{
    return r->n_stack - (r->n_marks > 0 ? r->marks[r->n_marks - 1] : 0);
}

struct pickle_value *pickle_stack_pop(struct pickle_stack *r)
{
    if (height(r) == 0) {
        pickle_stack_fail(r, "the stack is empty");
        return NULL;
    }
    return r->stack[--r->n_stack];
}

struct pickle_value *pickle_stack_top(struct pickle_stack *r)
{
    if (height(r) == 0) {
        pickle_stack_fail(r, "the stack is empty");
        return NULL;
    }
    return r->stack[r->n_stack - 1];
}

const unsigned char *pickle_stack_take(struct pickle_stack *r, uint64_t n)
{
    if (n > r->n - r->at) {
        pickle_stack_fail(r, "the file ends within");
        return NULL;
    }
    const unsigned char *p = r->bytes + r->at;
    r->at += (size_t)n;
    return p;
}

bool pickle_stack_take_uint(struct pickle_stack *r, int n_bytes, uint64_t *out)
{
    const unsigned char *p = pickle_stack_take(r, (uint64_t)n_bytes);
    *out = 0;
    for (int i = 0; p && i < n_bytes; i++) {
        *out |= (uint64_t)p[i] << (8 * i);
    }
    return p != NULL;
}

bool pickle_stack_push_int(struct pickle_stack *r, enum pickle_type type, int64_t x)
{
    struct pickle_value *v = pickle_stack_new(r, type);
    if (v) {
        v->u.integer = x;
    }
    return pickle_stack_push(r, v);
}

bool pickle_stack_push_long(struct pickle_stack *r, uint64_t n)
{
    const unsigned char *p = pickle_stack_take(r, n);
    uint64_t x = 0;
    if (!p) {
        return false;
    }
    if (n > 8) {
        return pickle_stack_fail(r, "an integer of more than 64 bits");
    }
    for (uint64_t i = 0; i < n; i++) {
        x |= (uint64_t)p[i] << (8 * i);
    }
    if (n > 0 && n < 8 && p[n - 1] & 0x80) {
        x |= ~(uint64_t)0 << (8 * n);
    }
    return pickle_stack_push_int(r, PICKLE_INT, (int64_t)x);
}

bool pickle_stack_push_real(struct pickle_stack *r)
{
    const unsigned char *p = pickle_stack_take(r, 8);
    uint64_t bits = 0;
    struct pickle_value *v = p ? pickle_stack_new(r, PICKLE_REAL) : NULL;
    if (!v) {
        return false;
    }
    for (int i = 0; i < 8; i++) { /* the one number that is big-endian */
        bits = bits << 8 | p[i];
    }
    memcpy(&v->u.real, &bits, sizeof bits);
    return pickle_stack_push(r, v);
}

bool pickle_stack_push_text(struct pickle_stack *r, enum pickle_type type, int n_bytes)
{
    uint64_t n;
    const unsigned char *p =
        pickle_stack_take_uint(r, n_bytes, &n) ? pickle_stack_take(r, n) : NULL;
    struct pickle_value *v = p ? pickle_stack_new(r, type) : NULL;
    if (v) {
        v->u.text.s = (const char *)p;
        v->u.text.n = (size_t)n;
    }
    return pickle_stack_push(r, v);
}

bool pickle_stack_is_text(const struct pickle_value *v, const char *s)
{
    return v && (v->type == PICKLE_TEXT || v->type == PICKLE_BYTES) && v->u.text.n == strlen(s) &&
           memcmp(v->u.text.s, s, v->u.text.n) == 0;
}

static bool seq_add(struct pickle_stack *r, struct pickle_value *seq, struct pickle_value *item)
{
    seq->depth = MAX(seq->depth, item->depth + 1);
    if (seq->depth > PICKLE_MAX_DEPTH) {
        return pickle_stack_fail(r, "nested too deeply");
    }
    if (!room(r, &seq->u.seq.items, seq->u.seq.n, &seq->u.seq.cap)) {
        return false;
    }
    seq->u.seq.items[seq->u.seq.n++] = item;
    return true;
}

/* Everything above the last mark, from below, goes into seq; the mark goes. */
static bool seq_add_marked(struct pickle_stack *r, struct pickle_value *seq)
{
    size_t from = r->marks[--r->n_marks];
    for (size_t i = from; i < r->n_stack; i++) {
        if (!seq_add(r, seq, r->stack[i])) {
            return false;
        }
    }
    r->n_stack = from;
    return true;
}

bool pickle_stack_mark(struct pickle_stack *r)
{
    if (r->n_marks == PICKLE_MAX_DEPTH) {
        return pickle_stack_fail(r, "nested too deeply");
    }
    r->marks[r->n_marks++] = r->n_stack;
    return true;
}

bool pickle_stack_collect(struct pickle_stack *r, enum pickle_type type)
{
    if (r->n_marks == 0) {
        return pickle_stack_fail(r, "no mark is set");
    }
    if (type == PICKLE_DICT && height(r) % 2 != 0) {
        return pickle_stack_fail(r, "a key without a value");
    }
    struct pickle_value *v = pickle_stack_new(r, type);
    return v && seq_add_marked(r, v) && pickle_stack_push(r, v);
}

bool pickle_stack_tuple(struct pickle_stack *r, size_t n)
{
    struct pickle_value *v = pickle_stack_new(r, PICKLE_TUPLE);
    if (!v || height(r) < n) {
        return v && pickle_stack_fail(r, "the stack is empty");
    }
    for (size_t i = r->n_stack - n; i < r->n_stack; i++) {
        if (!seq_add(r, v, r->stack[i])) {
            return false;
        }
    }
    r->n_stack -= n;
    return pickle_stack_push(r, v);
}

bool pickle_stack_add(struct pickle_stack *r, enum pickle_type type, bool marked)
{
    size_t n_each = type == PICKLE_DICT ? 2 : 1;
    if (marked && r->n_marks == 0) {
        return pickle_stack_fail(r, "no mark is set");
    }
    if (!marked) { /* a mark below the items */
        if (height(r) < n_each + 1 || r->n_marks == PICKLE_MAX_DEPTH) {
            return pickle_stack_fail(r, "the stack is empty");
        }
        r->marks[r->n_marks++] = r->n_stack - n_each;
    }
    size_t from = r->marks[r->n_marks - 1];
    size_t below = r->n_marks > 1 ? r->marks[r->n_marks - 2] : 0;
    if (from == below || r->stack[from - 1]->type != type) {
        return pickle_stack_fail(r, type == PICKLE_DICT ? "items for what is no dict"
                                                        : "items for what is no list");
    }
    if ((r->n_stack - from) % n_each != 0) {
        return pickle_stack_fail(r, "a key without a value");
    }
    return seq_add_marked(r, r->stack[from - 1]);
}

bool pickle_stack_memo_put(struct pickle_stack *r, uint64_t i)
{
    struct pickle_value *v = pickle_stack_top(r);
    if (!v) {
        return false;
    }
    if (i >= r->n) { /* each takes a byte at least */
        return pickle_stack_fail(r, "a memo number beyond the file's size");
    }
    while (i >= r->memo_cap) {
        size_t old = r->memo_cap;
        if (!room(r, &r->memo, old, &r->memo_cap)) {
            return false;
        }
        memset(r->memo + old, 0, (r->memo_cap - old) * sizeof *r->memo);
    }
    r->memo[i] = v;
    r->n_memo = MAX(r->n_memo, (size_t)i + 1);
    return true;
}

bool pickle_stack_memo_get(struct pickle_stack *r, uint64_t i)
{
    if (i >= r->memo_cap || !r->memo[i]) {
        return pickle_stack_fail(r, "a memo number that was never set");
    }
    return pickle_stack_push(r, r->memo[i]);
}
