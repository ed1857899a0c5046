/* conv_libxsmm.c: LIBXSMM 1.17, direct convolution in its own blocked layout and in NHWC. */
#include "bench/peers/peer.h"

#include <libxsmm.h>
#include <omp.h>
#include <string.h>

struct xsmm {
    const struct peer_problem *p;
    libxsmm_dnn_layer *layer;
    libxsmm_dnn_compute_kind kind;
    libxsmm_dnn_tensor_datalayout *layout[3]; /* images, weights, output */
    float *data[3];
    int pad_in;
};

static const libxsmm_dnn_tensor_type xsmm_regular[] = {
    LIBXSMM_DNN_REGULAR_INPUT, LIBXSMM_DNN_REGULAR_FILTER, LIBXSMM_DNN_REGULAR_OUTPUT};
static const libxsmm_dnn_tensor_type xsmm_gradient[] = {
    LIBXSMM_DNN_GRADIENT_INPUT, LIBXSMM_DNN_GRADIENT_FILTER, LIBXSMM_DNN_GRADIENT_OUTPUT};

/* Where an element of the library's layout lies in hdnas's, or -1 in the padding. A kind of index
 * that occurs twice is blocked: the earlier one, innermost, counts within the block. */
static ptrdiff_t xsmm_element(const struct xsmm *x, int which, size_t i)
{
    const libxsmm_dnn_tensor_datalayout *l = x->layout[which];
    const struct conv_shape *s = &x->p->s;
    size_t at[16] = {0}, stride[16];
    for (int d = 0; d < 16; d++) {
        stride[d] = 1;
    }
    for (unsigned d = 0; d < l->num_dims; d++) {
        at[l->dim_type[d]] += i % l->dim_size[d] * stride[l->dim_type[d]];
        stride[l->dim_type[d]] *= l->dim_size[d];
        i /= l->dim_size[d];
    }
    int c = (int)at[LIBXSMM_DNN_TENSOR_DIMTYPE_C], k = (int)at[LIBXSMM_DNN_TENSOR_DIMTYPE_K];
    if (which == 1) {
        int tap = (int)(at[LIBXSMM_DNN_TENSOR_DIMTYPE_R] * (size_t)s->kw +
                        at[LIBXSMM_DNN_TENSOR_DIMTYPE_S]);
        return ((ptrdiff_t)tap * s->c + c) * s->k + k;
    }
    int pad = which == 0 ? x->pad_in : 0, h = which == 0 ? s->h : s->oh;
    int w = which == 0 ? s->w : s->ow, n_c = which == 0 ? s->c : s->k;
    int row = (int)at[LIBXSMM_DNN_TENSOR_DIMTYPE_H] - pad;
    int col = (int)at[LIBXSMM_DNN_TENSOR_DIMTYPE_W] - pad;
    bool inside = row >= 0 && row < h && col >= 0 && col < w;
    ptrdiff_t image = (ptrdiff_t)at[LIBXSMM_DNN_TENSOR_DIMTYPE_N];
    return inside ? ((image * h + row) * w + col) * n_c + MAX(c, k) : -1;
}

static bool xsmm_tensor(struct xsmm *x, int which, const float *values)
{
    const libxsmm_dnn_tensor_type *types = values ? xsmm_regular : xsmm_gradient;
    if (which == 2 && x->p->dir != CONV_FWD) {
        types = xsmm_gradient;
    }
    libxsmm_dnn_err_t status;
    x->layout[which] = libxsmm_dnn_create_tensor_datalayout(x->layer, types[which], &status);
    if (status != LIBXSMM_DNN_SUCCESS) {
        return false;
    }
    size_t n = libxsmm_dnn_get_tensor_elements(x->layout[which], &status);
    x->data[which] = arena_push_zero(x->p->keep, n, sizeof **x->data);
    for (size_t i = 0; values && i < n; i++) {
        ptrdiff_t at = xsmm_element(x, which, i);
        x->data[which][i] = at >= 0 ? values[at] : 0;
    }
    libxsmm_dnn_tensor *t = libxsmm_dnn_link_tensor(x->layout[which], x->data[which], &status);
    return status == LIBXSMM_DNN_SUCCESS &&
           libxsmm_dnn_bind_tensor(x->layer, t, types[which]) == LIBXSMM_DNN_SUCCESS;
}

static void xsmm_close(void *state)
{
    struct xsmm *x = state;
    libxsmm_dnn_destroy_conv_layer(x->layer);
}

