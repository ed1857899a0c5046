/*
 * op.h: the contract of a network operation. A room (nn/op_*.c) defines `const struct op` rows;
 * nn/ops.c lists them. An op sees its own tensors, never the graph. Every op has: shape, forward,
 * backward, cost; backward is held to central differences in double by tests/test_nn_gradients.c.
 */
#ifndef NN_OP_H
#define NN_OP_H

#include "core/arena.h"
#include "core/machine.h"
#include "core/tensor.h"

enum { OP_MAX_IN = 8, OP_MAX_PARAM = 16, OP_MAX_PARTS = 64 };

enum op_act { OP_ACT_NONE, OP_ACT_RELU };

/* Attributes of all ops; each uses what it needs, the rest is zero. */
struct op_attr {
    int k;      /* output channels (conv, linear, transposed conv) */
    int kernel; /* square kernel or pooling window */
    int stride, pad, groups;
    bool bias;
    bool count_padding;  /* average pool */
    bool relu_in;        /* conv: a ReLU stands before it and is computed on the way in */
    float eps, momentum; /* batch norm */
    int times;           /* upsample factor, shuffle groups */
    enum op_act act;     /* norm_sum, conv_bn: what comes last */
    uint32_t norm_mask; /* norm_sum: bit i = input i goes through a batch norm first; conv_bn: 1 = a
                           batch norm follows */
};

enum param_kind {
    PARAM_WEIGHT,       /* conv [kh][kw][c/g][k], linear [c][k]; decayed */
    PARAM_BIAS,         /* [k] */
    PARAM_SCALE,        /* batch norm gamma [c] */
    PARAM_SHIFT,        /* batch norm beta [c] */
    PARAM_RUNNING_MEAN, /* [c], not trained */
    PARAM_RUNNING_VAR,  /* [c], not trained */
};

struct param_spec {
    enum param_kind kind;
    const char *suffix; /* "weight", "bias", "running_mean" ...: the PyTorch name is node name + "."
                           + suffix */
    int n_dims;  /* 4: conv, PyTorch's shape is [d3][d2][d0][d1]; 2: linear, [d1][d0]; 1: [d0] */
    int dims[4]; /* in our layout; unused ones are 1 */
    int fan_in;  /* for the initialisers */
    int fan_out;
};

/* One execution, as the op sees it. */
struct op_io {
    const struct machine *mc;
    const struct op_attr *attr;
    int n_in;
    struct tensor x[OP_MAX_IN];  /* inputs; data NULL = all zeros, only for ops with takes_zeros */
    struct tensor y;             /* output: written by forward, readable in backward if keeps_y */
    struct tensor dy;            /* backward: gradient of y; backward may overwrite it */
    struct tensor dx[OP_MAX_IN]; /* backward: gradients wanted; data NULL = not wanted */
    bool dx_add[OP_MAX_IN];      /* add to dx rather than overwrite */
    bool one_of_parts;           /* backward: dw is one of several that will be added up */
    float *w[OP_MAX_PARAM];      /* parameters in the order of `params` */
    float *dw[OP_MAX_PARAM];     /* their gradients, overwritten; NULL for those not trained */
    const void *prepared;        /* forward: what prepare returned; NULL = nothing was prepared */
    void *save;                  /* save_bytes that live from forward to backward */
    /* For ops with `gather`: */
    int n_batch;            /* images of the whole batch, of which these tensors hold n */
    int i_part;             /* which part of it they are */
    void *parts[OP_MAX_IN]; /* what gather left of input i; backward: parts[0] */
    int n_parts[OP_MAX_IN]; /* in so many parts, of op_part_first(n_batch, n_parts, p) on */
    bool train;             /* batch statistics, draws ... */
    uint64_t noise_seed, noise_step; /* what an op's draws are keyed by (net_set_noise) */
    struct arena tmp;                /* scratch_bytes, forgotten on return */
};

/*
 * What an op that works image by image must know of the whole batch first. The batch comes in
 * parts, by size alone. gather sees the images of one part and leaves part_bytes at parts[i] +
 * i_part part_bytes; settle, once, sees all parts (OP_MAX_PARTS at most) and leaves in `save` what
 * forward or backward needs. Their order: gather of every part, settle, forward of every part.
 */
struct op_gather {
    size_t (*part_bytes)(const struct op_attr *attr, int n_in, int c);
    /* Is input i gathered? Its dx is written by `backward`, that of the others by gather_dy. */
    bool (*reads)(const struct op_attr *attr, int i);
    void (*gather_x)(const struct op_io *io, int i); /* if io->train */
    void (*settle_forward)(const struct op_io *io);
    void (*gather_dy)(const struct op_io *io);
    void (*settle_backward)(const struct op_io *io); /* dw too */
};

struct op {
    const char *name;
    int n_in_min, n_in_max;
    bool keeps_x, keeps_y; /* what backward reads: decides how long activations live */
    /* Refines them: does backward read input i, or the output (i = -1)? NULL = all that the flags
     * say. */
    bool (*keeps)(const struct op_attr *attr, int n_in, int i);
    /* Forward may run again before backward: it gives the same bits and changes nothing else. */
    bool remakes;
    bool takes_zeros; /* inputs known to be zero come with data NULL and cost nothing */
    bool keeps_zero; /* zeros in, zeros out (unless attr.bias): such a node is never run on zeros */
    /* dx[i] may be the memory of dy; for an input through a batch norm only if it is alone. */
    bool dx_over_dy;
    /* Forward and backward of some images do not depend on the others, and dw of a batch is the sum
     * of dw of its parts, unless `gather` says what they need of the batch. Such ops are run one
     * part
     * of a batch after another, so that what one writes is still near when the next reads it. */
    bool by_image;
    const struct op_gather *gather; /* NULL = nothing */
    /* Output shape and parameters from input shapes; returns false with e filled for what cannot
     * be. */
    bool (*infer)(const struct op_attr *attr, const struct shape *in, int n_in, struct shape *out,
                  struct param_spec params[OP_MAX_PARAM], int *n_params, struct err *e);
    size_t (*scratch_bytes)(const struct machine *mc, const struct op_attr *attr, int batch,
                            const struct shape *in, int n_in, struct shape out,
                            bool backward); /* NULL = none */
    size_t (*save_bytes)(const struct op_attr *attr, int batch, const struct shape *in, int n_in,
                         struct shape out); /* NULL = none */
    void (*forward)(const struct op_io *io);
    /* NET_EVAL: what forward would make of the parameters alone at each call, made once in keep,
     * of which it takes at most prepare_bytes. io holds parameters, shapes (batch of the plan) and
     * scratch, no data. NULL = nothing. */
    size_t (*prepare_bytes)(const struct machine *mc, const struct op_attr *attr, int batch,
                            const struct shape *in, int n_in);
    const void *(*prepare)(const struct op_io *io, struct arena *keep);
    void (*backward)(const struct op_io *io); /* NULL: for evaluation only */
    int64_t (*macs)(const struct op_attr *attr, const struct shape *in, int n_in,
                    struct shape out); /* NULL = 0 */
};

/* Image where part p of n begins: parts differ by one image at most. */
static inline int op_part_first(int n_batch, int n_parts, int p)
{
    return (int)((int64_t)n_batch * p / n_parts);
}

#endif
