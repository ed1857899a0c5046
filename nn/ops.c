#include "nn/ops.h"

#include <string.h>

/* A new op is a room nn/op_*.c, a row here, and a reference in tests/test_nn_gradients.c. */
#define OPS(ROW)                                                                                   \
    ROW(op_conv)                                                                                   \
    ROW(op_conv_bn)                                                                                \
    ROW(op_linear)                                                                                 \
    ROW(op_norm_bn)                                                                                \
    ROW(op_norm_sum)                                                                               \
    ROW(op_act_relu)                                                                               \
    ROW(op_act_relu6)                                                                              \
    ROW(op_act_hswish)                                                                             \
    ROW(op_act_sigmoid)                                                                            \
    ROW(op_act_tanh)                                                                               \
    ROW(op_pool_avg)                                                                               \
    ROW(op_pool_max)                                                                               \
    ROW(op_pool_global)                                                                            \
    ROW(op_combine_sum)                                                                            \
    ROW(op_combine_concat)                                                                         \
    ROW(op_combine_scale)                                                                          \
    ROW(op_combine_zero)                                                                           \
    ROW(op_shape_shuffle)                                                                          \
    ROW(op_shape_shortcut_a)                                                                       \
    ROW(op_shape_flatten)                                                                          \
    ROW(op_shape_reshape)                                                                          \
    ROW(op_latent)                                                                                 \
    ROW(op_upsample_nearest)                                                                       \
    ROW(op_upsample_conv)

#define DECLARE(row) extern const struct op row;
#define POINTER(row) &row,
OPS(DECLARE)
static const struct op *const ops[] = {OPS(POINTER)};

const struct op *op_find(const char *name)
{
    for (size_t i = 0; i < N_ELEMS(ops); i++) {
        if (strcmp(ops[i]->name, name) == 0) {
            return ops[i];
        }
    }
    return NULL;
}

int ops_count(void)
{
    return (int)N_ELEMS(ops);
}

const struct op *ops_at(int i)
{
    ASSERT(i >= 0 && (size_t)i < N_ELEMS(ops));
    return ops[i];
}
