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

/* The share of a score's variance that is taken for noise.
 * To order networks, all of them: .1, which is nearest to most. */
#define SMOOTH_ORDER .1
/* To name the few best of n networks: .01 sqrt(n). Whoever picks the best of many picks by their
 * mistakes, so it takes more to even them out than to order the rest (docs/REPRODUCTION.md). */
double smooth_to_choose(int n);

struct smooth {
    const struct space *space;
    int n;
    uint8_t *genes; /* [n_genes, n] */
    double *weight; /* [n] */
    double mean;
    double similarity[SPACE_MAX_GENES + 1]; /* of networks that differ in so many genes */
};

/* Fit to the ranks (0 .. n - 1, equal scores share their mean) of finite score[n] of archs[n]; the
 * fit lives in keep. Conjugate gradients [Hestenes1952], O(n^2) a round: 5 s for all of
 * NAS-Bench-201. */
void smooth_fit(struct smooth *s, struct arena *keep, const struct space *space,
                const struct arch *archs, const double *score, int n, double noise,
                struct arena tmp);

/* The smoothed rank of an architecture that need not have a score. O(n). */
double smooth_guess(const struct smooth *s, const struct arch *arch, struct arena tmp);

/* Fit and guess of the same networks. The same numbers each time. */
void smooth_scores(double *out, const struct space *space, const struct arch *archs,
                   const double *score, int n, double noise, struct arena tmp);

/* What keep and tmp of a fit must have together; tmp of the others needs no more. */
size_t smooth_bytes(int n);

#endif
