/* linalg.h: the little dense linear algebra that scores need, in double, for matrices of up to some
 * hundred rows. */
#ifndef NAS_LINALG_H
#define NAS_LINALG_H

#include "core/base.h"

/* sum_i a[i] b[i], in the order of i. */
double linalg_dot(const double *a, const double *b, size_t n);

/* log |det A| of a[n, n] by LU with partial pivoting; a is overwritten. -INFINITY where a pivot is
 * zero. O(n^3). */
double linalg_log_det(double *a, int n);

/* Eigenvalues of the symmetric a[n, n], ascending in values[n], by reflections to tridiagonal form
 * and implicit QL [Golub2013, 8.3]; a is overwritten. Absolute error about n u |A|. O(n^3). */
void linalg_eigenvalues(double *values, double *a, int n);

/* Largest singular value of a[m, n]: the root of the largest eigenvalue of the smaller of A A^T and
 * A^T A, which scratch[min(m, n)^2 + min(m, n)] holds. */
double linalg_norm(const double *a, int m, int n, double *scratch);

#endif
