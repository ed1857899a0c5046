/* vec.h: element-wise work on long arrays, parallel over fixed chunks. In place is allowed
 * everywhere (y == x). */
#ifndef CORE_VEC_H
#define CORE_VEC_H

#include "core/machine.h"

enum vec_act { VEC_RELU, VEC_RELU6, VEC_HSWISH, VEC_SIGMOID, VEC_TANH };

/* y = act(x) */
void vec_act_forward(const struct machine *mc, enum vec_act act, float *y, const float *x,
                     size_t n);

/* dx (+)= act'(x) dy */
void vec_act_backward(const struct machine *mc, enum vec_act act, float *dx, const float *x,
                      const float *dy, size_t n, bool add);

/* y = sum of n_in inputs (1..8), in index order. */
void vec_sum(const struct machine *mc, float *y, const float *const *x, int n_in, size_t n);

/* y += a x */
void vec_axpy(const struct machine *mc, float *y, float a, const float *x, size_t n);

/* y = a x */
void vec_scale(const struct machine *mc, float *y, float a, const float *x, size_t n);

/* sum x[i] y[i] in double over fixed chunks. */
double vec_dot(const struct machine *mc, const float *x, const float *y, size_t n);

/* One SGD step on w [Sutskever2013, as PyTorch]: g = grad + decay w; v = momentum v + g;
 * w -= lr (nesterov ? g + momentum v : v). v may be NULL when momentum is 0. */
void vec_sgd(const struct machine *mc, float *w, float *v, const float *grad, size_t n, float lr,
             float momentum, float decay, bool nesterov);

/* One Adam step [Kingma2015, Alg. 1]; step counts from 1; decay is added to the gradient (L2). */
void vec_adam(const struct machine *mc, float *w, float *m, float *v, const float *grad, size_t n,
              float lr, float beta1, float beta2, float eps, float decay, int64_t step);

/* False if any element is NaN or infinite. */
bool vec_all_finite(const struct machine *mc, const float *x, size_t n);

#endif
