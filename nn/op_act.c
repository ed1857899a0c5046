/* op_act.c: element-wise activations. ReLU's backward reads its output (y > 0 where x > 0), the
 * others their input. */
#include "nn/op.h"

#include "core/vec.h"

static bool act_infer(const struct op_attr *attr, const struct shape *in, int n_in,
                      struct shape *out, struct param_spec *params, int *n_params, struct err *e)
{
    (void)params, (void)e;
    ASSERT(attr && n_in == 1);
    *out = in[0];
    *n_params = 0;
    return true;
}

static void backward_from(const struct op_io *io, enum vec_act act, const float *x)
{
    if (io->dx[0].data) {
        vec_act_backward(io->mc, act, io->dx[0].data, x, io->dy.data, tensor_count(&io->dy),
                         io->dx_add[0]);
    }
}

static void relu_fwd(const struct op_io *io)
{
    vec_act_forward(io->mc, VEC_RELU, io->y.data, io->x[0].data, tensor_count(&io->y));
}

static void relu_bwd(const struct op_io *io)
{
    backward_from(io, VEC_RELU, io->y.data);
}

static void relu6_fwd(const struct op_io *io)
{
    vec_act_forward(io->mc, VEC_RELU6, io->y.data, io->x[0].data, tensor_count(&io->y));
}

static void relu6_bwd(const struct op_io *io)
{
    backward_from(io, VEC_RELU6, io->x[0].data);
}

static void hswish_fwd(const struct op_io *io)
{
    vec_act_forward(io->mc, VEC_HSWISH, io->y.data, io->x[0].data, tensor_count(&io->y));
}

static void hswish_bwd(const struct op_io *io)
{
    backward_from(io, VEC_HSWISH, io->x[0].data);
}

static void sigmoid_fwd(const struct op_io *io)
{
    vec_act_forward(io->mc, VEC_SIGMOID, io->y.data, io->x[0].data, tensor_count(&io->y));
}

static void sigmoid_bwd(const struct op_io *io)
{
    backward_from(io, VEC_SIGMOID, io->x[0].data);
}

static void tanh_fwd(const struct op_io *io)
{
    vec_act_forward(io->mc, VEC_TANH, io->y.data, io->x[0].data, tensor_count(&io->y));
}

static void tanh_bwd(const struct op_io *io)
{
    backward_from(io, VEC_TANH, io->x[0].data);
}

#define UNARY                                                                                      \
    .n_in_min = 1, .n_in_max = 1, .dx_over_dy = true, .by_image = true, .infer = act_infer

const struct op op_act_relu = {.name = "relu",
                               UNARY,
                               .keeps_y = true,
                               .keeps_zero = true,
                               .forward = relu_fwd,
                               .backward = relu_bwd};
const struct op op_act_relu6 = {.name = "relu6",
                                UNARY,
                                .keeps_x = true,
                                .keeps_zero = true,
                                .forward = relu6_fwd,
                                .backward = relu6_bwd};
const struct op op_act_hswish = {.name = "hswish",
                                 UNARY,
                                 .keeps_x = true,
                                 .keeps_zero = true,
                                 .forward = hswish_fwd,
                                 .backward = hswish_bwd};
const struct op op_act_sigmoid = {
    .name = "sigmoid", UNARY, .keeps_x = true, .forward = sigmoid_fwd, .backward = sigmoid_bwd};
const struct op op_act_tanh = {.name = "tanh",
                               UNARY,
                               .keeps_x = true,
                               .keeps_zero = true,
                               .forward = tanh_fwd,
                               .backward = tanh_bwd};
