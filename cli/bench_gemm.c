/* bench_gemm.c: plain matrix products. */
#include "cli/bench.h"
#include "core/gemm.h"
#include "core/problem.h"

#include <string.h>

struct bench_gemm {
    int m, n, k;
    float *a, *b, *c;
};

static bool bench_gemm_open(struct bench_case cases[BENCH_MAX_CASES], int *n, struct arena *keep,
                            const char *text, const struct bench_request *request, struct err *e)
{
    struct bench_gemm *g = arena_push_zero(keep, 1, sizeof *g);
    int v[] = {-1, -1, -1};
    *n = 0;
    if (!problem_numbers(text, "mnk", v, bench_gemm.form, e)) {
        return false;
    }
    g->m = v[0];
    g->n = v[1];
    g->k = v[2];
    g->a = bench_data(keep, (size_t)g->m * (size_t)g->k, 0, e);
    g->b = g->a ? bench_data(keep, (size_t)g->k * (size_t)g->n, 1, e) : NULL;
    g->c = g->b ? bench_data(keep, (size_t)g->m * (size_t)g->n, 2, e) : NULL;
    if (!g->c) {
        return false;
    }
    bool wanted = strcmp(request->dir, "all") == 0 || strcmp(request->dir, "fwd") == 0;
    if (wanted && (strcmp(request->algo, "auto") == 0 || strcmp(request->algo, "all") == 0)) {
        cases[(*n)++] =
            (struct bench_case){.kind = &bench_gemm,
                                .problem = arena_printf(keep, "gemm:m%dn%dk%d", g->m, g->n, g->k),
                                .direction = "fwd",
                                .algo = "auto",
                                .flops = 2.0 * g->m * g->n * g->k,
                                .mc = request->mc,
                                .state = g};
    }
    return true;
}

static void bench_gemm_run(const struct bench_case *c, struct arena tmp)
{
    const struct bench_gemm *g = c->state;
    (void)tmp;
    gemm(c->mc, false, false, g->m, g->n, g->k, 1, g->a, g->k, g->b, g->n, 0, g->c, g->n);
}

/* Sums of -1, 0, 1 are exact below 2^24 terms: the result must be the very same. */
static bool bench_gemm_check(const struct bench_case *c, struct arena tmp, struct err *e)
{
    const struct bench_gemm *g = c->state;
    float *expected = arena_try(&tmp, (size_t)g->m * (size_t)g->n, sizeof *expected, e);
    double *row = expected ? arena_try(&tmp, (size_t)g->n, sizeof *row, e) : NULL;
    if (!row) {
        return false;
    }
    for (int i = 0; i < g->m; i++) {
        memset(row, 0, (size_t)g->n * sizeof *row);
        for (int k = 0; k < g->k; k++) {
            double a = (double)g->a[(size_t)i * (size_t)g->k + (size_t)k];
            const float *b = g->b + (size_t)k * (size_t)g->n;
            for (int j = 0; j < g->n; j++) {
                row[j] += a * (double)b[j];
            }
        }
        for (int j = 0; j < g->n; j++) {
            expected[(size_t)i * (size_t)g->n + (size_t)j] = (float)row[j];
        }
    }
    bench_gemm_run(c, tmp);
    return bench_compare(g->c, expected, (size_t)g->m * (size_t)g->n, 0, e);
}

const struct bench_kind bench_gemm = {
    .name = "gemm",
    .form = "gemm:m64n64k64",
    .help = "matrix product: C[m,n] = A[m,k] B[k,n]",
    .open = bench_gemm_open,
    .check = bench_gemm_check,
    .run = bench_gemm_run,
};
