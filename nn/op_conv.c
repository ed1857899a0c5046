/* op_conv.c: convolution, grouped and depthwise included; core/conv.h does the work. */
#include "nn/op.h"

#include "core/conv.h"
#include "core/norm.h"

static struct conv_shape shape_of(const struct op_attr *attr, int n, int h, int w, int c)
{
    struct conv_shape s = {.n = n,
                           .h = h,
                           .w = w,
                           .c = c,
                           .k = attr->k,
                           .kh = attr->kernel,
                           .kw = attr->kernel,
                           .stride = attr->stride,
                           .pad = attr->pad,
                           .groups = attr->groups};
    struct err e;
    bool ok = conv_shape_init(&s, &e);
    ASSERT(ok); /* infer has seen this shape */
    return s;
}

static bool conv_infer(const struct op_attr *attr, const struct shape *in, int n_in,
                       struct shape *out, struct param_spec *params, int *n_params, struct err *e)
{
    ASSERT(n_in == 1);
    struct conv_shape s = {.n = 1,
                           .h = in->h,
                           .w = in->w,
                           .c = in->c,
                           .k = attr->k,
                           .kh = attr->kernel,
                           .kw = attr->kernel,
                           .stride = attr->stride,
                           .pad = attr->pad,
                           .groups = attr->groups};
    if (!conv_shape_init(&s, e)) {
        return false;
    }
    *out = (struct shape){s.oh, s.ow, s.k};
    int area = s.kh * s.kw;
    int fan_in = area * s.c / s.groups;
    int fan_out = area * s.k / s.groups;
    params[0] = (struct param_spec){PARAM_WEIGHT, "weight", 4, {s.kh, s.kw, s.c / s.groups, s.k},
                                    fan_in,       fan_out};
    params[1] = (struct param_spec){PARAM_BIAS, "bias", 1, {s.k, 1, 1, 1}, fan_in, fan_out};
    *n_params = attr->bias ? 2 : 1;
    return true;
}

static size_t conv_scratch(const struct machine *mc, const struct op_attr *attr, int batch,
                           const struct shape *in, int n_in, struct shape out, bool backward)
{
    ASSERT(n_in == 1);
    struct conv_shape s = shape_of(attr, batch, in->h, in->w, in->c);
    if (!backward) {
        return conv_scratch_bytes(mc, &s, CONV_FWD, CONV_AUTO);
    }
    size_t data = conv_scratch_bytes(mc, &s, CONV_BWD_DATA, CONV_AUTO);
    size_t weights = conv_scratch_bytes(mc, &s, CONV_BWD_WEIGHTS, CONV_AUTO);
    size_t bias = norm_scratch_bytes(mc, (size_t)batch * (size_t)out.h * (size_t)out.w, out.c);
    return MAX(MAX(data, weights), bias);
}

static void conv_fwd(const struct op_io *io)
{
    const struct tensor *x = &io->x[0];
    struct conv_shape s = shape_of(io->attr, x->n, x->h, x->w, x->c);
    struct conv_post post = {.shift = io->attr->bias ? io->w[1] : NULL};
    conv_forward(io->mc, io->y.data, x->data, io->w[0], &s, io->attr->relu_in, &post, CONV_AUTO,
                 io->tmp);
}

static void conv_bwd(const struct op_io *io)
{
    const struct tensor *x = &io->x[0];
    const float *dy = io->dy.data;
    struct conv_shape s = shape_of(io->attr, x->n, x->h, x->w, x->c);
    bool relu_in = io->attr->relu_in;
    if (io->dw[0]) {
        if (io->one_of_parts) {
            conv_backward_weights_part(io->mc, io->dw[0], x->data, dy, &s, relu_in, CONV_AUTO,
                                       io->tmp);
        } else {
            conv_backward_weights(io->mc, io->dw[0], x->data, dy, &s, relu_in, CONV_AUTO, io->tmp);
        }
    }
    if (io->attr->bias && io->dw[1]) {
        conv_backward_bias(io->mc, io->dw[1], dy, (size_t)s.n * (size_t)s.oh * (size_t)s.ow, s.k,
                           io->tmp);
    }
    if (io->dx[0].data) {
        conv_backward_data(io->mc, io->dx[0].data, dy, io->w[0], &s, io->dx_add[0],
                           relu_in ? x->data : NULL, CONV_AUTO, io->tmp);
    }
}

static int64_t conv_cost(const struct op_attr *attr, const struct shape *in, int n_in,
                         struct shape out)
{
    ASSERT(n_in == 1 && out.c == attr->k);
    struct conv_shape s = shape_of(attr, 1, in->h, in->w, in->c);
    return conv_macs(&s);
}

const struct op op_conv = {
    .name = "conv",
    .n_in_min = 1,
    .n_in_max = 1,
    .keeps_x = true,
    .by_image = true,
    .infer = conv_infer,
    .scratch_bytes = conv_scratch,
    .forward = conv_fwd,
    .backward = conv_bwd,
    .macs = conv_cost,
};
