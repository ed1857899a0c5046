/*
 * plan.h: from a graph to what a net runs: units in order and the place of every buffer in one
 * block of memory. Nodes that reach neither output nor taps, and nodes known to be zero, become no
 * units. Inside nn only.
 */
#ifndef NN_PLAN_H
#define NN_PLAN_H

#include "nn/graph.h"
#include "nn/net.h"
#include "nn/order.h"

enum { PLAN_ZERO = -1 };                     /* an input known to be zero */
static const size_t PLAN_NOWHERE = SIZE_MAX; /* the offset of what has no memory */

/* One execution of an op. */
struct unit {
    const struct op *op;
    struct op_attr attr;
    int node;          /* graph node whose value it makes */
    int in[OP_MAX_IN]; /* graph nodes, or PLAN_ZERO */
    int n_in;
    int params[OP_MAX_PARAM]; /* graph parameters */
    int n_params;
    bool hidden;   /* its value is not the node's (a partial sum) */
    bool backward; /* anything trained at or before it */
    bool needs_dx[OP_MAX_IN];
    size_t save_at; /* offset of what lives from forward to backward */
    size_t parts_at,
        dy_parts_at; /* what gather_x leaves: [n_in][max_parts]; gather_dy: [max_parts] */
    size_t dw_at;    /* gradients of its parameters by parts of the batch: [parts][dw_floats] */
};

/* Where a caller puts a gradient: the output, then the taps. */
struct plan_seed {
    int node;
    size_t at; /* its own buffer; the node's gradient itself for the first seed of a node */
    bool is_grad;
};

struct plan {
    const struct graph *graph;
    struct unit *units;
    int n_units;
    struct order forward, backward;
    size_t part_bytes; /* order_parts: of the widest tensor of a part */
    int max_parts;
    int gather_parts; /* that gather_x has room for */
    int *made_in;     /* [n_nodes] forward level that makes the node, -1 = none */
    size_t *value_at; /* [n_nodes] offset of each node's value, PLAN_NOWHERE = has none */
    size_t *grad_at;  /* [n_nodes] of its gradient */
    /* [n_nodes] it lives within one level only: the offset is in the memory of a thread, which
     * holds the images of one part. */
    bool *value_local, *grad_local;
    bool *remade;     /* [n_nodes] its value is not kept for backward but made again there */
    size_t *again_at; /* [n_nodes] where; PLAN_NOWHERE = is not */
    bool *again_local;
    bool *readable; /* [n_nodes] the node's value is there after a forward */
    struct plan_seed seeds[1 + GRAPH_MAX_TAPS];
    int n_seeds;
    size_t memory_bytes;  /* of the block that all other offsets are in */
    size_t local_bytes;   /* of a thread's */
    size_t scratch_bytes; /* for all threads */
    int n_ready;        /* NET_EVAL: units up to here prepare what they make of parameters alone */
    size_t ready_bytes; /* of it */
};

/* All structures go to keep; the block itself is the caller's to allocate. */
void plan_init(struct plan *plan, struct arena *keep, const struct machine *mc,
               const struct graph *g, int batch, enum net_mode mode);

/* Does the unit's backward read its input i, or its output (i = -1)? */
bool plan_keeps(const struct unit *u, int i);

/* Is input i gathered before the unit's forward? */
bool plan_gathers(const struct unit *u, int i);

/* Parts of a batch of n images in a level of forward or backward. */
int plan_parts(const struct plan *plan, const struct level *level, int n);

/* Floats of all gradients of a unit's trained parameters, each on its own cache lines. */
size_t plan_dw_floats(const struct graph *g, const struct unit *u);

/* Bytes that a unit's gather leaves of one input of a part. */
size_t plan_gather_bytes(const struct graph *g, const struct unit *u);

/* Shapes of a unit's inputs, one image. */
void plan_shapes(const struct graph *g, const struct unit *u, struct shape shapes[OP_MAX_IN]);

#endif
