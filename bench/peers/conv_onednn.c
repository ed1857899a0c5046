/* conv_onednn.c: oneDNN 2.x, in the layouts it prefers and, direct, in NHWC. */
#include "bench/peers/peer.h"

#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>

enum { ONEDNN_MAX_ARGS = 3 };

/* Tensors by number: 0 the images, 1 the weights, 2 the output. */
struct onednn {
    const struct peer_problem *p;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    dnnl_memory_desc_t plain[3]; /* hdnas's layouts */
    dnnl_memory_t memory[3];     /* the primitive's layouts */
    dnnl_exec_arg_t args[3];
    int i_out;
};

static void onednn_check(dnnl_status_t status, const char *what)
{
    if (status != dnnl_success) {
        fprintf(stderr, "oneDNN: %s: status %d\n", what, (int)status);
        exit(1);
    }
}

static void onednn_plain(struct onednn *o, dnnl_memory_desc_t any[3], dnnl_format_tag_t data_tag)
{
    const struct conv_shape *s = &o->p->s;
    dnnl_dims_t x = {s->n, s->c, s->h, s->w}, y = {s->n, s->k, s->oh, s->ow};
    dnnl_dims_t w = {s->k, s->c, s->kh, s->kw};
    dnnl_dims_t wg = {s->groups, s->k / s->groups, s->c / s->groups, s->kh, s->kw};
    bool grouped = s->groups > 1;
    int n_w = grouped ? 5 : 4;
    const dnnl_dim_t *dims_w = grouped ? wg : w;
    dnnl_memory_desc_init_by_tag(&o->plain[0], 4, x, dnnl_f32, dnnl_nhwc);
    dnnl_memory_desc_init_by_tag(&o->plain[1], n_w, dims_w, dnnl_f32,
                                 grouped ? dnnl_hwigo : dnnl_hwio);
    dnnl_memory_desc_init_by_tag(&o->plain[2], 4, y, dnnl_f32, dnnl_nhwc);
    dnnl_memory_desc_init_by_tag(&any[0], 4, x, dnnl_f32, data_tag);
    dnnl_memory_desc_init_by_tag(&any[1], n_w, dims_w, dnnl_f32, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&any[2], 4, y, dnnl_f32, data_tag);
}

/* The primitive that does the direction; NULL where the library has none. The backward ones want
 * the forward one of a training pass as a hint. */
static dnnl_primitive_desc_t onednn_describe(struct onednn *o, dnnl_memory_desc_t md[3],
                                             dnnl_alg_kind_t alg)
{
    const struct conv_shape *s = &o->p->s;
    dnnl_dims_t strides = {s->stride, s->stride}, pad = {s->pad, s->pad};
    dnnl_dims_t far = {(s->oh - 1) * s->stride + s->kh - s->h - s->pad,
                       (s->ow - 1) * s->stride + s->kw - s->w - s->pad};
    dnnl_convolution_desc_t d;
    dnnl_primitive_desc_t forward = NULL, backward = NULL;
    bool infer = o->p->dir == CONV_FWD;
    dnnl_status_t ok = dnnl_convolution_forward_desc_init(
        &d, infer ? dnnl_forward_inference : dnnl_forward_training, alg, &md[0], &md[1], NULL,
        &md[2], strides, pad, far);
    if (ok != dnnl_success ||
        dnnl_primitive_desc_create(&forward, &d, NULL, o->engine, NULL) != dnnl_success) {
        return NULL;
    }
    if (infer) {
        return forward;
    }
    ok = o->p->dir == CONV_BWD_DATA
             ? dnnl_convolution_backward_data_desc_init(&d, alg, &md[0], &md[1], &md[2], strides,
                                                        pad, far)
             : dnnl_convolution_backward_weights_desc_init(&d, alg, &md[0], &md[1], NULL, &md[2],
                                                           strides, pad, far);
    if (ok == dnnl_success) {
        ok = dnnl_primitive_desc_create(&backward, &d, NULL, o->engine, forward);
    }
    dnnl_primitive_desc_destroy(forward);
    return ok == dnnl_success ? backward : NULL;
}

static void onednn_reorder(struct onednn *o, dnnl_memory_t from, dnnl_memory_t to)
{
    const dnnl_memory_desc_t *md_from, *md_to;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    dnnl_memory_get_memory_desc(from, &md_from);
    dnnl_memory_get_memory_desc(to, &md_to);
    onednn_check(
        dnnl_reorder_primitive_desc_create(&pd, md_from, o->engine, md_to, o->engine, NULL),
        "reorder");
    onednn_check(dnnl_primitive_create(&primitive, pd), "reorder");
    onednn_check(dnnl_primitive_execute(primitive, o->stream, 2, args), "reorder");
    onednn_check(dnnl_stream_wait(o->stream), "wait");
    dnnl_primitive_destroy(primitive);
    dnnl_primitive_desc_destroy(pd);
}

