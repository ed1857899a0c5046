/*
 * shortlist.h: which few of all evaluated networks to hand over. A score is no accuracy: where its
 * front has fewer members than may be named, the next best beside them are worth naming too, since
 * one of them may be the better one. Fronts are peeled off one after the other; of the one that no
 * longer fits, those are taken that add most hypervolume.
 */
#ifndef NAS_SHORTLIST_H
#define NAS_SHORTLIST_H

#include "core/arena.h"

/* Indices of at most n_out of the n networks, ascending cost; returns how many. score up, cost
 * down; both finite. Scores enter by rank, so their scale does not matter, costs by their range.
 * O(n log n) a front. */
int shortlist_choose(int *out, int n_out, const double *score, const double *cost, int n,
                     struct arena tmp);

/* What tmp must have. */
size_t shortlist_bytes(int n);

#endif
