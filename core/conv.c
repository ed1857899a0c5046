#include "core/conv.h"

#include "core/choice.h"
#include "core/conv_room.h"
#include "core/kernel.h"
#include "core/threads.h"

#include <string.h>

/* The algorithms; AUTO is none of its own and has no row. */
static const struct conv_room *const conv_rooms[CONV_N_ALGOS] = {
    [CONV_REF] = &conv_ref,
    [CONV_DIRECT] = &conv_direct,
    [CONV_WINOGRAD] = &conv_winograd,
    [CONV_IM2COL] = &conv_im2col,
    [CONV_GEMM] = &conv_im2col_gemm,
    [CONV_DEPTHWISE] = &conv_depthwise,
    [CONV_BF16] = &conv_bf16,
    [CONV_WINOGRAD_BF16] = &conv_winograd_bf16,
};

static const char *const conv_names[CONV_N_ALGOS] = {
    [CONV_AUTO] = "auto",           [CONV_REF] = "ref",       [CONV_DIRECT] = "direct",
    [CONV_WINOGRAD] = "winograd",   [CONV_IM2COL] = "im2col", [CONV_GEMM] = "gemm",
    [CONV_DEPTHWISE] = "depthwise", [CONV_BF16] = "bf16",
    [CONV_WINOGRAD_BF16] = "winograd_bf16",
};

bool conv_shape_init(struct conv_shape *s, struct err *e)
{
    if (s->n <= 0 || s->h <= 0 || s->w <= 0 || s->c <= 0 || s->k <= 0 || s->kh <= 0 || s->kw <= 0 ||
        s->stride <= 0 || s->pad < 0 || s->groups <= 0) {
        return err_set(e, ERR_INPUT,
                       "convolution n%dh%dw%dc%dk%d kernel %dx%d stride %d pad %d groups %d: sizes "
                       "must be positive",
                       s->n, s->h, s->w, s->c, s->k, s->kh, s->kw, s->stride, s->pad, s->groups);
    }
    if (s->c % s->groups != 0 || s->k % s->groups != 0) {
        return err_set(e, ERR_INPUT,
                       "convolution of %d to %d channels does not divide into %d groups", s->c,
                       s->k, s->groups);
    }
    int64_t ph = (int64_t)s->h + 2 * (int64_t)s->pad, pw = (int64_t)s->w + 2 * (int64_t)s->pad;
    if (ph < s->kh || pw < s->kw) {
        return err_set(e, ERR_INPUT,
                       "convolution kernel %dx%d is larger than the padded %dx%d input", s->kh,
                       s->kw, s->h, s->w);
    }
    size_t limit = (size_t)1 << 31, in = 0, out = 0, weights = 0;
    s->oh = (int)((ph - s->kh) / s->stride + 1);
    s->ow = (int)((pw - s->kw) / s->stride + 1);
    bool fits = base_mul((size_t)ph * (size_t)pw, (size_t)s->c, &in) && in < limit &&
                base_mul((size_t)s->oh * (size_t)s->ow, (size_t)s->k, &out) && out < limit &&
                base_mul((size_t)s->kh * (size_t)s->kw, (size_t)s->c, &weights) &&
                weights < limit && base_mul(weights, (size_t)s->k, &weights) && weights < limit;
    return fits ||
           err_set(e, ERR_INPUT,
                   "convolution of %dx%dx%d to %d channels, kernel %dx%d: more than 2^31 elements",
                   s->h, s->w, s->c, s->k, s->kh, s->kw);
}

bool conv_can(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir,
              enum conv_algo algo)
{
    ASSERT(algo >= 0 && algo < CONV_N_ALGOS);
    if (algo == CONV_AUTO) {
        return true;
    }
    return conv_rooms[algo] && conv_rooms[algo]->can(mc, s, dir);
}

