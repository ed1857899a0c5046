#include "core/gemm.h"

#include "core/kernel.h"
#include "core/threads.h"

#include <cblas-openblas.h>
#include <stdio.h>
#include <string.h>

/* Rows of C in one call of BLAS: the same blocks for any number of threads, so the same bits. 96 is
 * a multiple of the micro-tiles of every flavour (16, 12, 8, 6, 4 rows) and leaves 43 blocks for
 * two threads at m = 4096. */
enum { GEMM_BLOCK_M = 96, GEMM_BLOCK_N = 1024 };

struct gemm_job {
    bool trans_a, trans_b, blas;
    int m, n, k, lda, ldb, ldc;
    float alpha, beta;
    const float *a, *b;
    float *c;
    int n_blocks_m, n_blocks_n;
};

/* Plain C, sums in index order of k. */
static void gemm_plain(const struct gemm_job *g, int i0, int i1, int j0, int j1)
{
    for (int i = i0; i < i1; i++) {
        for (int j = j0; j < j1; j++) {
            float sum = 0;
            for (int p = 0; p < g->k; p++) {
                float a = g->trans_a ? g->a[(size_t)p * (size_t)g->lda + (size_t)i]
                                     : g->a[(size_t)i * (size_t)g->lda + (size_t)p];
                float b = g->trans_b ? g->b[(size_t)j * (size_t)g->ldb + (size_t)p]
                                     : g->b[(size_t)p * (size_t)g->ldb + (size_t)j];
                sum += a * b;
            }
            float *c = &g->c[(size_t)i * (size_t)g->ldc + (size_t)j];
            *c = g->alpha * sum + (g->beta == 0 ? 0 : g->beta * *c);
        }
    }
}

static void gemm_block(void *ctx, int item, int i_thread)
{
    const struct gemm_job *g = ctx;
    (void)i_thread;
    int i0 = item / g->n_blocks_n * GEMM_BLOCK_M, i1 = MIN(i0 + GEMM_BLOCK_M, g->m);
    int j0 = item % g->n_blocks_n * GEMM_BLOCK_N, j1 = MIN(j0 + GEMM_BLOCK_N, g->n);
    if (!g->blas) {
        gemm_plain(g, i0, i1, j0, j1);
        return;
    }
    const float *a = g->a + (size_t)i0 * (g->trans_a ? 1 : (size_t)g->lda);
    const float *b = g->b + (size_t)j0 * (g->trans_b ? (size_t)g->ldb : 1);
    cblas_sgemm(CblasRowMajor, g->trans_a ? CblasTrans : CblasNoTrans,
                g->trans_b ? CblasTrans : CblasNoTrans, i1 - i0, j1 - j0, g->k, g->alpha, a, g->lda,
                b, g->ldb, g->beta, g->c + (size_t)i0 * (size_t)g->ldc + (size_t)j0, g->ldc);
}

void gemm(const struct machine *mc, bool trans_a, bool trans_b, int m, int n, int k, float alpha,
          const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc)
{
    ASSERT(m >= 0 && n >= 0 && k >= 0);
    ASSERT(lda >= MAX(1, trans_a ? m : k) && ldb >= MAX(1, trans_b ? k : n) && ldc >= MAX(1, n));
    if (m == 0 || n == 0) {
        return;
    }
    struct gemm_job g = {.trans_a = trans_a,
                         .trans_b = trans_b,
                         .blas = mc->tier != CPU_REF && k > 0,
                         .m = m,
                         .n = n,
                         .k = k,
                         .lda = lda,
                         .ldb = ldb,
                         .ldc = ldc,
                         .alpha = alpha,
                         .beta = beta,
                         .a = a,
                         .b = b,
                         .c = c,
                         .n_blocks_m = DIV_UP(m, GEMM_BLOCK_M),
                         .n_blocks_n = DIV_UP(n, GEMM_BLOCK_N)};
    threads_for(mc, g.n_blocks_m * g.n_blocks_n, gemm_block, &g);
}

/* Gram matrix: d is cut into blocks of GRAM_BLOCK_D; an item is a run of blocks (fixed by d alone)
 * with its own double sum, the sums are added in index order. */
enum { GRAM_BLOCK_D = 4096, GRAM_MAX_PARTS = 16, GRAM_TILE = 64 };

