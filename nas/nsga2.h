/*
 * nsga2.h: the pieces of NSGA-II [Deb2002], for genes that are reals: survival, tournament,
 * simulated binary crossover [Deb1995], polynomial mutation [Deb1996]. All objectives are
 * minimised; violation > 0 is infeasible; orders are total. nas/evolution.h makes a search over
 * architectures of them; tests/zdt.h runs them on the ZDT functions.
 */
#ifndef NAS_NSGA2_H
#define NAS_NSGA2_H

#include "core/arena.h"
#include "core/rng.h"

/* What selection looks at, one element an individual. */
struct nsga2_rating {
    const double *obj;       /* [n, n_obj] */
    const double *violation; /* [n] or NULL */
    int n, n_obj;
    int *rank;        /* [n] filled by nsga2_rate */
    double *crowding; /* [n] within the own front, filled by nsga2_rate */
};

/* Rank and crowding of all n. O(n^2 n_obj). */
void nsga2_rate(struct nsga2_rating *r, struct arena tmp);

/* The n_keep best: whole fronts first, the last one by descending crowding, then by index.
 * keep[n_keep] in that order of merit. Crowding of the last front is the one of the whole front. */
void nsga2_survive(int *keep, int n_keep, const struct nsga2_rating *r, struct arena tmp);

/* Who is better before crowding is asked: the lower front [Deb2002, crowded comparison], or only
 * the one that dominates the other, as in pymoo. On ZDT6 the first reaches a median hypervolume of
 * .3146, the second .3129. */
enum nsga2_duel { NSGA2_BY_RANK, NSGA2_BY_DOMINANCE };

/* The better of two random individuals: duel, then crowding, then a coin. n >= 1. */
int nsga2_tournament(const struct nsga2_rating *r, enum nsga2_duel how, struct rng *rng);

/* How reals are varied; both operators stay within [low, high]. */
struct nsga2_variation {
    double crossover_rate; /* of a pair */
    double sbx_eta;
    double mutation_rate; /* of a variable */
    double mutation_eta;
};

/* Two children of two parents x[n]. low, high: [n]. Children may not overlap parents. */
void nsga2_sbx(double *child1, double *child2, const double *parent1, const double *parent2,
               const double *low, const double *high, int n, const struct nsga2_variation *v,
               struct rng *rng);

/* In place. */
void nsga2_mutate(double *x, const double *low, const double *high, int n,
                  const struct nsga2_variation *v, struct rng *rng);

/* A whole optimisation of real variables, for functions that are cheap. */
struct nsga2_problem {
    int n_vars, n_obj;
    const double *low, *high; /* [n_vars] */
    /* obj[n_obj], *violation from x[n_vars]; violation starts at 0. */
    void (*evaluate)(const void *ctx, const double *x, double *obj, double *violation);
    const void *ctx;
};
struct nsga2_settings {
    int population;  /* even or odd, >= 1 */
    int generations; /* counting the first: population * generations evaluations */
    struct nsga2_variation variation;
    uint64_t seed;
};

/* The last population: x[population, n_vars], obj[population, n_obj]. */
void nsga2_minimise(double *x, double *obj, const struct nsga2_problem *p,
                    const struct nsga2_settings *s, struct arena tmp);

#endif
