/*
 * NAS-Bench-201 [Dong2020]: cells of four nodes, every node the sum of an operation on each node
 * before it. A gene is the operation of one edge, edges in the order
 * (0>1)(0>2)(1>2)(0>3)(1>3)(2>3).
 */
#include "nas/nb201_order.h"
#include "nas/space.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_EDGES = 6, N_OPS = 5 };
enum { OP_NONE, OP_SKIP, OP_CONV1, OP_CONV3, OP_POOL };

static const uint8_t n_choices[N_EDGES] = {N_OPS, N_OPS, N_OPS, N_OPS, N_OPS, N_OPS};
static const char *const op_names[N_OPS] = {"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3",
                                            "avg_pool_3x3"};
static const int edge_from[N_EDGES] = {0, 0, 1, 0, 1, 2};
static const int edge_to[N_EDGES] = {1, 2, 2, 3, 3, 3};

static int nb201_word(const struct arch *a)
{
    int word = 0;
    for (int i = 0; i < N_EDGES; i++) {
        ASSERT(a->gene[i] < N_OPS);
        word = word * N_OPS + a->gene[i];
    }
    return word;
}

static void nb201_from_word(struct arch *a, int word)
{
    *a = (struct arch){{0}};
    for (int i = N_EDGES - 1; i >= 0; i--) {
        a->gene[i] = (uint8_t)(word % N_OPS);
        word /= N_OPS;
    }
}

static int64_t nb201_index(const struct arch *a)
{
    return nb201_order[nb201_word(a)];
}

static bool nb201_from_index(struct arch *a, int64_t index)
{
    for (int word = 0; word < NB201_ORDER_N; word++) {
        if (nb201_order[word] == index) {
            nb201_from_word(a, word);
            return true;
        }
    }
    return false;
}

static void nb201_format(const struct arch *a, char text[SPACE_TEXT_LEN])
{
    const uint8_t *g = a->gene;
    snprintf(text, SPACE_TEXT_LEN, "|%s~0|+|%s~0|%s~1|+|%s~0|%s~1|%s~2|", op_names[g[0]],
             op_names[g[1]], op_names[g[2]], op_names[g[3]], op_names[g[4]], op_names[g[5]]);
}

static void nb201_code(const struct arch *a, char text[SPACE_TEXT_LEN])
{
    for (int i = 0; i < N_EDGES; i++) {
        text[i] = (char)('0' + a->gene[i]);
    }
    text[N_EDGES] = 0;
}

/* What stands between the operations of the benchmark's string. */
static const char *const string_before[N_EDGES + 1] = {"|",   "~0|+|", "~0|", "~1|+|",
                                                       "~0|", "~1|",   "~2|"};

static bool nb201_parse_string(struct arch *a, const char *text, struct err *e)
{
    const char *p = text;
    for (int i = 0; i <= N_EDGES; i++) {
        size_t len = strlen(string_before[i]);
        if (strncmp(p, string_before[i], len) != 0) {
            return err_set(e, ERR_INPUT, "architecture '%.160s': '%s' expected at character %d",
                           text, string_before[i], (int)(p - text) + 1);
        }
        p += len;
        if (i == N_EDGES) {
            break;
        }
        int op = 0;
        while (op < N_OPS && (strncmp(p, op_names[op], strlen(op_names[op])) != 0)) {
            op++;
        }
        if (op == N_OPS) {
            err_set(e, ERR_INPUT, "architecture '%.160s': unknown operation at character %d", text,
                    (int)(p - text) + 1);
            return err_hint(
                e, "operations: none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3");
        }
        a->gene[i] = (uint8_t)op;
        p += strlen(op_names[op]);
    }
    if (*p) {
        return err_set(e, ERR_INPUT, "architecture '%.160s': text after its end at character %d",
                       text, (int)(p - text) + 1);
    }
    return true;
}

static bool nb201_parse_code(struct arch *a, const char *text, struct err *e)
{
    if (strlen(text) != N_EDGES || strspn(text, "01234") != N_EDGES) {
        return err_set(e, ERR_INPUT, "architecture code '%.40s': six digits 0 to 4 expected", text);
    }
    for (int i = 0; i < N_EDGES; i++) {
        a->gene[i] = (uint8_t)(text[i] - '0');
    }
    return true;
}

/*
 * A text that begins with '|' is the benchmark's string; six digits are a code (an index has at
 * most five); fewer digits are an index. "code:" says code, "nb201/" and "nb201:" may stand before
 * any of them.
 */
