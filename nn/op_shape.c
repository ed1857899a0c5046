/*
 * op_shape.c: ops that only move numbers: channel shuffle, the parameter-free shortcut of ResNet
 * (option A), flatten and reshape. Flat vectors are in PyTorch's order [c][h][w], so that a linear
 * layer's weights mean the same here.
 */
#include "nn/op.h"

#include "core/threads.h"

#include <string.h>

static size_t image_floats(const struct tensor *t)
{
    return (size_t)t->h * (size_t)t->w * (size_t)t->c;
}

static void put(float *dx, float value, bool add)
{
    *dx = add ? *dx + value : value;
}

/* Channels seen as [groups][c / groups] become [c / groups][groups] [Zhang2018]. */
static bool shuffle_infer(const struct op_attr *attr, const struct shape *in, int n_in,
                          struct shape *out, struct param_spec *params, int *n_params,
                          struct err *e)
{
    (void)params;
    ASSERT(n_in == 1);
    if (attr->groups <= 0 || in->c % attr->groups != 0) {
        return err_set(e, ERR_INPUT, "%d channels cannot be shuffled in %d groups", in->c,
                       attr->groups);
    }
    *out = *in;
    *n_params = 0;
    return true;
}

static void shuffle_fwd_image(void *ctx, int i, int i_thread)
{
    (void)i_thread;
    const struct op_io *io = ctx;
    int c = io->y.c, groups = io->attr->groups, width = c / groups;
    size_t n_pixels = (size_t)io->y.h * (size_t)io->y.w;
    for (size_t p = (size_t)i * n_pixels; p < ((size_t)i + 1) * n_pixels; p++) {
        const float *x = io->x[0].data + p * (size_t)c;
        float *y = io->y.data + p * (size_t)c;
        for (int k = 0; k < c; k++) {
            y[k % width * groups + k / width] = x[k];
        }
    }
}

static void shuffle_fwd(const struct op_io *io)
{
    threads_for(io->mc, io->y.n, shuffle_fwd_image, (void *)io);
}

static void shuffle_bwd_image(void *ctx, int i, int i_thread)
{
    (void)i_thread;
    const struct op_io *io = ctx;
    int c = io->dy.c, groups = io->attr->groups, width = c / groups;
    size_t n_pixels = (size_t)io->dy.h * (size_t)io->dy.w;
    for (size_t p = (size_t)i * n_pixels; p < ((size_t)i + 1) * n_pixels; p++) {
        float *dx = io->dx[0].data + p * (size_t)c;
        const float *dy = io->dy.data + p * (size_t)c;
        for (int k = 0; k < c; k++) {
            put(&dx[k], dy[k % width * groups + k / width], io->dx_add[0]);
        }
    }
}

static void shuffle_bwd(const struct op_io *io)
{
    if (io->dx[0].data) {
        threads_for(io->mc, io->dy.n, shuffle_bwd_image, (void *)io);
    }
}

const struct op op_shape_shuffle = {
    .name = "shuffle",
    .n_in_min = 1,
    .n_in_max = 1,
    .keeps_zero = true,
    .by_image = true,
    .infer = shuffle_infer,
    .forward = shuffle_fwd,
    .backward = shuffle_bwd,
};

/* Option A [He2016, sec. 4.2]: every second pixel; k channels, the new ones zero, as many before as
 * after. */
static bool shortcut_a_infer(const struct op_attr *attr, const struct shape *in, int n_in,
                             struct shape *out, struct param_spec *params, int *n_params,
                             struct err *e)
{
    (void)params;
    ASSERT(n_in == 1);
    if (attr->k < in->c || (attr->k - in->c) % 2 != 0) {
        return err_set(e, ERR_INPUT, "%d channels cannot be padded evenly to %d", in->c, attr->k);
    }
    *out = (struct shape){DIV_UP(in->h, 2), DIV_UP(in->w, 2), attr->k};
    *n_params = 0;
    return true;
}

static void shortcut_a_fwd_image(void *ctx, int i, int i_thread)
{
    (void)i_thread;
    const struct op_io *io = ctx;
    const struct tensor *x = &io->x[0], *y = &io->y;
    size_t c = (size_t)x->c, k = (size_t)y->c, before = (k - c) / 2;
    const float *from = x->data + (size_t)i * image_floats(x);
    float *to = y->data + (size_t)i * image_floats(y);
    for (int h = 0; h < y->h; h++) {
        for (int w = 0; w < y->w; w++, to += k) {
            memset(to, 0, before * sizeof *to);
            memcpy(to + before, from + (size_t)(2 * h * x->w + 2 * w) * c, c * sizeof *to);
            memset(to + before + c, 0, before * sizeof *to);
        }
    }
}

static void shortcut_a_fwd(const struct op_io *io)
{
    threads_for(io->mc, io->y.n, shortcut_a_fwd_image, (void *)io);
}

