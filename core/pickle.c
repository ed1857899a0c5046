#include "core/pickle.h"

#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/pickle_call.h"

/* Larger files are not ours: HW-NAS-Bench's has some tens of MB. */
static const size_t max_file_bytes = (size_t)256 << 20;

static bool op_proto(struct pickle_stack *r)
{
    uint64_t version;
    if (!pickle_stack_take_uint(r, 1, &version)) {
        return false;
    }
    if (version < 2 || version > 4) {
        pickle_stack_fail(r, "a protocol other than 2, 3 or 4");
        return err_hint(r->e, "in Python: pickle.dump(pickle.load(f), g, protocol=4)");
    }
    return true;
}

/* Opcodes by what follows them; the letters are pickle's own. */
static bool step(struct pickle_stack *r, unsigned char op)
{
    uint64_t n;
    switch (op) {
    case 0x80:
        return op_proto(r);
    case 0x95: /* FRAME: its length is of no use here */
        return pickle_stack_take(r, 8) != NULL;
    case '.':
        r->stopped = true;
        return true;
    case '(':
        return pickle_stack_mark(r);
    case '0':
        return pickle_stack_pop(r) != NULL;
    case 'N':
        return pickle_stack_push(r, pickle_stack_new(r, PICKLE_NONE));
    case 0x88:
    case 0x89:
        return pickle_stack_push_int(r, PICKLE_BOOL, op == 0x88);
    case 'K':
        return pickle_stack_take_uint(r, 1, &n) && pickle_stack_push_int(r, PICKLE_INT, (int64_t)n);
    case 'M':
        return pickle_stack_take_uint(r, 2, &n) && pickle_stack_push_int(r, PICKLE_INT, (int64_t)n);
    case 'J':
        return pickle_stack_push_long(r, 4);
    case 0x8a:
        return pickle_stack_take_uint(r, 1, &n) && pickle_stack_push_long(r, n);
    case 0x8b:
        return pickle_stack_take_uint(r, 4, &n) && pickle_stack_push_long(r, n);
    case 'G':
        return pickle_stack_push_real(r);
    case 0x8c:
    case 'X':
    case 0x8d:
        return pickle_stack_push_text(r, PICKLE_TEXT, op == 0x8c ? 1 : op == 'X' ? 4 : 8);
    case 'U': /* Python 2's strings are bytes */
    case 'T':
        return pickle_stack_push_text(r, PICKLE_BYTES, op == 'U' ? 1 : 4);
    case 'C':
    case 'B':
    case 0x8e:
        return pickle_stack_push_text(r, PICKLE_BYTES, op == 'C' ? 1 : op == 'B' ? 4 : 8);
    case ']':
        return pickle_stack_push(r, pickle_stack_new(r, PICKLE_LIST));
    case '}':
        return pickle_stack_push(r, pickle_stack_new(r, PICKLE_DICT));
    case ')':
        return pickle_stack_push(r, pickle_stack_new(r, PICKLE_TUPLE));
    case 'l':
        return pickle_stack_collect(r, PICKLE_LIST);
    case 't':
        return pickle_stack_collect(r, PICKLE_TUPLE);
    case 'd':
        return pickle_stack_collect(r, PICKLE_DICT);
    case 0x85:
    case 0x86:
    case 0x87:
        return pickle_stack_tuple(r, (size_t)op - 0x84);
    case 'a':
    case 'e':
        return pickle_stack_add(r, PICKLE_LIST, op == 'e');
    case 's':
    case 'u':
        return pickle_stack_add(r, PICKLE_DICT, op == 'u');
    case 'q':
        return pickle_stack_take_uint(r, 1, &n) && pickle_stack_memo_put(r, n);
    case 'r':
        return pickle_stack_take_uint(r, 4, &n) && pickle_stack_memo_put(r, n);
    case 0x94:
        return pickle_stack_memo_put(r, r->n_memo);
    case 'h':
        return pickle_stack_take_uint(r, 1, &n) && pickle_stack_memo_get(r, n);
    case 'j':
        return pickle_stack_take_uint(r, 4, &n) && pickle_stack_memo_get(r, n);
    case 'c':
        return pickle_call_named(r);
    case 0x93:
        return pickle_call_stacked(r);
    case 'R':
        return pickle_call_reduce(r);
    case 'b':
        return pickle_call_build(r);
    default: {
        char words[64];
        snprintf(words, sizeof words, "opcode 0x%02x, which is not known here", op);
        return pickle_stack_fail(r, words);
    }
    }
}

