/*
 * gemm.c: products in blocks fixed by size alone. Blocks of GEMM_BLOCK_M x GEMM_BLOCK_N outputs are
 * the items of the threads; for each, blocks of GEMM_BLOCK_K of B are copied side by side
 * (transposed where asked, times alpha) and the product over taps runs over them. OpenBLAS 0.3.21
 * does not know the newest processors and falls back to 256-bit kernels there: 108 GFLOP/s at 512^3
 * on Zen 5 where this does 230.
 */
#include "core/gemm.h"

#include "core/kernel.h"
#include "core/threads.h"

#include <string.h>

/* 96 rows are whole tiles of 6, 4, 3 and 12; 96 columns are 6 registers of 16 and 4 tiles of 3 x 8;
 * the copy of B is 96 KiB: a tenth of a 1 MiB L2, and it fits a thread's stack. */
enum { GEMM_BLOCK_M = 96, GEMM_BLOCK_N = 96, GEMM_BLOCK_K = 256 };

struct gemm_job {
    const struct kernels *kernels;
    bool trans_a, trans_b;
    int m, n, k, lda, ldb, ldc;
    float alpha, beta;
    const float *a, *b;
    float *c;
    int n_blocks_n;
};

/* panel[p * n + j] = alpha op(B)[p0 + p, j0 + j] for n columns. */
static void gemm_pack(const struct gemm_job *g, float *panel, int p0, int n_p, int j0, int n)
{
    size_t ldb = (size_t)g->ldb;
    if (!g->trans_b) {
        for (int p = 0; p < n_p; p++) {
            g->kernels->vec_scale_f32(panel + (size_t)p * (size_t)n, g->alpha,
                                      g->b + (size_t)(p0 + p) * ldb + (size_t)j0, (size_t)n);
        }
        return;
    }
    g->kernels->vec_transpose_f32(panel, n, g->b + (size_t)j0 * ldb + (size_t)p0, (ptrdiff_t)ldb, n,
                                  n_p);
    if (g->alpha != 1) {
        g->kernels->vec_scale_f32(panel, g->alpha, panel, (size_t)n * (size_t)n_p);
    }
}

static void gemm_scale_block(const struct gemm_job *g, int i0, int i1, int j0, int n)
{
    for (int i = i0; i < i1; i++) {
        float *c = g->c + (size_t)i * (size_t)g->ldc + (size_t)j0;
        if (g->beta == 0) {
            memset(c, 0, (size_t)n * sizeof *c);
        } else {
            g->kernels->vec_scale_f32(c, g->beta, c, (size_t)n);
        }
    }
}

static void gemm_block(void *ctx, int item, int i_thread)
{
    const struct gemm_job *g = ctx;
    (void)i_thread;
    int i0 = item / g->n_blocks_n * GEMM_BLOCK_M, i1 = MIN(i0 + GEMM_BLOCK_M, g->m);
    int j0 = item % g->n_blocks_n * GEMM_BLOCK_N, n = MIN(GEMM_BLOCK_N, g->n - j0);
    float panel[GEMM_BLOCK_K * GEMM_BLOCK_N];
    bool plain = g->beta == 0 && g->k > 0;
    if (!plain && g->beta != 1) {
        gemm_scale_block(g, i0, i1, j0, n);
    }
    for (int p0 = 0; p0 < g->k; p0 += GEMM_BLOCK_K) {
        int n_p = MIN(GEMM_BLOCK_K, g->k - p0);
        size_t lda = (size_t)g->lda;
        struct kernel_tap tap = {.n = n_p};
        struct kernel_gemm k = {.x = g->trans_a ? g->a + (size_t)p0 * lda + (size_t)i0
                                                : g->a + (size_t)i0 * lda + (size_t)p0,
                                .w = panel,
                                .y = g->c + (size_t)i0 * (size_t)g->ldc + (size_t)j0,
                                .taps = &tap,
                                .n_taps = 1,
                                .x_row = g->trans_a ? 1 : g->lda,
                                .x_inner = g->trans_a ? g->lda : 1,
                                .w_inner = n,
                                .y_row = g->ldc,
                                .n_rows = (size_t)(i1 - i0),
                                .n_cols = n,
                                .accumulate = !plain || p0 > 0};
        gemm_pack(g, panel, p0, n_p, j0, n);
        g->kernels->gemm_taps_f32(&k);
    }
}

