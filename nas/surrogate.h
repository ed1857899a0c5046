/*
 * surrogate.h: a guess at a number of an architecture from those of others: Gaussian process
 * regression [Rasmussen2006, alg. 2.1] on genes, where similarity falls with the number of genes
 * that differ. Knows how uncertain it is. For searches that choose what to evaluate next.
 */
#ifndef NAS_SURROGATE_H
#define NAS_SURROGATE_H

#include "core/arena.h"
#include "nas/space.h"

struct surrogate {
    const struct space *space;
    int n;
    const struct arch *archs; /* [n] not owned */
    double *factor;           /* [n, n] lower Cholesky factor of the kernel */
    double *weight;           /* [n] */
    double mean, scale, reach;
};

/* Fit to value[n] (finite) of archs[n], which must stay. The kernel's reach and noise are those of
 * greatest likelihood among a few. The fit lives in keep. O(n^3). */
void surrogate_fit(struct surrogate *s, struct arena *keep, const struct space *space,
                   const struct arch *archs, const double *value, int n, struct arena tmp);

/* Mean and standard deviation of the guess. O(n^2), or O(n) where sd is NULL. */
void surrogate_guess(const struct surrogate *s, const struct arch *a, double *mean, double *sd,
                     struct arena tmp);

/* Memory for both arenas of a fit. */
size_t surrogate_bytes(int n);

#endif
