/*
 * gemm.h: dense matrix products, row-major, parallel over fixed blocks. OpenBLAS (with one thread)
 * stands beside our own kernels as the floor that they are measured against.
 */
#ifndef CORE_GEMM_H
#define CORE_GEMM_H

#include "core/arena.h"
#include "core/machine.h"

/* C[m,n] = alpha op(A)[m,k] op(B)[k,n] + beta C, leading dimensions in elements. Not in place. */
void gemm(const struct machine *mc, bool trans_a, bool trans_b, int m, int n, int k, float alpha,
          const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);

/* K[n,n] = X[n,d] X^T, all of it filled, computed for one triangle only; sums over fixed blocks of
 * d are added in double, so that the score built on it (RMI) sees no rounding of long sums. Cost
 * n^2 d multiply-adds. */
void gemm_gram(const struct machine *mc, double *gram, const float *x, int n, size_t d,
               struct arena tmp);
size_t gemm_gram_scratch_bytes(const struct machine *mc, int n, size_t d);

/* The same by OpenBLAS, one thread. */
void gemm_blas(bool trans_a, bool trans_b, int m, int n, int k, float alpha, const float *a,
               int lda, const float *b, int ldb, float beta, float *c, int ldc);

/* Facts about the BLAS in use, for the run's manifest: "OpenBLAS 0.3.21 ... SkylakeX pthreads". */
const char *gemm_blas_name(void);

/* Force BLAS to one thread. ERR_FAILED with a clear message where it does not obey. */
MUST_USE bool gemm_blas_init(struct err *e);

#endif
