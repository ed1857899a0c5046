/* memory.h: the place of every buffer of a plan whose units and order are known. Inside nn only. */
#ifndef NN_MEMORY_H
#define NN_MEMORY_H

#include "nn/plan.h"

/* Fills the offsets, made_in, *_local, readable, memory_bytes and local_bytes. seed[node] > 0: the
 * node is output or tap. */
void memory_place(struct plan *plan, struct arena *keep, int batch, bool train, const int *seed);

#endif