bool pickle_read(const struct pickle_value **root, struct arena *keep, const char *path,
                 struct err *e)
{
    struct pickle_stack r = {.path = path, .keep = keep, .e = e};
    unsigned char *bytes;
    if (!file_read(keep, path, max_file_bytes, &bytes, &r.n, e)) {
        return false;
    }
    r.bytes = bytes;
    if (r.n < 2 || bytes[0] != 0x80) {
        return pickle_stack_fail(&r, "not a pickle of protocol 2, 3 or 4");
    }
    while (!r.stopped) {
        r.op_at = r.at;
        const unsigned char *op = pickle_stack_take(&r, 1);
        if (!op || !step(&r, *op)) {
            return false;
        }
    }
    if (r.n_marks != 0 || r.n_stack != 1) {
        return pickle_stack_fail(&r, "the end, but not of one value");
    }
    if (r.at != r.n) {
        r.op_at = r.at;
        return pickle_stack_fail(&r, "more bytes after the end");
    }
    *root = r.stack[0];
    return true;
}

const struct pickle_value *pickle_get(const struct pickle_value *v, const char *key)
{
    if (!v || v->type != PICKLE_DICT) {
        return NULL;
    }
    for (size_t i = v->u.seq.n; i >= 2; i -= 2) { /* the last of equal keys counts */
        if (pickle_stack_is_text(v->u.seq.items[i - 2], key)) {
            return v->u.seq.items[i - 1];
        }
    }
    return NULL;
}

size_t pickle_count(const struct pickle_value *v)
{
    bool seq = v && (v->type == PICKLE_LIST || v->type == PICKLE_TUPLE);
    return seq ? v->u.seq.n : v && v->type == PICKLE_ARRAY ? v->u.array.n : 0;
}

static double array_number(const struct pickle_value *v, size_t i)
{
    size_t size = (size_t)v->u.array.size;
    const unsigned char *p = v->u.array.data + i * size;
    uint64_t bits = 0;
    for (size_t k = 0; k < size; k++) {
        bits |= (uint64_t)p[v->u.array.swapped ? size - 1 - k : k] << (8 * k);
    }
    if (v->u.array.kind == 'f' && size == 8) {
        double x;
        memcpy(&x, &bits, sizeof x);
        return x;
    }
    if (v->u.array.kind == 'f') {
        uint32_t half = (uint32_t)bits;
        float x;
        memcpy(&x, &half, sizeof x);
        return (double)x;
    }
    if (v->u.array.kind == 'i') {
        if (size < 8 && bits >> (8 * size - 1) & 1) {
            bits |= ~(uint64_t)0 << (8 * size);
        }
        return (double)(int64_t)bits;
    }
    return (double)bits;
}

bool pickle_scalar(const struct pickle_value *v, double *out)
{
    if (!v) {
        return false;
    }
    if (v->type == PICKLE_REAL) {
        *out = v->u.real;
        return true;
    }
    if (v->type == PICKLE_INT || v->type == PICKLE_BOOL) {
        *out = (double)v->u.integer;
        return true;
    }
    if (v->type == PICKLE_ARRAY && v->u.array.n == 1) {
        *out = array_number(v, 0);
        return true;
    }
    return false;
}

bool pickle_number(const struct pickle_value *v, size_t i, double *out)
{
    if (i >= pickle_count(v)) {
        return false;
    }
    if (v->type == PICKLE_ARRAY) {
        *out = array_number(v, i);
        return true;
    }
    return pickle_scalar(v->u.seq.items[i], out);
}
