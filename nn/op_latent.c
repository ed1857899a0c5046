/*
 * op_latent.c: a draw from N(mu, exp(logvar)) that gradients pass through [Kingma2014, sec. 2.4]: z
 * = mu + exp(logvar / 2) eps. Inputs: mu, logvar. Where statistics are not of the batch (train is
 * false) z is mu. Draws are keyed by (seed, step, image): a resumed run sees the same ones.
 */
#include "core/rng.h"
#include "nn/op.h"

#include <math.h>

static bool latent_infer(const struct op_attr *attr, const struct shape *in, int n_in,
                         struct shape *out, struct param_spec *params, int *n_params, struct err *e)
{
    (void)attr, (void)params;
    ASSERT(n_in == 2);
    if (in[0].h != in[1].h || in[0].w != in[1].w || in[0].c != in[1].c) {
        return err_set(e, ERR_INPUT, "means are %d x %d x %d, their variances %d x %d x %d",
                       in[0].h, in[0].w, in[0].c, in[1].h, in[1].w, in[1].c);
    }
    *out = in[0];
    *n_params = 0;
    return true;
}

/* dz/dlogvar = eps exp(logvar / 2) / 2 of every element. */
static size_t latent_save(const struct op_attr *attr, int batch, const struct shape *in, int n_in,
                          struct shape out)
{
    ASSERT(attr && in && n_in == 2);
    return (size_t)batch * shape_count(out) * sizeof(float);
}

static void latent_fwd(const struct op_io *io)
{
    const float *mu = io->x[0].data, *logvar = io->x[1].data;
    float *slope = io->save, *z = io->y.data;
    size_t count = (size_t)io->y.h * (size_t)io->y.w * (size_t)io->y.c;
    for (size_t image = 0, i = 0; image < (size_t)io->y.n; image++) {
        struct rng r = rng_key(io->noise_seed, RNG_LATENT, io->noise_step << 32 | image);
        for (size_t end = i + count; i < end; i++) {
            double noise = io->train ? rng_normal(&r) * exp((double)logvar[i] / 2) : 0;
            slope[i] = (float)(noise / 2);
            z[i] = (float)((double)mu[i] + noise);
        }
    }
}

static void latent_bwd(const struct op_io *io)
{
    const float *slope = io->save, *dz = io->dy.data;
    float *dmu = io->dx[0].data, *dlogvar = io->dx[1].data;
    size_t count = tensor_count(&io->dy);
    for (size_t i = 0; dlogvar && i < count; i++) {
        float d = dz[i] * slope[i];
        dlogvar[i] = io->dx_add[1] ? dlogvar[i] + d : d;
    }
    for (size_t i = 0; dmu && i < count; i++) {
        dmu[i] = io->dx_add[0] ? dmu[i] + dz[i] : dz[i];
    }
}

const struct op op_latent = {
    .name = "latent",
    .n_in_min = 2,
    .n_in_max = 2,
    .infer = latent_infer,
    .save_bytes = latent_save,
    .forward = latent_fwd,
    .backward = latent_bwd,
};
