/*
 * conv_ref.c: convolution as it is defined, in plain C. Each output is one float sum in the order
 * kernel row, kernel column, channel (forward: input channel, backward data: output channel);
 * backward weights sums the pixels of an image, then images, in index order within at most
 * CONV_MAX_PARTS parts that are added in index order.
 */
#include "core/conv_room.h"

#include "core/threads.h"

#include <string.h>

float conv_ref_finish(const struct conv_post *post, float v, size_t at, int k)
{
    v = post->scale ? v * post->scale[k] : v;
    v = post->shift ? v + post->shift[k] : v;
    v = post->add ? v + post->add[at] : v;
    float t;
    switch (post->act) {
    case CONV_ACT_RELU:
        return v < 0 ? 0 : v;
    case CONV_ACT_RELU6:
        return v < 0 ? 0 : v > 6 ? 6 : v;
    case CONV_ACT_HSWISH:
        t = v + 3;
        return v * (t < 0 ? 0 : t > 6 ? 6 : t) * (1.0f / 6);
    default:
        return v;
    }
}

static bool conv_ref_can(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir)
{
    (void)mc;
    (void)s;
    (void)dir;
    return true;
}

static float conv_ref_relu(float v, bool relu)
{
    return relu && v < 0 ? 0 : v;
}

/* One output pixel y[k] += sum over taps and channels; cg, kg: channels of a group. */
static void conv_ref_pixel(const struct conv_job *j, float *y, const float *x, int oy, int ox)
{
    const struct conv_shape *s = j->s;
    int cg = s->c / s->groups, kg = s->k / s->groups;
    for (int r = 0; r < s->kh; r++) {
        int iy = oy * s->stride - s->pad + r;
        for (int q = 0; q < s->kw; q++) {
            int ix = ox * s->stride - s->pad + q;
            if (iy < 0 || iy >= s->h || ix < 0 || ix >= s->w) {
                continue;
            }
            const float *in = x + ((size_t)iy * (size_t)s->w + (size_t)ix) * (size_t)s->c;
            const float *w = j->w + (size_t)(r * s->kw + q) * (size_t)cg * (size_t)s->k;
            for (int c = 0; c < cg; c++, w += s->k) {
                for (int g = 0; g < s->groups; g++) {
                    float v = conv_ref_relu(in[g * cg + c], j->relu_in);
                    for (int k = g * kg; k < (g + 1) * kg; k++) {
                        y[k] += v * w[k];
                    }
                }
            }
        }
    }
}

static void conv_ref_forward_image(void *ctx, int i, int i_thread)
{
    const struct conv_job *j = ctx;
    const struct conv_shape *s = j->s;
    (void)i_thread;
    const float *x = j->x + (size_t)i * (size_t)s->h * (size_t)s->w * (size_t)s->c;
    size_t at = (size_t)i * (size_t)s->oh * (size_t)s->ow * (size_t)s->k;
    for (int oy = 0; oy < s->oh; oy++) {
        for (int ox = 0; ox < s->ow; ox++, at += (size_t)s->k) {
            memset(j->out + at, 0, (size_t)s->k * sizeof(float));
            conv_ref_pixel(j, j->out + at, x, oy, ox);
            for (int k = 0; j->post && k < s->k; k++) {
                j->out[at + (size_t)k] =
                    conv_ref_finish(j->post, j->out[at + (size_t)k], at + (size_t)k, k);
            }
        }
    }
}

/* The gradient of one input element. */
static float conv_ref_gradient(const struct conv_job *j, const float *dy, int iy, int ix, int c)
{
    const struct conv_shape *s = j->s;
    int cg = s->c / s->groups, kg = s->k / s->groups, g = c / cg;
    float sum = 0;
    for (int r = 0; r < s->kh; r++) {
        int oy = iy + s->pad - r;
        if (oy < 0 || oy % s->stride != 0 || oy / s->stride >= s->oh) {
            continue;
        }
        for (int q = 0; q < s->kw; q++) {
            int ox = ix + s->pad - q;
            if (ox < 0 || ox % s->stride != 0 || ox / s->stride >= s->ow) {
                continue;
            }
            const float *d =
                dy + ((size_t)(oy / s->stride) * (size_t)s->ow + (size_t)(ox / s->stride)) *
                         (size_t)s->k;
            const float *w =
                j->w + ((size_t)(r * s->kw + q) * (size_t)cg + (size_t)(c - g * cg)) * (size_t)s->k;
            for (int k = g * kg; k < (g + 1) * kg; k++) {
                sum += d[k] * w[k];
            }
        }
    }
    return sum;
}

