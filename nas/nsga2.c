#include "nas/nsga2.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nas/front.h"

void nsga2_rate(struct nsga2_rating *r, struct arena tmp)
{
    int n_fronts = front_sort(r->rank, r->obj, r->violation, r->n, r->n_obj, tmp);
    int *idx = arena_push(&tmp, (size_t)r->n, sizeof *idx);
    double *crowding = arena_push(&tmp, (size_t)r->n, sizeof *crowding);
    for (int front = 0; front < n_fronts; front++) {
        int n = 0;
        for (int i = 0; i < r->n; i++) {
            if (r->rank[i] == front) {
                idx[n++] = i;
            }
        }
        front_crowding(crowding, r->obj, idx, n, r->n_obj, tmp);
        for (int i = 0; i < n; i++) {
            r->crowding[idx[i]] = crowding[i];
        }
    }
}

struct merit {
    double crowding;
    int rank, i;
};

static int merit_compare(const void *pa, const void *pb)
{
    const struct merit *a = pa, *b = pb;
    if (a->rank != b->rank) {
        return a->rank < b->rank ? -1 : 1;
    }
    if (a->crowding != b->crowding) {
        return a->crowding > b->crowding ? -1 : 1; /* the lonelier one survives */
    }
    return (a->i > b->i) - (a->i < b->i);
}

void nsga2_survive(int *keep, int n_keep, const struct nsga2_rating *r, struct arena tmp)
{
    ASSERT(n_keep >= 0 && n_keep <= r->n);
    struct merit *merits = arena_push(&tmp, (size_t)r->n, sizeof *merits);
    for (int i = 0; i < r->n; i++) {
        ASSERT(!isnan(r->crowding[i]));
        merits[i] = (struct merit){r->crowding[i], r->rank[i], i};
    }
    qsort(merits, (size_t)r->n, sizeof *merits, merit_compare);
    for (int i = 0; i < n_keep; i++) {
        keep[i] = merits[i].i;
    }
}

/* -1, 0, 1: i is better, neither is, j is. */
static int duel(const struct nsga2_rating *r, enum nsga2_duel how, int i, int j)
{
    if (how == NSGA2_BY_RANK) {
        return (r->rank[i] > r->rank[j]) - (r->rank[i] < r->rank[j]);
    }
    const double *a = r->obj + (size_t)i * (size_t)r->n_obj;
    const double *b = r->obj + (size_t)j * (size_t)r->n_obj;
    double violation_a = r->violation ? r->violation[i] : 0;
    double violation_b = r->violation ? r->violation[j] : 0;
    return front_dominates_constrained(b, violation_b, a, violation_a, r->n_obj) -
           front_dominates_constrained(a, violation_a, b, violation_b, r->n_obj);
}

int nsga2_tournament(const struct nsga2_rating *r, enum nsga2_duel how, struct rng *rng)
{
    ASSERT(r->n >= 1);
    int i = (int)rng_below(rng, (uint64_t)r->n);
    int j = (int)rng_below(rng, (uint64_t)r->n);
    bool coin = rng_u64(rng) >> 63; /* always drawn: the stream does not depend on the outcome */
    int outcome = duel(r, how, i, j);
    if (outcome == 0 && r->crowding[i] != r->crowding[j]) {
        outcome = r->crowding[i] > r->crowding[j] ? -1 : 1;
    }
    return outcome != 0 ? (outcome < 0 ? i : j) : coin ? i : j;
}

/* Below this distance two values are the same to crossover, as in Deb's own code. */
static const double sbx_epsilon = 1e-14;

/* How far a child lies from the middle, in half gaps between the parents, when `room` gaps are left
 * beyond the parent on its side: the spread of the unbounded operator, cut at the bound and
 * rescaled [Deb1999, bounded SBX]. */
