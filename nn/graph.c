#include "nn/graph.h"

#include "nn/ops.h"

#include <stdio.h>
#include <string.h>

/* Arrays start small and double: a candidate of a search has about a hundred nodes. */
static const int first_capacity = 64;

/* Room for n_more elements; what was pushed before stays in the arena, at most as much again as is
 * used. */
static void *grow(struct arena *keep, void *old, int n, int n_more, int *capacity, size_t size)
{
    if (n + n_more <= *capacity) {
        return old;
    }
    int wanted = MAX(*capacity, first_capacity / 2);
    while (wanted < n + n_more) {
        wanted *= 2;
    }
    void *p = arena_push(keep, (size_t)wanted, size);
    if (n > 0) {
        memcpy(p, old, (size_t)n * size);
    }
    *capacity = wanted;
    return p;
}

static struct node *new_node(struct graph *g)
{
    g->nodes = grow(g->keep, g->nodes, g->n_nodes, 1, &g->nodes_capacity, sizeof *g->nodes);
    struct node *node = &g->nodes[g->n_nodes++];
    *node = (struct node){.first_param = g->n_params};
    return node;
}

struct graph *graph_new(struct arena *keep, struct shape input)
{
    struct graph *g = arena_push_zero(keep, 1, sizeof *g);
    g->keep = keep;
    if (input.h <= 0 || input.w <= 0 || input.c <= 0) {
        err_set(&g->err, ERR_INPUT, "a network cannot have an input of %d x %d x %d", input.h,
                input.w, input.c);
        input = (struct shape){1, 1, 1};
    }
    new_node(g)->shape = input;
    return g;
}

static size_t param_count(const struct param_spec *spec)
{
    size_t count = 1;
    for (int i = 0; i < 4; i++) {
        ASSERT(spec->dims[i] > 0);
        bool fits = base_mul(count, (size_t)spec->dims[i], &count);
        ASSERT(fits);
    }
    return count;
}

static void add_params(struct graph *g, struct node *node, int i_node,
                       const struct param_spec *specs, int n)
{
    g->params = grow(g->keep, g->params, g->n_params, n, &g->params_capacity, sizeof *g->params);
    node->first_param = g->n_params;
    node->n_params = n;
    for (int i = 0; i < n; i++) {
        struct param *p = &g->params[g->n_params++];
        *p = (struct param){.spec = specs[i], .count = param_count(&specs[i]), .node = i_node};
        snprintf(p->name, sizeof p->name, "%s%s%s", node->name, node->name[0] ? "." : "",
                 specs[i].suffix);
    }
}

int graph_add(struct graph *g, const char *op_name, const struct op_attr *attr, const int *in,
              int n_in, const char *name)
{
    ASSERT(g && op_name && attr && (in || n_in == 0));
    const struct op *op = op_find(op_name);
    ASSERT(op != NULL);
    if (g->err.code != ERR_NONE) {
        return 0;
    }
    if (g->n_nodes == GRAPH_MAX_NODES || n_in < op->n_in_min || n_in > op->n_in_max) {
        err_set(&g->err, ERR_INPUT, "%s: node %d with %d inputs is beyond the limits", op_name,
                g->n_nodes, n_in);
        return 0;
    }
    struct shape shapes[OP_MAX_IN];
    for (int i = 0; i < n_in; i++) {
        ASSERT(in[i] >= 0 && in[i] < g->n_nodes);
        shapes[i] = g->nodes[in[i]].shape;
    }
    struct param_spec specs[OP_MAX_PARAM];
    struct shape out = {0};
    int n_specs = 0;
    if (!op->infer(attr, shapes, n_in, &out, specs, &n_specs, &g->err)) {
        err_wrap(&g->err, "node %d %s %s", g->n_nodes, op_name, name ? name : "");
        return 0;
    }
    ASSERT(out.h > 0 && out.w > 0 && out.c > 0);
    int i_node = g->n_nodes;
    struct node *node = new_node(g);
    node->op = op;
    node->attr = *attr;
    node->n_in = n_in;
    memcpy(node->in, in, (size_t)n_in * sizeof *in);
    node->shape = out;
    int len = snprintf(node->name, sizeof node->name, "%s", name ? name : "");
    ASSERT(len >= 0 && (size_t)len < sizeof node->name);
    add_params(g, node, i_node, specs, n_specs);
    return i_node;
}

int graph_conv(struct graph *g, int x, int k, int kernel, int stride, int pad, int groups,
               bool bias, const char *name)
{
    struct op_attr attr = {
        .k = k, .kernel = kernel, .stride = stride, .pad = pad, .groups = groups, .bias = bias};
    return graph_add(g, "conv", &attr, &x, 1, name);
}

int graph_bn(struct graph *g, int x, const char *name)
{
    struct op_attr attr = {.eps = 1e-5f, .momentum = 0.1f}; /* PyTorch's defaults. */
    return graph_add(g, "bn", &attr, &x, 1, name);
}

int graph_relu(struct graph *g, int x)
{
    return graph_unary(g, x, "relu");
}

int graph_sum(struct graph *g, const int *in, int n_in)
{
    return graph_add(g, "sum", &(struct op_attr){0}, in, n_in, NULL);
}

int graph_linear(struct graph *g, int x, int k, const char *name)
{
    struct op_attr attr = {.k = k, .bias = true};
    return graph_add(g, "linear", &attr, &x, 1, name);
}

int graph_unary(struct graph *g, int x, const char *op)
{
    return graph_add(g, op, &(struct op_attr){0}, &x, 1, NULL);
}

void graph_tap(struct graph *g, int node)
{
    ASSERT(node >= 0 && node < g->n_nodes && g->n_taps < GRAPH_MAX_TAPS);
    g->taps[g->n_taps++] = node;
}

void graph_block(struct graph *g, int node)
{
    ASSERT(node >= 0 && node < g->n_nodes && g->n_blocks < GRAPH_MAX_BLOCKS);
    g->blocks[g->n_blocks++] = node;
}

bool graph_finish(struct graph *g, int output, struct err *e)
{
    if (g->err.code != ERR_NONE) {
        *e = g->err;
        return false;
    }
    ASSERT(output > 0 && output < g->n_nodes);
    g->output = output;
    return true;
}

static bool is_trained(enum param_kind kind)
{
    return kind != PARAM_RUNNING_MEAN && kind != PARAM_RUNNING_VAR;
}

int64_t graph_param_count(const struct graph *g)
{
    int64_t count = 0;
    for (int i = 0; i < g->n_params; i++) {
        count += is_trained(g->params[i].spec.kind) ? (int64_t)g->params[i].count : 0;
    }
    return count;
}

int64_t graph_macs(const struct graph *g)
{
    int64_t macs = 0;
    for (int i = 1; i < g->n_nodes; i++) {
        const struct node *node = &g->nodes[i];
        if (node->op->macs) {
            struct shape shapes[OP_MAX_IN];
            for (int j = 0; j < node->n_in; j++) {
                shapes[j] = g->nodes[node->in[j]].shape;
            }
            macs += node->op->macs(&node->attr, shapes, node->n_in, node->shape);
        }
    }
    return macs;
}