enum conv_algo conv_choose(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir)
{
    enum conv_algo tuned = mc->choice ? choice_find(mc->choice, s, dir) : CONV_AUTO;
    if (tuned != CONV_AUTO && conv_can(mc, s, dir, tuned)) {
        return tuned;
    }
    bool depthwise = conv_can(mc, s, dir, CONV_DEPTHWISE);
    enum conv_algo algo = depthwise ? CONV_DEPTHWISE : CONV_DIRECT;
    if (conv_can(mc, s, dir, CONV_WINOGRAD) && s->c >= 12 && s->k >= 12 && s->oh >= 4 &&
        s->ow >= 4) {
        algo = CONV_WINOGRAD;
    }
    /* winograd_bf16 is faster than Winograd, but ranks networks worse (docs/BF16.md). */
    bool bf16 = conv_can(mc, s, dir, CONV_BF16) && conv_bf16_pays(mc, s, dir, algo);
    return bf16 ? CONV_BF16 : algo;
}

const char *conv_algo_name(enum conv_algo algo)
{
    ASSERT(algo >= 0 && algo < CONV_N_ALGOS);
    return conv_names[algo];
}

const char *conv_dir_name(enum conv_dir dir)
{
    static const char *const names[CONV_N_DIRS] = {"fwd", "bwd_data", "bwd_weights"};
    ASSERT((int)dir >= 0 && (int)dir < CONV_N_DIRS);
    return names[dir];
}

size_t conv_scratch_bytes(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir,
                          enum conv_algo algo)
{
    algo = algo == CONV_AUTO ? conv_choose(mc, s, dir) : algo;
    ASSERT(conv_can(mc, s, dir, algo));
    return conv_rooms[algo]->scratch_bytes(mc, s, dir);
}

size_t conv_prepare_bytes(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir,
                          enum conv_algo algo)
{
    algo = algo == CONV_AUTO ? conv_choose(mc, s, dir) : algo;
    ASSERT(conv_can(mc, s, dir, algo));
    const struct conv_room *room = conv_rooms[algo];
    return room->prepare_bytes ? room->prepare_bytes(s, dir) : 0;
}

struct conv_prepared conv_prepare(const struct machine *mc, void *data, const float *w,
                                  const struct conv_shape *s, enum conv_dir dir,
                                  enum conv_algo algo, struct arena tmp)
{
    struct conv_job j = {.mc = mc, .s = s, .dir = dir, .w = w, .tmp = tmp};
    algo = algo == CONV_AUTO ? conv_choose(mc, s, dir) : algo;
    if (conv_prepare_bytes(mc, s, dir, algo) == 0) {
        return (struct conv_prepared){.algo = algo};
    }
    conv_rooms[algo]->prepare(&j, data);
    return (struct conv_prepared){.algo = algo, .data = data};
}

static void conv_run(const struct conv_job *j, enum conv_algo algo)
{
    ASSERT(j->s->oh > 0 && j->s->ow > 0);
    algo = algo == CONV_AUTO ? conv_choose(j->mc, j->s, j->dir) : algo;
    ASSERT(conv_can(j->mc, j->s, j->dir, algo));
    conv_rooms[algo]->run(j);
}

void conv_forward(const struct machine *mc, float *y, const float *x, const float *w,
                  const struct conv_shape *s, bool relu_in, const struct conv_post *post,
                  enum conv_algo algo, struct arena tmp)
{
    struct conv_prepared as_is = {.algo = algo};
    conv_forward_prepared(mc, y, x, w, &as_is, s, relu_in, post, tmp);
}

/* Nothing to do is no post: the rooms then store their sums as they are. */
static const struct conv_post *conv_post_or_none(const struct conv_post *p)
{
    return p && (p->scale || p->shift || p->add || p->act != CONV_ACT_NONE) ? p : NULL;
}

