/*
 * tape.h: a graph run node by node, every value kept, and gradients of any node with respect to any
 * earlier one: what scores that look between layers need. Nothing is fused or shared, so it takes
 * more memory than a net. Weights are the net's; weight gradients are not computed.
 */
#ifndef NAS_TAPE_H
#define NAS_TAPE_H

#include "nas/trial.h"

struct tape {
    struct trial *t;
    int n;      /* images */
    float **x;  /* [n_nodes] values [n, h, w, c]; the input at 0 */
    float **dx; /* [n_nodes] gradients of the last tape_backward; NULL where there is none */
    void **save;
    struct arena *keep, grads; /* grads: scratch of one backward */
};

/* Bytes of a tape over n images beside the trial. */
size_t tape_bytes(const struct machine *mc, const struct graph *g, int n);

/* Forward over x[n, h, w, c] with batch statistics. The values lie in keep (the trial's arena). */
void tape_forward(struct tape *tape, struct trial *t, struct arena *keep, const float *x, int n);

/* Gradient of sum(seed * value of node `to`) with respect to the nodes from `from` on; every path
 * from the input to `to` goes through `from`, or from is 0. tape->dx are filled for them. */
void tape_backward(struct tape *tape, int from, int to, const float *seed);

struct tensor tape_value(const struct tape *tape, int node);

#endif
