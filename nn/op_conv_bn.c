/*
 * op_conv_bn.c: a convolution with what follows it in evaluation: batch norm folded into scale and
 * shift, an addend, ReLU. Inputs: x, and the addend if there is one. Parameters: the convolution's,
 * then the batch norm's four.
 */
#include "nn/op.h"

#include "core/conv.h"

#include <math.h>

enum { GAMMA, BETA, RUNNING_MEAN, RUNNING_VAR, N_NORM };

static struct conv_shape shape_of(const struct op_attr *attr, int n, const struct shape *in)
{
    struct conv_shape s = {.n = n,
                           .h = in->h,
                           .w = in->w,
                           .c = in->c,
                           .k = attr->k,
                           .kh = attr->kernel,
                           .kw = attr->kernel,
                           .stride = attr->stride,
                           .pad = attr->pad,
                           .groups = attr->groups};
    return s;
}

static bool conv_bn_infer(const struct op_attr *attr, const struct shape *in, int n_in,
                          struct shape *out, struct param_spec *params, int *n_params,
                          struct err *e)
{
    struct conv_shape s = shape_of(attr, 1, in);
    if (!conv_shape_init(&s, e)) {
        return false;
    }
    *out = (struct shape){s.oh, s.ow, s.k};
    if (n_in == 2 && (in[1].h != out->h || in[1].w != out->w || in[1].c != out->c)) {
        return err_set(e, ERR_INPUT, "the addend is %d x %d x %d, the output %d x %d x %d", in[1].h,
                       in[1].w, in[1].c, out->h, out->w, out->c);
    }
    int area = s.kh * s.kw, fan_in = area * s.c / s.groups, fan_out = area * s.k / s.groups, n = 0;
    params[n++] = (struct param_spec){PARAM_WEIGHT, "weight", 4, {s.kh, s.kw, s.c / s.groups, s.k},
                                      fan_in,       fan_out};
    if (attr->bias) {
        params[n++] = (struct param_spec){PARAM_BIAS, "bias", 1, {s.k, 1, 1, 1}, fan_in, fan_out};
    }
    static const enum param_kind kinds[N_NORM] = {PARAM_SCALE, PARAM_SHIFT, PARAM_RUNNING_MEAN,
                                                  PARAM_RUNNING_VAR};
    static const char *const suffixes[N_NORM] = {"scale", "shift", "running_mean", "running_var"};
    for (int i = 0; attr->norm_mask && i < N_NORM; i++) {
        params[n++] = (struct param_spec){kinds[i], suffixes[i], 1, {s.k, 1, 1, 1}, s.k, s.k};
    }
    *n_params = n;
    return true;
}

static size_t rows_bytes(int k)
{
    return 2 * arena_round((size_t)k * sizeof(float));
}

static size_t conv_bn_scratch(const struct machine *mc, const struct op_attr *attr, int batch,
                              const struct shape *in, int n_in, struct shape out, bool backward)
{
    struct conv_shape s = shape_of(attr, batch, in);
    struct err e;
    bool ok = conv_shape_init(&s, &e);
    ASSERT(ok && n_in >= 1 && !backward);
    return rows_bytes(out.c) + conv_scratch_bytes(mc, &s, CONV_FWD, CONV_AUTO);
}

/* What parameters alone make: the batch norm folded, weights in the form of their algorithm. */
struct conv_bn_ready {
    const float *scale, *shift;
    struct conv_prepared weights;
};

static size_t conv_bn_prepare_bytes(const struct machine *mc, const struct op_attr *attr, int batch,
                                    const struct shape *in, int n_in)
{
    struct conv_shape s = shape_of(attr, batch, in);
    struct err e;
    bool ok = conv_shape_init(&s, &e);
    ASSERT(ok && n_in >= 1);
    return arena_round(sizeof(struct conv_bn_ready)) + rows_bytes(s.k) +
           arena_round(conv_prepare_bytes(mc, &s, CONV_FWD, CONV_AUTO));
}

static struct conv_shape conv_bn_shape(const struct op_io *io)
{
    const struct tensor *x = &io->x[0];
    struct conv_shape s = shape_of(io->attr, x->n, &(struct shape){x->h, x->w, x->c});
    struct err e;
    bool ok = conv_shape_init(&s, &e);
    ASSERT(ok);
    return s;
}

/* The batch norm folded; the weights as they are. */
static struct conv_bn_ready conv_bn_fold(const struct op_io *io, int k, struct arena *keep)
{
    float *scale = arena_push(keep, (size_t)k, sizeof *scale),
          *shift = arena_push(keep, (size_t)k, sizeof *shift);
    const float *bias = io->attr->bias ? io->w[1] : NULL;
    float *const *norm = &io->w[bias ? 2 : 1];
    for (int i = 0; i < k; i++) {
        scale[i] = 1;
        shift[i] = bias ? bias[i] : 0;
        if (io->attr->norm_mask) {
            double rstd = 1 / sqrt((double)norm[RUNNING_VAR][i] + (double)io->attr->eps);
            scale[i] = (float)((double)norm[GAMMA][i] * rstd);
            shift[i] = norm[BETA][i] + (shift[i] - norm[RUNNING_MEAN][i]) * scale[i];
        }
    }
    return (struct conv_bn_ready){.scale = io->attr->norm_mask ? scale : NULL,
                                  .shift = shift,
                                  .weights = {.algo = CONV_AUTO}};
}

static const void *conv_bn_prepare(const struct op_io *io, struct arena *keep)
{
    struct conv_shape s = conv_bn_shape(io);
    struct conv_bn_ready *ready = arena_push(keep, 1, sizeof *ready);
    *ready = conv_bn_fold(io, s.k, keep);
    void *data = arena_push(keep, conv_prepare_bytes(io->mc, &s, CONV_FWD, CONV_AUTO), 1);
    ready->weights = conv_prepare(io->mc, data, io->w[0], &s, CONV_FWD, CONV_AUTO, io->tmp);
    return ready;
}

static void conv_bn_fwd(const struct op_io *io)
{
    struct arena tmp = io->tmp;
    struct conv_shape s = conv_bn_shape(io);
    struct conv_bn_ready own, *fold = io->prepared ? NULL : &own;
    if (fold) {
        own = conv_bn_fold(io, s.k, &tmp);
    }
    const struct conv_bn_ready *ready = fold ? fold : io->prepared;
    struct conv_post post = {.scale = ready->scale,
                             .shift = ready->shift,
                             .add = io->n_in > 1 ? io->x[1].data : NULL,
                             .act = io->attr->act == OP_ACT_RELU ? CONV_ACT_RELU : CONV_ACT_NONE};
    conv_forward_prepared(io->mc, io->y.data, io->x[0].data, io->w[0], &ready->weights, &s,
                          io->attr->relu_in, &post, tmp);
}

static int64_t conv_bn_cost(const struct op_attr *attr, const struct shape *in, int n_in,
                            struct shape out)
{
    struct conv_shape s = shape_of(attr, 1, in);
    struct err e;
    bool ok = conv_shape_init(&s, &e);
    ASSERT(ok && n_in >= 1 && out.c == s.k);
    return conv_macs(&s);
}

const struct op op_conv_bn = {
    .name = "conv_bn",
    .n_in_min = 1,
    .n_in_max = 2,
    .by_image = true,
    .infer = conv_bn_infer,
    .scratch_bytes = conv_bn_scratch,
    .forward = conv_bn_fwd,
    .prepare_bytes = conv_bn_prepare_bytes,
    .prepare = conv_bn_prepare,
    .macs = conv_bn_cost,
};
