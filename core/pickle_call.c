#include "core/pickle_call.h"

#include <stdio.h>
#include <string.h>

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
static bool push_global(struct pickle_stack *r, const char *module, size_t n_module,
                        const char *name, size_t n_name)
{
    for (size_t i = 0; i < N_ELEMS(allowed); i++) {
        if (strlen(allowed[i].module) == n_module && strlen(allowed[i].name) == n_name &&
            memcmp(allowed[i].module, module, n_module) == 0 &&
            memcmp(allowed[i].name, name, n_name) == 0) {
            struct pickle_value *v = pickle_stack_new(r, PICKLE_GLOBAL);
            if (v) {
                v->u.global = allowed[i].global;
            }
            return pickle_stack_push(r, v);
        }
    }
    char words[128];
    int used = snprintf(words, sizeof words, "it wants to call ");
    for (size_t i = 0; i < n_module + 1 + n_name && used < 100; i++) {
        char c = i < n_module ? module[i] : i == n_module ? '.' : name[i - n_module - 1];
        words[used++] = c > ' ' && c < 127 ? c : '?';
    }
    snprintf(words + used, sizeof words - (size_t)used, ", which is not allowed");
    pickle_stack_fail(r, words);
    return err_hint(r->e, "a pickle is a program: only numbers, text, containers and numpy arrays "
                          "are read");
}

bool pickle_call_named(struct pickle_stack *r)
{
    const char *line[2];
    size_t len[2];
    for (int i = 0; i < 2; i++) {
        const unsigned char *p = r->bytes + r->at;
        const unsigned char *end = memchr(p, '\n', r->n - r->at);
        if (!end) {
            return pickle_stack_fail(r, "the file ends within");
        }
        line[i] = (const char *)p;
        len[i] = (size_t)(end - p);
        r->at += len[i] + 1;
    }
    return push_global(r, line[0], len[0], line[1], len[1]);
}

bool pickle_call_stacked(struct pickle_stack *r)
{
    const struct pickle_value *name = pickle_stack_pop(r),
                              *module = name ? pickle_stack_pop(r) : NULL;
    if (!module) {
        return false;
    }
    if (name->type != PICKLE_TEXT || module->type != PICKLE_TEXT) {
        return pickle_stack_fail(r, "a function whose name is no text");
    }
    return push_global(r, module->u.text.s, module->u.text.n, name->u.text.s, name->u.text.n);
}

/* f8, i4, b1 ...: kind and bytes. */
static bool dtype_init(struct pickle_stack *r, struct pickle_value *v,
                       const struct pickle_value *name)
{
    bool word = name && (name->type == PICKLE_TEXT || name->type == PICKLE_BYTES);
    if (!word || name->u.text.n != 2) {
        return pickle_stack_fail(r, "an array of what are no numbers");
    }
    char kind = name->u.text.s[0], size = name->u.text.s[1];
    bool ok = (kind == 'f' && (size == '4' || size == '8')) || (kind == 'b' && size == '1') ||
              ((kind == 'i' || kind == 'u') && strchr("1248", size) && size);
    if (!ok) {
        return pickle_stack_fail(r, "an array of what are no numbers");
    }
    v->u.array.kind = kind;
    v->u.array.size = size - '0';
    return true;
}

/* Text whose characters are bytes, as protocol 2 writes them: UTF-8 back to Latin-1. */
static bool push_latin1(struct pickle_stack *r, const struct pickle_value *text)
{
    struct pickle_value *v = pickle_stack_new(r, PICKLE_BYTES);
    if (!v || text->type != PICKLE_TEXT) {
        return v && pickle_stack_fail(r, "bytes of what is no text");
    }
    unsigned char *out = arena_try(r->keep, text->u.text.n + 1, 1, r->e);
    size_t n = 0;
    for (size_t i = 0; out && i < text->u.text.n; i++) {
        unsigned char c = (unsigned char)text->u.text.s[i];
        if (c >= 0x80) { /* two bytes, of which the first is C2 or C3 */
            unsigned char next = i + 1 < text->u.text.n ? (unsigned char)text->u.text.s[++i] : 0;
            if ((c != 0xC2 && c != 0xC3) || (next & 0xC0) != 0x80) {
                return pickle_stack_fail(r, "bytes of what is no Latin-1");
            }
            c = (unsigned char)((c & 3) << 6 | (next & 0x3F));
        }
        out[n++] = c;
    }
    v->u.text.s = (const char *)out;
    v->u.text.n = n;
    return out && pickle_stack_push(r, v);
}

