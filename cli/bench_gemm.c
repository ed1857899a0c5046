/* bench_gemm.c: plain matrix products, and the two ways back through one: a linear layer. */
#include "cli/bench.h"
#include "core/gemm.h"
#include "core/problem.h"

#include <string.h>

enum gemm_dir { GEMM_FWD, GEMM_BWD_DATA, GEMM_BWD_WEIGHTS };
static const char *const bench_gemm_dirs[] = {"fwd", "bwd_data", "bwd_weights"};

/* C[m,n] = A[m,k] B[k,n]: rows of A are images, B is what is learnt. */
struct bench_gemm {
    int m, n, k;
    float *a, *b, *c, *out; /* out: the largest of the three */
};

/* One product of two of the three, one of them transposed. */
struct gemm_product {
    bool trans_a, trans_b;
    int m, n, k;
    const float *a, *b;
    int lda, ldb;
};

static struct gemm_product gemm_of(const struct bench_gemm *g, enum gemm_dir dir)
{
    switch (dir) {
    case GEMM_BWD_DATA: /* dA[m,k] = dC B^T */
        return (struct gemm_product){false, true, g->m, g->k, g->n, g->c, g->b, g->n, g->n};
    case GEMM_BWD_WEIGHTS: /* dB[k,n] = A^T dC */
        return (struct gemm_product){true, false, g->k, g->n, g->m, g->a, g->c, g->k, g->n};
    case GEMM_FWD:
        break;
    }
    return (struct gemm_product){false, false, g->m, g->n, g->k, g->a, g->b, g->k, g->n};
}

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
    size_t n_a = (size_t)g->m * (size_t)g->k, n_b = (size_t)g->k * (size_t)g->n;
    size_t n_c = (size_t)g->m * (size_t)g->n;
    g->a = bench_data(keep, n_a, 0, e);
    g->b = g->a ? bench_data(keep, n_b, 1, e) : NULL;
    g->c = g->b ? bench_data(keep, n_c, 2, e) : NULL;
    g->out = g->c ? bench_data(keep, MAX(n_a, MAX(n_b, n_c)), 3, e) : NULL;
    if (!g->out) {
        return false;
    }
    const char *problem = arena_printf(keep, "gemm:m%dn%dk%d", g->m, g->n, g->k);
    bool asked = strcmp(request->algo, "auto") == 0 || strcmp(request->algo, "all") == 0;
    for (int dir = 0; asked && dir < (int)N_ELEMS(bench_gemm_dirs); dir++) {
        if (strcmp(request->dir, "all") == 0 || strcmp(request->dir, bench_gemm_dirs[dir]) == 0) {
            cases[(*n)++] = (struct bench_case){.kind = &bench_gemm,
                                                .problem = problem,
                                                .direction = bench_gemm_dirs[dir],
                                                .algo = "auto",
                                                .flops = 2.0 * g->m * g->n * g->k,
                                                .bytes = 4.0 * (double)(n_a + n_b + n_c),
                                                .mc = request->mc,
                                                .state = g,
                                                .variant = {dir}};
        }
    }
    return true;
}

static void bench_gemm_run(const struct bench_case *c, struct arena tmp)
{
    const struct bench_gemm *g = c->state;
    struct gemm_product p = gemm_of(g, (enum gemm_dir)c->variant[0]);
    (void)tmp;
    gemm(c->mc, p.trans_a, p.trans_b, p.m, p.n, p.k, 1, p.a, p.lda, p.b, p.ldb, 0, g->out, p.n);
}

/* Sums of -1, 0, 1 are exact below 2^24 terms: the result must be the very same. */
static bool bench_gemm_check(const struct bench_case *c, struct arena tmp, struct err *e)
{
    const struct bench_gemm *g = c->state;
    struct gemm_product p = gemm_of(g, (enum gemm_dir)c->variant[0]);
    size_t n = (size_t)p.n, a_row = p.trans_a ? 1 : (size_t)p.lda, b_row = (size_t)p.ldb;
    size_t a_col = p.trans_a ? (size_t)p.lda : 1, b_col = 1;
    if (p.trans_b) {
        b_row = 1;
        b_col = (size_t)p.ldb;
    }
    float *expected = arena_try(&tmp, (size_t)p.m * n, sizeof *expected, e);
    double *row = expected ? arena_try(&tmp, n, sizeof *row, e) : NULL;
    if (!row) {
        return false;
    }
    for (size_t i = 0; i < (size_t)p.m; i++) {
        memset(row, 0, n * sizeof *row);
        for (size_t k = 0; k < (size_t)p.k; k++) {
            double a = (double)p.a[i * a_row + k * a_col];
            for (size_t j = 0; j < n; j++) {
                row[j] += a * (double)p.b[k * b_row + j * b_col];
            }
        }
        for (size_t j = 0; j < n; j++) {
            expected[i * n + j] = (float)row[j];
        }
    }
    bench_gemm_run(c, tmp);
    return bench_compare(g->out, expected, (size_t)p.m * n, 0, e);
}

const struct bench_kind bench_gemm = {
    .name = "gemm",
    .form = "gemm:m64n64k64",
    .help = "matrix product C[m,n] = A[m,k] B[k,n] as in a linear layer of m images; backwards "
            "dA = dC B^T and dB = A^T dC",
    .open = bench_gemm_open,
    .check = bench_gemm_check,
    .run = bench_gemm_run,
};