void conv_forward_prepared(const struct machine *mc, float *y, const float *x, const float *w,
                           const struct conv_prepared *prepared, const struct conv_shape *s,
                           bool relu_in, const struct conv_post *post, struct arena tmp)
{
    struct conv_job j = {.mc = mc,
                         .s = s,
                         .dir = CONV_FWD,
                         .out = y,
                         .x = x,
                         .w = w,
                         .prepared = prepared->data,
                         .relu_in = relu_in,
                         .post = conv_post_or_none(post),
                         .tmp = tmp};
    conv_run(&j, prepared->algo);
}

void conv_backward_data(const struct machine *mc, float *dx, const float *dy, const float *w,
                        const struct conv_shape *s, bool add, const float *mask,
                        enum conv_algo algo, struct arena tmp)
{
    struct conv_prepared as_is = {.algo = algo};
    conv_backward_data_prepared(mc, dx, dy, w, &as_is, s, add, mask, tmp);
}

void conv_backward_data_prepared(const struct machine *mc, float *dx, const float *dy,
                                 const float *w, const struct conv_prepared *prepared,
                                 const struct conv_shape *s, bool add, const float *mask,
                                 struct arena tmp)
{
    struct conv_job j = {.mc = mc,
                         .s = s,
                         .dir = CONV_BWD_DATA,
                         .out = dx,
                         .dy = dy,
                         .w = w,
                         .prepared = prepared->data,
                         .add = add,
                         .mask = mask,
                         .tmp = tmp};
    conv_run(&j, prepared->algo);
}

static void conv_run_weights(const struct machine *mc, float *dw, const float *x, const float *dy,
                             const struct conv_shape *s, bool relu_in, bool one_sum,
                             enum conv_algo algo, struct arena tmp)
{
    struct conv_job j = {.mc = mc,
                         .s = s,
                         .dir = CONV_BWD_WEIGHTS,
                         .out = dw,
                         .x = x,
                         .dy = dy,
                         .relu_in = relu_in,
                         .one_sum = one_sum,
                         .tmp = tmp};
    conv_run(&j, algo);
}

void conv_backward_weights(const struct machine *mc, float *dw, const float *x, const float *dy,
                           const struct conv_shape *s, bool relu_in, enum conv_algo algo,
                           struct arena tmp)
{
    conv_run_weights(mc, dw, x, dy, s, relu_in, false, algo, tmp);
}

void conv_backward_weights_part(const struct machine *mc, float *dw, const float *x,
                                const float *dy, const struct conv_shape *s, bool relu_in,
                                enum conv_algo algo, struct arena tmp)
{
    conv_run_weights(mc, dw, x, dy, s, relu_in, true, algo, tmp);
}

/* Rows in one float sum, and channels whose sums fit the stack (24 KiB). */
enum { CONV_BIAS_ROWS = 256, CONV_BIAS_CHANNELS = 2048 };

void conv_backward_bias(const struct machine *mc, float *dbias, const float *dy, size_t n_pixels,
                        int k, struct arena tmp)
{
    (void)tmp;
    ASSERT(k > 0);
    float sum[CONV_BIAS_CHANNELS];
    double total[CONV_BIAS_CHANNELS];
    size_t rows = k <= CONV_BIAS_CHANNELS ? CONV_BIAS_ROWS : 1;
    for (int k0 = 0; k0 < k; k0 += CONV_BIAS_CHANNELS) {
        int n = MIN(k - k0, (int)CONV_BIAS_CHANNELS);
        memset(total, 0, sizeof total);
        for (size_t p = 0; p < n_pixels; p += rows) {
            memset(sum, 0, (size_t)n * sizeof *sum);
            mc->k->norm_row_sum_f32(sum, dy + p * (size_t)k + (size_t)k0, MIN(rows, n_pixels - p),
                                    n);
            for (int i = 0; i < n; i++) {
                total[i] += (double)sum[i];
            }
        }
        for (int i = 0; i < n; i++) {
            dbias[k0 + i] = (float)total[i];
        }
    }
}

int64_t conv_macs(const struct conv_shape *s)
{
    return (int64_t)s->oh * s->ow * s->k * s->kh * s->kw * (s->c / s->groups);
}
