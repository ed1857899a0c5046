/*
 * smooth.h: scores with their neighbours' help. A score that is no accuracy is wrong in its own way
 * about each network, and the best of many are those it errs about most kindly. Accuracy changes
 * little where one gene of six does: so what Gaussian process regression [Rasmussen2006, alg. 2.1]
 * says of a network from all that were scored, itself among them, is nearer to it than its score
 * alone. For exact scores it is not: it blurs them.
 */
#ifndef NAS_SMOOTH_H
#define NAS_SMOOTH_H

#include "core/arena.h"
#include "nas/space.h"

/* out[n]: the ranks (0 .. n - 1) of finite score[n] of archs[n], smoothed. Of more than SMOOTH_MAX
 * the kernel's reach is no longer the likeliest but fixed. The same numbers each time. O(n^3), half a
 * second for SMOOTH_MAX; beyond, O(n^2) a round: 5 s for all of NAS-Bench-201. */
enum { SMOOTH_MAX = 1024 };
void smooth_scores(double *out, const struct space *space, const struct arch *archs,
                   const double *score, int n, struct arena tmp);

/* What tmp must have. */
size_t smooth_bytes(int n);

#endif
