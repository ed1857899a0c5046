/*
 * conv.h: convolution of NHWC feature maps, forward and both backward passes, grouped and depthwise
 * included. Weights are [kh][kw][c/groups][k]. The algorithm per shape is conv's own choice
 * (direct, Winograd, GEMM); each is held to the definition within the bounds stated below. Results
 * do not depend on the number of threads.
 *
 * Letters: n images, h w input size, c input channels, k output channels, kh kw kernel, oh ow
 * output size, x input, y output, w weights, d. gradient.
 */
#ifndef CORE_CONV_H
#define CORE_CONV_H

#include "core/arena.h"
#include "core/machine.h"

struct conv_shape {
    int n, h, w, c;
    int k, kh, kw;
    int stride, pad, groups;
    int oh, ow; /* filled by conv_shape_init: (h + 2 pad - kh) / stride + 1 */
};

/* What is done to each output element before it is written, in this order; zero = nothing. y may be
 * written only. */
enum conv_act { CONV_ACT_NONE, CONV_ACT_RELU, CONV_ACT_RELU6, CONV_ACT_HSWISH };
struct conv_post {
    const float *scale; /* [k] or NULL = 1: a batch norm folded */
    const float *shift; /* [k] or NULL = 0: bias, or the rest of the batch norm */
    const float *add;   /* [n, oh, ow, k] or NULL: a residual */
    enum conv_act act;
};

enum conv_dir { CONV_FWD, CONV_BWD_DATA, CONV_BWD_WEIGHTS };
enum { CONV_N_DIRS = 3 };

/* AUTO is the measured choice; the others force one where it applies (benchmarks and tests). */
enum conv_algo {
    CONV_AUTO,
    CONV_REF,
    CONV_DIRECT,
    CONV_WINOGRAD,
    CONV_IM2COL,
    CONV_GEMM,
    CONV_DEPTHWISE,
    CONV_BF16, /* these two where the machine allows bf16 */
    CONV_WINOGRAD_BF16,
    CONV_N_ALGOS
};

/* Winograd's bound: |error| <= CONV_WINOGRAD_FACTOR u max over a result of sum|a||b| (about 1e-5),
 * u = 2^-24. Every other algorithm: n u sum|a||b| of the element itself, n terms; CONV_BF16 against
 * the sums over its rounded inputs (conv_bf16.c). */
enum { CONV_WINOGRAD_FACTOR = 160 };
/* The same with its products in bf16, in units of 2^-9: 15 are seen on random data. */
enum { CONV_WINOGRAD_BF16_FACTOR = 40 };

/* Fill oh, ow; ERR_INPUT for shapes that make no sense (non-positive sizes, c or k not divisible by
 * groups, empty output, products beyond 2^31 elements an image). */
MUST_USE bool conv_shape_init(struct conv_shape *s, struct err *e);

/* True where algo can do this shape and direction. */
bool conv_can(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir,
              enum conv_algo algo);

/* The algorithm AUTO stands for: the machine's tuned table (core/choice.h), else our own choice. */
enum conv_algo conv_choose(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir);

const char *conv_algo_name(enum conv_algo algo);

/* "fwd", "bwd_data", "bwd_weights". */
const char *conv_dir_name(enum conv_dir dir);

/* Scratch bytes that `tmp` must offer, for this many threads and any of the algorithms AUTO may
 * choose. */
size_t conv_scratch_bytes(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir,
                          enum conv_algo algo);

/* y[n,oh,ow,k] = post(x * w). relu_in: x is passed through ReLU on the way in (max(x, 0)), so that
 * a ReLU before a convolution need not be written to memory. */
void conv_forward(const struct machine *mc, float *y, const float *x, const float *w,
                  const struct conv_shape *s, bool relu_in, const struct conv_post *post,
                  enum conv_algo algo, struct arena tmp);

/*
 * Weights that many calls share (inference, benchmarks), made ready once: what an algorithm would
 * make of them at each call (Winograd's transforms, transposes). For forward and backward data, and
 * good for any number of images: `s` may differ from the calls' in n, oh and ow follow from the
 * rest.
 */
struct conv_prepared {
    enum conv_algo algo; /* the calls' algorithm is this one, whatever they ask for */
    const float *data;   /* NULL: it takes weights as they are */
};

/* What conv_prepare writes, at most 36/9 of the weights and a little. */
size_t conv_prepare_bytes(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir,
                          enum conv_algo algo);

/* data: conv_prepare_bytes, ARENA_ALIGN aligned, the caller's for as long as the result is used.
 * tmp offers conv_scratch_bytes. */
struct conv_prepared conv_prepare(const struct machine *mc, void *data, const float *w,
                                  const struct conv_shape *s, enum conv_dir dir,
                                  enum conv_algo algo, struct arena tmp);

/* conv_forward by weights w that were prepared; the same bits. */
void conv_forward_prepared(const struct machine *mc, float *y, const float *x, const float *w,
                           const struct conv_prepared *prepared, const struct conv_shape *s,
                           bool relu_in, const struct conv_post *post, struct arena tmp);

/* dx[n,h,w,c] (+)= dy * w^T; add: add to dx rather than overwrite. mask: NULL, or the [n,h,w,c]
 * input of a ReLU that stands before the convolution: contributions are dropped where mask <= 0. */
void conv_backward_data(const struct machine *mc, float *dx, const float *dy, const float *w,
                        const struct conv_shape *s, bool add, const float *mask,
                        enum conv_algo algo, struct arena tmp);

/* The same by weights w that were prepared; the same bits. */
void conv_backward_data_prepared(const struct machine *mc, float *dx, const float *dy,
                                 const float *w, const struct conv_prepared *prepared,
                                 const struct conv_shape *s, bool add, const float *mask,
                                 struct arena tmp);

/* dw[kh,kw,c/groups,k] = x (*) dy, overwritten. relu_in as in conv_forward. */
void conv_backward_weights(const struct machine *mc, float *dw, const float *x, const float *dy,
                           const struct conv_shape *s, bool relu_in, enum conv_algo algo,
                           struct arena tmp);

/* The same for images that are themselves one part of a batch: their sum is one chain, not cut
 * further, which saves the parts' cost and leaves one thread to do it. */
void conv_backward_weights_part(const struct machine *mc, float *dw, const float *x,
                                const float *dy, const struct conv_shape *s, bool relu_in,
                                enum conv_algo algo, struct arena tmp);

/* dbias[k] = sum over n, oh, ow of dy, in double, in index order of fixed chunks. */
void conv_backward_bias(const struct machine *mc, float *dbias, const float *dy, size_t n_pixels,
                        int k, struct arena tmp);

/* Multiply-adds of one image: oh ow k kh kw c/groups. */
int64_t conv_macs(const struct conv_shape *s);

#endif