static bool nb201_parse(struct arch *a, const char *text, struct err *e)
{
    ASSERT(a && text);
    *a = (struct arch){{0}};
    if (strncmp(text, "nb201/", 6) == 0 || strncmp(text, "nb201:", 6) == 0) {
        text += 6;
    }
    if (text[0] == '|') {
        return nb201_parse_string(a, text, e);
    }
    if (strncmp(text, "code:", 5) == 0) {
        return nb201_parse_code(a, text + 5, e);
    }
    size_t len = strlen(text);
    if (len > 0 && strspn(text, "0123456789") == len) {
        if (len == N_EDGES) {
            return nb201_parse_code(a, text, e);
        }
        if (len < N_EDGES && nb201_from_index(a, strtol(text, NULL, 10))) {
            return true;
        }
        return err_set(e, ERR_INPUT, "architecture index %.40s: 0 to %d expected", text,
                       NB201_ORDER_N - 1);
    }
    err_set(e, ERR_INPUT, "architecture '%.160s' is no index, code or string of nb201", text);
    return err_hint(e, "for instance 13714, 333123 or |nor_conv_3x3~0|+|...|");
}

/*
 * The benchmark's own notion of "the same cell", on which its 6,466 classes rest: the cell written
 * as a formula in which a skip is its input, "none" and whatever acts on it alone is #, and the
 * terms of a sum are sorted as text. A sum that passes through a skip is not bracketed, as there.
 * Operations are one letter each, in the alphabetical order of their names. Longest:
 * "(0)@c+((0)@c)@c+((0)@c+((0)@c)@c)@c".
 */
enum { FORMULA_LEN = 40 };
struct formula {
    char text[FORMULA_LEN];
    int len;
};

static void formula_append(struct formula *f, const char *text, int len)
{
    ASSERT(f->len + len < FORMULA_LEN);
    memcpy(f->text + f->len, text, (size_t)len);
    f->len += len;
    f->text[f->len] = 0;
}

static struct formula formula_term(int op, const struct formula *x)
{
    static const char letter[N_OPS] = {0, 0, 'b', 'c', 'a'};
    struct formula f = {{0}, 0};
    if (op == OP_NONE || strcmp(x->text, "#") == 0) {
        formula_append(&f, "#", 1);
    } else if (op == OP_SKIP) {
        f = *x;
    } else {
        formula_append(&f, "(", 1);
        formula_append(&f, x->text, x->len);
        formula_append(&f, ")@", 2);
        formula_append(&f, &letter[op], 1);
    }
    return f;
}

static struct formula formula_sum(const struct formula *const *terms, int n)
{
    const struct formula *t[3];
    for (int i = 0; i < n; i++) {
        int j = i;
        for (; j > 0 && strcmp(t[j - 1]->text, terms[i]->text) > 0; j--) {
            t[j] = t[j - 1];
        }
        t[j] = terms[i];
    }
    struct formula f = {{0}, 0};
    for (int i = 0; i < n; i++) {
        if (i > 0) {
            formula_append(&f, "+", 1);
        }
        formula_append(&f, t[i]->text, t[i]->len);
    }
    return f;
}

/* Nodes 0, 1, 2 of a cell with these operations on its first three edges. */
static void formula_nodes(struct formula node[3], int op0, int op1, int op2)
{
    node[0] = (struct formula){"0", 1};
    node[1] = formula_term(op0, &node[0]);
    struct formula x = formula_term(op1, &node[0]), y = formula_term(op2, &node[1]);
    node[2] = formula_sum((const struct formula *const[]){&x, &y}, 2);
}

/* Of all cells with the same formula, the one with the lowest index. 0.1 ms. */
static void nb201_canonical(const struct arch *a, struct arch *out)
{
    const uint8_t *g = a->gene;
    struct formula node[3], term[3][N_OPS];
    formula_nodes(node, g[0], g[1], g[2]);
    for (int i = 0; i < 3; i++) {
        term[i][0] = formula_term(g[3 + i], &node[i]);
    }
    struct formula want =
        formula_sum((const struct formula *const[]){&term[0][0], &term[1][0], &term[2][0]}, 3);
    int best = nb201_word(a);
    for (int head = 0; head < N_OPS * N_OPS * N_OPS; head++) {
        formula_nodes(node, head / (N_OPS * N_OPS), head / N_OPS % N_OPS, head % N_OPS);
        for (int op = 0; op < N_OPS; op++) {
            for (int i = 0; i < 3; i++) {
                term[i][op] = formula_term(op, &node[i]);
            }
        }
        for (int tail = 0; tail < N_OPS * N_OPS * N_OPS; tail++) {
            const struct formula *x = &term[0][tail / (N_OPS * N_OPS)],
                                 *y = &term[1][tail / N_OPS % N_OPS], *z = &term[2][tail % N_OPS];
            if (x->len + y->len + z->len + 2 != want.len) {
                continue;
            }
            int word = head * N_OPS * N_OPS * N_OPS + tail;
            if (nb201_order[word] >= nb201_order[best]) {
                continue;
            }
            struct formula f = formula_sum((const struct formula *const[]){x, y, z}, 3);
            if (strcmp(f.text, want.text) == 0) {
                best = word;
            }
        }
    }
    nb201_from_word(out, best);
}

