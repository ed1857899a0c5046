/*
 * dots_body.h: many dot products of rows that lie along the inner dimension, as Gram matrices need
 * them: SIMD_DOTS_A x SIMD_DOTS_B sums at a time, each a register whose lanes are added in double.
 */
#include "core/kernels/declare.h"

enum { DOTS_MAX = SIMD_DOTS_A * SIMD_DOTS_B };

SIMD_INLINE void dots_step(const int NA, const int NB, v_f32 acc[DOTS_MAX], const float *a,
                           ptrdiff_t lda, const float *b, ptrdiff_t ldb, bool part, v_mask m)
{
    v_f32 vb[SIMD_DOTS_B];
    V_FOR (j, NB) {
        vb[j] = v_get(b + j * ldb, part, m);
    }
    V_FOR (i, NA) {
        v_f32 va = v_get(a + i * lda, part, m);
        V_FOR (j, NB) {
            acc[i * NB + j] = v_fma(va, vb[j], acc[i * NB + j]);
        }
    }
}

SIMD_INLINE void dots_tile(const int NA, const int NB, double *sums, ptrdiff_t row, const float *a,
                           ptrdiff_t lda, const float *b, ptrdiff_t ldb, int k)
{
    v_f32 acc[DOTS_MAX];
    V_FOR (i, NA * NB) {
        acc[i] = v_zero();
    }
    int p = 0;
    for (; p + VL <= k; p += VL) {
        dots_step(NA, NB, acc, a + p, lda, b + p, ldb, false, v_first(VL));
    }
    if (p < k) {
        dots_step(NA, NB, acc, a + p, lda, b + p, ldb, true, v_first(k - p));
    }
    V_FOR (i, NA) {
        V_FOR (j, NB) {
            v_f32 v = acc[i * NB + j];
            sums[i * row + j] += v_sum64(v_add64(v_low64(v), v_high64(v)));
        }
    }
}

/* A column of tiles NB wide: its rows of b, 18 KiB of a Gram block, stay in L1 while those of a
 * pass. */
SIMD_INLINE void dots_column(const int NB, double *sums, ptrdiff_t row, const float *a,
                             ptrdiff_t lda, int n_a, const float *b, ptrdiff_t ldb, int k)
{
    int i = 0;
    for (; i + SIMD_DOTS_A <= n_a; i += SIMD_DOTS_A) {
        dots_tile(SIMD_DOTS_A, NB, sums + i * row, row, a + i * lda, lda, b, ldb, k);
    }
    for (; i < n_a; i++) {
        dots_tile(1, NB, sums + i * row, row, a + i * lda, lda, b, ldb, k);
    }
}

void SIMD_NAME(gemm_dots_f32)(double *sums, ptrdiff_t row, const float *a, ptrdiff_t lda, int n_a,
                              const float *b, ptrdiff_t ldb, int n_b, int k)
{
    int j = 0;
    for (; j + SIMD_DOTS_B <= n_b; j += SIMD_DOTS_B) {
        dots_column(SIMD_DOTS_B, sums + j, row, a, lda, n_a, b + j * ldb, ldb, k);
    }
    for (; j + 2 <= n_b; j += 2) {
        dots_column(2, sums + j, row, a, lda, n_a, b + j * ldb, ldb, k);
    }
    if (j < n_b) {
        dots_column(1, sums + j, row, a, lda, n_a, b + j * ldb, ldb, k);
    }
}