static bool array_fill(struct pickle_stack *r, struct pickle_value *v,
                       const struct pickle_value *dtype, const struct pickle_value *data, size_t n)
{
    size_t bytes;
    if (!dtype || dtype->type != PICKLE_DTYPE || dtype->u.array.size == 0 || !data ||
        data->type != PICKLE_BYTES) {
        return pickle_stack_fail(r, "an array of what are no numbers");
    }
    if (!base_mul(n, (size_t)dtype->u.array.size, &bytes) || bytes != data->u.text.n) {
        return pickle_stack_fail(r, "an array whose bytes do not fit its shape");
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

bool pickle_call_reduce(struct pickle_stack *r)
{
    const struct pickle_value *args = pickle_stack_pop(r), *f = args ? pickle_stack_pop(r) : NULL;
    struct pickle_value *v;
    if (!f) {
        return false;
    }
    if (f->type != PICKLE_GLOBAL || args->type != PICKLE_TUPLE) {
        return pickle_stack_fail(r, "a call of what is no function");
    }
    switch ((enum global)f->u.global) {
    case GLOBAL_DTYPE:
        v = pickle_stack_new(r, PICKLE_DTYPE);
        return v && dtype_init(r, v, item(args, 0)) && pickle_stack_push(r, v);
    case GLOBAL_RECONSTRUCT: /* an empty array, to be built */
        return pickle_stack_push(r, pickle_stack_new(r, PICKLE_ARRAY));
    case GLOBAL_SCALAR:
        v = pickle_stack_new(r, PICKLE_ARRAY);
        return v && array_fill(r, v, item(args, 0), item(args, 1), 1) && pickle_stack_push(r, v);
    case GLOBAL_ENCODE:
        if (args->u.seq.n != 2 || !pickle_stack_is_text(item(args, 1), "latin1")) {
            return pickle_stack_fail(r, "an encoding other than latin1");
        }
        return push_latin1(r, item(args, 0));
    case GLOBAL_ORDERED:
        if (args->u.seq.n != 0) {
            return pickle_stack_fail(r, "an ordered dict with arguments");
        }
        return pickle_stack_push(r, pickle_stack_new(r, PICKLE_DICT));
    case GLOBAL_NDARRAY:
        break;
    }
    return pickle_stack_fail(r, "a call of what is no function");
}

/* (version, shape, dtype, fortran, bytes). */
static bool build_array(struct pickle_stack *r, struct pickle_value *v,
                        const struct pickle_value *state)
{
    const struct pickle_value *shape = item(state, 1);
    size_t n = 1;
    if (state->u.seq.n != 5 || !shape || shape->type != PICKLE_TUPLE) {
        return pickle_stack_fail(r, "an array without a shape");
    }
    for (size_t i = 0; i < shape->u.seq.n; i++) {
        const struct pickle_value *side = shape->u.seq.items[i];
        if (side->type != PICKLE_INT || side->u.integer < 0 ||
            !base_mul(n, (size_t)side->u.integer, &n)) {
            return pickle_stack_fail(r, "an array with an impossible shape");
        }
    }
    return array_fill(r, v, item(state, 2), item(state, 4), n);
}

bool pickle_call_build(struct pickle_stack *r)
{
    const struct pickle_value *state = pickle_stack_pop(r);
    struct pickle_value *v = state ? pickle_stack_top(r) : NULL;
    if (!v) {
        return false;
    }
    if (state->type != PICKLE_TUPLE) {
        return pickle_stack_fail(r, "a state that is no tuple");
    }
    if (v->type == PICKLE_DTYPE) { /* (version, byte order, ...) */
        v->u.array.swapped = pickle_stack_is_text(item(state, 1), ">");
        return true;
    }
    return v->type == PICKLE_ARRAY ? build_array(r, v, state)
                                   : pickle_stack_fail(r, "a state for what is no array");
}
