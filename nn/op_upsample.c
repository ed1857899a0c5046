/* op_upsample.c: what a decoder needs: nearest-neighbour upsampling and transposed convolution. */
#include "nn/op.h"

#include "core/conv.h"
#include "core/norm.h"
#include "core/threads.h"
#include "core/vec.h"

#include <string.h>

static bool nearest_infer(const struct op_attr *attr, const struct shape *in, int n_in,
                          struct shape *out, struct param_spec *params, int *n_params,
                          struct err *e)
{
    (void)params;
    ASSERT(n_in == 1);
    if (attr->times < 1 || attr->times > 64) {
        return err_set(e, ERR_INPUT, "upsampling by %d is not within 1 .. 64", attr->times);
    }
    *out = (struct shape){in->h * attr->times, in->w * attr->times, in->c};
    *n_params = 0;
    return true;
}

static void nearest_fwd_image(void *ctx, int i, int i_thread)
{
    (void)i_thread;
    const struct op_io *io = ctx;
    const struct tensor *x = &io->x[0], *y = &io->y;
    int times = io->attr->times;
    size_t c = (size_t)y->c;
    float *to = y->data + (size_t)i * (size_t)y->h * (size_t)y->w * c;
    const float *from = x->data + (size_t)i * (size_t)x->h * (size_t)x->w * c;
    for (int h = 0; h < y->h; h++) {
        for (int w = 0; w < y->w; w++, to += c) {
            memcpy(to, from + (size_t)(h / times * x->w + w / times) * c, c * sizeof *to);
        }
    }
}

static void nearest_fwd(const struct op_io *io)
{
    threads_for(io->mc, io->y.n, nearest_fwd_image, (void *)io);
}

static void nearest_bwd_image(void *ctx, int i, int i_thread)
{
    (void)i_thread;
    const struct op_io *io = ctx;
    const struct tensor *dx = &io->dx[0], *dy = &io->dy;
    int times = io->attr->times;
    size_t c = (size_t)dy->c;
    const float *from = dy->data + (size_t)i * (size_t)dy->h * (size_t)dy->w * c;
    float *to = dx->data + (size_t)i * (size_t)dx->h * (size_t)dx->w * c;
    if (!io->dx_add[0]) {
        memset(to, 0, (size_t)dx->h * (size_t)dx->w * c * sizeof *to);
    }
    for (int h = 0; h < dy->h; h++) {
        for (int w = 0; w < dy->w; w++, from += c) {
            float *pixel = to + (size_t)(h / times * dx->w + w / times) * c;
            for (size_t k = 0; k < c; k++) {
                pixel[k] += from[k];
            }
        }
    }
}

static void nearest_bwd(const struct op_io *io)
{
    if (io->dx[0].data) {
        threads_for(io->mc, io->dy.n, nearest_bwd_image, (void *)io);
    }
}

const struct op op_upsample_nearest = {
    .name = "upsample",
    .n_in_min = 1,
    .n_in_max = 1,
    .keeps_zero = true,
    .by_image = true,
    .infer = nearest_infer,
    .forward = nearest_fwd,
    .backward = nearest_bwd,
};

/*
 * Transposed convolution: the gradient of the convolution k -> c channels whose output has this
 * input's shape. Output side = (h - 1) stride - 2 pad + kernel + times, times being PyTorch's
 * output_padding.
 */
static bool transposed_shape(struct conv_shape *s, const struct op_attr *attr, int n,
                             const struct shape *in, struct err *e)
{
    int grow = attr->kernel - 2 * attr->pad + attr->times;
    *s = (struct conv_shape){.n = n,
                             .h = (in->h - 1) * attr->stride + grow,
                             .w = (in->w - 1) * attr->stride + grow,
                             .c = attr->k,
                             .k = in->c,
                             .kh = attr->kernel,
                             .kw = attr->kernel,
                             .stride = attr->stride,
                             .pad = attr->pad,
                             .groups = 1};
    if (attr->times < 0 || attr->times >= MAX(attr->stride, 1)) {
        return err_set(e, ERR_INPUT, "output padding %d is not below the stride %d", attr->times,
                       attr->stride);
    }
    if (!conv_shape_init(s, e)) {
        return false;
    }
    ASSERT(s->oh == in->h && s->ow == in->w);
    return true;
}

static struct conv_shape shape_of(const struct op_attr *attr, int n, const struct shape *in)
{
    struct conv_shape s;
    struct err e;
    bool ok = transposed_shape(&s, attr, n, in, &e);
    ASSERT(ok); /* infer has seen this shape */
    return s;
}

