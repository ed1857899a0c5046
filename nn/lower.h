/* lower.h: a graph's nodes as units: dead nodes and known zeros left out. Inside nn only. */
#ifndef NN_LOWER_H
#define NN_LOWER_H

#include "nn/plan.h"

/* Units in topological order, in the arena. */
void lower_graph(struct plan *plan, struct arena *keep, const struct graph *g);

#endif
