/*
 * truth.h: what a benchmark knows: the accuracy of every architecture of a space, read from a
 * table, and how close a found front comes to the true one. Objectives are cost and error (100 -
 * accuracy in %), both min-max normalised over all architectures that have both; hypervolume up to
 * (1, 1). Architectures without a cost are left out; dead networks (output not connected to input)
 * stay in, as in the published figures.
 */
#ifndef NAS_TRUTH_H
#define NAS_TRUTH_H

#include "nas/cost.h"

struct truth_point {
    struct arch arch;
    double cost, accuracy; /* %, higher is better */
};

struct truth {
    char source[512]; /* "FILE:COLUMN" */
    char sha256[65];  /* of the file */
    const struct space *space;
    const double *accuracy; /* [space->size] by index, NaN = unknown */
    /* Filled by truth_price: */
    struct truth_point *front; /* [n_front] non-dominated in (cost, error), ascending cost */
    int n_front;
    double cost_min, cost_max, error_min, error_max; /* over everything that has both */
    double hypervolume;                              /* of the true front, normalised */
    const double *cost;                              /* [space->size] by index, NaN = none */
    int64_t n;                                       /* architectures with both */
};

/* spec: FILE:COLUMN, a CSV with an index or arch column. Keeps 8 bytes an architecture. The space
 * must be one that numbers its architectures (size >= 0). Accuracies are percentages: the error is
 * 100 - value. */
MUST_USE bool truth_open(struct truth *t, struct arena *keep, const struct space *space,
                         const char *spec, struct err *e);

/* The true front for this cost: prices the whole space, so only for costs that are looked up or
 * counted (cost->kind->parallel_safe); ERR_USAGE otherwise. ERR_INFEASIBLE where nothing has both
 * values. */
MUST_USE bool truth_price(struct truth *t, struct arena *keep, const struct cost *cost,
                          struct arena tmp, struct err *e);

/* The most accurate architecture whose cost is at most limit (after truth_price); of equals the
 * cheapest, then the lowest index. False if there is none. */
MUST_USE bool truth_optimum(const struct truth *t, double limit, struct truth_point *out);

/* True accuracy of an architecture in %, NaN = unknown. Has the shape of run_config.accuracy. */
double truth_accuracy(const void *truth, const struct arch *a);

/* Normalised hypervolume of a set of architectures judged by their true values (after truth_price);
 * those without values add nothing. */
double truth_hypervolume(const struct truth *t, const struct arch *archs, int n, struct arena tmp);

/* Inverted generational distance plus [Ishibuchi2015] of the same set from the true front, in the
 * same unit square; INFINITY for a set without values. */
double truth_igd_plus(const struct truth *t, const struct arch *archs, int n, struct arena tmp);

/* The yardstick: mean hypervolume of the best of k architectures drawn at random without repeats,
 * over n_draws draws keyed (seed, draw). */
double truth_random(const struct truth *t, int k, int n_draws, uint64_t seed, struct arena tmp);

#endif
