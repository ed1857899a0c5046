#include "nas/smooth.h"

#include "nas/ranked.h"
#include "nas/shortlist.h"
#include "nas/surrogate.h"

/* The share of a score's variance that its neighbours cannot know, at least. Chosen on CIFAR-10's
 * accuracies, judged on CIFAR-100's (docs/REPRODUCTION.md). */
static const double smooth_noise = .1;

size_t smooth_bytes(int n)
{
    size_t size = (size_t)n, n_fit = MIN(size, (size_t)SMOOTH_MAX);
    return 2 * surrogate_bytes((int)n_fit) + shortlist_bytes(n) +
           2 * arena_round(n_fit * sizeof(double)) + arena_round(n_fit * sizeof(struct arch)) +
           4 * arena_round(size * sizeof(double));
}

/* Which MIN(n, SMOOTH_MAX) of n networks the guesses rest on. */
static void smooth_sample(int *idx, const double *score, const double *cost, int n,
                          struct arena tmp)
{
    int n_sample = MIN(n, (int)SMOOTH_MAX);
    int n_best = n > n_sample ? n_sample / 4 * 3 : 0;
    n_best = shortlist_choose(idx, n_best, score, cost, n, tmp);
    bool *taken = arena_push_zero(&tmp, (size_t)n, sizeof *taken);
    for (int i = 0; i < n_best; i++) {
        taken[idx[i]] = true;
    }
    /* The n_left that were not taken, every n_left / n_more-th of them. */
    int64_t n_left = n - n_best, n_more = n_sample - n_best, seen = 0;
    int at = n_best;
    for (int i = 0; i < n; i++) {
        if (!taken[i]) {
            if (seen * n_more / n_left != (seen + 1) * n_more / n_left) {
                idx[at++] = i;
            }
            seen++;
        }
    }
    ASSERT(at == n_sample);
}

void smooth_scores(double *out, const struct space *space, const struct arch *archs,
                   const double *score, const double *cost, int n, struct arena tmp)
{
    ASSERT(n >= 0);
    if (n == 0) {
        return;
    }
    size_t n_fit = (size_t)MIN(n, (int)SMOOTH_MAX);
    int *idx = arena_push(&tmp, n_fit, sizeof *idx);
    double *rank = arena_push(&tmp, (size_t)n, sizeof *rank);
    double *known = arena_push(&tmp, n_fit, sizeof *known);
    struct arch *from = arena_push(&tmp, n_fit, sizeof *from);
    ranked_mid(rank, score, n, tmp);
    smooth_sample(idx, score, cost, n, tmp);
    for (size_t i = 0; i < n_fit; i++) {
        known[i] = rank[idx[i]];
        from[i] = archs[idx[i]];
    }
    struct surrogate s;
    struct surrogate_model model = {space, space_path_distance, smooth_noise};
    struct arena fit = arena_carve(&tmp, surrogate_bytes((int)n_fit));
    surrogate_fit(&s, &fit, &model, from, known, (int)n_fit, tmp);
    for (int i = 0; i < n; i++) {
        surrogate_guess(&s, &archs[i], &out[i], NULL, tmp);
    }
}
