/* op_linear.c: y[n, k] = x[n, c] w[c, k] + bias[k], for flat inputs (1 x 1 x c). */
#include "nn/op.h"

#include "core/gemm.h"

#include <string.h>

static bool linear_infer(const struct op_attr *attr, const struct shape *in, int n_in,
                         struct shape *out, struct param_spec *params, int *n_params, struct err *e)
{
    ASSERT(n_in == 1);
    if (in->h != 1 || in->w != 1 || attr->k <= 0) {
        return err_set(e, ERR_INPUT,
                       "linear wants a flat input and outputs > 0, got %d x %d x %d to %d", in->h,
                       in->w, in->c, attr->k);
    }
    *out = (struct shape){1, 1, attr->k};
    params[0] =
        (struct param_spec){PARAM_WEIGHT, "weight", 2, {in->c, attr->k, 1, 1}, in->c, attr->k};
    params[1] = (struct param_spec){PARAM_BIAS, "bias", 1, {attr->k, 1, 1, 1}, in->c, attr->k};
    *n_params = attr->bias ? 2 : 1;
    return true;
}

static void linear_fwd(const struct op_io *io)
{
    const struct tensor *x = &io->x[0];
    int n = x->n, c = x->c, k = io->y.c;
    if (io->attr->bias) {
        for (int i = 0; i < n; i++) {
            memcpy(io->y.data + (size_t)i * (size_t)k, io->w[1], (size_t)k * sizeof(float));
        }
    }
    gemm(io->mc, false, false, n, k, c, 1, x->data, c, io->w[0], k, io->attr->bias ? 1 : 0,
         io->y.data, k);
}

/* dbias[k] in double, images in order. The batch is small; this is never the bottleneck. */
static void bias_gradient(float *dbias, const float *dy, int n, int k)
{
    for (int j = 0; j < k; j++) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            sum += (double)dy[(size_t)i * (size_t)k + (size_t)j];
        }
        dbias[j] = (float)sum;
    }
}

static void linear_bwd(const struct op_io *io)
{
    const struct tensor *x = &io->x[0];
    const float *dy = io->dy.data;
    int n = x->n, c = x->c, k = io->dy.c;
    if (io->dw[0]) {
        gemm(io->mc, true, false, c, k, n, 1, x->data, c, dy, k, 0, io->dw[0], k);
    }
    if (io->attr->bias && io->dw[1]) {
        bias_gradient(io->dw[1], dy, n, k);
    }
    if (io->dx[0].data) {
        gemm(io->mc, false, true, n, c, k, 1, dy, k, io->w[0], k, io->dx_add[0] ? 1 : 0,
             io->dx[0].data, c);
    }
}

static int64_t linear_cost(const struct op_attr *attr, const struct shape *in, int n_in,
                           struct shape out)
{
    ASSERT(n_in == 1 && out.c == attr->k);
    return (int64_t)in->c * out.c;
}

const struct op op_linear = {
    .name = "linear",
    .n_in_min = 1,
    .n_in_max = 1,
    .keeps_x = true,
    .infer = linear_infer,
    .forward = linear_fwd,
    .backward = linear_bwd,
    .macs = linear_cost,
};
