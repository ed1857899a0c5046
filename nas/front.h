/*
 * front.h: dominance, non-dominated sorting, crowding [Deb2002]. All objectives are minimised.
 * Orders are total: equal elements stay in index order, so results depend on no libc and no thread.
 * NaN is a bug here: refused at the door.
 */
#ifndef NAS_FRONT_H
#define NAS_FRONT_H

#include "core/arena.h"

/* a dominates b: nowhere worse, somewhere better. */
bool front_dominates(const double *a, const double *b, int n_obj);

/* Constrained dominance [Deb2002, sec. VI]: feasible before infeasible, less violation before more.
 */
bool front_dominates_constrained(const double *a, double violation_a, const double *b,
                                 double violation_b, int n_obj);

/* rank[n] (0 = non-dominated) of obj[n, n_obj]; violation[n] or NULL. Returns the number of fronts.
 * O(n^2 n_obj). */
int front_sort(int *rank, const double *obj, const double *violation, int n, int n_obj,
               struct arena tmp);

/* crowding[i] for the members idx[n] of one front: Deb's sum over objectives, normalised by the
 * front's own range, extremes infinite (the first of several lowest, the last of several highest),
 * an all-equal objective adds 0. The range is that of the finite values. */
void front_crowding(double *crowding, const double *obj, const int *idx, int n, int n_obj,
                    struct arena tmp);

/* Indices of the non-dominated points among n, ascending; duplicates of a point keep only the first
 * when unique is set. Returns how many. O(n log n) for two objectives. */
int front_filter(int *out, const double *obj, int n, int n_obj, bool unique, struct arena tmp);

#endif
