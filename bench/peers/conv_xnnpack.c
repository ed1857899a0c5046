/* conv_xnnpack.c: XNNPACK, NHWC, forward only; weights packed beforehand. */
#include "bench/peers/peer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xnnpack.h>

/* pthreadpool.h is not always packaged with the library. */
pthreadpool_t pthreadpool_create(size_t threads_count);
void pthreadpool_destroy(pthreadpool_t threadpool);

struct xnn {
    const struct peer_problem *p;
    xnn_operator_t op;
    pthreadpool_t pool; /* NULL: the calling thread */
    float *x, *y;
};

static void xnn_close(void *state)
{
    struct xnn *n = state;
    xnn_delete_operator(n->op);
    if (n->pool) {
        pthreadpool_destroy(n->pool);
    }
}

/* [kh][kw][c / g][k] to [k][kh][kw][c / g]. */
static float *xnn_weights(const struct peer_problem *p)
{
    const struct conv_shape *s = &p->s;
    size_t inner = (size_t)(s->kh * s->kw * (s->c / s->groups)), k = (size_t)s->k;
    float *w = arena_push(p->keep, p->n_w, sizeof *w);
    for (size_t i = 0; i < inner; i++) {
        for (size_t j = 0; j < k; j++) {
            w[j * inner + i] = p->w[i * k + j];
        }
    }
    return w;
}

static void *xnn_open(const struct peer_problem *p)
{
    const struct conv_shape *s = &p->s;
    struct xnn *n = arena_push_zero(p->keep, 1, sizeof *n);
    uint32_t pad = (uint32_t)s->pad, side_h = (uint32_t)s->kh, side_w = (uint32_t)s->kw;
    uint32_t stride = (uint32_t)s->stride;
    size_t c = (size_t)s->c, k = (size_t)s->k, groups = (size_t)s->groups;
    if (p->dir != CONV_FWD) {
        return NULL;
    }
    n->p = p;
    /* The kernels may read a little beyond the end. */
    n->x = arena_push(p->keep, p->n_x + XNN_EXTRA_BYTES, sizeof *n->x);
    memcpy(n->x, p->x, p->n_x * sizeof *n->x);
    n->y = arena_push_zero(p->keep, p->n_y + XNN_EXTRA_BYTES, sizeof *n->y);
    n->pool = p->n_threads > 1 ? pthreadpool_create((size_t)p->n_threads) : NULL;
    if (xnn_create_convolution2d_nhwc_f32(pad, pad, pad, pad, side_h, side_w, stride, stride, 1, 1,
                                          (uint32_t)groups, c / groups, k / groups, c, k,
                                          xnn_weights(p), NULL, -INFINITY, INFINITY, 0,
                                          &n->op) != xnn_status_success) {
        return NULL;
    }
    if (xnn_setup_convolution2d_nhwc_f32(n->op, (size_t)s->n, (size_t)s->h, (size_t)s->w, n->x,
                                         n->y, n->pool) != xnn_status_success) {
        xnn_close(n);
        return NULL;
    }
    return n;
}

static void xnn_run(void *state)
{
    struct xnn *n = state;
    xnn_run_operator(n->op, n->pool);
}

static void xnn_result(void *state, float *out)
{
    struct xnn *n = state;
    memcpy(out, n->y, n->p->n_y * sizeof *out);
}

static const char *xnn_version(void)
{
    if (xnn_initialize(NULL) != xnn_status_success) {
        fprintf(stderr, "XNNPACK does not run on this processor\n");
        exit(1);
    }
    return "(without a version of its own)";
}

static const struct peer_variant xnn_variants[] = {
    {"nhwc", xnn_open, xnn_run, xnn_result, xnn_close},
};

const struct peer peer = {"xnnpack", xnn_version, xnn_variants, (int)N_ELEMS(xnn_variants)};
