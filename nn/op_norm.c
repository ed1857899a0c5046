/* op_norm.c: batch normalisation [Ioffe2015] as PyTorch has it: biased variance to normalise,
 * unbiased to remember. */
#include "nn/op.h"

#include "core/norm.h"

#include <math.h>

/* Order of the parameters, and of the four rows of [c] that live from forward to backward. */
enum { GAMMA, BETA, RUNNING_MEAN, RUNNING_VAR, N_PARAMS };
enum { MEAN, RSTD, SCALE, SHIFT, N_ROWS };

static bool bn_infer(const struct op_attr *attr, const struct shape *in, int n_in,
                     struct shape *out, struct param_spec *params, int *n_params, struct err *e)
{
    (void)e;
    ASSERT(n_in == 1 && attr->eps > 0);
    int c = in->c;
    *out = *in;
    params[GAMMA] = (struct param_spec){PARAM_SCALE, "weight", 1, {c, 1, 1, 1}, c, c};
    params[BETA] = (struct param_spec){PARAM_SHIFT, "bias", 1, {c, 1, 1, 1}, c, c};
    params[RUNNING_MEAN] =
        (struct param_spec){PARAM_RUNNING_MEAN, "running_mean", 1, {c, 1, 1, 1}, c, c};
    params[RUNNING_VAR] =
        (struct param_spec){PARAM_RUNNING_VAR, "running_var", 1, {c, 1, 1, 1}, c, c};
    *n_params = N_PARAMS;
    return true;
}

static size_t bn_scratch(const struct machine *mc, const struct op_attr *attr, int batch,
                         const struct shape *in, int n_in, struct shape out, bool backward)
{
    (void)backward;
    ASSERT(attr && in && n_in == 1);
    return norm_scratch_bytes(mc, (size_t)batch * (size_t)out.h * (size_t)out.w, out.c) +
           arena_round((size_t)out.c * sizeof(float));
}

static size_t bn_save(const struct op_attr *attr, int batch, const struct shape *in, int n_in,
                      struct shape out)
{
    ASSERT(attr && in && n_in == 1 && batch > 0);
    return (size_t)out.c * N_ROWS * sizeof(float);
}

static void bn_running(const struct op_io *io, const float *mean, const float *var, size_t n_pixels)
{
    float m = io->attr->momentum;
    /* One pixel has no unbiased variance; PyTorch refuses it, we remember the biased one (zero). */
    float unbias = n_pixels > 1 ? (float)((double)n_pixels / (double)(n_pixels - 1)) : 1;
    for (int i = 0; i < io->y.c; i++) {
        io->w[RUNNING_MEAN][i] = (1 - m) * io->w[RUNNING_MEAN][i] + m * mean[i];
        io->w[RUNNING_VAR][i] = (1 - m) * io->w[RUNNING_VAR][i] + m * unbias * var[i];
    }
}

static void bn_fwd(const struct op_io *io)
{
    int c = io->y.c;
    size_t n_pixels = (size_t)io->y.n * (size_t)io->y.h * (size_t)io->y.w;
    float *save = io->save;
    float *mean = save + MEAN * c, *rstd = save + RSTD * c, *scale = save + SCALE * c,
          *shift = save + SHIFT * c;
    if (io->train) {
        norm_stats(io->mc, mean, rstd, io->x[0].data, n_pixels, c, io->tmp);
        bn_running(io, mean, rstd, n_pixels);
    }
    for (int i = 0; i < c; i++) {
        mean[i] = io->train ? mean[i] : io->w[RUNNING_MEAN][i];
        float var = io->train ? rstd[i] : io->w[RUNNING_VAR][i];
        rstd[i] = (float)(1 / sqrt((double)var + (double)io->attr->eps));
        scale[i] = io->w[GAMMA][i] * rstd[i];
        shift[i] = io->w[BETA][i] - mean[i] * scale[i];
    }
    norm_apply(io->mc, io->y.data, io->x[0].data, scale, shift, n_pixels, c, false, false);
}

static void bn_bwd(const struct op_io *io)
{
    int c = io->dy.c;
    size_t n_pixels = (size_t)io->dy.n * (size_t)io->dy.h * (size_t)io->dy.w;
    float *save = io->save;
    const float *mean = save + MEAN * c, *rstd = save + RSTD * c, *scale = save + SCALE * c;
    if (io->train) {
        norm_backward(io->mc, io->dx[0].data, io->dw[GAMMA], io->dw[BETA], io->x[0].data,
                      io->dy.data, mean, rstd, io->w[GAMMA], n_pixels, c, io->dx_add[0], io->tmp);
        return;
    }
    /* With running statistics the op is affine: the same sums, and dx = dy scale. */
    norm_backward(io->mc, NULL, io->dw[GAMMA], io->dw[BETA], io->x[0].data, io->dy.data, mean, rstd,
                  io->w[GAMMA], n_pixels, c, false, io->tmp);
    if (io->dx[0].data) {
        struct arena tmp = io->tmp;
        const float *zeros = arena_push_zero(&tmp, (size_t)c, sizeof *zeros);
        norm_apply(io->mc, io->dx[0].data, io->dy.data, scale, zeros, n_pixels, c, false,
                   io->dx_add[0]);
    }
}

const struct op op_norm_bn = {
    .name = "bn",
    .n_in_min = 1,
    .n_in_max = 1,
    .keeps_x = true,
    .infer = bn_infer,
    .scratch_bytes = bn_scratch,
    .save_bytes = bn_save,
    .forward = bn_fwd,
    .backward = bn_bwd,
};
