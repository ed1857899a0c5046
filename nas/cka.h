/*
 * cka.h: linear centred kernel alignment between feature maps [Kornblith2019], the normalised HSIC
 * that RMI-NAS [Zheng2022] sums over depths. Works on n x n Gram matrices in double, so the shapes
 * of the two networks need not match.
 */
#ifndef NAS_CKA_H
#define NAS_CKA_H

#include "core/arena.h"
#include "core/machine.h"
#include "core/tensor.h"

/* gram[n, n] = H X X^T H for features x[n, h, w, c], H = I - 11^T/n. O(n^2 hwc). */
void cka_gram(const struct machine *mc, double *gram, const struct tensor *x, struct arena tmp);
size_t cka_gram_scratch_bytes(const struct machine *mc, int n, size_t d);

/* K <- H K H in place, means in double. */
void cka_centre(double *gram, int n);

/* <G,T> / (|G| |T|) of two centred Gram matrices, in [0, 1] up to rounding; NaN where either is
 * zero (a network whose features do not depend on the image). */
double cka_value(const double *g, const double *t, int n);

/* weight[n, n] such that d CKA / dX = weight X:  2 (T/|T| - cka G/|G|) / |G|, times scale.
 * Symmetric. */
void cka_gradient(float *weight, const double *g, const double *t, int n, double scale);

#endif