static bool nb201_connected(const struct arch *a)
{
    bool reached[4] = {true, false, false, false};
    for (int i = 0; i < N_EDGES; i++) { /* a node is complete before it is left */
        if (a->gene[i] != OP_NONE && reached[edge_from[i]]) {
            reached[edge_to[i]] = true;
        }
    }
    return reached[3];
}

static void nb201_prune(const struct arch *a, enum space_reading reading, struct arch *out)
{
    bool fed[4] = {true, false, false, false}, read[4] = {false, false, false, true};
    for (int i = 0; i < N_EDGES; i++) {
        fed[edge_to[i]] |= a->gene[i] != OP_NONE && fed[edge_from[i]];
    }
    for (int i = N_EDGES - 1; i >= 0; i--) {
        read[edge_from[i]] |= a->gene[i] != OP_NONE && read[edge_to[i]];
    }
    *out = *a;
    for (int i = 0; i < N_EDGES; i++) {
        bool dropped = (reading != SPACE_AS_WRITTEN && !read[edge_to[i]]) ||
                       (reading == SPACE_LIVE && !fed[edge_from[i]]);
        out->gene[i] = dropped ? OP_NONE : out->gene[i];
    }
}

static void nb201_model(const struct arch *a, struct model_spec *spec)
{
    char code[SPACE_TEXT_LEN];
    nb201_code(a, code);
    snprintf(spec->arch, sizeof spec->arch, "nb201:%.*s", N_EDGES, code);
}

static int count_op(const struct arch *a, int op)
{
    int n = 0;
    for (int i = 0; i < N_EDGES; i++) {
        n += a->gene[i] == op;
    }
    return n;
}

/* The macro network: a stem, three stages of equal cells, and a residual block of stride 2 between
 * stages. */
struct macro {
    int64_t n_cells, width[3];
};

static struct macro macro_of(const struct model_spec *spec)
{
    int64_t width = spec->size.width > 0 ? spec->size.width : 16;
    return (struct macro){.n_cells = spec->size.n_cells > 0 ? spec->size.n_cells : 5,
                          .width = {width, 2 * width, 4 * width}};
}

static int64_t nb201_params(const struct arch *a, const struct model_spec *spec)
{
    struct macro m = macro_of(spec);
    int64_t n1 = count_op(a, OP_CONV1), n3 = count_op(a, OP_CONV3);
    int64_t sum = 9 * spec->input.c * m.width[0] + 2 * m.width[0];
    for (int s = 0; s < 3; s++) {
        int64_t c = m.width[s];
        sum += m.n_cells * (n1 * (c * c + 2 * c) + n3 * (9 * c * c + 2 * c));
        if (s > 0) {
            int64_t b = m.width[s - 1];
            sum += (9 * b * c + 2 * c) + (9 * c * c + 2 * c) + b * c;
        }
    }
    return sum + 2 * m.width[2] + (m.width[2] + 1) * spec->n_classes;
}

/* Convolutions and the classifier, whose bias the benchmark counts as one more multiply-add a
 * class. */
static int64_t nb201_macs(const struct arch *a, const struct model_spec *spec)
{
    struct macro m = macro_of(spec);
    int64_t n1 = count_op(a, OP_CONV1), n3 = count_op(a, OP_CONV3);
    int64_t h = spec->input.h, w = spec->input.w;
    int64_t sum = 9 * spec->input.c * m.width[0] * h * w;
    for (int s = 0; s < 3; s++) {
        int64_t c = m.width[s];
        if (s > 0) {
            int64_t b = m.width[s - 1];
            int64_t pooled = (h / 2) * (w / 2);
            h = (h + 1) / 2;
            w = (w + 1) / 2;
            sum += 9 * b * c * h * w + 9 * c * c * h * w + b * c * pooled;
        }
        sum += m.n_cells * h * w * (n1 * c * c + n3 * 9 * c * c);
    }
    return sum + (m.width[2] + 1) * spec->n_classes;
}

const struct space space_nb201 = {
    .name = "nb201",
    .n_genes = N_EDGES,
    .n_choices = n_choices,
    .size = NB201_ORDER_N,
    .repeats = true,
    .parse = nb201_parse,
    .format = nb201_format,
    .code = nb201_code,
    .index = nb201_index,
    .from_index = nb201_from_index,
    .canonical = nb201_canonical,
    .connected = nb201_connected,
    .prune = nb201_prune,
    .model = nb201_model,
    .params = nb201_params,
    .macs = nb201_macs,
};
