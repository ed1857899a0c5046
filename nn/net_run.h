/*
 * net_run.h: what a net is made of, and how its levels are run: part after part of the batch, the
 * parts shared among threads. Inside nn only.
 */
#ifndef NN_NET_RUN_H
#define NN_NET_RUN_H

#include "nn/net.h"
#include "nn/plan.h"

/* Where a step stands: backward needs a forward before it, once. */
enum stage { STAGE_NEW, STAGE_FORWARD, STAGE_BACKWARD };

struct net {
    const struct graph *graph;
    enum net_mode mode;
    int max_batch, n_threads;
    struct plan plan;
    size_t *param_at;      /* [n_params] offset of each in params and grads, in floats */
    size_t n_trained;      /* floats of trained parameters, padding included; they come first */
    size_t n_floats;       /* of all parameters */
    float *params;         /* [n_floats] */
    float *grads;          /* [n_trained]; NULL in NET_EVAL */
    unsigned char *memory; /* [plan.memory_bytes] */
    unsigned char *locals; /* [n_threads, plan.local_bytes] */
    struct arena scratch;
    struct arena ready;      /* NET_EVAL: what units prepare of the parameters */
    const void **prepared;   /* [n_units] in ready; NULL = nothing */
    bool changed;            /* the parameters, since they were prepared */
    bool (*adds)[OP_MAX_IN]; /* [backward.n_steps] is dx added to what is there? */
    int *gathered_parts;     /* [n_units] parts that gather_dy was run in */
    const float *x;          /* of the last forward */
    int n;                   /* images of the last forward */
    bool train;              /* its kind */
    uint64_t noise_seed, noise_step;
    enum stage stage;
    bool asked[1 + GRAPH_MAX_TAPS]; /* seeds asked for since the last forward */
};

/* Where a node's value or gradient is if it lives in the batch's memory; NULL = has none. */
float *net_run_value(const struct net *net, int node);
float *net_run_grad(const struct net *net, int node);

/* All images of the batch. */
struct tensor net_run_tensor(const struct net *net, int node, float *data);

/* All levels, for net->n images at net->x. written[node]: its gradient holds a seed already. */
void net_run_forward(struct net *net, const struct machine *mc);
void net_run_backward(struct net *net, const struct machine *mc, bool *written);

#endif
