/* indicators.h: how good a front is. All objectives are minimised. */
#ifndef NAS_INDICATORS_H
#define NAS_INDICATORS_H

#include "core/arena.h"

/* Volume dominated by obj[n, n_obj] up to ref[n_obj], n_obj 2 or 3; points on or beyond ref add 0;
 * duplicates, order and dominated points change nothing. Exact sweep, O(n log n) in 2-D, O(n^2 log
 * n) in 3-D [Fonseca2006]. */
double indicators_hypervolume(const double *obj, int n, int n_obj, const double *ref,
                              struct arena tmp);

/* Inverted generational distance and its weakly Pareto-compliant form [Ishibuchi2015]: mean over
 * the reference set z[n_z, n_obj] of the distance to the nearest point of a[n_a, n_obj]. */
double indicators_igd(const double *a, int n_a, const double *z, int n_z, int n_obj);
double indicators_igd_plus(const double *a, int n_a, const double *z, int n_z, int n_obj);

/* chi_i = sum_j (cost_i - cost_j)^2 = n ((cost_i - mean)^2 + var), O(n) [Sinha2024]. */
void indicators_diversity(double *chi, const double *cost, int n);

/* Rank agreement with ties: Kendall tau-b in O(n log n), Spearman rho with mid-ranks. */
double indicators_kendall(const double *a, const double *b, int n, struct arena tmp);
double indicators_spearman(const double *a, const double *b, int n, struct arena tmp);

#endif
