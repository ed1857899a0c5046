/*
 * norm.h: batch normalisation over n_pixels = n h w rows of c channels [Ioffe2015]. Sums run over
 * fixed chunks of rows, combined in double in index order.
 */
#ifndef CORE_NORM_H
#define CORE_NORM_H

#include "core/arena.h"
#include "core/machine.h"

size_t norm_scratch_bytes(const struct machine *mc, size_t n_pixels, int c);

/* mean[c] and biased var[c] of x[n_pixels, c]; squares are taken around a mean, so that nothing is
 * lost where it is large beside the deviation, and var >= 0 always. */
void norm_stats(const struct machine *mc, float *mean, float *var, const float *x, size_t n_pixels,
                int c, struct arena tmp);

/* The same for a batch that comes in parts: part[2 c] takes the mean and the sum of squares around
 * it of some rows, in double; norm_unite gives mean and var of the union of parts, rows[i] each, in
 * index order [Chan1979]. */
void norm_part(const struct machine *mc, double *part, const float *x, size_t n_pixels, int c,
               struct arena tmp);
void norm_unite(float *mean, float *var, const double *parts, const size_t *rows, int n_parts,
                int c);

/* y = x * scale[c] + shift[c], then ReLU if asked, (+)= if add. In place allowed (y == x) when not
 * add. */
void norm_apply(const struct machine *mc, float *y, const float *x, const float *scale,
                const float *shift, size_t n_pixels, int c, bool relu, bool add);

/* Train-mode backward. With xhat = (x - mean) rstd:  dgamma = sum dy xhat, dbeta = sum dy,
 * dx (+)= gamma rstd / N (N dy - dbeta - xhat dgamma). dx may be NULL (only the parameters'
 * gradients). */
void norm_backward(const struct machine *mc, float *dx, float *dgamma, float *dbeta, const float *x,
                   const float *dy, const float *mean, const float *rstd, const float *gamma,
                   size_t n_pixels, int c, bool add, struct arena tmp);

#endif
