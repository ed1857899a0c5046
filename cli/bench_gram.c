/* bench_gram.c: Gram matrices of feature maps, as scores take them. */
#include "cli/bench.h"
#include "core/gemm.h"
#include "core/problem.h"

#include <string.h>

struct bench_gram {
    int n, d; /* images, features of each */
    float *x;
    double *gram;
};

static bool bench_gram_open(struct bench_case cases[BENCH_MAX_CASES], int *n, struct arena *keep,
                            const char *text, const struct bench_request *request, struct err *e)
{
    struct bench_gram *g = arena_push_zero(keep, 1, sizeof *g);
    int v[] = {-1, -1};
    *n = 0;
    if (!problem_numbers(text, "nd", v, bench_gram.form, e)) {
        return false;
    }
    g->n = v[0];
    g->d = v[1];
    g->x = bench_data(keep, (size_t)g->n * (size_t)g->d, 0, e);
    g->gram = g->x ? arena_try(keep, (size_t)g->n * (size_t)g->n, sizeof *g->gram, e) : NULL;
    if (!g->gram) {
        return false;
    }
    bool wanted = strcmp(request->dir, "all") == 0 || strcmp(request->dir, "fwd") == 0;
    if (wanted && (strcmp(request->algo, "auto") == 0 || strcmp(request->algo, "all") == 0)) {
        cases[(*n)++] =
            (struct bench_case){.kind = &bench_gram,
                                .problem = arena_printf(keep, "gram:n%dd%d", g->n, g->d),
                                .direction = "fwd",
                                .algo = "auto",
                                .flops = 2.0 * g->n * g->n * g->d,
                                .bytes = 4.0 * g->n * g->d + 8.0 * g->n * g->n,
                                .mc = request->mc,
                                .state = g};
    }
    return true;
}

static void bench_gram_run(const struct bench_case *c, struct arena tmp)
{
    const struct bench_gram *g = c->state;
    gemm_gram(c->mc, g->gram, g->x, g->n, (size_t)g->d, tmp);
}

/* Sums of -1, 0, 1 are exact below 2^24 terms: the result must be the very same. */
static bool bench_gram_check(const struct bench_case *c, struct arena tmp, struct err *e)
{
    const struct bench_gram *g = c->state;
    size_t n = (size_t)g->n, d = (size_t)g->d;
    bench_gram_run(c, tmp);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t k = 0; k < d; k++) {
                sum += (double)g->x[i * d + k] * (double)g->x[j * d + k];
            }
            if (!(g->gram[i * n + j] == sum)) {
                return err_set(e, ERR_FAILED, "element %zu,%zu is %.9g, the reference %.9g", i, j,
                               g->gram[i * n + j], sum);
            }
        }
    }
    return true;
}

const struct bench_kind bench_gram = {
    .name = "gram",
    .form = "gram:n256d16384",
    .help = "Gram matrix of n images of d features each, X X^T",
    .open = bench_gram_open,
    .check = bench_gram_check,
    .run = bench_gram_run,
};
