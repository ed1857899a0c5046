/*
 * zdt.h: the ZDT test problems [Zitzler2000] and one NSGA-II run on them.
 * Both objectives are minimised; hypervolume is measured up to (1, 1).
 */
#ifndef TESTS_ZDT_H
#define TESTS_ZDT_H

#include <math.h>

#include "nas/indicators.h"
#include "nas/nsga2.h"

static const double zdt_pi = 3.14159265358979323846;

enum { ZDT_N = 5, ZDT_MAX_VARS = 30, ZDT_MAX_POPULATION = 128 };

struct zdt_problem {
    const char *name;
    void (*evaluate)(const void *ctx, const double *x, double *f, double *violation);
    int n_vars;
    double spread;        /* variables beyond the first lie in [-spread, spread], or [0, 1] if 0 */
    double median_wanted; /* NSGA-II, population 100, 25,000 evaluations */
    double supremum;      /* of the true front: 1 - integral of it */
};

static inline double zdt_mean_of_rest(const double *x, int n)
{
    double sum = 0;
    for (int i = 1; i < n; i++) {
        sum += x[i];
    }
    return sum / (n - 1);
}

static inline void zdt_1(const void *ctx, const double *x, double *f, double *violation)
{
    (void)ctx, (void)violation;
    double g = 1 + 9 * zdt_mean_of_rest(x, 30);
    f[0] = x[0];
    f[1] = g * (1 - sqrt(f[0] / g));
}

static inline void zdt_2(const void *ctx, const double *x, double *f, double *violation)
{
    (void)ctx, (void)violation;
    double g = 1 + 9 * zdt_mean_of_rest(x, 30);
    f[0] = x[0];
    f[1] = g * (1 - f[0] / g * (f[0] / g));
}

static inline void zdt_3(const void *ctx, const double *x, double *f, double *violation)
{
    (void)ctx, (void)violation;
    double g = 1 + 9 * zdt_mean_of_rest(x, 30);
    f[0] = x[0];
    f[1] = g * (1 - sqrt(f[0] / g) - f[0] / g * sin(10 * zdt_pi * f[0]));
}

static inline void zdt_4(const void *ctx, const double *x, double *f, double *violation)
{
    (void)ctx, (void)violation;
    double g = 1 + 10 * 9;
    for (int i = 1; i < 10; i++) {
        g += x[i] * x[i] - 10 * cos(4 * zdt_pi * x[i]);
    }
    f[0] = x[0];
    f[1] = g * (1 - sqrt(f[0] / g));
}

static inline void zdt_6(const void *ctx, const double *x, double *f, double *violation)
{
    (void)ctx, (void)violation;
    double g = 1 + 9 * pow(zdt_mean_of_rest(x, 10), .25);
    f[0] = 1 - exp(-4 * x[0]) * pow(sin(6 * zdt_pi * x[0]), 6);
    f[1] = g * (1 - f[0] / g * (f[0] / g));
}

static const struct zdt_problem zdt_problems[ZDT_N] = {
    {"ZDT1", zdt_1, 30, 0, .6585, 2. / 3},  {"ZDT2", zdt_2, 30, 0, .3250, 1. / 3},
    {"ZDT3", zdt_3, 30, 0, 1.039, 1.04443}, {"ZDT4", zdt_4, 10, 5, .650, 2. / 3},
    {"ZDT6", zdt_6, 10, 0, .313, .32595},
};

/* Hypervolume of the last population of one run: SBX eta 20 p .9, polynomial mutation eta 20 p 1/n.
 */
static inline double zdt_hypervolume(const struct zdt_problem *z, int population, int generations,
                                     uint64_t seed, struct arena tmp)
{
    double low[ZDT_MAX_VARS], high[ZDT_MAX_VARS];
    for (int i = 0; i < z->n_vars; i++) {
        low[i] = i > 0 ? -z->spread : 0;
        high[i] = i > 0 && z->spread > 0 ? z->spread : 1;
    }
    struct nsga2_problem problem = {z->n_vars, 2, low, high, z->evaluate, z};
    struct nsga2_settings settings = {
        .population = population,
        .generations = generations,
        .variation = {.crossover_rate = .9,
                      .sbx_eta = 20,
                      .mutation_rate = 1. / z->n_vars,
                      .mutation_eta = 20},
        .seed = seed,
    };
    double *x = arena_push(&tmp, (size_t)population * (size_t)z->n_vars, sizeof *x);
    double *obj = arena_push(&tmp, (size_t)population * 2, sizeof *obj);
    nsga2_minimise(x, obj, &problem, &settings, tmp);
    return indicators_hypervolume(obj, population, 2, (const double[]){1, 1}, tmp);
}

#endif