struct gemm_gram_job {
    const struct machine *mc;
    const float *x;
    double *parts; /* [n_parts, n, n] */
    float *block;  /* [n_threads, GRAM_TILE, n] */
    int n, n_parts;
    size_t d, blocks_a_part;
};

static int gemm_gram_parts(size_t d)
{
    size_t blocks = DIV_UP(d, (size_t)GRAM_BLOCK_D);
    return (int)MAX((size_t)1, MIN(blocks, (size_t)GRAM_MAX_PARTS));
}

static void gemm_gram_tile(const struct gemm_gram_job *g, double *sum, float *out, const float *x,
                           int i0, int d)
{
    int i1 = MIN(i0 + GRAM_TILE, g->n);
    struct machine one = machine_serial(g->mc);
    gemm(&one, false, true, i1 - i0, i1, d, 1, x + (size_t)i0 * g->d, (int)g->d, x, (int)g->d, 0,
         out, g->n);
    for (int i = i0; i < i1; i++) {
        for (int j = 0; j <= i; j++) {
            sum[(size_t)i * (size_t)g->n + (size_t)j] +=
                (double)out[(size_t)(i - i0) * (size_t)g->n + (size_t)j];
        }
    }
}

static void gemm_gram_part(void *ctx, int i_part, int i_thread)
{
    const struct gemm_gram_job *g = ctx;
    size_t nn = (size_t)g->n * (size_t)g->n;
    double *sum = g->parts + (size_t)i_part * nn;
    float *out = g->block + (size_t)i_thread * GRAM_TILE * (size_t)g->n;
    memset(sum, 0, nn * sizeof *sum);
    size_t first = (size_t)i_part * g->blocks_a_part * GRAM_BLOCK_D;
    size_t last = MIN(g->d, first + g->blocks_a_part * GRAM_BLOCK_D);
    for (size_t d0 = first; d0 < last; d0 += GRAM_BLOCK_D) {
        int d = (int)MIN((size_t)GRAM_BLOCK_D, last - d0);
        for (int i0 = 0; i0 < g->n; i0 += GRAM_TILE) {
            gemm_gram_tile(g, sum, out, g->x + d0, i0, d);
        }
    }
}

size_t gemm_gram_scratch_bytes(const struct machine *mc, int n, size_t d)
{
    size_t nn = (size_t)n * (size_t)n;
    return arena_round((size_t)gemm_gram_parts(d) * nn * sizeof(double)) +
           arena_round((size_t)mc->n_threads * GRAM_TILE * (size_t)n * sizeof(float));
}

void gemm_gram(const struct machine *mc, double *gram, const float *x, int n, size_t d,
               struct arena tmp)
{
    ASSERT(n >= 0 && d <= INT32_MAX);
    size_t nn = (size_t)n * (size_t)n;
    struct gemm_gram_job g = {.mc = mc, .x = x, .n = n, .n_parts = gemm_gram_parts(d), .d = d};
    g.blocks_a_part = DIV_UP(DIV_UP(d, (size_t)GRAM_BLOCK_D), (size_t)g.n_parts);
    g.parts = arena_push(&tmp, (size_t)g.n_parts * nn, sizeof *g.parts);
    g.block = arena_push(&tmp, (size_t)mc->n_threads * GRAM_TILE * (size_t)n, sizeof *g.block);
    threads_for(mc, g.n_parts, gemm_gram_part, &g);
    for (size_t i = 0; i < (size_t)n; i++) {
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;
            for (int p = 0; p < g.n_parts; p++) {
                sum += g.parts[(size_t)p * nn + i * (size_t)n + j];
            }
            gram[i * (size_t)n + j] = gram[j * (size_t)n + i] = sum;
        }
    }
}

const char *gemm_blas_name(void)
{
    return openblas_get_config();
}

bool gemm_blas_init(struct err *e)
{
    static const char *const kinds[] = {"serial", "pthreads", "OpenMP"};
    int kind = openblas_get_parallel();
    openblas_set_num_threads(1);
    int n = openblas_get_num_threads();
    if (n == 1) {
        return true;
    }
    err_set(e, ERR_FAILED, "BLAS (%s, %s) keeps %d threads where hdnas needs it serial",
            openblas_get_config(),
            kind >= 0 && kind < (int)N_ELEMS(kinds) ? kinds[kind] : "of an unknown kind", n);
    return err_hint(e, "set OPENBLAS_NUM_THREADS=1 (OMP_NUM_THREADS=1 for the OpenMP flavour)");
}
