/* op_combine.c: ops of several inputs: sum, concatenation of channels, channel-wise scale; and the
 * constant zero. */
#include "nn/op.h"

#include "core/threads.h"
#include "core/vec.h"

#include <string.h>

static bool same_shape(struct shape a, struct shape b)
{
    return a.h == b.h && a.w == b.w && a.c == b.c;
}

static bool sum_infer(const struct op_attr *attr, const struct shape *in, int n_in,
                      struct shape *out, struct param_spec *params, int *n_params, struct err *e)
{
    (void)params;
    ASSERT(attr && n_in >= 1);
    for (int i = 1; i < n_in; i++) {
        if (!same_shape(in[i], in[0])) {
            return err_set(e, ERR_INPUT, "input %d is %d x %d x %d, input 0 is %d x %d x %d", i,
                           in[i].h, in[i].w, in[i].c, in[0].h, in[0].w, in[0].c);
        }
    }
    *out = in[0];
    *n_params = 0;
    return true;
}

static void sum_fwd(const struct op_io *io)
{
    const float *x[OP_MAX_IN];
    int n = 0;
    for (int i = 0; i < io->n_in; i++) {
        if (io->x[i].data) {
            x[n++] = io->x[i].data;
        }
    }
    if (n == 0) {
        memset(io->y.data, 0, tensor_count(&io->y) * sizeof(float));
    } else {
        vec_sum(io->mc, io->y.data, x, n, tensor_count(&io->y));
    }
}

static void sum_bwd(const struct op_io *io)
{
    size_t count = tensor_count(&io->dy);
    for (int i = 0; i < io->n_in; i++) {
        float *dx = io->dx[i].data;
        if (!dx || dx == io->dy.data) {
            continue;
        }
        if (io->dx_add[i]) {
            vec_axpy(io->mc, dx, 1, io->dy.data, count);
        } else {
            vec_scale(io->mc, dx, 1, io->dy.data, count);
        }
    }
}

const struct op op_combine_sum = {
    .name = "sum",
    .n_in_min = 1,
    .n_in_max = OP_MAX_IN,
    .takes_zeros = true,
    .keeps_zero = true,
    .dx_over_dy = true,
    .by_image = true,
    .infer = sum_infer,
    .forward = sum_fwd,
    .backward = sum_bwd,
};

static bool concat_infer(const struct op_attr *attr, const struct shape *in, int n_in,
                         struct shape *out, struct param_spec *params, int *n_params, struct err *e)
{
    (void)params;
    ASSERT(attr && n_in >= 1);
    *out = in[0];
    for (int i = 1; i < n_in; i++) {
        if (in[i].h != in[0].h || in[i].w != in[0].w) {
            return err_set(e, ERR_INPUT, "input %d is %d x %d, input 0 is %d x %d", i, in[i].h,
                           in[i].w, in[0].h, in[0].w);
        }
        out->c += in[i].c;
    }
    *n_params = 0;
    return true;
}

static void concat_fwd_image(void *ctx, int i, int i_thread)
{
    (void)i_thread;
    const struct op_io *io = ctx;
    size_t n_pixels = (size_t)io->y.h * (size_t)io->y.w;
    float *y = io->y.data + (size_t)i * n_pixels * (size_t)io->y.c;
    for (int j = 0; j < io->n_in; j++) {
        size_t c = (size_t)io->x[j].c;
        const float *x = io->x[j].data + (size_t)i * n_pixels * c;
        for (size_t p = 0; p < n_pixels; p++) {
            memcpy(y + p * (size_t)io->y.c, x + p * c, c * sizeof(float));
        }
        y += c;
    }
}

static void concat_fwd(const struct op_io *io)
{
    threads_for(io->mc, io->y.n, concat_fwd_image, (void *)io);
}

static void concat_bwd_image(void *ctx, int i, int i_thread)
{
    (void)i_thread;
    const struct op_io *io = ctx;
    size_t n_pixels = (size_t)io->dy.h * (size_t)io->dy.w;
    const float *dy = io->dy.data + (size_t)i * n_pixels * (size_t)io->dy.c;
    for (int j = 0; j < io->n_in; j++) {
        size_t c = (size_t)io->x[j].c;
        for (size_t p = 0; io->dx[j].data && p < n_pixels; p++) {
            float *dx = io->dx[j].data + ((size_t)i * n_pixels + p) * c;
            const float *from = dy + p * (size_t)io->dy.c;
            for (size_t k = 0; k < c; k++) {
                dx[k] = io->dx_add[j] ? dx[k] + from[k] : from[k];
            }
        }
        dy += c;
    }
}

