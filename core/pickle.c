#include "core/pickle.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"

/* Larger files are not ours: HW-NAS-Bench's has some tens of MB. */
static const size_t max_file_bytes = (size_t)256 << 20;

/* What a pickle may name. */
enum global {
    GLOBAL_DTYPE,
    GLOBAL_NDARRAY,
    GLOBAL_RECONSTRUCT,
    GLOBAL_SCALAR,
    GLOBAL_ENCODE,
    GLOBAL_ORDERED
};
static const struct {
    const char *module, *name;
    enum global global;
} allowed[] = {
    {"numpy", "dtype", GLOBAL_DTYPE},
    {"numpy", "ndarray", GLOBAL_NDARRAY},
    {"numpy.core.multiarray", "_reconstruct", GLOBAL_RECONSTRUCT},
    {"numpy._core.multiarray", "_reconstruct", GLOBAL_RECONSTRUCT},
    {"numpy.core.multiarray", "scalar", GLOBAL_SCALAR},
    {"numpy._core.multiarray", "scalar", GLOBAL_SCALAR},
    {"_codecs", "encode", GLOBAL_ENCODE},
    {"collections", "OrderedDict", GLOBAL_ORDERED},
};

/* The machine while it runs. */
struct reader {
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

static bool fail(struct reader *r, const char *what)
{
    return err_set(r->e, ERR_INPUT, "%s: offset %zu: %s", r->path, r->op_at, what);
}

static struct pickle_value *value_new(struct reader *r, enum pickle_type type)
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
static bool room(struct reader *r, struct pickle_value ***items, size_t n, size_t *cap)
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

static bool push(struct reader *r, struct pickle_value *v)
{
    if (!v || !room(r, &r->stack, r->n_stack, &r->stack_cap)) {
        return false;
    }
    r->stack[r->n_stack++] = v;
    return true;
}

/* Values above the last mark, or on the whole stack. */
static size_t height(const struct reader *r)
{
    return r->n_stack - (r->n_marks > 0 ? r->marks[r->n_marks - 1] : 0);
}

static struct pickle_value *pop(struct reader *r)
{
    if (height(r) == 0) {
        fail(r, "the stack is empty");
        return NULL;
    }
    return r->stack[--r->n_stack];
}

static struct pickle_value *top(struct reader *r)
{
    if (height(r) == 0) {
        fail(r, "the stack is empty");
        return NULL;
    }
    return r->stack[r->n_stack - 1];
}

/* n bytes of the file; NULL behind its end. */
static const unsigned char *take(struct reader *r, uint64_t n)
{
    if (n > r->n - r->at) {
        fail(r, "the file ends within");
        return NULL;
    }
    const unsigned char *p = r->bytes + r->at;
    r->at += (size_t)n;
    return p;
}

static bool take_uint(struct reader *r, int n_bytes, uint64_t *out)
{
    const unsigned char *p = take(r, (uint64_t)n_bytes);
    *out = 0;
    for (int i = 0; p && i < n_bytes; i++) {
        *out |= (uint64_t)p[i] << (8 * i);
    }
    return p != NULL;
}

static bool push_int(struct reader *r, enum pickle_type type, int64_t x)
{
    struct pickle_value *v = value_new(r, type);
    if (v) {
        v->u.integer = x;
    }
    return push(r, v);
}

/* A two's complement number of n bytes, little-endian. */
static bool push_long(struct reader *r, uint64_t n)
{
    const unsigned char *p = take(r, n);
    uint64_t x = 0;
    if (!p) {
        return false;
    }
    if (n > 8) {
        return fail(r, "an integer of more than 64 bits");
    }
    for (uint64_t i = 0; i < n; i++) {
        x |= (uint64_t)p[i] << (8 * i);
    }
    if (n > 0 && n < 8 && p[n - 1] & 0x80) {
        x |= ~(uint64_t)0 << (8 * n);
    }
    return push_int(r, PICKLE_INT, (int64_t)x);
}

static bool push_real(struct reader *r)
{
    const unsigned char *p = take(r, 8);
    uint64_t bits = 0;
    struct pickle_value *v = p ? value_new(r, PICKLE_REAL) : NULL;
    if (!v) {
        return false;
    }
    for (int i = 0; i < 8; i++) { /* the one number that is big-endian */
        bits = bits << 8 | p[i];
    }
    memcpy(&v->u.real, &bits, sizeof bits);
    return push(r, v);
}

/* Text or bytes behind a count of n_bytes bytes. */
static bool push_text(struct reader *r, enum pickle_type type, int n_bytes)
{
    uint64_t n;
    const unsigned char *p = take_uint(r, n_bytes, &n) ? take(r, n) : NULL;
    struct pickle_value *v = p ? value_new(r, type) : NULL;
    if (v) {
        v->u.text.s = (const char *)p;
        v->u.text.n = (size_t)n;
    }
    return push(r, v);
}

static bool text_is(const struct pickle_value *v, const char *s)
{
    return v && (v->type == PICKLE_TEXT || v->type == PICKLE_BYTES) && v->u.text.n == strlen(s) &&
           memcmp(v->u.text.s, s, v->u.text.n) == 0;
}

static bool seq_add(struct reader *r, struct pickle_value *seq, struct pickle_value *item)
{
    seq->depth = MAX(seq->depth, item->depth + 1);
    if (seq->depth > PICKLE_MAX_DEPTH) {
        return fail(r, "nested too deeply");
    }
    if (!room(r, &seq->u.seq.items, seq->u.seq.n, &seq->u.seq.cap)) {
        return false;
    }
    seq->u.seq.items[seq->u.seq.n++] = item;
    return true;
}

/* Everything above the last mark, from below, goes into seq; the mark goes. */
static bool seq_add_marked(struct reader *r, struct pickle_value *seq)
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

static bool op_mark(struct reader *r)
{
    if (r->n_marks == PICKLE_MAX_DEPTH) {
        return fail(r, "nested too deeply");
    }
    r->marks[r->n_marks++] = r->n_stack;
    return true;
}

/* A new sequence of what lies above the last mark. */
static bool op_from_mark(struct reader *r, enum pickle_type type)
{
    if (r->n_marks == 0) {
        return fail(r, "no mark is set");
    }
    if (type == PICKLE_DICT && height(r) % 2 != 0) {
        return fail(r, "a key without a value");
    }
    struct pickle_value *v = value_new(r, type);
    return v && seq_add_marked(r, v) && push(r, v);
}

static bool op_tuple(struct reader *r, size_t n)
{
    struct pickle_value *v = value_new(r, PICKLE_TUPLE);
    if (!v || height(r) < n) {
        return v && fail(r, "the stack is empty");
    }
    for (size_t i = r->n_stack - n; i < r->n_stack; i++) {
        if (!seq_add(r, v, r->stack[i])) {
            return false;
        }
    }
    r->n_stack -= n;
    return push(r, v);
}

/* Items above the mark, or one (a dict: two), into the sequence below. */
static bool op_add(struct reader *r, enum pickle_type type, bool marked)
{
    size_t n_each = type == PICKLE_DICT ? 2 : 1;
    if (marked && r->n_marks == 0) {
        return fail(r, "no mark is set");
    }
    if (!marked) { /* a mark below the items */
        if (height(r) < n_each + 1 || r->n_marks == PICKLE_MAX_DEPTH) {
            return fail(r, "the stack is empty");
        }
        r->marks[r->n_marks++] = r->n_stack - n_each;
    }
    size_t from = r->marks[r->n_marks - 1];
    size_t below = r->n_marks > 1 ? r->marks[r->n_marks - 2] : 0;
    if (from == below || r->stack[from - 1]->type != type) {
        return fail(r, type == PICKLE_DICT ? "items for what is no dict"
                                           : "items for what is no list");
    }
    if ((r->n_stack - from) % n_each != 0) {
        return fail(r, "a key without a value");
    }
    return seq_add_marked(r, r->stack[from - 1]);
}

static bool memo_put(struct reader *r, uint64_t i)
{
    struct pickle_value *v = top(r);
    if (!v) {
        return false;
    }
    if (i >= r->n) { /* each takes a byte at least */
        return fail(r, "a memo number beyond the file's size");
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

static bool memo_get(struct reader *r, uint64_t i)
{
    if (i >= r->memo_cap || !r->memo[i]) {
        return fail(r, "a memo number that was never set");
    }
    return push(r, r->memo[i]);
}

static bool push_global(struct reader *r, const char *module, size_t n_module, const char *name,
                        size_t n_name)
{
    for (size_t i = 0; i < N_ELEMS(allowed); i++) {
        if (strlen(allowed[i].module) == n_module && strlen(allowed[i].name) == n_name &&
            memcmp(allowed[i].module, module, n_module) == 0 &&
            memcmp(allowed[i].name, name, n_name) == 0) {
            struct pickle_value *v = value_new(r, PICKLE_GLOBAL);
            if (v) {
                v->u.global = allowed[i].global;
            }
            return push(r, v);
        }
    }
    char words[128];
    int used = snprintf(words, sizeof words, "it wants to call ");
    for (size_t i = 0; i < n_module + 1 + n_name && used < 100; i++) {
        char c = i < n_module ? module[i] : i == n_module ? '.' : name[i - n_module - 1];
        words[used++] = c > ' ' && c < 127 ? c : '?';
    }
    snprintf(words + used, sizeof words - (size_t)used, ", which is not allowed");
    fail(r, words);
    return err_hint(r->e, "a pickle is a program: only numbers, text, containers and numpy arrays "
                          "are read");
}

/* Two lines of text: module and name. */
static bool op_global(struct reader *r)
{
    const char *line[2];
    size_t len[2];
    for (int i = 0; i < 2; i++) {
        const unsigned char *p = r->bytes + r->at;
        const unsigned char *end = memchr(p, '\n', r->n - r->at);
        if (!end) {
            return fail(r, "the file ends within");
        }
        line[i] = (const char *)p;
        len[i] = (size_t)(end - p);
        r->at += len[i] + 1;
    }
    return push_global(r, line[0], len[0], line[1], len[1]);
}

static bool op_stack_global(struct reader *r)
{
    const struct pickle_value *name = pop(r), *module = name ? pop(r) : NULL;
    if (!module) {
        return false;
    }
    if (name->type != PICKLE_TEXT || module->type != PICKLE_TEXT) {
        return fail(r, "a function whose name is no text");
    }
    return push_global(r, module->u.text.s, module->u.text.n, name->u.text.s, name->u.text.n);
}

/* f8, i4, b1 ...: kind and bytes. */
static bool dtype_init(struct reader *r, struct pickle_value *v, const struct pickle_value *name)
{
    bool word = name && (name->type == PICKLE_TEXT || name->type == PICKLE_BYTES);
    if (!word || name->u.text.n != 2) {
        return fail(r, "an array of what are no numbers");
    }
    char kind = name->u.text.s[0], size = name->u.text.s[1];
    bool ok = (kind == 'f' && (size == '4' || size == '8')) || (kind == 'b' && size == '1') ||
              ((kind == 'i' || kind == 'u') && strchr("1248", size) && size);
    if (!ok) {
        return fail(r, "an array of what are no numbers");
    }
    v->u.array.kind = kind;
    v->u.array.size = size - '0';
    return true;
}

/* Text whose characters are bytes, as protocol 2 writes them: UTF-8 back to Latin-1. */
static bool push_latin1(struct reader *r, const struct pickle_value *text)
{
    struct pickle_value *v = value_new(r, PICKLE_BYTES);
    if (!v || text->type != PICKLE_TEXT) {
        return v && fail(r, "bytes of what is no text");
    }
    unsigned char *out = arena_try(r->keep, text->u.text.n + 1, 1, r->e);
    size_t n = 0;
    for (size_t i = 0; out && i < text->u.text.n; i++) {
        unsigned char c = (unsigned char)text->u.text.s[i];
        if (c >= 0x80) { /* two bytes, of which the first is C2 or C3 */
            unsigned char next = i + 1 < text->u.text.n ? (unsigned char)text->u.text.s[++i] : 0;
            if ((c != 0xC2 && c != 0xC3) || (next & 0xC0) != 0x80) {
                return fail(r, "bytes of what is no Latin-1");
            }
            c = (unsigned char)((c & 3) << 6 | (next & 0x3F));
        }
        out[n++] = c;
    }
    v->u.text.s = (const char *)out;
    v->u.text.n = n;
    return out && push(r, v);
}

static bool array_fill(struct reader *r, struct pickle_value *v, const struct pickle_value *dtype,
                       const struct pickle_value *data, size_t n)
{
    size_t bytes;
    if (!dtype || dtype->type != PICKLE_DTYPE || dtype->u.array.size == 0 || !data ||
        data->type != PICKLE_BYTES) {
        return fail(r, "an array of what are no numbers");
    }
    if (!base_mul(n, (size_t)dtype->u.array.size, &bytes) || bytes != data->u.text.n) {
        return fail(r, "an array whose bytes do not fit its shape");
    }
    v->u.array = dtype->u.array;
    v->u.array.data = (const unsigned char *)data->u.text.s;
    v->u.array.n = n;
    return true;
}

/* Item i of a tuple; NULL if there is none. */
static const struct pickle_value *item(const struct pickle_value *tuple, size_t i)
{
    return i < tuple->u.seq.n ? tuple->u.seq.items[i] : NULL;
}

/* The few calls that stand for data. */
static bool op_reduce(struct reader *r)
{
    const struct pickle_value *args = pop(r), *f = args ? pop(r) : NULL;
    struct pickle_value *v;
    if (!f) {
        return false;
    }
    if (f->type != PICKLE_GLOBAL || args->type != PICKLE_TUPLE) {
        return fail(r, "a call of what is no function");
    }
    switch ((enum global)f->u.global) {
    case GLOBAL_DTYPE:
        v = value_new(r, PICKLE_DTYPE);
        return v && dtype_init(r, v, item(args, 0)) && push(r, v);
    case GLOBAL_RECONSTRUCT: /* an empty array, to be built */
        return push(r, value_new(r, PICKLE_ARRAY));
    case GLOBAL_SCALAR:
        v = value_new(r, PICKLE_ARRAY);
        return v && array_fill(r, v, item(args, 0), item(args, 1), 1) && push(r, v);
    case GLOBAL_ENCODE:
        if (args->u.seq.n != 2 || !text_is(item(args, 1), "latin1")) {
            return fail(r, "an encoding other than latin1");
        }
        return push_latin1(r, item(args, 0));
    case GLOBAL_ORDERED:
        if (args->u.seq.n != 0) {
            return fail(r, "an ordered dict with arguments");
        }
        return push(r, value_new(r, PICKLE_DICT));
    case GLOBAL_NDARRAY:
        break;
    }
    return fail(r, "a call of what is no function");
}

/* (version, shape, dtype, fortran, bytes). */
static bool build_array(struct reader *r, struct pickle_value *v, const struct pickle_value *state)
{
    const struct pickle_value *shape = item(state, 1);
    size_t n = 1;
    if (state->u.seq.n != 5 || !shape || shape->type != PICKLE_TUPLE) {
        return fail(r, "an array without a shape");
    }
    for (size_t i = 0; i < shape->u.seq.n; i++) {
        const struct pickle_value *side = shape->u.seq.items[i];
        if (side->type != PICKLE_INT || side->u.integer < 0 ||
            !base_mul(n, (size_t)side->u.integer, &n)) {
            return fail(r, "an array with an impossible shape");
        }
    }
    return array_fill(r, v, item(state, 2), item(state, 4), n);
}

static bool op_build(struct reader *r)
{
    const struct pickle_value *state = pop(r);
    struct pickle_value *v = state ? top(r) : NULL;
    if (!v) {
        return false;
    }
    if (state->type != PICKLE_TUPLE) {
        return fail(r, "a state that is no tuple");
    }
    if (v->type == PICKLE_DTYPE) { /* (version, byte order, ...) */
        v->u.array.swapped = text_is(item(state, 1), ">");
        return true;
    }
    return v->type == PICKLE_ARRAY ? build_array(r, v, state)
                                   : fail(r, "a state for what is no array");
}

static bool op_proto(struct reader *r)
{
    uint64_t version;
    if (!take_uint(r, 1, &version)) {
        return false;
    }
    if (version < 2 || version > 4) {
        fail(r, "a protocol other than 2, 3 or 4");
        return err_hint(r->e, "in Python: pickle.dump(pickle.load(f), g, protocol=4)");
    }
    return true;
}

/* Opcodes by what follows them; the letters are pickle's own. */
static bool step(struct reader *r, unsigned char op)
{
    uint64_t n;
    switch (op) {
    case 0x80:
        return op_proto(r);
    case 0x95: /* FRAME: its length is of no use here */
        return take(r, 8) != NULL;
    case '.':
        r->stopped = true;
        return true;
    case '(':
        return op_mark(r);
    case '0':
        return pop(r) != NULL;
    case 'N':
        return push(r, value_new(r, PICKLE_NONE));
    case 0x88:
    case 0x89:
        return push_int(r, PICKLE_BOOL, op == 0x88);
    case 'K':
        return take_uint(r, 1, &n) && push_int(r, PICKLE_INT, (int64_t)n);
    case 'M':
        return take_uint(r, 2, &n) && push_int(r, PICKLE_INT, (int64_t)n);
    case 'J':
        return push_long(r, 4);
    case 0x8a:
        return take_uint(r, 1, &n) && push_long(r, n);
    case 0x8b:
        return take_uint(r, 4, &n) && push_long(r, n);
    case 'G':
        return push_real(r);
    case 0x8c:
    case 'X':
    case 0x8d:
        return push_text(r, PICKLE_TEXT, op == 0x8c ? 1 : op == 'X' ? 4 : 8);
    case 'U': /* Python 2's strings are bytes */
    case 'T':
        return push_text(r, PICKLE_BYTES, op == 'U' ? 1 : 4);
    case 'C':
    case 'B':
    case 0x8e:
        return push_text(r, PICKLE_BYTES, op == 'C' ? 1 : op == 'B' ? 4 : 8);
    case ']':
        return push(r, value_new(r, PICKLE_LIST));
    case '}':
        return push(r, value_new(r, PICKLE_DICT));
    case ')':
        return push(r, value_new(r, PICKLE_TUPLE));
    case 'l':
        return op_from_mark(r, PICKLE_LIST);
    case 't':
        return op_from_mark(r, PICKLE_TUPLE);
    case 'd':
        return op_from_mark(r, PICKLE_DICT);
    case 0x85:
    case 0x86:
    case 0x87:
        return op_tuple(r, (size_t)op - 0x84);
    case 'a':
    case 'e':
        return op_add(r, PICKLE_LIST, op == 'e');
    case 's':
    case 'u':
        return op_add(r, PICKLE_DICT, op == 'u');
    case 'q':
        return take_uint(r, 1, &n) && memo_put(r, n);
    case 'r':
        return take_uint(r, 4, &n) && memo_put(r, n);
    case 0x94:
        return memo_put(r, r->n_memo);
    case 'h':
        return take_uint(r, 1, &n) && memo_get(r, n);
    case 'j':
        return take_uint(r, 4, &n) && memo_get(r, n);
    case 'c':
        return op_global(r);
    case 0x93:
        return op_stack_global(r);
    case 'R':
        return op_reduce(r);
    case 'b':
        return op_build(r);
    default: {
        char words[64];
        snprintf(words, sizeof words, "opcode 0x%02x, which is not known here", op);
        return fail(r, words);
    }
    }
}

bool pickle_read(const struct pickle_value **root, struct arena *keep, const char *path,
                 struct err *e)
{
    struct reader r = {.path = path, .keep = keep, .e = e};
    unsigned char *bytes;
    if (!file_read(keep, path, max_file_bytes, &bytes, &r.n, e)) {
        return false;
    }
    r.bytes = bytes;
    if (r.n < 2 || bytes[0] != 0x80) {
        return fail(&r, "not a pickle of protocol 2, 3 or 4");
    }
    while (!r.stopped) {
        r.op_at = r.at;
        const unsigned char *op = take(&r, 1);
        if (!op || !step(&r, *op)) {
            return false;
        }
    }
    if (r.n_marks != 0 || r.n_stack != 1) {
        return fail(&r, "the end, but not of one value");
    }
    if (r.at != r.n) {
        r.op_at = r.at;
        return fail(&r, "more bytes after the end");
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
        if (text_is(v->u.seq.items[i - 2], key)) {
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
