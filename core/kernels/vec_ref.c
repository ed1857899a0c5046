/* vec_ref.c: element-wise kernels in plain C. Comparisons are written so that a NaN passes through.
 */
#include "core/simd_ref.h"

#include "core/kernels/declare.h"

#include <math.h>

static float vec_act1(float x, enum kernel_act act)
{
    float t;
    switch (act) {
    case KERNEL_RELU:
        return x < 0 ? 0 : x;
    case KERNEL_RELU6:
        return x < 0 ? 0 : x > 6 ? 6 : x;
    case KERNEL_HSWISH:
        t = x + 3;
        t = t < 0 ? 0 : t > 6 ? 6 : t;
        return x * t * (1.0f / 6);
    case KERNEL_SIGMOID:
        return 1 / (1 + expf(-x));
    case KERNEL_TANH:
        return tanhf(x);
    default:
        return x;
    }
}

/* d act / dx. Of ReLU at 0: 0, as PyTorch. */
static float vec_slope1(float x, enum kernel_act act)
{
    float s;
    switch (act) {
    case KERNEL_RELU:
        return x <= 0 ? 0 : 1;
    case KERNEL_RELU6:
        return x <= 0 || x >= 6 ? 0 : 1;
    case KERNEL_HSWISH:
        return x <= -3 ? 0 : x >= 3 ? 1 : (2 * x + 3) * (1.0f / 6);
    case KERNEL_SIGMOID:
        s = vec_act1(x, act);
        return s * (1 - s);
    case KERNEL_TANH:
        s = vec_act1(x, act);
        return 1 - s * s;
    default:
        return 1;
    }
}

void vec_act_f32__ref(float *y, const float *x, size_t n, enum kernel_act act)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = vec_act1(x[i], act);
    }
}

void vec_act_grad_f32__ref(float *dx, const float *x, const float *dy, size_t n,
                           enum kernel_act act, bool add)
{
    for (size_t i = 0; i < n; i++) {
        float slope = vec_slope1(x[i], act);
        float d = slope == 0 ? 0 : slope * dy[i];
        dx[i] = add ? dx[i] + d : d;
    }
}

void vec_sum_f32__ref(float *y, const float *const *x, int n_in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float sum = x[0][i];
        for (int j = 1; j < n_in; j++) {
            sum += x[j][i];
        }
        y[i] = sum;
    }
}

void vec_rows_f32__ref(float *to, ptrdiff_t to_row, const float *from, ptrdiff_t from_row,
                       size_t n_rows, int n, bool relu)
{
    for (size_t r = 0; r < n_rows; r++, to += to_row, from += from_row) {
        for (int i = 0; i < n; i++) {
            to[i] = relu && from[i] < 0 ? 0 : from[i];
        }
    }
}

void vec_transpose_f32__ref(float *to, ptrdiff_t to_row, const float *from, ptrdiff_t from_row,
                            int n_rows, int n_cols)
{
    for (int i = 0; i < n_rows; i++) {
        for (int j = 0; j < n_cols; j++) {
            to[j * to_row + i] = from[i * from_row + j];
        }
    }
}

void vec_axpy_f32__ref(float *y, float a, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += a * x[i];
    }
}

void vec_scale_f32__ref(float *y, float a, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = a * x[i];
    }
}

double vec_dot_f32__ref(const float *x, const float *y, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i] * (double)y[i];
    }
    return sum;
}

void vec_sgd_f32__ref(float *w, float *v, const float *grad, size_t n, const struct kernel_sgd *s)
{
    for (size_t i = 0; i < n; i++) {
        float g = grad[i] + s->decay * w[i];
        if (v) {
            v[i] = s->momentum * v[i] + g;
            g = s->nesterov ? g + s->momentum * v[i] : v[i];
        }
        w[i] -= s->lr * g;
    }
}

void vec_adam_f32__ref(float *w, float *m, float *v, const float *grad, size_t n,
                       const struct kernel_adam *s)
{
    for (size_t i = 0; i < n; i++) {
        float g = grad[i] + s->decay * w[i];
        m[i] = s->beta1 * m[i] + (1 - s->beta1) * g;
        v[i] = s->beta2 * v[i] + (1 - s->beta2) * g * g;
        w[i] -= s->step_size * m[i] / (sqrtf(v[i]) * s->root_correction + s->eps);
    }
}

bool vec_finite_f32__ref(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) {
            return false;
        }
    }
    return true;
}
