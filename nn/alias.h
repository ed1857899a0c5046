/* alias.h: which nodes' gradients may be one buffer. Inside nn only. */
#ifndef NN_ALIAS_H
#define NN_ALIAS_H

#include "nn/plan.h"

/* When a unit's backward touches what, as numbers of steps of plan->backward; -1 = never. */
struct alias_steps {
    int *dy;  /* [n_units] first look at the gradient of its node: gather_dy, else run */
    int *run; /* [n_units] */
};

/* The step in which unit u writes dx of its input i. */
int alias_write_step(const struct plan *plan, const struct alias_steps *at, int u, int i);

/*
 * root[n_nodes]: nodes of equal root share the memory of their gradients. An op that hands its
 * gradient on unchanged (sum), or changes it element by element (relu), then costs no copy: along a
 * residual stream there is one buffer. seed[node] > 0: the caller writes its gradient, so it cannot
 * take over another's. A node's numbers are never changed while another node of its root still
 * needs them.
 */
void alias_gradients(const struct plan *plan, struct arena *keep, const struct alias_steps *at,
                     const int *seed, int *root);

#endif