void gemm(const struct machine *mc, bool trans_a, bool trans_b, int m, int n, int k, float alpha,
          const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc)
{
    ASSERT(m >= 0 && n >= 0 && k >= 0);
    ASSERT(lda >= MAX(1, trans_a ? m : k) && ldb >= MAX(1, trans_b ? k : n) && ldc >= MAX(1, n));
    if (m == 0 || n == 0) {
        return;
    }
    struct gemm_job g = {.kernels = mc->k,
                         .trans_a = trans_a,
                         .trans_b = trans_b,
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
                         .n_blocks_n = DIV_UP(n, GEMM_BLOCK_N)};
    threads_for(mc, DIV_UP(m, GEMM_BLOCK_M) * g.n_blocks_n, gemm_block, &g);
}

/*
 * Gram matrix: d is cut into blocks of GRAM_BLOCK_D; a part is a run of blocks, fixed by d alone,
 * with its own sums in double. The parts are added in index order. The rows of a block are copied
 * side by side, a line apart: where d is a power of two they would all fall into the same sets of
 * the caches (9.8 ms instead of 8.9 for 256 x 16384). Columns go in groups of GRAM_TILE, each with
 * all rows below.
 */
enum { GRAM_BLOCK_D = 768, GRAM_MAX_PARTS = 16, GRAM_TILE = 12, GRAM_ROW = GRAM_BLOCK_D + 16 };

/* Fewer rows than this are read where they are: copying would cost more than it saves. */
enum { GRAM_COPY_ROWS = 64 };

struct gemm_gram_job {
    const struct kernels *kernels;
    const float *x;
    double *parts; /* [n_parts, n, n]; only the lower triangle counts */
    float *blocks; /* [n_threads][n, GRAM_ROW] */
    int n, n_parts;
    size_t d, part_d; /* d of a part, a multiple of GRAM_BLOCK_D */
};

static int gemm_gram_parts(size_t d)
{
    size_t blocks = DIV_UP(d, (size_t)GRAM_BLOCK_D);
    return (int)MAX((size_t)1, MIN(blocks, (size_t)GRAM_MAX_PARTS));
}

static void gemm_gram_part(void *ctx, int i_part, int i_thread)
{
    const struct gemm_gram_job *g = ctx;
    size_t n = (size_t)g->n, first = (size_t)i_part * g->part_d;
    size_t last = MIN(g->d, first + g->part_d);
    double *sums = g->parts + (size_t)i_part * n * n;
    float *block = g->blocks + (size_t)i_thread * n * GRAM_ROW;
    memset(sums, 0, n * n * sizeof *sums);
    for (size_t p = first; p < last; p += GRAM_BLOCK_D) {
        size_t k = MIN((size_t)GRAM_BLOCK_D, last - p);
        const float *x = g->x + p;
        size_t row = g->d;
        if (n >= GRAM_COPY_ROWS) {
            for (size_t i = 0; i < n; i++) {
                memcpy(block + i * GRAM_ROW, x + i * g->d, k * sizeof *block);
            }
            x = block;
            row = GRAM_ROW;
        }
        for (size_t j = 0; j < n; j += GRAM_TILE) {
            g->kernels->gemm_dots_f32(sums + j * n + j, (ptrdiff_t)n, x + j * row, (ptrdiff_t)row,
                                      (int)(n - j), x + j * row, (ptrdiff_t)row,
                                      (int)MIN((size_t)GRAM_TILE, n - j), (int)k);
        }
    }
}

size_t gemm_gram_scratch_bytes(const struct machine *mc, int n, size_t d)
{
    return arena_round((size_t)gemm_gram_parts(d) * (size_t)n * (size_t)n * sizeof(double)) +
           arena_round((size_t)mc->n_threads * (size_t)n * GRAM_ROW * sizeof(float));
}

void gemm_gram(const struct machine *mc, double *gram, const float *x, int n, size_t d,
               struct arena tmp)
{
    ASSERT(n >= 0 && d <= INT32_MAX);
    size_t nn = (size_t)n * (size_t)n;
    struct gemm_gram_job g = {
        .kernels = mc->k, .x = x, .n = n, .n_parts = gemm_gram_parts(d), .d = d};
    g.part_d = DIV_UP(DIV_UP(d, (size_t)GRAM_BLOCK_D), (size_t)g.n_parts) * GRAM_BLOCK_D;
    g.parts = arena_push(&tmp, (size_t)g.n_parts * nn, sizeof *g.parts);
    g.blocks = arena_push(&tmp, (size_t)mc->n_threads * (size_t)n * GRAM_ROW, sizeof *g.blocks);
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
