/*
 * model_nb201.c: NAS-Bench-201 networks [Dong2020]: stem, three stages of five cells with a
 * residual reduction block between them, BN + ReLU, global pool, linear. Tensor names are those of
 * the benchmark's checkpoints.
 */
#include "nn/model.h"

#include <stdio.h>
#include <string.h>

enum { N_EDGES = 6, N_NODES = 4, N_CELLS = 5, WIDTH = 16 };
enum edge_op { NONE, SKIP, CONV_1X1, CONV_3X3, AVG_POOL, N_EDGE_OPS };
static const char *const edge_names[N_EDGE_OPS] = {"none", "skip_connect", "nor_conv_1x1",
                                                   "nor_conv_3x3", "avg_pool_3x3"};
/* Edges in the order of the digits: (0>1)(0>2)(1>2)(0>3)(1>3)(2>3). */
static const int edge_from[N_EDGES] = {0, 0, 1, 0, 1, 2};
static const int edge_to[N_EDGES] = {1, 2, 2, 3, 3, 3};

static bool parse_code(const char *s, enum edge_op ops[N_EDGES])
{
    for (int i = 0; i < N_EDGES; i++) {
        if (s[i] < '0' || s[i] >= '0' + N_EDGE_OPS) {
            return false;
        }
        ops[i] = (enum edge_op)(s[i] - '0');
    }
    return s[N_EDGES] == 0;
}

/* Step over `word` if s starts with it. */
static bool eat(const char **s, const char *word)
{
    size_t len = strlen(word);
    if (strncmp(*s, word, len) != 0) {
        return false;
    }
    *s += len;
    return true;
}

/* |op~0|+|op~0|op~1|+|op~0|op~1|op~2| */
static bool parse_string(const char *s, enum edge_op ops[N_EDGES])
{
    for (int i = 0; i < N_EDGES; i++) {
        if (edge_from[i] == 0 && !(eat(&s, i == 0 ? "|" : "+|"))) {
            return false;
        }
        int op = 0;
        while (op < N_EDGE_OPS && !eat(&s, edge_names[op])) {
            op++;
        }
        char end[8];
        snprintf(end, sizeof end, "~%d|", edge_from[i]);
        if (op == N_EDGE_OPS || !eat(&s, end)) {
            return false;
        }
        ops[i] = (enum edge_op)op;
    }
    return *s == 0;
}

static bool parse(const char *arch, enum edge_op ops[N_EDGES])
{
    return eat(&arch, "nb201:") && (parse_code(arch, ops) || parse_string(arch, ops));
}

static bool nb201_match(const char *arch)
{
    enum edge_op ops[N_EDGES];
    return parse(arch, ops);
}

/* Conv and BN of "ReLU-Conv-BN" on a node that has been through its ReLU. */
static int conv_bn(struct graph *g, int x, int k, int kernel, int stride, const char *prefix)
{
    char conv[40], bn[40];
    snprintf(conv, sizeof conv, "%s.op.1", prefix);
    snprintf(bn, sizeof bn, "%s.op.2", prefix);
    return graph_bn(g, graph_conv(g, x, k, kernel, stride, kernel / 2, 1, false, conv), bn);
}

/* The ReLU of a cell's node is shared by all its edges, and by nodes that are the same by skip
 * connections. */
static int relu_of(struct graph *g, int x, const int node[N_NODES], int relu[N_NODES])
{
    int i = 0;
    while (node[i] != x) {
        i++;
    }
    if (relu[i] < 0) {
        relu[i] = graph_relu(g, x);
    }
    return relu[i];
}

static int cell(struct graph *g, int x, const enum edge_op ops[N_EDGES], int k, int i_cell)
{
    int node[N_NODES] = {x}, relu[N_NODES] = {-1, -1, -1, -1};
    for (int to = 1; to < N_NODES; to++) {
        int in[N_NODES], n_in = 0;
        for (int i = 0; i < N_EDGES; i++) {
            if (edge_to[i] != to || ops[i] == NONE) {
                continue;
            }
            int from = node[edge_from[i]];
            char prefix[32];
            snprintf(prefix, sizeof prefix, "cells.%d.layers.%d", i_cell, i);
            if (ops[i] == AVG_POOL) {
                struct op_attr attr = {.kernel = 3, .stride = 1, .pad = 1};
                from = graph_add(g, "avg_pool", &attr, &from, 1, NULL);
            } else if (ops[i] != SKIP) {
                from = conv_bn(g, relu_of(g, from, node, relu), k, ops[i] == CONV_3X3 ? 3 : 1, 1,
                               prefix);
            }
            in[n_in++] = from;
        }
        node[to] = n_in == 0   ? graph_unary(g, x, "zero")
                   : n_in == 1 ? in[0]
                               : graph_sum(g, in, n_in);
    }
    return node[N_NODES - 1];
}

static int reduction(struct graph *g, int x, int k, int i_cell)
{
    char prefix[32];
    snprintf(prefix, sizeof prefix, "cells.%d.conv_a", i_cell);
    int y = conv_bn(g, graph_relu(g, x), k, 3, 2, prefix);
    snprintf(prefix, sizeof prefix, "cells.%d.conv_b", i_cell);
    y = conv_bn(g, graph_relu(g, y), k, 3, 1, prefix);
    struct op_attr pool = {.kernel = 2, .stride = 2};
    x = graph_add(g, "avg_pool", &pool, &x, 1, NULL);
    snprintf(prefix, sizeof prefix, "cells.%d.downsample.1", i_cell);
    return graph_sum(g, (int[]){graph_conv(g, x, k, 1, 1, 0, 1, false, prefix), y}, 2);
}

/* The stem, two reduction blocks and the cells. */
_Static_assert(3 + 3 * MODEL_MAX_CELLS <= GRAPH_MAX_BLOCKS, "the deepest network has too many");

static bool nb201_build(struct graph *g, const struct model_spec *spec, struct err *e)
{
    enum edge_op ops[N_EDGES];
    bool ok = parse(spec->arch, ops);
    ASSERT(ok);
    int n_cells = spec->size.n_cells > 0 ? spec->size.n_cells : N_CELLS;
    int width = spec->size.width > 0 ? spec->size.width : WIDTH;
    int x = graph_bn(g, graph_conv(g, 0, width, 3, 1, 1, 1, false, "stem.0"), "stem.1");
    graph_block(g, x);
    int i_cell = 0;
    for (int stage = 0; stage < 3; stage++) {
        int k = width << stage;
        if (stage > 0) {
            x = reduction(g, x, k, i_cell++);
            graph_block(g, x);
        }
        for (int i = 0; i < n_cells; i++) {
            x = cell(g, x, ops, k, i_cell++);
            graph_block(g, x);
        }
        if (stage < 2) {
            graph_tap(g, x); /* cells 4 and 10 of 17 */
        }
    }
    x = graph_relu(g, graph_bn(g, x, "lastact.0"));
    graph_tap(g, x);
    return graph_finish(
        g, graph_linear(g, graph_unary(g, x, "global_pool"), spec->n_classes, "classifier"), e);
}

const struct model model_nb201 = {
    .name = "nb201",
    .help = "nb201:CODE (six digits) or nb201:STRING: a NAS-Bench-201 network",
    .match = nb201_match,
    .build = nb201_build,
};
