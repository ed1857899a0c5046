/* conv_openblas.c: im2col and a matrix product of OpenBLAS, an image at a time, both in the timed
 * part. 1x1 with stride 1 needs no im2col. */
#include "bench/peers/peer.h"

#include <cblas.h>
#include <string.h>

struct openblas {
    const struct peer_problem *p;
    float *columns, *out;
    size_t n_out;
};

static void *openblas_open(const struct peer_problem *p)
{
    const struct conv_shape *s = &p->s;
    if (s->groups > 1) {
        return NULL;
    }
    struct openblas *o = arena_push_zero(p->keep, 1, sizeof *o);
    const size_t n[] = {[CONV_FWD] = p->n_y, [CONV_BWD_DATA] = p->n_x, [CONV_BWD_WEIGHTS] = p->n_w};
    o->p = p;
    o->columns =
        arena_push(p->keep, (size_t)(s->oh * s->ow * s->kh * s->kw * s->c), sizeof *o->columns);
    o->n_out = n[p->dir];
    o->out = arena_push(p->keep, o->n_out, sizeof *o->out);
    openblas_set_num_threads(p->n_threads);
    return o;
}

static bool openblas_plain(const struct conv_shape *s)
{
    return s->kh == 1 && s->kw == 1 && s->stride == 1 && s->pad == 0;
}

/* columns[oh, ow][kh, kw, c] of one image; back: added onto the image instead. */
static void openblas_columns(const struct conv_shape *s, float *columns, float *x, bool back)
{
    size_t c = (size_t)s->c;
    for (int i = 0; i < s->oh * s->ow * s->kh * s->kw; i++, columns += c) {
        int tap = i % (s->kh * s->kw), pixel = i / (s->kh * s->kw);
        int row = pixel / s->ow * s->stride - s->pad + tap / s->kw;
        int col = pixel % s->ow * s->stride - s->pad + tap % s->kw;
        bool inside = row >= 0 && row < s->h && col >= 0 && col < s->w;
        float *at = inside ? x + (size_t)(row * s->w + col) * c : NULL;
        if (back) {
            for (size_t j = 0; inside && j < c; j++) {
                at[j] += columns[j];
            }
        } else if (inside) {
            memcpy(columns, at, c * sizeof *columns);
        } else {
            memset(columns, 0, c * sizeof *columns);
        }
    }
}

static void openblas_run(void *state)
{
    struct openblas *o = state;
    const struct peer_problem *p = o->p;
    const struct conv_shape *s = &p->s;
    int m = s->oh * s->ow, k = s->kh * s->kw * s->c;
    bool plain = openblas_plain(s);
    if (p->dir == CONV_BWD_DATA && !plain) {
        memset(o->out, 0, o->n_out * sizeof *o->out);
    }
    for (int i = 0; i < s->n; i++) {
        size_t at_x = (size_t)i * (size_t)(s->h * s->w * s->c),
               at_y = (size_t)i * (size_t)(m * s->k);
        const float *columns = plain ? p->x + at_x : o->columns;
        if (!plain && p->dir != CONV_BWD_DATA) {
            openblas_columns(s, o->columns, (float *)(uintptr_t)p->x + at_x, false);
        }
        if (p->dir == CONV_FWD) {
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, s->k, k, 1, columns, k, p->w,
                        s->k, 0, o->out + at_y, s->k);
        } else if (p->dir == CONV_BWD_WEIGHTS) {
            cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, k, s->k, m, 1, columns, k,
                        p->y + at_y, s->k, i > 0, o->out, s->k);
        } else {
            float *dx = plain ? o->out + at_x : o->columns;
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, k, s->k, 1, p->y + at_y, s->k,
                        p->w, s->k, 0, dx, k);
            if (!plain) {
                openblas_columns(s, o->columns, o->out + at_x, true);
            }
        }
    }
}

static void openblas_result(void *state, float *out)
{
    struct openblas *o = state;
    memcpy(out, o->out, o->n_out * sizeof *out);
}

/* hdnas computes with BLAS on one thread. */
static void openblas_close(void *state)
{
    (void)state;
    openblas_set_num_threads(1);
}

static const char *openblas_version(void)
{
    return openblas_get_config();
}

static const struct peer_variant openblas_variants[] = {
    {"im2col", openblas_open, openblas_run, openblas_result, openblas_close},
};

const struct peer peer = {"openblas", openblas_version, openblas_variants,
                          (int)N_ELEMS(openblas_variants)};