static bool xsmm_fill(struct xsmm *x)
{
    static const int outputs[] = {[CONV_FWD] = 2, [CONV_BWD_DATA] = 0, [CONV_BWD_WEIGHTS] = 1};
    const float *values[3] = {x->p->x, x->p->w, x->p->y};
    libxsmm_dnn_err_t status;
    values[outputs[x->p->dir]] = NULL;
    for (int i = 0; i < 3; i++) {
        bool forward_output = x->p->dir == CONV_FWD && i == 2;
        if (forward_output) { /* the one output that is a regular tensor */
            x->layout[2] =
                libxsmm_dnn_create_tensor_datalayout(x->layer, LIBXSMM_DNN_REGULAR_OUTPUT, &status);
            x->data[2] = arena_push_zero(
                x->p->keep, libxsmm_dnn_get_tensor_elements(x->layout[2], &status), sizeof(float));
            libxsmm_dnn_tensor *t = libxsmm_dnn_link_tensor(x->layout[2], x->data[2], &status);
            if (libxsmm_dnn_bind_tensor(x->layer, t, LIBXSMM_DNN_REGULAR_OUTPUT) !=
                LIBXSMM_DNN_SUCCESS) {
                return false;
            }
        } else if (!xsmm_tensor(x, i, values[i])) {
            return false;
        }
    }
    size_t bytes = libxsmm_dnn_get_scratch_size(x->layer, LIBXSMM_DNN_COMPUTE_KIND_ALL, &status);
    void *scratch = arena_push_zero(x->p->keep, bytes + 64, 1);
    return status == LIBXSMM_DNN_SUCCESS &&
           libxsmm_dnn_bind_scratch(x->layer, LIBXSMM_DNN_COMPUTE_KIND_ALL, scratch) ==
               LIBXSMM_DNN_SUCCESS;
}

static void *xsmm_open(const struct peer_problem *p, libxsmm_dnn_tensor_format data,
                       libxsmm_dnn_tensor_format filter, bool physical)
{
    static const libxsmm_dnn_compute_kind kinds[] = {[CONV_FWD] = LIBXSMM_DNN_COMPUTE_KIND_FWD,
                                                     [CONV_BWD_DATA] = LIBXSMM_DNN_COMPUTE_KIND_BWD,
                                                     [CONV_BWD_WEIGHTS] =
                                                         LIBXSMM_DNN_COMPUTE_KIND_UPD};
    const struct conv_shape *s = &p->s;
    if (s->groups > 1) {
        return NULL;
    }
    struct xsmm *x = arena_push_zero(p->keep, 1, sizeof *x);
    libxsmm_dnn_err_t status;
    x->p = p;
    x->kind = kinds[p->dir];
    x->pad_in = physical ? s->pad : 0;
    libxsmm_dnn_conv_desc desc = {.N = s->n,
                                  .C = s->c,
                                  .H = s->h,
                                  .W = s->w,
                                  .K = s->k,
                                  .R = s->kh,
                                  .S = s->kw,
                                  .u = s->stride,
                                  .v = s->stride,
                                  .pad_h = s->pad,
                                  .pad_w = s->pad,
                                  .pad_h_in = x->pad_in,
                                  .pad_w_in = x->pad_in,
                                  .threads = p->n_threads,
                                  .datatype_in = LIBXSMM_DNN_DATATYPE_F32,
                                  .datatype_out = LIBXSMM_DNN_DATATYPE_F32,
                                  .buffer_format = data,
                                  .filter_format = filter,
                                  .algo = LIBXSMM_DNN_CONV_ALGO_DIRECT,
                                  .options = LIBXSMM_DNN_CONV_OPTION_OVERWRITE,
                                  .fuse_ops = LIBXSMM_DNN_CONV_FUSE_NONE};
    x->layer = libxsmm_dnn_create_conv_layer(desc, &status);
    if (status != LIBXSMM_DNN_SUCCESS || !x->layer) {
        return NULL;
    }
    if (!xsmm_fill(x)) {
        xsmm_close(x);
        return NULL;
    }
    return x;
}

static void *xsmm_open_blocked(const struct peer_problem *p)
{
    return xsmm_open(p, LIBXSMM_DNN_TENSOR_FORMAT_LIBXSMM, LIBXSMM_DNN_TENSOR_FORMAT_LIBXSMM, true);
}

static void *xsmm_open_nhwc(const struct peer_problem *p)
{
    return xsmm_open(p, LIBXSMM_DNN_TENSOR_FORMAT_NHWC, LIBXSMM_DNN_TENSOR_FORMAT_RSCK, true);
}

static void xsmm_run(void *state)
{
    struct xsmm *x = state;
    if (x->p->n_threads == 1) {
        libxsmm_dnn_execute_st(x->layer, x->kind, 0, 0);
        return;
    }
#pragma omp parallel num_threads(x->p->n_threads)
    libxsmm_dnn_execute_st(x->layer, x->kind, 0, omp_get_thread_num());
}

static void xsmm_result(void *state, float *out)
{
    static const int outputs[] = {[CONV_FWD] = 2, [CONV_BWD_DATA] = 0, [CONV_BWD_WEIGHTS] = 1};
    struct xsmm *x = state;
    libxsmm_dnn_err_t status;
    int which = outputs[x->p->dir];
    size_t n = libxsmm_dnn_get_tensor_elements(x->layout[which], &status);
    for (size_t i = 0; i < n; i++) {
        ptrdiff_t at = xsmm_element(x, which, i);
        if (at >= 0) {
            out[at] = x->data[which][i];
        }
    }
}

static const char *xsmm_version(void)
{
    libxsmm_init();
    return LIBXSMM_VERSION;
}

static const struct peer_variant xsmm_variants[] = {
    {"blocked", xsmm_open_blocked, xsmm_run, xsmm_result, xsmm_close},
    {"nhwc", xsmm_open_nhwc, xsmm_run, xsmm_result, xsmm_close},
};

const struct peer peer = {"libxsmm", xsmm_version, xsmm_variants, (int)N_ELEMS(xsmm_variants)};
