/* depthwise_ref.c: depthwise work in plain C. */
#include "core/simd_ref.h"

#include "core/kernels/declare.h"
#include "core/kernels/finish_ref.h"

void depthwise_row_f32__ref(const struct kernel_depth *d)
{
    for (size_t p = 0; p < d->n_pixels; p++) {
        ptrdiff_t at = (ptrdiff_t)p * d->y_pixel;
        for (int i = 0; i < d->c; i++) {
            float sum = 0;
            for (int t = 0; t < d->n_taps; t++) {
                sum += d->x[d->taps[t].x + (ptrdiff_t)p * d->x_pixel + i] * d->w[d->taps[t].w + i];
            }
            d->y[at + i] = d->post ? finish_ref(d->post, sum, d->y, at + i, i) : sum;
        }
    }
}

void depthwise_weights_f32__ref(const struct kernel_depth *d)
{
    for (int t = 0; t < d->n_taps; t++) {
        for (size_t p = 0; p < d->n_pixels; p++) {
            const float *x = d->x + d->taps[t].x + (ptrdiff_t)p * d->x_pixel;
            const float *dy = d->y + (ptrdiff_t)p * d->y_pixel;
            for (int i = 0; i < d->c; i++) {
                d->dw[d->taps[t].w + i] += x[i] * dy[i];
            }
        }
    }
}
