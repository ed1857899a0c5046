#include "nas/smooth.h"

#include <math.h>
#include <string.h>

#include "nas/linalg.h"
#include "nas/ranked.h"

/* By what share of the genes networks differ for similarity to fall by a factor of e. Chosen on
 * CIFAR-10's accuracies as both noises are, judged on CIFAR-100's (docs/REPRODUCTION.md). */
static const double reach = .6;

/* How much of a right side the solution may leave unexplained, and after how many rounds it is
 * taken as it is. Where the whole space is known eight rounds do: then the kernel has as many
 * different eigenvalues as genes, and one. */
static const double max_residual = 1e-4;
enum { MAX_ROUNDS = 100 };

double smooth_to_choose(int n)
{
    return .01 * sqrt(n);
}

size_t smooth_bytes(int n)
{
    size_t size = (size_t)n;
    return 8 * arena_round(size * sizeof(double)) + arena_round(size * SPACE_MAX_GENES) +
           arena_round(size);
}

/* apart[n]: in how many genes the first n networks of a fit differ from these. */
static void count_apart(uint8_t *apart, const struct smooth *s, const uint8_t *gene, int stride,
                        int n)
{
    memset(apart, 0, (size_t)n);
    for (int g = 0; g < s->space->n_genes; g++) {
        const uint8_t *other = s->genes + (size_t)g * (size_t)s->n, own = gene[g * stride];
        for (int k = 0; k < n; k++) {
            apart[k] = (uint8_t)(apart[k] + (other[k] != own));
        }
    }
}

/* out[n] = (kernel + noise) x */
static void times(double *out, const struct smooth *s, const double *x, double noise,
                  uint8_t *apart)
{
    for (int i = 0; i < s->n; i++) {
        count_apart(apart, s, s->genes + i, s->n, i);
        double sum = (1 + noise) * x[i];
        for (int k = 0; k < i; k++) {
            double similarity = s->similarity[apart[k]];
            sum += similarity * x[k];
            out[k] += similarity * x[i];
        }
        out[i] = sum;
    }
}

void smooth_fit(struct smooth *s, struct arena *keep, const struct space *space,
                const struct arch *archs, const double *score, int n, double noise,
                struct arena tmp)
{
    ASSERT(n >= 1);
    size_t size = (size_t)n;
    *s = (struct smooth){.space = space, .n = n};
    s->genes = arena_push(keep, size, (size_t)space->n_genes);
    s->weight = arena_push_zero(keep, size, sizeof *s->weight);
    for (int d = 0; d <= space->n_genes; d++) {
        s->similarity[d] = exp(-d / (reach * space->n_genes));
    }
    for (int g = 0; g < space->n_genes; g++) {
        for (size_t i = 0; i < size; i++) {
            s->genes[(size_t)g * size + i] = archs[i].gene[g];
        }
    }
    double *left = arena_push(&tmp, size, sizeof *left); /* of the right side */
    double *direction = arena_push(&tmp, size, sizeof *direction);
    double *product = arena_push(&tmp, size, sizeof *product);
    uint8_t *apart = arena_push(&tmp, size, 1);
    ranked_mid(left, score, n, tmp);
    s->mean = .5 * (n - 1); /* of ranks */
    for (int i = 0; i < n; i++) {
        direction[i] = left[i] -= s->mean;
    }
    double all = linalg_dot(left, left, size), now = all;
    for (int k = 0; k < MAX_ROUNDS && now > max_residual * max_residual * all; k++) {
        times(product, s, direction, noise, apart);
        double step = now / linalg_dot(direction, product, size), before = now;
        for (int i = 0; i < n; i++) {
            s->weight[i] += step * direction[i];
            left[i] -= step * product[i];
        }
        now = linalg_dot(left, left, size);
        for (int i = 0; i < n; i++) {
            direction[i] = left[i] + now / before * direction[i];
        }
    }
}

double smooth_guess(const struct smooth *s, const struct arch *arch, struct arena tmp)
{
    uint8_t *apart = arena_push(&tmp, (size_t)s->n, 1);
    count_apart(apart, s, arch->gene, 1, s->n);
    double sum = 0;
    for (int k = 0; k < s->n; k++) {
        sum += s->similarity[apart[k]] * s->weight[k];
    }
    return s->mean + sum;
}

void smooth_scores(double *out, const struct space *space, const struct arch *archs,
                   const double *score, int n, double noise, struct arena tmp)
{
    ASSERT(n >= 0);
    if (n == 0) {
        return;
    }
    struct smooth s;
    struct arena keep = arena_carve(&tmp, arena_round((size_t)n * (size_t)space->n_genes) +
                                              arena_round((size_t)n * sizeof(double)));
    smooth_fit(&s, &keep, space, archs, score, n, noise, tmp);
    times(out, &s, s.weight, 0, arena_push(&tmp, (size_t)n, 1));
    for (int i = 0; i < n; i++) {
        out[i] += s.mean;
    }
}
