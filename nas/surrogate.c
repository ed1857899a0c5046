#include "nas/surrogate.h"

#include <math.h>
#include <string.h>

/* Similarity falls by a factor of e over this share of the genes; noise as a share of the variance.
 */
static const double reaches[] = {.15, .3, .6, 1.2}, noises[] = {1e-3, 1e-2, 1e-1};

size_t surrogate_bytes(int n)
{
    size_t size = (size_t)n;
    return 2 * arena_round(size * size * sizeof(double)) + 6 * arena_round(size * sizeof(double));
}

static double similarity(const struct space *s, double reach, const struct arch *a,
                         const struct arch *b)
{
    int n = 0;
    for (int i = 0; i < s->n_genes; i++) {
        n += a->gene[i] != b->gene[i];
    }
    return exp(-(double)n / (reach * s->n_genes));
}

/* In place, lower triangle; false where it is not positive definite. */
static bool factorise(double *a, int n)
{
    for (int r = 0; r < n; r++) {
        for (int c = 0; c <= r; c++) {
            double sum = a[(size_t)r * (size_t)n + (size_t)c];
            const double *x = a + (size_t)r * (size_t)n, *y = a + (size_t)c * (size_t)n;
            for (int k = 0; k < c; k++) {
                sum -= x[k] * y[k];
            }
            if (r == c && sum <= 0) {
                return false;
            }
            a[(size_t)r * (size_t)n + (size_t)c] = r == c ? sqrt(sum) : sum / y[c];
        }
    }
    return true;
}

static void solve_lower(const double *l, int n, double *x)
{
    for (int r = 0; r < n; r++) {
        const double *row = l + (size_t)r * (size_t)n;
        for (int k = 0; k < r; k++) {
            x[r] -= row[k] * x[k];
        }
        x[r] /= row[r];
    }
}

static void solve_upper(const double *l, int n, double *x)
{
    for (int r = n - 1; r >= 0; r--) {
        x[r] /= l[(size_t)r * (size_t)n + (size_t)r];
        for (int k = 0; k < r; k++) {
            x[k] -= l[(size_t)r * (size_t)n + (size_t)k] * x[r];
        }
    }
}

/* Fill factor and weight for this reach and noise; the log likelihood but for a constant. y:
 * standardised values. */
static double try_fit(struct surrogate *s, const double *y, double reach, double noise,
                      double *factor, double *weight)
{
    int n = s->n;
    for (int r = 0; r < n; r++) {
        for (int c = 0; c <= r; c++) {
            factor[(size_t)r * (size_t)n + (size_t)c] =
                similarity(s->space, reach, &s->archs[r], &s->archs[c]) + (r == c ? noise : 0);
        }
    }
    if (!factorise(factor, n)) {
        return -INFINITY;
    }
    double likelihood = 0;
    memcpy(weight, y, (size_t)n * sizeof *y);
    solve_lower(factor, n, weight);
    for (int i = 0; i < n; i++) {
        likelihood -= .5 * weight[i] * weight[i];
        likelihood -= log(factor[(size_t)i * (size_t)n + (size_t)i]);
    }
    solve_upper(factor, n, weight);
    return likelihood;
}

void surrogate_fit(struct surrogate *s, struct arena *keep, const struct space *space,
                   const struct arch *archs, const double *value, int n, struct arena tmp)
{
    ASSERT(n >= 1);
    size_t size = (size_t)n;
    *s = (struct surrogate){.space = space, .n = n, .archs = archs};
    s->factor = arena_push(keep, size * size, sizeof *s->factor);
    s->weight = arena_push(keep, size, sizeof *s->weight);
    double *factor = arena_push(&tmp, size * size, sizeof *factor);
    double *weight = arena_push(&tmp, size, sizeof *weight);
    double *y = arena_push(&tmp, size, sizeof *y), best = -INFINITY;
    for (int i = 0; i < n; i++) {
        ASSERT(isfinite(value[i]));
        s->mean += value[i] / n;
    }
    for (int i = 0; i < n; i++) {
        s->scale += (value[i] - s->mean) * (value[i] - s->mean) / n;
    }
    s->scale = s->scale > 0 ? sqrt(s->scale) : 1;
    for (int i = 0; i < n; i++) {
        y[i] = (value[i] - s->mean) / s->scale;
    }
    for (size_t i = 0; i < N_ELEMS(reaches); i++) {
        for (size_t k = 0; k < N_ELEMS(noises); k++) {
            double likelihood = try_fit(s, y, reaches[i], noises[k], factor, weight);
            if (likelihood > best) {
                best = likelihood;
                s->reach = reaches[i];
                memcpy(s->factor, factor, size * size * sizeof *factor);
                memcpy(s->weight, weight, size * sizeof *weight);
            }
        }
    }
    ASSERT(best > -INFINITY); /* the largest noise makes it positive definite */
}

void surrogate_guess(const struct surrogate *s, const struct arch *a, double *mean, double *sd,
                     struct arena tmp)
{
    double *k = arena_push(&tmp, (size_t)s->n, sizeof *k), sum = 0, explained = 0;
    for (int i = 0; i < s->n; i++) {
        k[i] = similarity(s->space, s->reach, a, &s->archs[i]);
        sum += k[i] * s->weight[i];
    }
    *mean = s->mean + s->scale * sum;
    if (!sd) {
        return;
    }
    solve_lower(s->factor, s->n, k);
    for (int i = 0; i < s->n; i++) {
        explained += k[i] * k[i];
    }
    *sd = s->scale * sqrt(fmax(0, 1 - explained));
}