static double sbx_spread(double u, double room, double eta)
{
    double alpha = 2 - pow(1 + 2 * room, -(eta + 1));
    double x = u * alpha <= 1 ? u * alpha : 1 / (2 - u * alpha);
    return pow(x, 1 / (eta + 1));
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

void nsga2_sbx(double *child1, double *child2, const double *parent1, const double *parent2,
               const double *low, const double *high, int n, const struct nsga2_variation *v,
               struct rng *rng)
{
    bool cross = rng_f64(rng) < v->crossover_rate;
    for (int i = 0; i < n; i++) {
        child1[i] = parent1[i];
        child2[i] = parent2[i];
        if (!cross || rng_f64(rng) >= 0.5 || fabs(parent1[i] - parent2[i]) <= sbx_epsilon) {
            continue;
        }
        double x1 = fmin(parent1[i], parent2[i]), x2 = fmax(parent1[i], parent2[i]);
        double u = rng_f64(rng), gap = x2 - x1, middle = 0.5 * (x1 + x2);
        double y1 = middle - 0.5 * gap * sbx_spread(u, (x1 - low[i]) / gap, v->sbx_eta);
        double y2 = middle + 0.5 * gap * sbx_spread(u, (high[i] - x2) / gap, v->sbx_eta);
        bool swap = rng_u64(rng) >> 63;
        child1[i] = clamp(swap ? y2 : y1, low[i], high[i]);
        child2[i] = clamp(swap ? y1 : y2, low[i], high[i]);
    }
}

void nsga2_mutate(double *x, const double *low, const double *high, int n,
                  const struct nsga2_variation *v, struct rng *rng)
{
    for (int i = 0; i < n; i++) {
        if (rng_f64(rng) >= v->mutation_rate) {
            continue;
        }
        double u = rng_f64(rng), range = high[i] - low[i], power = v->mutation_eta + 1;
        double to_low = (x[i] - low[i]) / range, to_high = (high[i] - x[i]) / range;
        double step;
        if (u <= 0.5) {
            step = pow(2 * u + (1 - 2 * u) * pow(1 - to_low, power), 1 / power) - 1;
        } else {
            step = 1 - pow(2 * (1 - u) + (2 * u - 1) * pow(1 - to_high, power), 1 / power);
        }
        x[i] = clamp(x[i] + step * range, low[i], high[i]);
    }
}

/* Parents in the first `population` rows, their children in the rows after them. */
struct nsga2_rows {
    double *x, *obj, *violation;
    int *rank;
    double *crowding;
};

static void rows_evaluate(struct nsga2_rows *r, const struct nsga2_problem *p, int first, int n)
{
    for (int i = first; i < first + n; i++) {
        r->violation[i] = 0;
        p->evaluate(p->ctx, r->x + (size_t)i * (size_t)p->n_vars,
                    r->obj + (size_t)i * (size_t)p->n_obj, &r->violation[i]);
    }
}

static void rows_breed(struct nsga2_rows *r, const struct nsga2_problem *p,
                       const struct nsga2_settings *s, const struct nsga2_rating *rating,
                       int generation, struct arena tmp)
{
    struct rng rng = rng_key(s->seed, RNG_SEARCH, (uint64_t)generation);
    size_t width = (size_t)p->n_vars;
    double *spare = arena_push(&tmp, width, sizeof *spare); /* second child of an odd population */
    for (int i = 0; i < s->population; i += 2) {
        double *child1 = r->x + (size_t)(s->population + i) * width;
        double *child2 = i + 1 < s->population ? child1 + width : spare;
        int a = nsga2_tournament(rating, NSGA2_BY_RANK, &rng);
        int b = nsga2_tournament(rating, NSGA2_BY_RANK, &rng);
        nsga2_sbx(child1, child2, r->x + (size_t)a * width, r->x + (size_t)b * width, p->low,
                  p->high, p->n_vars, &s->variation, &rng);
        nsga2_mutate(child1, p->low, p->high, p->n_vars, &s->variation, &rng);
        nsga2_mutate(child2, p->low, p->high, p->n_vars, &s->variation, &rng);
    }
}

/* Move the survivors of parents and children to the first rows. */
static void rows_survive(struct nsga2_rows *r, const struct nsga2_problem *p, int population,
                         struct arena tmp)
{
    int n = 2 * population;
    size_t x_bytes = (size_t)p->n_vars * sizeof(double),
           obj_bytes = (size_t)p->n_obj * sizeof(double);
    struct nsga2_rating all = {r->obj, r->violation, n, p->n_obj, r->rank, r->crowding};
    nsga2_rate(&all, tmp);
    int *keep = arena_push(&tmp, (size_t)population, sizeof *keep);
    nsga2_survive(keep, population, &all, tmp);
    double *x = arena_push(&tmp, (size_t)population, x_bytes);
    double *obj = arena_push(&tmp, (size_t)population, obj_bytes);
    double *violation = arena_push(&tmp, (size_t)population, sizeof *violation);
    for (int i = 0; i < population; i++) {
        memcpy(x + i * p->n_vars, r->x + keep[i] * p->n_vars, x_bytes);
        memcpy(obj + i * p->n_obj, r->obj + keep[i] * p->n_obj, obj_bytes);
        violation[i] = r->violation[keep[i]];
    }
    memcpy(r->x, x, (size_t)population * x_bytes);
    memcpy(r->obj, obj, (size_t)population * obj_bytes);
    memcpy(r->violation, violation, (size_t)population * sizeof *violation);
}

void nsga2_minimise(double *x, double *obj, const struct nsga2_problem *p,
                    const struct nsga2_settings *s, struct arena tmp)
{
    ASSERT(s->population >= 1 && s->generations >= 1);
    size_t n = 2 * (size_t)s->population, width = (size_t)p->n_vars, n_obj = (size_t)p->n_obj;
    struct nsga2_rows r = {
        .x = arena_push(&tmp, n * width, sizeof(double)),
        .obj = arena_push(&tmp, n * n_obj, sizeof(double)),
        .violation = arena_push(&tmp, n, sizeof(double)),
        .rank = arena_push(&tmp, n, sizeof(int)),
        .crowding = arena_push(&tmp, n, sizeof(double)),
    };
    for (size_t i = 0; i < (size_t)s->population; i++) {
        struct rng rng = rng_key(s->seed, RNG_ARCH, i);
        for (size_t j = 0; j < width; j++) {
            r.x[i * width + j] = p->low[j] + rng_f64(&rng) * (p->high[j] - p->low[j]);
        }
    }
    rows_evaluate(&r, p, 0, s->population);
    for (int generation = 1; generation < s->generations; generation++) {
        struct nsga2_rating parents = {r.obj,    r.violation, s->population,
                                       p->n_obj, r.rank,      r.crowding};
        nsga2_rate(&parents, tmp);
        rows_breed(&r, p, s, &parents, generation, tmp);
        rows_evaluate(&r, p, s->population, s->population);
        rows_survive(&r, p, s->population, tmp);
    }
    memcpy(x, r.x, (size_t)s->population * width * sizeof *x);
    memcpy(obj, r.obj, (size_t)s->population * n_obj * sizeof *obj);
}