static void onednn_close(void *state)
{
    struct onednn *o = state;
    for (int i = 0; i < 3; i++) {
        dnnl_memory_destroy(o->memory[i]);
    }
    dnnl_primitive_destroy(o->primitive);
    dnnl_stream_destroy(o->stream);
    dnnl_engine_destroy(o->engine);
}

static void onednn_fill(struct onednn *o, dnnl_primitive_desc_t pd)
{
    static const dnnl_query_t queries[][3] = {
        [CONV_FWD] = {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md},
        [CONV_BWD_DATA] = {dnnl_query_diff_src_md, dnnl_query_weights_md, dnnl_query_diff_dst_md},
        [CONV_BWD_WEIGHTS] = {dnnl_query_src_md, dnnl_query_diff_weights_md,
                              dnnl_query_diff_dst_md}};
    static const int arguments[][3] = {
        [CONV_FWD] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
        [CONV_BWD_DATA] = {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST},
        [CONV_BWD_WEIGHTS] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST}};
    static const int outputs[] = {[CONV_FWD] = 2, [CONV_BWD_DATA] = 0, [CONV_BWD_WEIGHTS] = 1};
    const float *values[3] = {o->p->x, o->p->w, o->p->y};
    o->i_out = outputs[o->p->dir];
    for (int i = 0; i < 3; i++) {
        const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(pd, queries[o->p->dir][i], 0);
        onednn_check(dnnl_memory_create(&o->memory[i], md, o->engine, DNNL_MEMORY_ALLOCATE),
                     "memory");
        o->args[i] = (dnnl_exec_arg_t){arguments[o->p->dir][i], o->memory[i]};
        if (i != o->i_out) {
            dnnl_memory_t plain;
            onednn_check(
                dnnl_memory_create(&plain, &o->plain[i], o->engine, (void *)(uintptr_t)values[i]),
                "memory");
            onednn_reorder(o, plain, o->memory[i]);
            dnnl_memory_destroy(plain);
        }
    }
}

static void *onednn_open(const struct peer_problem *p, dnnl_alg_kind_t alg, dnnl_format_tag_t tag)
{
    struct onednn *o = arena_push_zero(p->keep, 1, sizeof *o);
    dnnl_memory_desc_t md[3];
    o->p = p;
    onednn_check(dnnl_engine_create(&o->engine, dnnl_cpu, 0), "engine");
    onednn_check(dnnl_stream_create(&o->stream, o->engine, dnnl_stream_default_flags), "stream");
    onednn_plain(o, md, tag);
    dnnl_primitive_desc_t pd = onednn_describe(o, md, alg);
    if (!pd) {
        onednn_close(o);
        return NULL;
    }
    onednn_check(dnnl_primitive_create(&o->primitive, pd), "primitive");
    onednn_fill(o, pd);
    dnnl_primitive_desc_destroy(pd);
    return o;
}

static void *onednn_open_direct(const struct peer_problem *p)
{
    return onednn_open(p, dnnl_convolution_direct, dnnl_format_tag_any);
}

static void *onednn_open_nhwc(const struct peer_problem *p)
{
    return onednn_open(p, dnnl_convolution_direct, dnnl_nhwc);
}

static void *onednn_open_winograd(const struct peer_problem *p)
{
    return onednn_open(p, dnnl_convolution_winograd, dnnl_format_tag_any);
}

static void onednn_run(void *state)
{
    struct onednn *o = state;
    dnnl_primitive_execute(o->primitive, o->stream, ONEDNN_MAX_ARGS, o->args);
    dnnl_stream_wait(o->stream);
}

static void onednn_result(void *state, float *out)
{
    struct onednn *o = state;
    dnnl_memory_t plain;
    onednn_check(dnnl_memory_create(&plain, &o->plain[o->i_out], o->engine, out), "memory");
    onednn_reorder(o, o->memory[o->i_out], plain);
    dnnl_memory_destroy(plain);
}

static const char *onednn_version(void)
{
    static char text[64];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

static const struct peer_variant onednn_variants[] = {
    {"direct", onednn_open_direct, onednn_run, onednn_result, onednn_close},
    {"nhwc", onednn_open_nhwc, onednn_run, onednn_result, onednn_close},
    {"winograd", onednn_open_winograd, onednn_run, onednn_result, onednn_close},
};

const struct peer peer = {"onednn", onednn_version, onednn_variants, (int)N_ELEMS(onednn_variants)};
