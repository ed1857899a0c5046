#include "nas/smooth.h"

#include <math.h>
#include <string.h>

#include "nas/linalg.h"
#include "nas/ranked.h"
#include "nas/surrogate.h"

/* The share of a score's variance that its neighbours cannot know, at least. Chosen on CIFAR-10's
 * accuracies, judged on CIFAR-100's (docs/REPRODUCTION.md). */
static const double smooth_noise = .1;

/* Of many: by how much of the genes they differ for similarity to fall by a factor of e; how much
 * of a right side the solution may leave unexplained, and after how many rounds it is taken as it
 * is. Where the whole space is known eight rounds do: then the kernel has as many different
 * eigenvalues as genes, and one. */
static const double many_reach = .6, many_residual = 1e-4;
enum { MANY_ROUNDS = 100 };

size_t smooth_bytes(int n)
{
    size_t size = (size_t)n, n_fit = MIN(size, (size_t)SMOOTH_MAX);
    return 2 * surrogate_bytes((int)n_fit) + 6 * arena_round(size * sizeof(double)) +
           arena_round(size * SPACE_MAX_GENES) + arena_round(size);
}

/* The kernel of smooth_many over n networks. */
struct many {
    int n, n_genes;
    uint8_t *genes; /* [n_genes, n] */
    uint8_t *apart; /* [n] scratch: the number of genes that differ */
    double similarity[SPACE_MAX_GENES + 1];
};

static void many_init(struct many *m, const struct space *space, const struct arch *archs, int n,
                      struct arena *keep)
{
    size_t size = (size_t)n;
    *m = (struct many){.n = n, .n_genes = space->n_genes};
    m->genes = arena_push(keep, size, (size_t)m->n_genes);
    m->apart = arena_push(keep, size, 1);
    for (int d = 0; d <= m->n_genes; d++) {
        m->similarity[d] = exp(-d / (many_reach * m->n_genes));
    }
    for (int g = 0; g < m->n_genes; g++) {
        for (size_t i = 0; i < size; i++) {
            m->genes[(size_t)g * size + i] = archs[i].gene[g];
        }
    }
}

/* out = (kernel + noise) x */
static void many_times(double *out, const struct many *m, const double *x, double noise)
{
    for (int i = 0; i < m->n; i++) {
        memset(m->apart, 0, (size_t)i);
        for (int g = 0; g < m->n_genes; g++) {
            const uint8_t *gene = m->genes + (size_t)g * (size_t)m->n;
            for (int k = 0; k < i; k++) {
                m->apart[k] = (uint8_t)(m->apart[k] + (gene[k] != gene[i]));
            }
        }
        double sum = (1 + noise) * x[i];
        for (int k = 0; k < i; k++) {
            double s = m->similarity[m->apart[k]];
            sum += s * x[k];
            out[k] += s * x[i];
        }
        out[i] = sum;
    }
}

/* The posterior mean from all n by conjugate gradients [Hestenes1952]. */
static void smooth_many(double *out, const struct space *space, const struct arch *archs,
                        const double *rank, int n, struct arena tmp)
{
    size_t size = (size_t)n;
    double *weight = arena_push_zero(&tmp, size, sizeof *weight);
    double *left = arena_push(&tmp, size, sizeof *left); /* of the right side */
    double *direction = arena_push(&tmp, size, sizeof *direction);
    double mean = 0;
    struct many m;
    many_init(&m, space, archs, n, &tmp);
    for (int i = 0; i < n; i++) {
        mean += rank[i] / n;
    }
    for (int i = 0; i < n; i++) {
        direction[i] = left[i] = rank[i] - mean;
    }
    double all = linalg_dot(left, left, size), now = all;
    for (int k = 0; k < MANY_ROUNDS && now > many_residual * many_residual * all; k++) {
        many_times(out, &m, direction, smooth_noise);
        double step = now / linalg_dot(direction, out, size), before = now;
        for (int i = 0; i < n; i++) {
            weight[i] += step * direction[i];
            left[i] -= step * out[i];
        }
        now = linalg_dot(left, left, size);
        for (int i = 0; i < n; i++) {
            direction[i] = left[i] + now / before * direction[i];
        }
    }
    many_times(out, &m, weight, 0);
    for (int i = 0; i < n; i++) {
        out[i] += mean;
    }
}

static void smooth_few(double *out, const struct space *space, const struct arch *archs,
                       const double *rank, int n, struct arena tmp)
{
    struct surrogate s;
    struct arena fit = arena_carve(&tmp, surrogate_bytes(n));
    surrogate_fit(&s, &fit, space, archs, rank, n, smooth_noise, tmp);
    for (int i = 0; i < n; i++) {
        surrogate_guess(&s, &archs[i], &out[i], NULL, tmp);
    }
}

void smooth_scores(double *out, const struct space *space, const struct arch *archs,
                   const double *score, int n, struct arena tmp)
{
    ASSERT(n >= 0);
    if (n == 0) {
        return;
    }
    double *rank = arena_push(&tmp, (size_t)n, sizeof *rank);
    ranked_mid(rank, score, n, tmp);
    (n > SMOOTH_MAX ? smooth_many : smooth_few)(out, space, archs, rank, n, tmp);
}
