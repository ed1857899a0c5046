/*
 * graph.h: a network as a list of nodes in topological order: shapes and parameters, no memory for
 * numbers. Builders add nodes; the first mistake is remembered and reported by graph_finish, so
 * building code needs no checks.
 */
#ifndef NN_GRAPH_H
#define NN_GRAPH_H

#include "nn/op.h"

enum { GRAPH_MAX_NODES = 4096, GRAPH_MAX_TAPS = 16, GRAPH_MAX_BLOCKS = 128, GRAPH_NAME_LEN = 64 };

struct node {
    const struct op *op; /* NULL for the input */
    struct op_attr attr;
    int in[OP_MAX_IN];
    int n_in;
    struct shape shape;        /* of one image */
    char name[GRAPH_NAME_LEN]; /* prefix of its parameters' names; "" where it has none */
    int first_param, n_params;
};

struct param {
    struct param_spec spec;
    char name[GRAPH_NAME_LEN + 16]; /* PyTorch name: "stem.0.weight" */
    size_t count;
    int node;
};

struct graph {
    struct arena *keep; /* where nodes and parameters live */
    struct node *nodes;
    int n_nodes;
    struct param *params;
    int n_params;
    int nodes_capacity, params_capacity;
    int output;               /* node of the logits */
    int taps[GRAPH_MAX_TAPS]; /* nodes whose features scores and searches read, shallow to deep */
    int n_taps;
    /* Ends of stem and blocks, for scores that look at them one by one, shallow to deep: every path
     * to one goes through the one before. Values are not kept for it. */
    int blocks[GRAPH_MAX_BLOCKS];
    int n_blocks;
    bool want_input_grad; /* set before net_new: net_input_grad is filled by net_backward */
    /* Set before net_new: nothing is fused and nothing shares memory, so that every net_node_value
     * is there. Also the plain twin that tests hold fused and planned networks to. */
    bool keep_values;
    /* Set before net_new: bytes of a batch's values that are to be made again in backward rather
     * than kept, as far as there are such values (nn/remake.h). Not with keep_values. The bits are
     * the same. */
    size_t spare_bytes;
    /* Set before net_new, by tests: how many bytes of its widest tensor a part of the batch has
     * that is worked on at a time; 0 = nn/plan.c's choice. */
    size_t part_bytes;
    struct err err; /* the first mistake while building */
};

/* A new graph in the arena with node 0 = the input of this shape. */
struct graph *graph_new(struct arena *keep, struct shape input);

/* Add a node for an op of nn/ops.h by name; returns its number (0 after a mistake). name: prefix
 * for parameters. */
int graph_add(struct graph *g, const char *op, const struct op_attr *attr, const int *in, int n_in,
              const char *name);

/* The usual ones, in terms of graph_add. */
int graph_conv(struct graph *g, int x, int k, int kernel, int stride, int pad, int groups,
               bool bias, const char *name);
int graph_bn(struct graph *g, int x, const char *name);
int graph_relu(struct graph *g, int x);
int graph_sum(struct graph *g, const int *in, int n_in);
int graph_linear(struct graph *g, int x, int k, const char *name);
int graph_unary(struct graph *g, int x,
                const char *op); /* relu6, hswish, sigmoid, global_pool, flatten ... */

/* Mark a node's features as one of the taps. */
void graph_tap(struct graph *g, int node);

/* Mark the end of the stem or of a block. */
void graph_block(struct graph *g, int node);

/* Set the output; false with the first mistake. */
MUST_USE bool graph_finish(struct graph *g, int output, struct err *e);

/* Trained parameters (running statistics not counted), and multiply-adds of one image (conv,
 * linear). */
int64_t graph_param_count(const struct graph *g);
int64_t graph_macs(const struct graph *g);

#endif
