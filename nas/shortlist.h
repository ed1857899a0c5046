/*
 * shortlist.h: which few of all evaluated networks to hand over. A score is no accuracy: where its
 * front has fewer members than may be named, the next best beside them are worth naming too, since
 * one of them may be the better one. score up, cost down; both finite.
 */
#ifndef NAS_SHORTLIST_H
#define NAS_SHORTLIST_H

#include "core/arena.h"

/* For scores whose mistakes nobody knows, or that make none: indices of at most n_out of the n
 * networks, ascending cost; returns how many. Fronts are peeled off one after the other; of the one
 * that no longer fits, those are taken that add most hypervolume. Scores enter by rank, so their
 * scale does not matter, costs by their range. O(n log n) a front. */
int shortlist_choose(int *out, int n_out, const double *score, const double *cost, int n,
                     struct arena tmp);

/* For smoothed scores (nas/smooth.h), the same; one after the other those are taken that add most
 * to the expected hypervolume of all, up to the worst score and the highest cost, if each score has
 * a small mistake of its own. So more are named where many are nearly as good and much of the cost
 * axis depends on which of them is the best, and less than a front where it is crowded. Scores
 * enter as they are: smoothed ranks are nearly linear in accuracy. The same draws each time.
 * O(n_out^2) and the fronts looked at. */
int shortlist_expected(int *out, int n_out, const double *score, const double *cost, int n,
                       struct arena tmp);

/* What tmp must have. */
size_t shortlist_bytes(int n);

#endif
