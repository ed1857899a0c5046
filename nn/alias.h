/* alias.h: which nodes' gradients may be one buffer. Inside nn only. */
#ifndef NN_ALIAS_H
#define NN_ALIAS_H

#include "nn/plan.h"

/*
 * root[n_nodes]: nodes of equal root share the memory of their gradients. An op that hands its
 * gradient on unchanged (sum), or changes it element by element (relu), then costs no copy: along a
 * residual stream there is one buffer. seed[node] > 0: the caller writes its gradient, so it cannot
 * take over another's. A node's numbers are never changed while another node of its root still
 * needs them.
 */
void alias_gradients(const struct plan *plan, struct arena *keep, const int *seed, int *root);

#endif
