/*
 * correlate.h: how well scores order architectures whose accuracy is known. Columns of numbers over
 * the same architectures, combinations of them by rank, agreement with its uncertainty, and the
 * files of `hdnas correlate`.
 */
#ifndef CLI_CORRELATE_H
#define CLI_CORRELATE_H

#include "core/arena.h"
#include "nas/space.h"

/* One number an architecture. */
struct correlate_column {
    const char *name;
    double *value;  /* [n]; NaN: of a score, ranked below all numbers; of a truth, left out */
    double seconds; /* a score's mean time an architecture; NaN = not measured */
};

struct correlate {
    const struct space *space;
    const struct arch *archs; /* [n] */
    int n;
    struct correlate_column *scores, *truths;
    int n_scores, n_truths;
};

/* One line of the result. */
struct correlate_row {
    const struct correlate_column *score, *truth;
    int n;                         /* architectures whose truth is known */
    double tau, tau_low, tau_high; /* Kendall's tau-b [Kendall1945] and its 95 % interval */
    double rho, rho_low, rho_high; /* Spearman's */
};

/* Combine columns into a new one: mid-ranks (1 = worst) added, or their logarithms (product). The
 * combination needs as many seconds as its parts together. */
void correlate_combine(struct correlate_column *out, struct arena *keep,
                       const struct correlate_column *const *parts, int n_parts, int n,
                       bool product);

/* Column s of c smoothed (nas/smooth.h) from those that are connected and have a number; the others
 * have none; isomorphic ones share their mean. As many seconds. ERR_FAILED without memory. */
MUST_USE bool correlate_smooth(struct correlate_column *out, struct arena *keep,
                               const struct correlate *c, int s, const char *name, struct err *e);

/* Agreement of one score with one truth. Intervals: percentiles over n_draws resamples of the
 * architectures keyed (seed, draw), the same for every pair. */
void correlate_measure(struct correlate_row *row, const struct correlate *c, int i_score,
                       int i_truth, int n_draws, uint64_t seed, struct arena tmp);

/* scores.csv (truths as truth_NAME, then scores), correlations.csv and a scatter plot
 * SCORE-TRUTH.svg a pair into a folder. */
MUST_USE bool correlate_write(const struct correlate *c, const struct correlate_row *rows,
                              int n_rows, const char *dir, struct arena tmp, struct err *e);

#endif
