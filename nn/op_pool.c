/* op_pool.c: average pooling (with or without counting padding), max pooling, global average
 * pooling. */
#include "nn/op.h"

#include "core/pool.h"

static bool shape_init(struct pool_shape *s, const struct op_attr *attr, int n,
                       const struct shape *in, struct err *e)
{
    *s = (struct pool_shape){.n = n,
                             .h = in->h,
                             .w = in->w,
                             .c = in->c,
                             .size = attr->kernel,
                             .stride = attr->stride,
                             .pad = attr->pad,
                             .count_padding = attr->count_padding};
    return pool_shape_init(s, e);
}

static struct pool_shape shape_of(const struct op_io *io)
{
    const struct tensor *x = &io->x[0];
    struct pool_shape s;
    struct err e;
    bool ok = shape_init(&s, io->attr, x->n, &(struct shape){x->h, x->w, x->c}, &e);
    ASSERT(ok); /* infer has seen this shape */
    return s;
}

static bool pool_infer(const struct op_attr *attr, const struct shape *in, int n_in,
                       struct shape *out, struct param_spec *params, int *n_params, struct err *e)
{
    (void)params;
    ASSERT(n_in == 1);
    struct pool_shape s;
    if (!shape_init(&s, attr, 1, in, e)) {
        return false;
    }
    *out = (struct shape){s.oh, s.ow, s.c};
    *n_params = 0;
    return true;
}

static void avg_fwd(const struct op_io *io)
{
    struct pool_shape s = shape_of(io);
    pool_avg_forward(io->mc, io->y.data, io->x[0].data, &s);
}

static void avg_bwd(const struct op_io *io)
{
    struct pool_shape s = shape_of(io);
    if (io->dx[0].data) {
        pool_avg_backward(io->mc, io->dx[0].data, io->dy.data, &s, io->dx_add[0]);
    }
}

const struct op op_pool_avg = {
    .name = "avg_pool",
    .n_in_min = 1,
    .n_in_max = 1,
    .keeps_zero = true,
    .by_image = true,
    .infer = pool_infer,
    .forward = avg_fwd,
    .backward = avg_bwd,
};

/* One byte per output: where in the window the maximum was. */
static size_t max_save(const struct op_attr *attr, int batch, const struct shape *in, int n_in,
                       struct shape out)
{
    ASSERT(attr && in && n_in == 1);
    return (size_t)batch * shape_count(out);
}

static bool max_infer(const struct op_attr *attr, const struct shape *in, int n_in,
                      struct shape *out, struct param_spec *params, int *n_params, struct err *e)
{
    if (attr->kernel > 16) {
        return err_set(e, ERR_INPUT, "max_pool: window %d is beyond 16", attr->kernel);
    }
    return pool_infer(attr, in, n_in, out, params, n_params, e);
}

static void max_fwd(const struct op_io *io)
{
    struct pool_shape s = shape_of(io);
    pool_max_forward(io->mc, io->y.data, io->save, io->x[0].data, &s);
}

static void max_bwd(const struct op_io *io)
{
    struct pool_shape s = shape_of(io);
    if (io->dx[0].data) {
        pool_max_backward(io->mc, io->dx[0].data, io->dy.data, io->save, &s, io->dx_add[0]);
    }
}

const struct op op_pool_max = {
    .name = "max_pool",
    .n_in_min = 1,
    .n_in_max = 1,
    .keeps_zero = true,
    .infer = max_infer,
    .save_bytes = max_save,
    .forward = max_fwd,
    .backward = max_bwd,
};

static bool global_infer(const struct op_attr *attr, const struct shape *in, int n_in,
                         struct shape *out, struct param_spec *params, int *n_params, struct err *e)
{
    (void)params, (void)e;
    ASSERT(attr && n_in == 1);
    *out = (struct shape){1, 1, in->c};
    *n_params = 0;
    return true;
}

static void global_fwd(const struct op_io *io)
{
    const struct tensor *x = &io->x[0];
    pool_global_forward(io->mc, io->y.data, x->data, x->n, (size_t)x->h * (size_t)x->w, x->c);
}

static void global_bwd(const struct op_io *io)
{
    const struct tensor *x = &io->x[0];
    if (io->dx[0].data) {
        pool_global_backward(io->mc, io->dx[0].data, io->dy.data, x->n, (size_t)x->h * (size_t)x->w,
                             x->c, io->dx_add[0]);
    }
}

const struct op op_pool_global = {
    .name = "global_pool",
    .n_in_min = 1,
    .n_in_max = 1,
    .keeps_zero = true,
    .by_image = true,
    .infer = global_infer,
    .forward = global_fwd,
    .backward = global_bwd,
};