static struct conv_shape io_shape(const struct op_io *io)
{
    const struct tensor *x = &io->x[0];
    return shape_of(io->attr, x->n, &(struct shape){x->h, x->w, x->c});
}

static bool transposed_infer(const struct op_attr *attr, const struct shape *in, int n_in,
                             struct shape *out, struct param_spec *params, int *n_params,
                             struct err *e)
{
    ASSERT(n_in == 1);
    struct conv_shape s;
    if (!transposed_shape(&s, attr, 1, in, e)) {
        return false;
    }
    *out = (struct shape){s.h, s.w, s.c};
    int fan_in = s.c * s.kh * s.kw; /* as PyTorch counts it for a transposed convolution */
    params[0] = (struct param_spec){PARAM_WEIGHT,           "weight", 4,
                                    {s.kh, s.kw, s.c, s.k}, fan_in,   s.k * s.kh * s.kw};
    params[1] =
        (struct param_spec){PARAM_BIAS, "bias", 1, {s.c, 1, 1, 1}, fan_in, s.k * s.kh * s.kw};
    *n_params = attr->bias ? 2 : 1;
    return true;
}

/* Where dx is added to, the convolution writes beside it first. */
static size_t dx_bytes(const struct conv_shape *s)
{
    return arena_round((size_t)s->n * (size_t)s->oh * (size_t)s->ow * (size_t)s->k * sizeof(float));
}

static size_t transposed_scratch(const struct machine *mc, const struct op_attr *attr, int batch,
                                 const struct shape *in, int n_in, struct shape out, bool backward)
{
    ASSERT(n_in == 1);
    struct conv_shape s = shape_of(attr, batch, in);
    if (!backward) {
        return arena_round((size_t)out.c * sizeof(float)) +
               conv_scratch_bytes(mc, &s, CONV_BWD_DATA, CONV_AUTO);
    }
    size_t data = dx_bytes(&s) + conv_scratch_bytes(mc, &s, CONV_FWD, CONV_AUTO);
    size_t weights = conv_scratch_bytes(mc, &s, CONV_BWD_WEIGHTS, CONV_AUTO);
    size_t bias = norm_scratch_bytes(mc, (size_t)s.n * (size_t)s.h * (size_t)s.w, s.c);
    return MAX(MAX(data, weights), bias);
}

static void transposed_fwd(const struct op_io *io)
{
    struct conv_shape s = io_shape(io);
    conv_backward_data(io->mc, io->y.data, io->x[0].data, io->w[0], &s, false, NULL, CONV_AUTO,
                       io->tmp);
    if (io->attr->bias) {
        struct arena tmp = io->tmp;
        float *ones = arena_push(&tmp, (size_t)s.c, sizeof *ones);
        for (int i = 0; i < s.c; i++) {
            ones[i] = 1;
        }
        size_t n_pixels = (size_t)s.n * (size_t)s.h * (size_t)s.w;
        norm_apply(io->mc, io->y.data, io->y.data, ones, io->w[1], n_pixels, s.c, false, false);
    }
}

static void transposed_bwd(const struct op_io *io)
{
    struct conv_shape s = io_shape(io);
    const float *dy = io->dy.data;
    if (io->dw[0]) {
        conv_backward_weights(io->mc, io->dw[0], dy, io->x[0].data, &s, false, CONV_AUTO, io->tmp);
    }
    if (io->attr->bias && io->dw[1]) {
        conv_backward_bias(io->mc, io->dw[1], dy, (size_t)s.n * (size_t)s.h * (size_t)s.w, s.c,
                           io->tmp);
    }
    if (io->dx[0].data) {
        struct arena tmp = io->tmp;
        size_t count = tensor_count(&io->dx[0]);
        float *dx = io->dx_add[0] ? arena_push(&tmp, count, sizeof *dx) : io->dx[0].data;
        conv_forward(io->mc, dx, dy, io->w[0], &s, false, &(struct conv_post){0}, CONV_AUTO, tmp);
        if (io->dx_add[0]) {
            vec_axpy(io->mc, io->dx[0].data, 1, dx, count);
        }
    }
}

static int64_t transposed_cost(const struct op_attr *attr, const struct shape *in, int n_in,
                               struct shape out)
{
    ASSERT(n_in == 1 && out.c == attr->k);
    struct conv_shape s = shape_of(attr, 1, in);
    return conv_macs(&s);
}

const struct op op_upsample_conv = {
    .name = "conv_transpose",
    .n_in_min = 1,
    .n_in_max = 1,
    .keeps_x = true,
    .by_image = true,
    .infer = transposed_infer,
    .scratch_bytes = transposed_scratch,
    .forward = transposed_fwd,
    .backward = transposed_bwd,
    .macs = transposed_cost,
};
