/*
 * net.h: a graph with memory, ready to run. All memory is planned from lifetimes before anything
 * runs; a step allocates nothing. One net is used by one caller at a time; ops inside use the
 * machine's threads.
 */
#ifndef NN_NET_H
#define NN_NET_H

#include "nn/graph.h"

enum net_mode {
    NET_EVAL,  /* forward only: running statistics, activations share memory; conv + bn + relu + add
                  fused */
    NET_STATS, /* forward only, batch or running statistics: features in little memory */
    NET_TRAIN, /* forward in either mode, and backward */
};

enum net_init {
    NET_INIT_PYTORCH, /* conv, linear: kaiming-uniform a = sqrt(5), bias U(+-1/sqrt(fan_in)); bn 1,
                         0 */
    NET_INIT_KAIMING, /* conv, linear: normal, std sqrt(2 / fan_in); bias 0; bn 1, 0 */
};

struct net;

/* Bytes net_new will take from the arena: "does it fit" before the first byte. */
size_t net_plan_bytes(const struct machine *mc, const struct graph *g, int max_batch,
                      enum net_mode mode);

/* Build in the arena. Parameters are zero until initialised or loaded. The graph must outlive the
 * net. */
MUST_USE bool net_new(struct net **out, struct arena *keep, const struct machine *mc,
                      const struct graph *g, int max_batch, enum net_mode mode, struct err *e);

void net_init_params(struct net *net, enum net_init how, uint64_t seed);

const struct graph *net_graph(const struct net *net);
/* Values in our layout. The trained parameters lie in one block in the graph's order, the running
 * statistics after them, each padded with zeros to ARENA_ALIGN bytes; gradients lie likewise. */
float *net_param(struct net *net, int i_param);
const float *net_param_const(const struct net *net, int i_param);
float *net_param_grad(struct net *net,
                      int i_param); /* NULL for running statistics and in NET_EVAL */
bool net_param_trained(const struct net *net, int i_param);
/* To be called after parameters were written: NET_EVAL makes what depends on them alone (batch
 * norms folded, weights transformed) anew in the next forward, and keeps it. */
void net_params_changed(struct net *net);

/* What draws inside the network (op latent) are keyed by from the next forward on: a training run's
 * seed and step. 0, 0 until set. */
void net_set_noise(struct net *net, uint64_t seed, uint64_t step);

/* Forward over x[n, h, w, c], n <= max_batch. train: batch statistics, and running statistics
 * updated. Returns the output [n, classes], valid until the next forward. */
const float *net_forward(struct net *net, const struct machine *mc, const float *x, int n,
                         bool train);

/* Features of tap i after a forward: [n, h, w, c]. Taps and the output are always kept. */
struct tensor net_tap(const struct net *net, int i_tap);

/* Where the caller writes the gradient of the loss before net_backward: of the output, of tap i.
 * The pointer is good for the life of the net. Taps whose seed was not asked for since the last
 * forward count as zero. */
float *net_output_seed(struct net *net);
float *net_tap_seed(struct net *net, int i_tap);

/* Gradients of all trained parameters, overwritten; zero for those that nothing depends on. Once
 * after each forward, whose x must still be there; overwrites the seeds and all activations but
 * taps and output. */
void net_backward(struct net *net, const struct machine *mc);

/* Gradient with respect to the input, if graph->want_input_grad was set at construction. NULL
 * otherwise. */
const float *net_input_grad(const struct net *net);

/* Any node's activation after a forward, where it is in memory; data NULL where it was never
 * written (fused, dead) or has been overwritten. graph->keep_values keeps all. */
struct tensor net_node_value(const struct net *net, int node);

#endif
