/*
 * remake.h: values that are not kept from forward to backward: the unit runs again in backward,
 * where its value is first read. The bits are the same; a pass over memory is paid for the memory
 * of one tensor. Inside nn only.
 */
#ifndef NN_REMAKE_H
#define NN_REMAKE_H

#include "nn/plan.h"

/*
 * Choose values of at least `spare` bytes together for a batch of n, or all there are, those with
 * the fewest inputs first: plan->remade. Their steps go into plan->backward. seed[node] > 0:
 * callers read the node. New arrays go to keep.
 */
void remake_values(struct plan *plan, struct arena *keep, int batch, size_t spare, const int *seed);

#endif
