/*
 * conv_depthwise.c: convolutions where every channel is its own group. Forward and backward data go
 * the way of conv_direct.c with another kernel at its end. Backward weights: the rows of x that an
 * output row sees are copied (through ReLU if asked) into a ring with a halo of zeros, so that all
 * places of the kernel share one range of pixels; each sum stays in a register along a row.
 *
 * Images are cut into at most DEPTHWISE_PARTS parts by their number alone; parts are added in index
 * order. |error| <= n u sum|a||b|.
 */
#include "core/conv_room.h"
#include "core/kernel.h"
#include "core/threads.h"

#include <string.h>

enum { DEPTHWISE_PARTS = 8 };

struct depthwise_job {
    const struct conv_job *j;
    int n_parts, right; /* right: halo columns after the row; before it: pad */
    size_t n_weights, row_floats;
    float *parts;            /* [n_parts, n_weights] */
    float *rings;            /* [n_threads][kh * row_floats] */
    struct kernel_tap *taps; /* [n_threads][kh * kw] */
};

static struct depthwise_job depthwise_plan(const struct conv_shape *s)
{
    struct depthwise_job d = {.n_parts = MIN(s->n, (int)DEPTHWISE_PARTS)};
    d.right = MAX(0, (s->ow - 1) * s->stride - s->pad + s->kw - s->w);
    d.n_weights = (size_t)s->kh * (size_t)s->kw * (size_t)s->c;
    d.row_floats = arena_round((size_t)(s->pad + s->w + d.right) * (size_t)s->c * sizeof(float)) /
                   sizeof(float);
    return d;
}

static void depthwise_image(const struct depthwise_job *d, float *dw, int i, float *ring,
                            struct kernel_tap *taps)
{
    const struct conv_shape *s = d->j->s;
    const struct kernels *k = d->j->mc->k;
    size_t row = (size_t)s->w * (size_t)s->c;
    const float *x = d->j->x + (size_t)i * (size_t)s->h * row;
    const float *dy = d->j->dy + (size_t)i * (size_t)s->oh * (size_t)s->ow * (size_t)s->c;
    int copied = -1;
    for (int oy = 0; oy < s->oh; oy++) {
        int n_taps = 0;
        for (int r = 0; r < s->kh; r++) {
            int iy = oy * s->stride - s->pad + r;
            if (iy < 0 || iy >= s->h) {
                continue;
            }
            float *slot = ring + (size_t)(iy % s->kh) * d->row_floats;
            if (iy > copied) {
                k->vec_act_f32(slot + (size_t)(s->pad * s->c), x + (size_t)iy * row, row,
                               d->j->relu_in ? KERNEL_RELU : KERNEL_NO_ACT);
                copied = iy;
            }
            for (int q = 0; q < s->kw; q++) {
                taps[n_taps++] = (struct kernel_tap){.x = slot - ring + (ptrdiff_t)q * s->c,
                                                     .w = (ptrdiff_t)(r * s->kw + q) * s->c};
            }
        }
        struct kernel_depth g = {.x = ring,
                                 .y = (float *)dy + (size_t)oy * (size_t)s->ow * (size_t)s->c,
                                 .dw = dw,
                                 .taps = taps,
                                 .n_taps = n_taps,
                                 .x_pixel = (ptrdiff_t)s->stride * s->c,
                                 .y_pixel = s->c,
                                 .n_pixels = (size_t)s->ow,
                                 .c = s->c};
        k->depthwise_weights_f32(&g);
    }
}

static void depthwise_part(void *ctx, int part, int i_thread)
{
    const struct depthwise_job *d = ctx;
    const struct conv_shape *s = d->j->s;
    size_t ring_floats = (size_t)s->kh * d->row_floats;
    float *dw = d->parts + (size_t)part * d->n_weights;
    float *ring = d->rings + (size_t)i_thread * ring_floats;
    memset(dw, 0, d->n_weights * sizeof *dw);
    memset(ring, 0, ring_floats * sizeof *ring);
    int first = (int)((int64_t)s->n * part / d->n_parts);
    int last = (int)((int64_t)s->n * (part + 1) / d->n_parts);
    for (int i = first; i < last; i++) {
        depthwise_image(d, dw, i, ring, d->taps + (size_t)i_thread * (size_t)(s->kh * s->kw));
    }
}

static void depthwise_run_weights(const struct conv_job *j)
{
    struct arena tmp = j->tmp;
    struct depthwise_job d = depthwise_plan(j->s);
    size_t n_threads = (size_t)j->mc->n_threads, n_places = (size_t)(j->s->kh * j->s->kw);
    d.j = j;
    d.parts = arena_push(&tmp, (size_t)d.n_parts * d.n_weights, sizeof(float));
    d.rings = arena_push(&tmp, n_threads * (size_t)j->s->kh * d.row_floats, sizeof(float));
    d.taps = arena_push(&tmp, n_threads * n_places, sizeof *d.taps);
    threads_for(j->mc, d.n_parts, depthwise_part, &d);
    const float *in[DEPTHWISE_PARTS];
    for (int p = 0; p < d.n_parts; p++) {
        in[p] = d.parts + (size_t)p * d.n_weights;
    }
    j->mc->k->vec_sum_f32(j->out, in, d.n_parts, d.n_weights);
}

static bool depthwise_can(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir)
{
    (void)mc;
    (void)dir;
    return s->groups == s->c && s->groups == s->k;
}

static size_t depthwise_scratch_bytes(const struct machine *mc, const struct conv_shape *s,
                                      enum conv_dir dir)
{
    if (dir != CONV_BWD_WEIGHTS) {
        return conv_direct_scratch_bytes(mc, s, dir);
    }
    struct depthwise_job d = depthwise_plan(s);
    size_t n_threads = (size_t)mc->n_threads, n_places = (size_t)(s->kh * s->kw);
    return arena_round((size_t)d.n_parts * d.n_weights * sizeof(float)) +
           arena_round(n_threads * (size_t)s->kh * d.row_floats * sizeof(float)) +
           arena_round(n_threads * n_places * sizeof *d.taps);
}

static void depthwise_run(const struct conv_job *j)
{
    if (j->dir == CONV_BWD_WEIGHTS) {
        depthwise_run_weights(j);
    } else {
        conv_direct_run_depthwise(j);
    }
}

const struct conv_room conv_depthwise = {.name = "depthwise",
                                         .can = depthwise_can,
                                         .scratch_bytes = depthwise_scratch_bytes,
                                         .run = depthwise_run};
