/*
 * predictor.h: the cost of an architecture as a sum over its genes, learnt from a few measurements
 * on a device. Ridge regression of relative errors, in which a choice has a share that is the same
 * for all genes and one of its own; what of an architecture counts (struct space's readings: some
 * devices' compilers drop dead branches, others run them) and the strength of the ridge are chosen
 * by leaving one measurement out, exactly.
 */
#ifndef NAS_PREDICTOR_H
#define NAS_PREDICTOR_H

#include "core/arena.h"
#include "nas/space.h"

enum { PREDICTOR_MAX_WEIGHTS = 256 };

/* How good predictions are: rank agreement, share within 5 and 10 % of the measured cost. */
struct predictor_error {
    double spearman, within5, within10;
};

struct predictor {
    const struct space *space;
    char device[64], metric[16], unit[16];
    enum space_reading reading;
    int n_fitted;                 /* measurements behind it */
    struct predictor_error error; /* on architectures it was not fitted to */
    double least;                 /* nothing is predicted below */
    double base;
    double weight[PREDICTOR_MAX_WEIGHTS]; /* [gene][choice]; NaN = the device cannot run it */
};

/* Learn from cost[n] of archs[n], NaN = the device cannot run it. device, metric and unit are the
 * caller's to fill; error is the leave-one-out one. ERR_INFEASIBLE with fewer than three costs,
 * ERR_USAGE for a space of too many choices. O(n d^2 + d^3), d choices of all genes. */
MUST_USE bool predictor_fit(struct predictor *p, const struct space *space,
                            const struct arch *archs, const double *cost, int n, struct arena tmp,
                            struct err *e);

/* NaN where the device cannot run it. */
double predictor_cost(const struct predictor *p, const struct arch *a);

/* Predictions against measurements of n architectures (NaN on either side is left out). */
struct predictor_error predictor_judge(const double *predicted, const double *measured, int n,
                                       struct arena tmp);

#endif
