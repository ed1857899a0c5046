/* depthwise_ref.c: depthwise work in plain C. */
#include "core/simd_ref.h"

#include "core/kernels/declare.h"
#include "core/kernels/finish_ref.h"

/* Channel i of place q of a tap at pixel p. */
static float depth_x(const struct kernel_depth *d, const struct kernel_tap *tap, int q, size_t p,
                     int i)
{
    ptrdiff_t col = (ptrdiff_t)p * d->stride + q;
    if (col < d->lo || col >= d->hi) {
        return 0;
    }
    float x = d->x[tap->x + col * d->x_col + i];
    return d->relu && x < 0 ? 0 : x;
}

static void depth_row(const struct kernel_depth *d, const struct kernel_depth_row *row)
{
    for (size_t p = 0; p < d->n_pixels; p++) {
        ptrdiff_t at = row->y + (ptrdiff_t)p * d->y_pixel;
        for (int i = 0; i < d->c; i++) {
            float sum = 0;
            for (int t = 0; t < row->n_taps; t++) {
                const struct kernel_tap *tap = &row->taps[t];
                for (int q = 0; q < tap->n; q++) {
                    sum += depth_x(d, tap, q, p, i) * d->w[tap->w + q * d->w_col + i];
                }
            }
            d->y[at + i] = d->post ? finish_ref(d->post, sum, d->y, at + i, i) : sum;
        }
    }
}

void depthwise_rows_f32__ref(const struct kernel_depth *d)
{
    for (int r = 0; r < d->n_rows; r++) {
        depth_row(d, &d->rows[r]);
    }
}

void depthwise_weights_f32__ref(const struct kernel_depth_weights *d)
{
    for (int t = 0; t < d->kh * d->kw; t++) {
        float *dw = d->dw + t * d->step;
        for (int y = d->y0; y < d->y1; y++) {
            for (int p = 0; p < d->ow; p++) {
                int iy = y * d->stride - d->pad + t / d->kw;
                int ix = p * d->stride - d->pad + t % d->kw;
                bool inside = iy >= 0 && iy < d->h && ix >= 0 && ix < d->w;
                const float *x = d->x + ((ptrdiff_t)iy * d->w + ix) * d->step;
                const float *dy = d->dy + ((ptrdiff_t)y * d->ow + p) * d->step;
                for (int i = 0; i < d->c && inside; i++) {
                    dw[i] += (d->relu && x[i] < 0 ? 0 : x[i]) * dy[i];
                }
            }
        }
    }
}
