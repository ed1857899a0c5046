#include "nas/truth.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nas/front.h"
#include "nas/indicators.h"
#include "nas/lookup.h"

bool truth_open(struct truth *t, struct arena *keep, const struct space *space, const char *spec,
                struct err *e)
{
    *t = (struct truth){.space = space};
    char *path, *column;
    struct lookup lookup;
    lookup_split(keep, spec, &path, &column);
    if (!column) {
        err_set(e, ERR_USAGE, "'%.200s' names no column: FILE:COLUMN expected", spec);
        return err_hint(e, "for instance nasbench201.csv:c10_test200");
    }
    if (space->size < 0) {
        return err_set(e, ERR_USAGE, "space %s is beyond counting: it has no known truth",
                       space->name);
    }
    if (!lookup_open(&lookup, keep, space, path, column, e)) {
        return false;
    }
    t->accuracy = lookup.by_index;
    memcpy(t->sha256, lookup.sha256, sizeof t->sha256);
    snprintf(t->source, sizeof t->source, "%s:%s", path, column);
    return true;
}

double truth_accuracy(const void *truth, const struct arch *a)
{
    const struct truth *t = truth;
    return t->accuracy[t->space->index(a)];
}

/* Price everything that has an accuracy; false if nothing has both. */
static bool truth_fill_costs(struct truth *t, double *costs, const struct cost *cost,
                             struct arena tmp)
{
    double cost_max = -INFINITY, best = -INFINITY, worst = INFINITY;
    t->cost_min = INFINITY;
    t->n = 0;
    for (int64_t i = 0; i < t->space->size; i++) {
        struct arch a;
        costs[i] = NAN;
        if (isnan(t->accuracy[i]) || !t->space->from_index(&a, i) ||
            !cost_of(cost, &a, &costs[i], tmp)) {
            costs[i] = NAN;
            continue;
        }
        t->cost_min = fmin(t->cost_min, costs[i]);
        cost_max = fmax(cost_max, costs[i]);
        best = fmax(best, t->accuracy[i]);
        worst = fmin(worst, t->accuracy[i]);
        t->n++;
    }
    t->cost_max = cost_max;
    t->error_min = 100 - best;
    t->error_max = 100 - worst;
    t->cost = costs;
    return t->n > 0;
}

/* Where an architecture lies in the unit square; a range of nothing is a single point, at the good
 * end. */
static void truth_place(const struct truth *t, int64_t i, double x[2])
{
    double cost_range = t->cost_max - t->cost_min, error_range = t->error_max - t->error_min;
    x[0] = cost_range > 0 ? (t->cost[i] - t->cost_min) / cost_range : 0;
    x[1] = error_range > 0 ? (100 - t->accuracy[i] - t->error_min) / error_range : 0;
}

/* Points of those among idx[n] that have both values; returns how many. which[k]: the index behind
 * point k. */
static int truth_points(const struct truth *t, const int64_t *idx, int n, double *x, int64_t *which)
{
    int n_points = 0;
    for (int k = 0; k < n; k++) {
        if (idx[k] >= 0 && !isnan(t->cost[idx[k]])) {
            truth_place(t, idx[k], x + 2 * n_points);
            which[n_points++] = idx[k];
        }
    }
    return n_points;
}

static double truth_volume(const struct truth *t, const int64_t *idx, int n, struct arena tmp)
{
    double *x = arena_push(&tmp, (size_t)n, 2 * sizeof *x);
    int64_t *which = arena_push(&tmp, (size_t)n, sizeof *which);
    int n_points = truth_points(t, idx, n, x, which);
    return indicators_hypervolume(x, n_points, 2, (const double[]){1, 1}, tmp);
}

/* Ascending cost: insertion, the front is short. */
static void truth_sort(struct truth_point *front, int n)
{
    for (int i = 1; i < n; i++) {
        struct truth_point p = front[i];
        int j = i;
        for (; j > 0 && front[j - 1].cost > p.cost; j--) {
            front[j] = front[j - 1];
        }
        front[j] = p;
    }
}