static void shortcut_a_bwd_image(void *ctx, int i, int i_thread)
{
    (void)i_thread;
    const struct op_io *io = ctx;
    const struct tensor *dx = &io->dx[0], *dy = &io->dy;
    size_t c = (size_t)dx->c, k = (size_t)dy->c, before = (k - c) / 2;
    float *to = dx->data + (size_t)i * image_floats(dx);
    const float *from = dy->data + (size_t)i * image_floats(dy) + before;
    if (!io->dx_add[0]) {
        memset(to, 0, image_floats(dx) * sizeof *to);
    }
    for (int h = 0; h < dy->h; h++) {
        for (int w = 0; w < dy->w; w++, from += k) {
            float *pixel = to + (size_t)(2 * h * dx->w + 2 * w) * c;
            for (size_t j = 0; j < c; j++) {
                pixel[j] += from[j];
            }
        }
    }
}

static void shortcut_a_bwd(const struct op_io *io)
{
    if (io->dx[0].data) {
        threads_for(io->mc, io->dy.n, shortcut_a_bwd_image, (void *)io);
    }
}

const struct op op_shape_shortcut_a = {
    .name = "shortcut_a",
    .n_in_min = 1,
    .n_in_max = 1,
    .keeps_zero = true,
    .by_image = true,
    .infer = shortcut_a_infer,
    .forward = shortcut_a_fwd,
    .backward = shortcut_a_bwd,
};

/* to[rows][cols] (+)= from[cols][rows] transposed, for each of n images. */
static void transpose(float *to, const float *from, int n, size_t rows, size_t cols, bool add)
{
    for (int i = 0; i < n; i++, to += rows * cols, from += rows * cols) {
        for (size_t r = 0; r < rows; r++) {
            for (size_t c = 0; c < cols; c++) {
                put(&to[r * cols + c], from[c * rows + r], add);
            }
        }
    }
}

static bool flatten_infer(const struct op_attr *attr, const struct shape *in, int n_in,
                          struct shape *out, struct param_spec *params, int *n_params,
                          struct err *e)
{
    (void)params;
    ASSERT(attr && n_in == 1);
    if (shape_count(*in) > INT32_MAX) {
        return err_set(e, ERR_INPUT, "%d x %d x %d is too large to flatten", in->h, in->w, in->c);
    }
    *out = (struct shape){1, 1, (int)shape_count(*in)};
    *n_params = 0;
    return true;
}

static void flatten_fwd(const struct op_io *io)
{
    const struct tensor *x = &io->x[0];
    transpose(io->y.data, x->data, x->n, (size_t)x->c, (size_t)x->h * (size_t)x->w, false);
}

static void flatten_bwd(const struct op_io *io)
{
    const struct tensor *dx = &io->dx[0];
    if (dx->data) {
        transpose(dx->data, io->dy.data, dx->n, (size_t)dx->h * (size_t)dx->w, (size_t)dx->c,
                  io->dx_add[0]);
    }
}

const struct op op_shape_flatten = {
    .name = "flatten",
    .n_in_min = 1,
    .n_in_max = 1,
    .keeps_zero = true,
    .by_image = true,
    .infer = flatten_infer,
    .forward = flatten_fwd,
    .backward = flatten_bwd,
};

/* A flat vector becomes kernel x kernel pixels of k channels: flatten backwards. */
static bool reshape_infer(const struct op_attr *attr, const struct shape *in, int n_in,
                          struct shape *out, struct param_spec *params, int *n_params,
                          struct err *e)
{
    (void)params;
    ASSERT(n_in == 1);
    *out = (struct shape){attr->kernel, attr->kernel, attr->k};
    *n_params = 0;
    if (in->h != 1 || in->w != 1 || attr->k <= 0 || attr->kernel <= 0 ||
        shape_count(*out) != (size_t)in->c) {
        return err_set(e, ERR_INPUT, "%d x %d x %d cannot become %d x %d x %d", in->h, in->w, in->c,
                       attr->kernel, attr->kernel, attr->k);
    }
    return true;
}

static void reshape_fwd(const struct op_io *io)
{
    const struct tensor *y = &io->y;
    transpose(y->data, io->x[0].data, y->n, (size_t)y->h * (size_t)y->w, (size_t)y->c, false);
}

static void reshape_bwd(const struct op_io *io)
{
    const struct tensor *dy = &io->dy;
    if (io->dx[0].data) {
        transpose(io->dx[0].data, dy->data, dy->n, (size_t)dy->c, (size_t)dy->h * (size_t)dy->w,
                  io->dx_add[0]);
    }
}

const struct op op_shape_reshape = {
    .name = "reshape",
    .n_in_min = 1,
    .n_in_max = 1,
    .keeps_zero = true,
    .by_image = true,
    .infer = reshape_infer,
    .forward = reshape_fwd,
    .backward = reshape_bwd,
};