static void concat_bwd(const struct op_io *io)
{
    threads_for(io->mc, io->dy.n, concat_bwd_image, (void *)io);
}

const struct op op_combine_concat = {
    .name = "concat",
    .n_in_min = 1,
    .n_in_max = OP_MAX_IN,
    .by_image = true,
    .infer = concat_infer,
    .forward = concat_fwd,
    .backward = concat_bwd,
};

/* y[n, h, w, c] = x[n, h, w, c] s[n, 1, 1, c]: the last step of squeeze-and-excite [Hu2018]. */
static bool scale_infer(const struct op_attr *attr, const struct shape *in, int n_in,
                        struct shape *out, struct param_spec *params, int *n_params, struct err *e)
{
    (void)params;
    ASSERT(attr && n_in == 2);
    if (in[1].h != 1 || in[1].w != 1 || in[1].c != in[0].c) {
        return err_set(e, ERR_INPUT, "the scale of %d channels is %d x %d x %d, not 1 x 1 x %d",
                       in[0].c, in[1].h, in[1].w, in[1].c, in[0].c);
    }
    *out = in[0];
    *n_params = 0;
    return true;
}

static void scale_fwd_image(void *ctx, int i, int i_thread)
{
    (void)i_thread;
    const struct op_io *io = ctx;
    size_t c = (size_t)io->y.c, n_pixels = (size_t)io->y.h * (size_t)io->y.w;
    const float *s = io->x[1].data + (size_t)i * c;
    for (size_t p = (size_t)i * n_pixels; p < ((size_t)i + 1) * n_pixels; p++) {
        for (size_t k = 0; k < c; k++) {
            io->y.data[p * c + k] = io->x[0].data[p * c + k] * s[k];
        }
    }
}

static void scale_fwd(const struct op_io *io)
{
    threads_for(io->mc, io->y.n, scale_fwd_image, (void *)io);
}

static void scale_bwd_image(void *ctx, int i, int i_thread)
{
    (void)i_thread;
    const struct op_io *io = ctx;
    size_t c = (size_t)io->dy.c, n_pixels = (size_t)io->dy.h * (size_t)io->dy.w;
    const float *s = io->x[1].data + (size_t)i * c;
    const float *x = io->x[0].data + (size_t)i * n_pixels * c;
    const float *dy = io->dy.data + (size_t)i * n_pixels * c;
    float *dx = io->dx[0].data ? io->dx[0].data + (size_t)i * n_pixels * c : NULL;
    for (size_t k = 0; io->dx[1].data && k < c; k++) {
        double sum = 0;
        for (size_t p = 0; p < n_pixels; p++) {
            sum += (double)dy[p * c + k] * (double)x[p * c + k];
        }
        float *ds = &io->dx[1].data[(size_t)i * c + k];
        *ds = (io->dx_add[1] ? *ds : 0) + (float)sum;
    }
    for (size_t p = 0; dx && p < n_pixels * c; p++) {
        float value = dy[p] * s[p % c];
        dx[p] = io->dx_add[0] ? dx[p] + value : value;
    }
}

static void scale_bwd(const struct op_io *io)
{
    threads_for(io->mc, io->dy.n, scale_bwd_image, (void *)io);
}

const struct op op_combine_scale = {
    .name = "scale",
    .n_in_min = 2,
    .n_in_max = 2,
    .keeps_x = true,
    .by_image = true,
    .infer = scale_infer,
    .forward = scale_fwd,
    .backward = scale_bwd,
};

/* Zeros of its input's shape, whatever the input holds: no gradient flows. */
static void zero_fwd(const struct op_io *io)
{
    memset(io->y.data, 0, tensor_count(&io->y) * sizeof(float));
}

static void zero_bwd(const struct op_io *io)
{
    if (io->dx[0].data && !io->dx_add[0]) {
        memset(io->dx[0].data, 0, tensor_count(&io->dx[0]) * sizeof(float));
    }
}

const struct op op_combine_zero = {
    .name = "zero",
    .n_in_min = 1,
    .n_in_max = 1,
    .takes_zeros = true,
    .keeps_zero = true,
    .by_image = true,
    .infer = sum_infer,
    .forward = zero_fwd,
    .backward = zero_bwd,
};