static void conv_ref_backward_image(void *ctx, int i, int i_thread)
{
    const struct conv_job *j = ctx;
    const struct conv_shape *s = j->s;
    (void)i_thread;
    const float *dy = j->dy + (size_t)i * (size_t)s->oh * (size_t)s->ow * (size_t)s->k;
    size_t at = (size_t)i * (size_t)s->h * (size_t)s->w * (size_t)s->c;
    for (int iy = 0; iy < s->h; iy++) {
        for (int ix = 0; ix < s->w; ix++) {
            for (int c = 0; c < s->c; c++, at++) {
                float d = j->mask && j->mask[at] <= 0 ? 0 : conv_ref_gradient(j, dy, iy, ix, c);
                j->out[at] = j->add ? j->out[at] + d : d;
            }
        }
    }
}

static size_t conv_ref_weights(const struct conv_shape *s)
{
    return (size_t)s->kh * (size_t)s->kw * (size_t)(s->c / s->groups) * (size_t)s->k;
}

static int conv_ref_parts(const struct conv_shape *s)
{
    return MIN(s->n, (int)CONV_MAX_PARTS);
}

/* dw of one image, added to dw. */
static void conv_ref_weights_image(const struct conv_job *j, float *dw, const float *x,
                                   const float *dy)
{
    const struct conv_shape *s = j->s;
    int cg = s->c / s->groups, kg = s->k / s->groups;
    for (int r = 0; r < s->kh; r++) {
        for (int q = 0; q < s->kw; q++, dw += (size_t)cg * (size_t)s->k) {
            for (int oy = 0; oy < s->oh; oy++) {
                int iy = oy * s->stride - s->pad + r;
                for (int ox = 0; ox < s->ow; ox++) {
                    int ix = ox * s->stride - s->pad + q;
                    if (iy < 0 || iy >= s->h || ix < 0 || ix >= s->w) {
                        continue;
                    }
                    const float *in = x + ((size_t)iy * (size_t)s->w + (size_t)ix) * (size_t)s->c;
                    const float *d = dy + ((size_t)oy * (size_t)s->ow + (size_t)ox) * (size_t)s->k;
                    for (int c = 0; c < s->c; c++) {
                        int g = c / cg;
                        float v = conv_ref_relu(in[c], j->relu_in);
                        float *row = dw + (size_t)(c - g * cg) * (size_t)s->k;
                        for (int k = g * kg; k < (g + 1) * kg; k++) {
                            row[k] += v * d[k];
                        }
                    }
                }
            }
        }
    }
}

struct conv_ref_sum {
    const struct conv_job *j;
    float *parts; /* [n_parts, weights] */
};

static void conv_ref_weights_part(void *ctx, int i_part, int i_thread)
{
    const struct conv_ref_sum *sum = ctx;
    const struct conv_shape *s = sum->j->s;
    (void)i_thread;
    size_t n_weights = conv_ref_weights(s);
    int n_parts = conv_ref_parts(s);
    float *dw = sum->parts + (size_t)i_part * n_weights;
    memset(dw, 0, n_weights * sizeof *dw);
    int first = (int)((int64_t)s->n * i_part / n_parts),
        last = (int)((int64_t)s->n * (i_part + 1) / n_parts);
    for (int i = first; i < last; i++) {
        conv_ref_weights_image(
            sum->j, dw, sum->j->x + (size_t)i * (size_t)s->h * (size_t)s->w * (size_t)s->c,
            sum->j->dy + (size_t)i * (size_t)s->oh * (size_t)s->ow * (size_t)s->k);
    }
}

static size_t conv_ref_scratch_bytes(const struct machine *mc, const struct conv_shape *s,
                                     enum conv_dir dir)
{
    (void)mc;
    return dir == CONV_BWD_WEIGHTS
               ? arena_round((size_t)conv_ref_parts(s) * conv_ref_weights(s) * sizeof(float))
               : 0;
}

static void conv_ref_run(const struct conv_job *j)
{
    if (j->dir == CONV_FWD) {
        threads_for(j->mc, j->s->n, conv_ref_forward_image, (void *)j);
    } else if (j->dir == CONV_BWD_DATA) {
        threads_for(j->mc, j->s->n, conv_ref_backward_image, (void *)j);
    } else {
        struct arena tmp = j->tmp;
        size_t n_weights = conv_ref_weights(j->s);
        int n_parts = conv_ref_parts(j->s);
        struct conv_ref_sum sum = {
            .j = j, .parts = arena_push(&tmp, (size_t)n_parts * n_weights, sizeof(float))};
        threads_for(j->mc, n_parts, conv_ref_weights_part, &sum);
        for (size_t i = 0; i < n_weights; i++) {
            double total = 0;
            for (int p = 0; p < n_parts; p++) {
                total += (double)sum.parts[(size_t)p * n_weights + i];
            }
            j->out[i] = (float)total;
        }
    }
}

const struct conv_room conv_ref = {.name = "ref",
                                   .can = conv_ref_can,
                                   .scratch_bytes = conv_ref_scratch_bytes,
                                   .run = conv_ref_run};
