/* loss.h: losses over a batch. Each returns the mean over the batch in double and writes the
 * gradient of that mean. */
#ifndef NN_LOSS_H
#define NN_LOSS_H

#include "core/base.h"

/* Softmax cross-entropy with label smoothing s: target = (1 - s) onehot + s / n_classes. dlogits[n,
 * n_classes] may be NULL. per_image[n] (unweighted loss of each image) may be NULL. weight
 * multiplies the gradient only. */
double loss_cross_entropy(const float *logits, const int32_t *labels, int n, int n_classes,
                          float smoothing, float weight, float *dlogits, float *per_image);

/* Mean of (x - t)^2 over all elements. */
double loss_mse(const float *x, const float *target, size_t count, float weight, float *dx);

/* Binary cross-entropy of sigmoid(x) against targets in [0,1], from the logits x (stable), mean
 * over all elements. */
double loss_bce(const float *x, const float *target, size_t count, float weight, float *dx);

/* KL divergence of N(mu, exp(logvar)) from N(0, 1) [Kingma2014, app. B], summed over the dims of an
 * image: -1/2 sum(1 + logvar - mu^2 - exp(logvar)), mean over n images. Both [n, dims]. dmu and
 * dlogvar may both be NULL. */
double loss_kl(const float *mu, const float *logvar, int n, int dims, float weight, float *dmu,
               float *dlogvar);

/* Rows of logits whose largest entry (first of equals) is the label. */
int loss_count_correct(const float *logits, const int32_t *labels, int n, int n_classes);

#endif