bool truth_price(struct truth *t, struct arena *keep, const struct cost *cost, struct arena tmp,
                 struct err *e)
{
    int n = (int)t->space->size;
    if (!cost->kind->parallel_safe) {
        return err_set(e, ERR_USAGE,
                       "%s is measured: pricing all %d architectures would take too long",
                       cost->name, n);
    }
    double *costs = arena_push(keep, (size_t)n, sizeof *costs);
    t->front = arena_push(keep, (size_t)n, sizeof *t->front);
    if (tmp.base == keep->base) {
        tmp = *keep; /* a copy made before the pushes above */
    }
    if (!truth_fill_costs(t, costs, cost, tmp)) {
        return err_set(e, ERR_INFEASIBLE,
                       "no architecture has both an accuracy in %.200s and a cost in %.200s",
                       t->source, cost->source);
    }
    int64_t *all = arena_push(&tmp, (size_t)n, sizeof *all);
    int64_t *which = arena_push(&tmp, (size_t)n, sizeof *which);
    double *x = arena_push(&tmp, (size_t)n, 2 * sizeof *x);
    int *best = arena_push(&tmp, (size_t)n, sizeof *best);
    for (int i = 0; i < n; i++) {
        all[i] = i;
    }
    int n_points = truth_points(t, all, n, x, which);
    t->hypervolume = indicators_hypervolume(x, n_points, 2, (const double[]){1, 1}, tmp);
    t->n_front = front_filter(best, x, n_points, 2, true, tmp);
    for (int k = 0; k < t->n_front; k++) {
        int64_t i = which[best[k]];
        t->front[k] = (struct truth_point){.cost = costs[i], .accuracy = t->accuracy[i]};
        bool known = t->space->from_index(&t->front[k].arch, i);
        ASSERT(known);
    }
    truth_sort(t->front, t->n_front);
    return true;
}

bool truth_optimum(const struct truth *t, double limit, struct truth_point *out)
{
    ASSERT(t->cost);
    int64_t best = -1;
    for (int64_t i = 0; i < t->space->size; i++) {
        if (isnan(t->cost[i]) || t->cost[i] > limit) {
            continue;
        }
        if (best < 0 || t->accuracy[i] > t->accuracy[best] ||
            (t->accuracy[i] == t->accuracy[best] && t->cost[i] < t->cost[best])) {
            best = i;
        }
    }
    if (best >= 0) {
        *out = (struct truth_point){.cost = t->cost[best], .accuracy = t->accuracy[best]};
        bool known = t->space->from_index(&out->arch, best);
        ASSERT(known);
    }
    return best >= 0;
}

static const int64_t *truth_indices(const struct truth *t, const struct arch *archs, int n,
                                    struct arena *tmp)
{
    ASSERT(t->cost);
    int64_t *idx = arena_push(tmp, (size_t)n, sizeof *idx);
    for (int i = 0; i < n; i++) {
        idx[i] = t->space->index(&archs[i]);
    }
    return idx;
}

double truth_hypervolume(const struct truth *t, const struct arch *archs, int n, struct arena tmp)
{
    return truth_volume(t, truth_indices(t, archs, n, &tmp), n, tmp);
}

double truth_igd_plus(const struct truth *t, const struct arch *archs, int n, struct arena tmp)
{
    const int64_t *idx = truth_indices(t, archs, n, &tmp);
    int64_t *front = arena_push(&tmp, (size_t)t->n_front, sizeof *front);
    int64_t *which = arena_push(&tmp, (size_t)MAX(n, t->n_front), sizeof *which);
    double *x = arena_push(&tmp, (size_t)n, 2 * sizeof *x);
    double *z = arena_push(&tmp, (size_t)t->n_front, 2 * sizeof *z);
    for (int i = 0; i < t->n_front; i++) {
        front[i] = t->space->index(&t->front[i].arch);
    }
    int n_z = truth_points(t, front, t->n_front, z, which);
    int n_x = truth_points(t, idx, n, x, which);
    return n_x > 0 ? indicators_igd_plus(x, n_x, z, n_z, 2) : INFINITY;
}

double truth_random(const struct truth *t, int k, int n_draws, uint64_t seed, struct arena tmp)
{
    ASSERT(t->cost && k > 0 && n_draws > 0);
    int size = (int)t->space->size;
    uint32_t *order = arena_push(&tmp, (size_t)size, sizeof *order);
    int64_t *idx = arena_push(&tmp, (size_t)size, sizeof *idx);
    double sum = 0;
    for (int draw = 0; draw < n_draws; draw++) {
        struct rng r = rng_key(seed, RNG_ARCH, (uint64_t)draw);
        rng_permutation(&r, order, (uint32_t)size);
        for (int i = 0; i < MIN(k, size); i++) {
            idx[i] = order[i];
        }
        sum += truth_volume(t, idx, MIN(k, size), tmp);
    }
    return sum / n_draws;
}
