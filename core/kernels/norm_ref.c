/* norm_ref.c: batch norm in plain C, over rows of c channels. */
#include "core/simd_ref.h"

#include "core/kernels/declare.h"

void norm_moments_f32__ref(float *sum, float *sum2, const float *mean, const float *x,
                           size_t n_rows, int c)
{
    for (int j = 0; j < c; j++) {
        sum[j] = sum2[j] = 0;
    }
    for (size_t i = 0; i < n_rows; i++) {
        for (int j = 0; j < c; j++) {
            float d = x[i * (size_t)c + (size_t)j] - mean[j];
            sum[j] += d;
            sum2[j] += d * d;
        }
    }
}

void norm_apply_f32__ref(float *y, const float *x, const float *scale, const float *shift,
                         size_t n_rows, int c, bool relu, bool add)
{
    for (size_t i = 0; i < n_rows; i++) {
        for (int j = 0; j < c; j++) {
            size_t at = i * (size_t)c + (size_t)j;
            float v = x[at] * scale[j] + shift[j];
            v = relu && v < 0 ? 0 : v;
            y[at] = add ? y[at] + v : v;
        }
    }
}

void norm_sum_f32__ref(const struct kernel_norm_sum *s)
{
    for (size_t at = 0; at < s->n_rows * (size_t)s->c; at++) {
        size_t j = at % (size_t)s->c;
        float v = s->shift[j];
        for (int i = 0; i < s->n_scaled; i++) {
            v += s->x[i][at] * s->scale[i][j];
        }
        float sum = s->n_plain > 0 ? s->x[s->n_scaled][at] : 0;
        for (int i = 1; i < s->n_plain; i++) {
            sum += s->x[s->n_scaled + i][at];
        }
        v = s->n_plain > 0 ? sum + v : v;
        s->y[at] = s->relu && v < 0 ? 0 : v;
    }
}

/* The gradient that counts. */
static float norm_dy(const struct kernel_norm_grad *g, size_t at, int j)
{
    return g->scale && g->x[at] * g->scale[j] + g->shift[j] <= 0 ? 0 : g->dy[at];
}

void norm_grad_sums_f32__ref(float *sum_dy, float *sum_dyx, const struct kernel_norm_grad *g)
{
    for (int j = 0; j < g->c; j++) {
        sum_dy[j] = sum_dyx[j] = 0;
    }
    for (size_t i = 0; i < g->n_rows; i++) {
        for (int j = 0; j < g->c; j++) {
            size_t at = i * (size_t)g->c + (size_t)j;
            float dy = norm_dy(g, at, j);
            sum_dy[j] += dy;
            sum_dyx[j] += dy * (g->x[at] - g->mean[j]);
        }
    }
}

void norm_grad_f32__ref(float *dx, const struct kernel_norm_grad *g, const float *a, const float *b,
                        const float *d, bool add)
{
    for (size_t i = 0; i < g->n_rows; i++) {
        for (int j = 0; j < g->c; j++) {
            size_t at = i * (size_t)g->c + (size_t)j;
            float v = a[j] * norm_dy(g, at, j) + b[j] * (g->x[at] - g->mean[j]) + d[j];
            dx[at] = add ? dx[at] + v : v;
        }
    }
}

void norm_row_sum_f32__ref(float *sum, const float *x, size_t n_rows, int c)
{
    for (size_t i = 0; i < n_rows; i++) {
        for (int j = 0; j < c; j++) {
            sum[j] += x[i * (size_t)c + (size_t)j];
        }
    }
}
