/*
 * conv_room.h: what the algorithms behind conv.h share: one job, and one row of functions an
 * algorithm.
 */
#ifndef CORE_CONV_ROOM_H
#define CORE_CONV_ROOM_H

#include "core/conv.h"

/* One call of conv.h, whatever its direction; unused members are zero. */
struct conv_job {
    const struct machine *mc;
    const struct conv_shape *s;
    enum conv_dir dir;
    float *out;                   /* y, dx or dw */
    const float *x, *w, *dy;      /* inputs of that direction */
    const float *prepared;        /* what prepare made of w, or NULL */
    bool relu_in;                 /* fwd, bwd_weights */
    bool one_sum;                 /* bwd_weights: not cut into parts */
    const struct conv_post *post; /* fwd; may be NULL */
    bool add;                     /* bwd_data */
    const float *mask;            /* bwd_data; may be NULL */
    struct arena tmp;
};

struct conv_room {
    const char *name;
    bool (*can)(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir);
    size_t (*scratch_bytes)(const struct machine *mc, const struct conv_shape *s,
                            enum conv_dir dir);
    void (*run)(const struct conv_job *j);
    /* What can be made of the weights alone: bytes, and from j->w to data. NULL: nothing. */
    size_t (*prepare_bytes)(const struct conv_shape *s, enum conv_dir dir);
    void (*prepare)(const struct conv_job *j, float *data);
};

extern const struct conv_room conv_im2col, conv_im2col_gemm;
extern const struct conv_room conv_ref, conv_direct, conv_winograd, conv_depthwise, conv_bf16,
    conv_winograd_bf16;

/* conv_wgrad.c: backward weights of conv_direct. */
size_t conv_wgrad_scratch_bytes(const struct machine *mc, const struct conv_shape *s);
void conv_wgrad_run(const struct conv_job *j);

/* conv_winograd_weights.c: backward weights of conv_winograd. */
size_t conv_winograd_weights_bytes(const struct machine *mc, const struct conv_shape *s);
void conv_winograd_weights_run(const struct conv_job *j);

/* conv_bf16.c: is it ahead of what fp32 would take? */
bool conv_bf16_pays(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir,
                    enum conv_algo fp32);

/* conv_bf16_weights.c: backward weights of conv_bf16. */
size_t conv_bf16_weights_bytes(const struct machine *mc, const struct conv_shape *s);
void conv_bf16_weights_run(const struct conv_job *j);

/* conv_direct.c: what is done to outputs beginning at element `at` of the result, output channel
 * `col`; false for nothing. */
struct kernel_post;
bool conv_direct_post(const struct conv_job *j, struct kernel_post *post, size_t at, int col);

/* The same for a product over taps. */
struct kernel_gemm;
void conv_direct_gemm_post(const struct conv_job *j, struct kernel_gemm *g,
                           struct kernel_post *post, size_t at, int col);

/* Tensors of more floats than this come from L3 or memory: asking for them ahead pays, and costs a
 * few percent below. */
enum { CONV_FAR_FLOATS = 524288 };

/* Ask for a block of n_rows rows of row_floats floats, row_step apart, to be brought near, at once:
 * what a kernel asks for by the way is struct kernel_ahead's. */
static inline void conv_room_prefetch(const float *p, int n_rows, size_t row_floats,
                                      size_t row_step)
{
    for (int r = 0; r < n_rows; r++, p += row_step) {
        __asm__ volatile("" : : "r"(p)); /* else gcc drops calls of what it takes for no effect */
        for (size_t i = 0; i < row_floats; i += 16) {
            __builtin_prefetch(p + i, 0, 2);
        }
    }
}

/* Parts into which sums over images are cut for backward weights: by size alone. */
enum { CONV_MAX_PARTS = 16 };

/* The post of one output element, plain C: the definition. at: index into y; k: output channel. */
float conv_ref_finish(const struct conv_post *post, float v, size_t at, int k);

#endif
