/*
 * test_core_numerics.c: what core computes, held to its definition in double.
 *
 * Convolution: every algorithm, direction and tier this machine has, over shapes of NAS-Bench-201,
 * ResNet and FBNet (fewer pixels, the same channels) and odd ones, with ReLU on the way in, posts,
 * masks and addition. Bound: (n + 4) u sum|a||b|, n terms in the sum, u = 2^-24; Winograd's own
 * bound is stated at CONV_WINOGRAD_FACTOR. bf16 is held to the same bound over inputs that bf16
 * holds exactly, and any inputs must give the bits of theirs rounded. Normalisation, pooling, vectors and products likewise.
 * Everything is computed with 1, 2, 3 and 7 threads and must give the same bits.
 */
#include "core/conv.h"
#include "core/gemm.h"
#include "core/norm.h"
#include "core/pool.h"
#include "core/rng.h"
#include "core/vec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const double u = 1.0 / (1 << 24);

struct fixture {
    struct arena arena;
    struct rng rng;
    double worst[CONV_N_ALGOS]; /* error over bound, seen so far */
};

static int setup(void **state)
{
    static struct fixture f;
    struct err e;
    if (!arena_init(&f.arena, (size_t)4 << 30, &e)) {
        return -1;
    }
    f.rng = rng_key(7, RNG_TEST, 0);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (int a = 0; a < CONV_N_ALGOS; a++) {
        print_message("# worst error of %s: %.3f of its bound\n", conv_algo_name((enum conv_algo)a),
                      f->worst[a]);
    }
    arena_release(&f->arena);
    return 0;
}

static float *random_floats(struct fixture *f, size_t n)
{
    float *p = arena_push(&f->arena, n, sizeof *p);
    for (size_t i = 0; i < n; i++) {
        p[i] = (float)(rng_f64(&f->rng) * 2 - 1);
    }
    return p;
}

static int machines_of(struct machine out[CPU_N_TIERS], const char *precision, enum cpu_tier last)
{
    int n = 0;
    for (int t = 0; t <= (int)last; t++) {
        struct err e;
        const char *name = cpu_tier_name((enum cpu_tier)t);
        if (cpu_has((enum cpu_tier)t) &&
            !machine_init_precision(&out[n++], name, precision, 1, &e)) {
            fail_msg("%s", e.text);
        }
    }
    return n;
}

/* The machines to test: every tier this processor has that has fp32 kernels of its own. */
static int machines(struct machine out[CPU_N_TIERS])
{
    return machines_of(out, "fp32", CPU_AVX512);
}

/* The same number with the eight binary digits of bf16, ties to even. */
static float rounded(float v)
{
    int exponent;
    double m = frexp((double)v, &exponent);
    return (float)ldexp(rint(ldexp(m, 8)), exponent - 8);
}

static float *rounded_floats(struct fixture *f, const float *from, size_t n)
{
    float *p = arena_push(&f->arena, n, sizeof *p);
    for (size_t i = 0; i < n; i++) {
        p[i] = rounded(from[i]);
    }
    return p;
}

/* ---- convolution ---- */

struct conv_case {
    struct conv_shape s;
    float *x, *w, *dy, *add, *scale, *shift; /* add: [x or y] whichever is larger */
    size_t n_x, n_y, n_w;
    /* Definition in double: value and sum of |a||b|, per direction, with and without ReLU on x. */
    double *y[2], *y_abs[2], *dx, *dx_abs, *dw[2], *dw_abs[2];
};

static struct conv_case conv_case_new(struct fixture *f, const struct conv_shape *shape, bool bf16)
{
    struct conv_case c = {.s = *shape};
    struct err e;
    if (!conv_shape_init(&c.s, &e)) {
        fail_msg("%s", e.text);
    }
    const struct conv_shape *s = &c.s;
    c.n_x = (size_t)s->n * s->h * s->w * s->c;
    c.n_y = (size_t)s->n * s->oh * s->ow * s->k;
    c.n_w = (size_t)s->kh * s->kw * (s->c / s->groups) * s->k;
    c.x = random_floats(f, c.n_x);
    c.w = random_floats(f, c.n_w);
    c.dy = random_floats(f, c.n_y);
    if (bf16) {
        c.x = rounded_floats(f, c.x, c.n_x);
        c.w = rounded_floats(f, c.w, c.n_w);
        c.dy = rounded_floats(f, c.dy, c.n_y);
    }
    c.add = random_floats(f, MAX(c.n_x, c.n_y));
    c.scale = random_floats(f, (size_t)s->k);
    c.shift = random_floats(f, (size_t)s->k);
    double **all[] = {&c.y[0],      &c.y_abs[0], &c.y[1],      &c.y_abs[1], &c.dw[0],
                      &c.dw_abs[0], &c.dw[1],    &c.dw_abs[1], &c.dx,       &c.dx_abs};
    size_t n[] = {c.n_y, c.n_y, c.n_y, c.n_y, c.n_w, c.n_w, c.n_w, c.n_w, c.n_x, c.n_x};
    for (size_t i = 0; i < N_ELEMS(all); i++) {
        *all[i] = arena_push_zero(&f->arena, n[i], sizeof(double));
    }
    int cg = s->c / s->groups, kg = s->k / s->groups;
    for (int i = 0; i < s->n; i++) {
        for (int oy = 0; oy < s->oh; oy++) {
            for (int ox = 0; ox < s->ow; ox++) {
                size_t yo = (((size_t)i * s->oh + oy) * s->ow + ox) * s->k;
                for (int r = 0; r < s->kh; r++) {
                    for (int q = 0; q < s->kw; q++) {
                        int iy = oy * s->stride - s->pad + r, ix = ox * s->stride - s->pad + q;
                        if (iy < 0 || iy >= s->h || ix < 0 || ix >= s->w) {
                            continue;
                        }
                        size_t xo = (((size_t)i * s->h + iy) * s->w + ix) * s->c;
                        for (int ch = 0; ch < s->c; ch++) {
                            int g = ch / cg;
                            size_t wo = ((size_t)(r * s->kw + q) * cg + (ch - g * cg)) * s->k;
                            double xv = c.x[xo + ch], xr = xv < 0 ? 0 : xv, sum = 0, sum_abs = 0;
                            for (int k = g * kg; k < (g + 1) * kg; k++) {
                                double w = c.w[wo + k], d = c.dy[yo + k];
                                c.y[0][yo + k] += xv * w;
                                c.y_abs[0][yo + k] += fabs(xv * w);
                                c.y[1][yo + k] += xr * w;
                                c.y_abs[1][yo + k] += fabs(xr * w);
                                c.dw[0][wo + k] += xv * d;
                                c.dw_abs[0][wo + k] += fabs(xv * d);
                                c.dw[1][wo + k] += xr * d;
                                c.dw_abs[1][wo + k] += fabs(xr * d);
                                sum += d * w;
                                sum_abs += fabs(d * w);
                            }
                            c.dx[xo + ch] += sum;
                            c.dx_abs[xo + ch] += sum_abs;
                        }
                    }
                }
            }
        }
    }
    return c;
}

/* Allowed error over sum|a||b|. */
static double conv_bound(const struct conv_shape *s, enum conv_dir dir, enum conv_algo algo)
{
    double n = dir == CONV_FWD        ? (double)s->kh * s->kw * (s->c / s->groups)
               : dir == CONV_BWD_DATA ? (double)s->kh * s->kw * (s->k / s->groups)
                                      : (double)s->n * s->oh * s->ow;
    if (algo == CONV_WINOGRAD_BF16) {
        return CONV_WINOGRAD_BF16_FACTOR / 512.0;
    }
    return u * (algo == CONV_WINOGRAD ? CONV_WINOGRAD_FACTOR : n + 4);
}

/* The least sum|a||b| an element is held to: its own, but for Winograd's the largest of all. */
static double conv_floor(enum conv_algo algo, const double *sums, size_t n)
{
    double max = 0;
    bool winograd = algo == CONV_WINOGRAD || algo == CONV_WINOGRAD_BF16;
    for (size_t j = 0; j < n && winograd; j++) {
        max = fmax(max, sums[j]);
    }
    return max;
}

static double post_act(enum conv_act act, double v)
{
    switch (act) {
    case CONV_ACT_RELU:
        return v < 0 ? 0 : v;
    case CONV_ACT_RELU6:
        return v < 0 ? 0 : v > 6 ? 6 : v;
    case CONV_ACT_HSWISH:
        return v * fmin(6, fmax(0, v + 3)) / 6;
    default:
        return v;
    }
}

struct conv_run {
    struct fixture *f;
    struct machine mc;
    const struct conv_case *c;
    enum conv_algo asked, algo; /* algo: what AUTO stands for */
    char what[160];
};

static void conv_describe(struct conv_run *r, const char *dir, const char *how)
{
    const struct conv_shape *s = &r->c->s;
    snprintf(r->what, sizeof r->what, "%s %s conv:n%dh%dw%dc%dk%dr%dx%ds%dp%dg%d %s %s",
             cpu_tier_name(r->mc.tier), conv_algo_name(r->algo), s->n, s->h, s->w, s->c, s->k,
             s->kh, s->kw, s->stride, s->pad, s->groups, dir, how);
}

static void check_close(const struct conv_run *r, const float *got, double want, double slack,
                        size_t i)
{
    double *worst = &r->f->worst[r->algo];
    *worst = fmax(*worst, fabs((double)got[i] - want) / (slack + 1e-300));
    if (!(fabs((double)got[i] - want) <= slack)) {
        fail_msg("%s: element %zu is %.9g, expected %.9g +- %.3g", r->what, i, (double)got[i], want,
                 slack);
    }
}

/* Scratch of exactly the promised size, poisoned with NaN. */
static struct arena conv_scratch(struct conv_run *r, enum conv_dir dir)
{
    size_t bytes = conv_scratch_bytes(&r->mc, &r->c->s, dir, r->asked);
    struct arena tmp = arena_carve(&r->f->arena, bytes);
    memset(tmp.base, 0xff, tmp.cap);
    return tmp;
}

/* Weights prepared for one image, of the promised size. */
static struct conv_prepared conv_ready(struct conv_run *r, enum conv_dir dir)
{
    struct conv_shape one = r->c->s;
    size_t bytes = conv_prepare_bytes(&r->mc, &one, dir, r->algo);
    one.n = 1;
    assert_int_equal(bytes, conv_prepare_bytes(&r->mc, &one, dir, r->algo));
    void *data = arena_push(&r->f->arena, bytes + 1, 1);
    memset(data, 0xff, bytes + 1);
    struct conv_prepared ready =
        conv_prepare(&r->mc, data, r->c->w, &one, dir, r->algo, conv_scratch(r, dir));
    assert_int_equal(ready.algo, r->algo);
    assert_true(ready.data == (bytes > 0 ? data : NULL));
    assert_int_equal(((unsigned char *)data)[bytes], 0xff);
    return ready;
}

static void conv_check_forward(struct conv_run *r)
{
    const struct conv_case *c = r->c;
    const struct conv_post posts[] = {
        {0},
        {.shift = c->shift, .act = CONV_ACT_RELU},
        {.scale = c->scale, .shift = c->shift, .add = c->add, .act = CONV_ACT_RELU6},
        {.scale = c->scale, .act = CONV_ACT_HSWISH},
        {.add = c->add},
    };
    size_t mark = r->f->arena.used;
    float *y = arena_push(&r->f->arena, c->n_y, sizeof *y);
    double bound = conv_bound(&c->s, CONV_FWD, r->algo);
    double floor[2] = {conv_floor(r->algo, c->y_abs[0], c->n_y),
                       conv_floor(r->algo, c->y_abs[1], c->n_y)};
    for (size_t p = 0; p < N_ELEMS(posts); p++) {
        const struct conv_post *post = &posts[p];
        int relu = (int)(p & 1);
        char how[16];
        snprintf(how, sizeof how, "post %zu", p);
        conv_describe(r, "fwd", how);
        memset(y, 0xff, c->n_y * sizeof *y);
        conv_forward(&r->mc, y, c->x, c->w, &c->s, relu, p ? post : NULL, r->asked,
                     conv_scratch(r, CONV_FWD));
        for (size_t i = 0; i < c->n_y; i++) {
            size_t k = i % (size_t)c->s.k;
            double scale = post->scale ? post->scale[k] : 1, v = c->y[relu][i] * scale;
            v += (post->shift ? post->shift[k] : 0) + (post->add ? post->add[i] : 0);
            double sums = bound * fmax(floor[relu], c->y_abs[relu][i]);
            double slack = sums * fabs(scale) + 8 * u * (fabs(v) + 2);
            slack *= post->act == CONV_ACT_HSWISH ? 2 : 1; /* its slope is at most 1.5 */
            check_close(r, y, post_act(post->act, v), p ? slack : sums, i);
        }
    }
    float *same = arena_push(&r->f->arena, c->n_y, sizeof *same);
    struct conv_prepared ready = conv_ready(r, CONV_FWD);
    conv_forward_prepared(&r->mc, same, c->x, c->w, &ready, &c->s, false,
                          &posts[N_ELEMS(posts) - 1], conv_scratch(r, CONV_FWD));
    assert_memory_equal(same, y, c->n_y * sizeof *y);
    r->f->arena.used = mark;
}

static void conv_check_backward_data(struct conv_run *r)
{
    const struct conv_case *c = r->c;
    size_t mark = r->f->arena.used;
    float *dx = arena_push(&r->f->arena, c->n_x, sizeof *dx);
    double bound = conv_bound(&c->s, CONV_BWD_DATA, r->algo);
    double floor = conv_floor(r->algo, c->dx_abs, c->n_x);
    for (int how = 0; how < 4; how++) {
        bool add = how & 1, mask = how & 2;
        conv_describe(r, "bwd_data", add && mask ? "add mask" : add ? "add" : mask ? "mask" : "");
        if (add) {
            memcpy(dx, c->add, c->n_x * sizeof *dx);
        } else {
            memset(dx, 0xff, c->n_x * sizeof *dx);
        }
        conv_backward_data(&r->mc, dx, c->dy, c->w, &c->s, add, mask ? c->x : NULL, r->asked,
                           conv_scratch(r, CONV_BWD_DATA));
        for (size_t i = 0; i < c->n_x; i++) {
            double v = mask && c->x[i] <= 0 ? 0 : c->dx[i];
            double old = add ? (double)c->add[i] : 0;
            check_close(r, dx, v + old, bound * (fmax(floor, c->dx_abs[i]) + fabs(old)), i);
        }
    }
    float *same = arena_push(&r->f->arena, c->n_x, sizeof *same);
    struct conv_prepared ready = conv_ready(r, CONV_BWD_DATA);
    memcpy(same, c->add, c->n_x * sizeof *same);
    conv_backward_data_prepared(&r->mc, same, c->dy, c->w, &ready, &c->s, true, c->x,
                                conv_scratch(r, CONV_BWD_DATA));
    assert_memory_equal(same, dx, c->n_x * sizeof *dx);
    r->f->arena.used = mark;
}

static void conv_check_backward_weights(struct conv_run *r)
{
    const struct conv_case *c = r->c;
    size_t mark = r->f->arena.used;
    float *dw = arena_push(&r->f->arena, c->n_w, sizeof *dw);
    double bound = conv_bound(&c->s, CONV_BWD_WEIGHTS, r->algo);
    double floor[2] = {conv_floor(r->algo, c->dw_abs[0], c->n_w),
                       conv_floor(r->algo, c->dw_abs[1], c->n_w)};
    for (int relu = 0; relu < 2; relu++) {
        conv_describe(r, "bwd_weights", relu ? "relu_in" : "");
        memset(dw, 0xff, c->n_w * sizeof *dw);
        conv_backward_weights(&r->mc, dw, c->x, c->dy, &c->s, relu, r->asked,
                              conv_scratch(r, CONV_BWD_WEIGHTS));
        for (size_t i = 0; i < c->n_w; i++) {
            check_close(r, dw, c->dw[relu][i], bound * fmax(floor[relu], c->dw_abs[relu][i]), i);
        }
    }
    r->f->arena.used = mark;
}

/* n h w, c k, kh kw, stride pad groups */
#define SHAPE(n_, h_, w_, c_, k_, kh_, kw_, stride_, pad_, groups_)                                \
    {                                                                                              \
        .n = n_, .h = h_, .w = w_, .c = c_, .k = k_, .kh = kh_, .kw = kw_, .stride = stride_,      \
        .pad = pad_, .groups = groups_                                                             \
    }

static const struct conv_shape conv_shapes[] = {
    /* NAS-Bench-201 and ResNet on 32x32 */
    SHAPE(2, 32, 32, 16, 16, 3, 3, 1, 1, 1),
    SHAPE(3, 16, 16, 32, 32, 3, 3, 1, 1, 1),
    SHAPE(2, 8, 8, 64, 64, 3, 3, 1, 1, 1),
    SHAPE(2, 16, 16, 16, 16, 1, 1, 1, 0, 1),
    SHAPE(2, 16, 16, 32, 32, 1, 1, 1, 0, 1),
    SHAPE(3, 8, 8, 64, 64, 1, 1, 1, 0, 1),
    SHAPE(1, 32, 32, 16, 32, 3, 3, 2, 1, 1),
    SHAPE(2, 16, 16, 32, 64, 3, 3, 2, 1, 1),
    SHAPE(2, 16, 16, 16, 32, 1, 1, 2, 0, 1),
    SHAPE(2, 16, 16, 16, 32, 1, 1, 1, 0, 1),
    /* rows of the product of backward weights are output channels; the second comes from far */
    SHAPE(9, 12, 12, 40, 16, 1, 1, 1, 0, 1),
    SHAPE(2, 64, 64, 72, 8, 1, 1, 1, 0, 1),
    SHAPE(2, 32, 32, 3, 16, 3, 3, 1, 1, 1),
    SHAPE(9, 16, 16, 1, 16, 3, 3, 1, 1, 1),
    /* ResNet on 224x224, smaller */
    SHAPE(1, 28, 28, 3, 64, 7, 7, 2, 3, 1),
    SHAPE(1, 14, 14, 64, 128, 1, 1, 2, 0, 1),
    SHAPE(1, 14, 14, 24, 40, 3, 3, 1, 1, 1),
    SHAPE(1, 7, 7, 112, 72, 3, 3, 1, 1, 1),
    /* FBNet */
    SHAPE(1, 28, 28, 16, 96, 1, 1, 1, 0, 1),
    SHAPE(1, 14, 14, 64, 384, 1, 1, 1, 0, 1),
    SHAPE(1, 7, 7, 184, 352, 1, 1, 1, 0, 1),
    SHAPE(2, 14, 14, 24, 72, 1, 1, 1, 0, 2),
    SHAPE(1, 28, 28, 72, 72, 3, 3, 2, 1, 72),
    SHAPE(2, 14, 14, 40, 40, 5, 5, 1, 2, 40),
    SHAPE(1, 7, 7, 184, 184, 5, 5, 2, 2, 184),
    SHAPE(1, 14, 14, 16, 16, 3, 3, 1, 1, 16),
    SHAPE(2, 9, 7, 3, 3, 5, 5, 1, 2, 3),
    SHAPE(1, 8, 8, 17, 17, 3, 3, 2, 1, 17),
    /* odd ones */
    SHAPE(1, 1, 1, 1, 1, 1, 1, 1, 0, 1),
    SHAPE(1, 1, 1, 5, 7, 3, 3, 1, 1, 1),
    SHAPE(2, 5, 6, 7, 9, 3, 2, 1, 1, 1),
    SHAPE(1, 11, 10, 6, 10, 4, 3, 3, 2, 2),
    SHAPE(2, 6, 9, 8, 12, 1, 3, 2, 1, 4),
    SHAPE(1, 9, 9, 4, 4, 3, 3, 1, 0, 1),
    SHAPE(1, 6, 6, 3, 5, 2, 2, 3, 0, 1),
    SHAPE(1, 7, 8, 5, 6, 2, 2, 2, 3, 1),
    SHAPE(3, 4, 4, 18, 34, 3, 3, 1, 1, 1),
    SHAPE(1, 13, 5, 20, 12, 3, 3, 1, 1, 4),
    SHAPE(1, 10, 10, 9, 8, 1, 1, 1, 1, 1),
    SHAPE(1, 5, 5, 6, 12, 3, 3, 1, 1, 6),
};

static bool conv_resolve(struct conv_run *r, enum conv_dir dir)
{
    r->algo = r->asked == CONV_AUTO ? conv_choose(&r->mc, &r->c->s, dir) : r->asked;
    return conv_can(&r->mc, &r->c->s, dir, r->asked) && conv_can(&r->mc, &r->c->s, dir, r->algo);
}

/* One algorithm in all directions. */
static void conv_check_algo(struct conv_run *r)
{
    size_t mark = r->f->arena.used;
    if (conv_resolve(r, CONV_FWD)) {
        conv_check_forward(r);
    }
    if (conv_resolve(r, CONV_BWD_DATA)) {
        conv_check_backward_data(r);
    }
    if (conv_resolve(r, CONV_BWD_WEIGHTS)) {
        conv_check_backward_weights(r);
    }
    r->f->arena.used = mark;
}

static void conv_check_case(struct fixture *f, const struct conv_case *c)
{
    struct machine mcs[CPU_N_TIERS];
    int n = machines(mcs);
    for (int t = 0; t < n; t++) {
        for (int algo = 0; algo < CONV_N_ALGOS; algo++) {
            struct conv_run r = {.f = f, .mc = mcs[t], .c = c, .asked = (enum conv_algo)algo};
            r.mc.n_threads = r.asked == CONV_AUTO ? 2 : 1;
            conv_check_algo(&r);
        }
    }
}

/* What inputs that bf16 does not hold give: the bits of theirs rounded. */
static void conv_check_rounding(struct fixture *f, const struct conv_case *c,
                                const struct machine *mc)
{
    const struct conv_shape *s = &c->s;
    size_t n[CONV_N_DIRS] = {c->n_y, c->n_x, c->n_w};
    float *x = random_floats(f, c->n_x), *w = random_floats(f, c->n_w);
    float *dy = random_floats(f, c->n_y);
    for (int dir = 0; dir < CONV_N_DIRS; dir++) {
        const float *in[2][3] = {{x, w, dy},
                                 {rounded_floats(f, x, c->n_x), rounded_floats(f, w, c->n_w),
                                  rounded_floats(f, dy, c->n_y)}};
        float *out[2];
        for (int i = 0; i < 2; i++) {
            struct arena tmp = arena_carve(
                &f->arena, conv_scratch_bytes(mc, s, (enum conv_dir)dir, CONV_BF16));
            out[i] = arena_push(&f->arena, n[dir], sizeof(float));
            if (dir == CONV_FWD) {
                conv_forward(mc, out[i], in[i][0], in[i][1], s, true, NULL, CONV_BF16, tmp);
            } else if (dir == CONV_BWD_DATA) {
                conv_backward_data(mc, out[i], in[i][2], in[i][1], s, false, NULL, CONV_BF16, tmp);
            } else {
                conv_backward_weights(mc, out[i], in[i][0], in[i][2], s, true, CONV_BF16, tmp);
            }
        }
        assert_memory_equal(out[0], out[1], n[dir] * sizeof(float));
    }
}

static void conv_check_bf16(struct fixture *f, const struct conv_case *c)
{
    struct machine mcs[CPU_N_TIERS];
    int n = machines_of(mcs, "bf16", (enum cpu_tier)(CPU_N_TIERS - 1));
    for (int t = 0; t < n && conv_can(&mcs[t], &c->s, CONV_FWD, CONV_BF16); t++) {
        struct conv_run r = {.f = f, .mc = mcs[t], .c = c, .asked = CONV_BF16};
        size_t mark = f->arena.used;
        conv_check_algo(&r);
        r.asked = CONV_WINOGRAD_BF16;
        conv_check_algo(&r);
        conv_check_rounding(f, c, &mcs[t]);
        f->arena.used = mark;
    }
}

static void conv_check_shape(struct fixture *f, const struct conv_shape *s)
{
    size_t mark = f->arena.used;
    struct conv_case c = conv_case_new(f, s, false);
    conv_check_case(f, &c);
    c = conv_case_new(f, s, true);
    conv_check_bf16(f, &c);
    f->arena.used = mark;
}

static void test_conv_is_its_definition(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < N_ELEMS(conv_shapes); i++) {
        conv_check_shape(f, &conv_shapes[i]);
    }
}

static void test_conv_random_shapes(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 60; i++) {
        struct rng *r = &f->rng;
        int groups = rng_below(r, 4) == 0 ? 1 + (int)rng_below(r, 3) : 1;
        struct conv_shape s = {.n = 1 + (int)rng_below(r, 3),
                               .h = 1 + (int)rng_below(r, 20),
                               .w = 1 + (int)rng_below(r, 20),
                               .c = groups * (1 + (int)rng_below(r, 24)),
                               .k = groups * (1 + (int)rng_below(r, 24)),
                               .kh = 1 + (int)rng_below(r, 5),
                               .kw = 1 + (int)rng_below(r, 5),
                               .stride = 1 + (int)rng_below(r, 3),
                               .pad = (int)rng_below(r, 4),
                               .groups = groups};
        struct err e;
        size_t mark = f->arena.used;
        if (i % 3 == 0) {
            s.kh = s.kw = 3, s.stride = s.pad = 1; /* Winograd's */
        }
        if (conv_shape_init(&s, &e)) {
            conv_check_shape(f, &s);
        }
        f->arena.used = mark;
    }
}

/* The same bits at any number of threads. */
static void test_conv_bits_at_any_thread_count(void **state)
{
    struct fixture *f = *state;
    static const int counts[] = {1, 2, 3, 7};
    struct machine mcs[CPU_N_TIERS];
    int n_mc = machines_of(mcs, "bf16", (enum cpu_tier)(CPU_N_TIERS - 1));
    for (size_t i = 0; i < N_ELEMS(conv_shapes); i++) {
        struct conv_shape s = conv_shapes[i];
        struct err e;
        assert_true(conv_shape_init(&s, &e));
        size_t mark = f->arena.used, n_x = (size_t)s.n * s.h * s.w * s.c;
        size_t n_y = (size_t)s.n * s.oh * s.ow * s.k;
        size_t n_w = (size_t)s.kh * s.kw * (s.c / s.groups) * s.k, n_max = MAX(n_x, MAX(n_y, n_w));
        float *x = random_floats(f, n_x), *w = random_floats(f, n_w), *dy = random_floats(f, n_y);
        float *out[2];
        out[0] = arena_push(&f->arena, n_max, sizeof(float));
        out[1] = arena_push(&f->arena, n_max, sizeof(float));
        for (int v = 0; v < CONV_N_ALGOS * 3 * 4; v++) {
            struct machine mc = mcs[i % (size_t)n_mc]; /* each tier sees some shapes */
            enum conv_algo algo = (enum conv_algo)(v / 12);
            enum conv_dir dir = (enum conv_dir)(v / 4 % 3);
            mc.n_threads = counts[v % 4];
            if (!conv_can(&mc, &s, dir, algo)) {
                continue;
            }
            size_t inner = f->arena.used;
            struct arena tmp = arena_carve(&f->arena, conv_scratch_bytes(&mc, &s, dir, algo));
            float *o = out[v % 4 > 0];
            size_t n = dir == CONV_FWD ? n_y : dir == CONV_BWD_DATA ? n_x : n_w;
            if (dir == CONV_FWD) {
                conv_forward(&mc, o, x, w, &s, true, NULL, algo, tmp);
            } else if (dir == CONV_BWD_DATA) {
                conv_backward_data(&mc, o, dy, w, &s, false, x, algo, tmp);
            } else {
                conv_backward_weights(&mc, o, x, dy, &s, true, algo, tmp);
            }
            if (v % 4 > 0 && memcmp(out[0], out[1], n * sizeof(float)) != 0) {
                fail_msg("shape %zu, %s, %s, direction %d: other bits with %d threads", i,
                         cpu_tier_name(mc.tier), conv_algo_name(algo), (int)dir, mc.n_threads);
            }
            f->arena.used = inner;
        }
        f->arena.used = mark;
    }
}

static void test_conv_refuses_nonsense(void **state)
{
    (void)state;
    static const struct conv_shape bad[] = {SHAPE(0, 8, 8, 3, 4, 3, 3, 1, 1, 1),
                                            SHAPE(1, 8, 8, 3, 4, 3, 3, 0, 1, 1),
                                            SHAPE(1, 8, 8, 3, 4, 3, 3, 1, -1, 1),
                                            SHAPE(1, 8, 8, 3, 4, 3, 3, 1, 1, 2),
                                            SHAPE(1, 8, 8, 4, 3, 3, 3, 1, 1, 2),
                                            SHAPE(1, 2, 2, 4, 4, 5, 5, 1, 1, 1),
                                            SHAPE(1, 1 << 16, 1 << 16, 1, 1, 1, 1, 1, 0, 1),
                                            SHAPE(1, 8, 8, 1 << 20, 1 << 20, 3, 3, 1, 1, 1)};
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        struct conv_shape s = bad[i];
        struct err e = {0};
        assert_false(conv_shape_init(&s, &e));
        assert_int_equal(e.code, ERR_INPUT);
        assert_true(strlen(e.text) > 10);
    }
}

/* ---- products, normalisation, pooling, vectors ---- */

/* Each check below runs for every tier and thread count through this. */
typedef void check_fn(struct fixture *f, const struct machine *mc);

static void each_machine(struct fixture *f, check_fn *check)
{
    static const int counts[] = {1, 2, 3, 7};
    struct machine mcs[CPU_N_TIERS];
    int n = machines(mcs);
    for (int t = 0; t < n; t++) {
        for (size_t c = 0; c < N_ELEMS(counts); c++) {
            struct machine mc = mcs[t];
            size_t mark = f->arena.used;
            mc.n_threads = counts[c];
            f->rng = rng_key(7, RNG_TEST, 1);
            check(f, &mc);
            f->arena.used = mark;
        }
    }
}

/* The same bits as with one thread: compare with what the first count left in *kept. */
static void same_bits(struct fixture *f, const struct machine *mc, float **kept, const float *got,
                      size_t n)
{
    (void)f;
    if (mc->n_threads == 1) {
        free(*kept);
        *kept = malloc(n * sizeof **kept);
        assert_non_null(*kept);
        memcpy(*kept, got, n * sizeof **kept);
    } else if (memcmp(*kept, got, n * sizeof **kept) != 0) {
        fail_msg("%s: other bits with %d threads", cpu_tier_name(mc->tier), mc->n_threads);
    }
}

static void near(const char *what, const struct machine *mc, double got, double want, double slack)
{
    if (!(fabs(got - want) <= slack)) {
        fail_msg("%s, %s: %.9g, expected %.9g +- %.3g", cpu_tier_name(mc->tier), what, got, want,
                 slack);
    }
}

static void check_gemm(struct fixture *f, const struct machine *mc)
{
    static const int sizes[][3] = {{1, 1, 1},    {5, 7, 3},      {97, 33, 65}, {130, 1030, 20},
                                   {64, 64, 64}, {200, 16, 150}, {3, 5, 0}};
    static float *kept[N_ELEMS(sizes) * 4];
    for (size_t v = 0; v < N_ELEMS(sizes) * 4; v++) {
        int m = sizes[v / 4][0], n = sizes[v / 4][1], k = sizes[v / 4][2];
        bool ta = v & 1, tb = v & 2;
        int lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 2, ldc = n + 1;
        float *a = random_floats(f, (size_t)lda * (size_t)MAX(1, ta ? k : m));
        float *b = random_floats(f, (size_t)ldb * (size_t)MAX(1, tb ? n : k));
        float *c = random_floats(f, (size_t)ldc * m), *old = random_floats(f, (size_t)ldc * m);
        memcpy(old, c, (size_t)ldc * m * sizeof *c);
        float beta = v % 3 == 0 ? 0 : 0.5f;
        gemm(mc, ta, tb, m, n, k, 2, a, lda, b, ldb, beta, c, ldc);
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                double sum = 0, sums = 0, was = old[i * ldc + j] * (double)beta;
                for (int p = 0; p < k; p++) {
                    double x = ta ? a[p * lda + i] : a[i * lda + p];
                    double y = tb ? b[j * ldb + p] : b[p * ldb + j];
                    sum += x * y;
                    sums += fabs(x * y);
                }
                near("gemm", mc, c[i * ldc + j], 2 * sum + was,
                     (k + 4) * u * (2 * sums + fabs(was)));
            }
            assert_memory_equal(&c[i * ldc + n], &old[i * ldc + n], sizeof(float));
        }
        same_bits(f, mc, &kept[v], c, (size_t)ldc * m);
    }
}

static void test_gemm(void **state)
{
    each_machine(*state, check_gemm);
}

static void check_gram(struct fixture *f, const struct machine *mc)
{
    static const struct {
        int n;
        size_t d;
    } sizes[] = {{1, 1}, {32, 16384}, {70, 5000}, {5, 40000}};
    static float *kept[N_ELEMS(sizes)];
    for (size_t v = 0; v < N_ELEMS(sizes); v++) {
        int n = sizes[v].n;
        size_t d = sizes[v].d;
        float *x = random_floats(f, (size_t)n * d);
        double *gram = arena_push(&f->arena, (size_t)n * n, sizeof *gram);
        struct arena tmp = arena_carve(&f->arena, gemm_gram_scratch_bytes(mc, n, d));
        gemm_gram(mc, gram, x, n, d, tmp);
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                double sum = 0, sums = 0;
                for (size_t p = 0; p < d; p++) {
                    sum += (double)x[i * d + p] * x[j * d + p];
                    sums += fabs((double)x[i * d + p] * x[j * d + p]);
                }
                near("gram", mc, gram[i * n + j], sum, (double)MIN(d, 4096) * u * sums);
                assert_true(gram[i * n + j] == gram[j * n + i]);
            }
        }
        same_bits(f, mc, &kept[v], (float *)gram, (size_t)n * n * 2);
    }
}

static void test_gram(void **state)
{
    each_machine(*state, check_gram);
}

/* Rows and channels for norm: one row, one channel, less than a block, many blocks. */
static const struct {
    size_t rows;
    int c;
} norm_sizes[] = {{1, 3}, {7, 1}, {50, 24}, {3000, 16}, {40000, 17}, {2048, 72}, {300, 130}};

static void check_norm(struct fixture *f, const struct machine *mc)
{
    static float *kept[N_ELEMS(norm_sizes)][6];
    for (size_t v = 0; v < N_ELEMS(norm_sizes); v++) {
        size_t rows = norm_sizes[v].rows, c = (size_t)norm_sizes[v].c, n = rows * c;
        float *x = random_floats(f, n), *dy = random_floats(f, n), *old = random_floats(f, n);
        float *scale = random_floats(f, c), *shift = random_floats(f, c),
              *rstd = random_floats(f, c);
        float *mean = random_floats(f, c), *var = random_floats(f, c), *y = random_floats(f, n);
        float *dg = random_floats(f, c), *db = random_floats(f, c);
        for (size_t i = 0; i < n; i++) {
            x[i] += i % c % 3 == 0 ? 300 : 0; /* a mean far from 0 */
        }
        struct arena tmp = arena_carve(&f->arena, norm_scratch_bytes(mc, rows, (int)c));
        norm_stats(mc, mean, var, x, rows, (int)c, tmp);
        double N = (double)rows;
        double *m = arena_push_zero(&f->arena, c, 8), *s2 = arena_push_zero(&f->arena, c, 8);
        double *sg = arena_push_zero(&f->arena, c, 8), *sb = arena_push_zero(&f->arena, c, 8);
        for (size_t i = 0; i < n; i++) {
            m[i % c] += x[i] / N;
        }
        for (size_t i = 0; i < n; i++) {
            double d = x[i] - m[i % c];
            s2[i % c] += d * d / N;
        }
        for (size_t i = 0; i < c; i++) {
            near("mean", mc, mean[i], m[i], 4 * u * fabs(m[i]) + 1e-7);
            near("var", mc, var[i], s2[i], 2000 * u * s2[i] + 1e-9);
            rstd[i] = (float)(1 / sqrt(s2[i] + 1e-5));
        }
        same_bits(f, mc, &kept[v][0], mean, c);
        same_bits(f, mc, &kept[v][1], var, c);
        for (int how = 0; how < 4; how++) {
            bool relu = how & 1, add = how & 2;
            memcpy(y, add ? old : x, n * sizeof *y);
            norm_apply(mc, y, add ? x : y, scale, shift, rows, (int)c, relu, add);
            for (size_t i = 0; i < n; i++) {
                double a = (double)x[i] * scale[i % c], want = a + shift[i % c];
                want = (relu && want < 0 ? 0 : want) + (add ? old[i] : 0);
                near("apply", mc, y[i], want, 4 * u * (fabs(a) + 2));
            }
        }
        for (size_t i = 0; i < n; i++) {
            sb[i % c] += dy[i];
            sg[i % c] += dy[i] * ((double)x[i] - mean[i % c]) * rstd[i % c];
        }
        for (int add = 0; add < 2; add++) {
            memcpy(y, old, n * sizeof *y);
            norm_backward(mc, y, dg, db, x, dy, mean, rstd, scale, rows, (int)c, add, tmp);
            for (size_t i = 0; i < n; i++) {
                size_t k = i % c;
                double xhat = ((double)x[i] - mean[k]) * rstd[k], r = (double)scale[k] * rstd[k];
                double want = r / N * (N * dy[i] - sb[k] - xhat * sg[k]);
                near("dx", mc, y[i], want + (add ? old[i] : 0),
                     16 * u * (fabs(r) * (2 + fabs(xhat)) + 1));
            }
        }
        for (size_t k = 0; k < c; k++) {
            near("dbeta", mc, db[k], sb[k], 4096 * u * sqrt(N));
            near("dgamma", mc, dg[k], sg[k], 4096 * u * sqrt(N) * (1 + rstd[k]));
        }
        same_bits(f, mc, &kept[v][2], y, n);
        same_bits(f, mc, &kept[v][3], dg, c);
        norm_backward(mc, NULL, dg, db, x, dy, mean, rstd, scale, rows, (int)c, false, tmp);
        same_bits(f, mc, &kept[v][4], dg, c);
        struct arena none = {0};
        conv_backward_bias(mc, db, dy, rows, (int)c, MAX(rows * c, 1) > 0 ? tmp : none);
        for (size_t k = 0; k < c; k++) {
            near("dbias", mc, db[k], sb[k], 4096 * u * sqrt(N));
        }
        same_bits(f, mc, &kept[v][5], db, c);
    }
}

static void test_norm(void **state)
{
    each_machine(*state, check_norm);
}

/* A constant channel: var is 0, never below; a NaN or an infinity is seen. */
static void check_norm_edges(struct fixture *f, const struct machine *mc)
{
    float *x = random_floats(f, 4000 * 3), mean[3], var[3];
    for (size_t i = 0; i < 4000; i++) {
        x[i * 3] = 1e4f / 3;
    }
    x[1000 * 3 + 1] = NAN;
    x[3999 * 3 + 2] = INFINITY;
    struct arena tmp = arena_carve(&f->arena, norm_scratch_bytes(mc, 4000, 3));
    norm_stats(mc, mean, var, x, 4000, 3, tmp);
    near("mean of a constant", mc, mean[0], (double)x[0], 2 * u * (double)x[0]);
    near("var of a constant", mc, var[0], 0, 1e-6);
    assert_true(var[0] >= 0);
    assert_true(isnan(mean[1]) && isnan(var[1]));
    assert_false(isfinite(mean[2]) && isfinite(var[2]));
}

static void test_norm_edges(void **state)
{
    each_machine(*state, check_norm_edges);
}

static const struct pool_shape pool_shapes[] = {
    {.n = 2, .h = 32, .w = 32, .c = 16, .size = 3, .stride = 1, .pad = 1},
    {.n = 2, .h = 8, .w = 8, .c = 64, .size = 3, .stride = 1, .pad = 1, .count_padding = true},
    {.n = 3, .h = 16, .w = 16, .c = 32, .size = 2, .stride = 2},
    {.n = 1, .h = 9, .w = 7, .c = 5, .size = 3, .stride = 2, .pad = 1},
    {.n = 1, .h = 9, .w = 7, .c = 5, .size = 3, .stride = 2, .pad = 1, .count_padding = true},
    {.n = 2, .h = 1, .w = 1, .c = 20, .size = 3, .stride = 1, .pad = 1},
    {.n = 1, .h = 2, .w = 5, .c = 3, .size = 2, .stride = 1, .pad = 1},
    {.n = 2, .h = 7, .w = 7, .c = 40, .size = 7, .stride = 1},
    {.n = 1, .h = 11, .w = 12, .c = 9, .size = 5, .stride = 3, .pad = 2},
    {.n = 1, .h = 5, .w = 5, .c = 4, .size = 3, .stride = 1},
    {.n = 1, .h = 6, .w = 6, .c = 4, .size = 1, .stride = 2},
};

/* One output of an average pool: f is called for every input it sees with its share. */
static void check_pool(struct fixture *f, const struct machine *mc)
{
    static float *kept[N_ELEMS(pool_shapes)][4];
    for (size_t v = 0; v < N_ELEMS(pool_shapes); v++) {
        struct pool_shape s = pool_shapes[v];
        struct err e;
        assert_true(pool_shape_init(&s, &e));
        size_t n_x = (size_t)s.n * s.h * s.w * s.c, n_y = (size_t)s.n * s.oh * s.ow * s.c;
        float *x = random_floats(f, n_x), *y = random_floats(f, n_y), *dy = random_floats(f, n_y);
        float *dx = random_floats(f, n_x), *old = random_floats(f, n_x);
        double *avg = arena_push_zero(&f->arena, n_y, 8),
               *davg = arena_push_zero(&f->arena, n_x, 8);
        double *max = arena_push_zero(&f->arena, n_y, 8),
               *dmax = arena_push_zero(&f->arena, n_x, 8);
        uint8_t *index = arena_push(&f->arena, n_y, 1);
        for (size_t o = 0; o < n_y; o++) {
            int c = (int)(o % s.c), ox = (int)(o / s.c % s.ow), oy = (int)(o / s.c / s.ow % s.oh);
            size_t image = o / s.c / s.ow / s.oh, best = 0;
            int count = 0;
            for (int pass = 0; pass < 2; pass++) {
                for (int p = 0; p < s.size * s.size; p++) {
                    int iy = oy * s.stride - s.pad + p / s.size;
                    int ix = ox * s.stride - s.pad + p % s.size;
                    if (iy < 0 || iy >= s.h || ix < 0 || ix >= s.w) {
                        continue;
                    }
                    size_t at = ((image * s.h + iy) * s.w + ix) * s.c + c;
                    if (pass == 0) {
                        best = count == 0 || x[at] > x[best] ? at : best;
                        count++;
                    } else {
                        double share = 1.0 / (s.count_padding ? s.size * s.size : count);
                        avg[o] += share * x[at];
                        davg[at] += share * dy[o];
                    }
                }
            }
            max[o] = x[best];
            dmax[best] += dy[o];
        }
        double slack = (s.size * s.size + 4) * u * 2;
        pool_avg_forward(mc, y, x, &s);
        for (size_t i = 0; i < n_y; i++) {
            near("average pool", mc, y[i], avg[i], slack);
        }
        same_bits(f, mc, &kept[v][0], y, n_y);
        pool_max_forward(mc, y, index, x, &s);
        for (size_t i = 0; i < n_y; i++) {
            near("max pool", mc, y[i], max[i], 0);
        }
        for (int add = 0; add < 2; add++) {
            memcpy(dx, old, n_x * sizeof *dx);
            pool_avg_backward(mc, dx, dy, &s, add);
            for (size_t i = 0; i < n_x; i++) {
                near("average pool gradient", mc, dx[i], davg[i] + (add ? old[i] : 0), slack * 2);
            }
            same_bits(f, mc, &kept[v][2 + add], dx, n_x);
            memcpy(dx, old, n_x * sizeof *dx);
            pool_max_backward(mc, dx, dy, index, &s, add);
            for (size_t i = 0; i < n_x; i++) {
                near("max pool gradient", mc, dx[i], dmax[i] + (add ? old[i] : 0), slack * 4);
            }
        }
        size_t hw = (size_t)s.h * s.w;
        pool_global_forward(mc, y, x, s.n, hw, s.c);
        pool_global_backward(mc, dx, x, s.n, hw, s.c, false);
        for (size_t i = 0; i < (size_t)s.n * s.c; i++) {
            double sum = 0;
            for (size_t p = 0; p < hw; p++) {
                sum += x[(i / s.c * hw + p) * s.c + i % s.c];
                near("global pool gradient", mc, dx[(i / s.c * hw + p) * s.c + i % s.c],
                     (double)x[i] / hw, 2 * u);
            }
            near("global pool", mc, y[i], sum / hw, (hw + 2) * u);
        }
    }
}

static void test_pool(void **state)
{
    each_machine(*state, check_pool);
}

static double act_value(enum vec_act act, double x)
{
    switch (act) {
    case VEC_RELU:
        return fmax(0, x);
    case VEC_RELU6:
        return fmin(6, fmax(0, x));
    case VEC_HSWISH:
        return x * fmin(6, fmax(0, x + 3)) / 6;
    case VEC_SIGMOID:
        return 1 / (1 + exp(-x));
    default:
        return tanh(x);
    }
}

static double act_slope(enum vec_act act, double x)
{
    switch (act) {
    case VEC_RELU:
        return x > 0;
    case VEC_RELU6:
        return x > 0 && x < 6;
    case VEC_HSWISH:
        return x <= -3 ? 0 : x >= 3 ? 1 : (2 * x + 3) / 6;
    case VEC_SIGMOID:
        return act_value(act, x) * (1 - act_value(act, x));
    default:
        return 1 - tanh(x) * tanh(x);
    }
}

static void check_vec(struct fixture *f, const struct machine *mc)
{
    enum { N = 70001 };
    static float *kept[8];
    float *x = random_floats(f, N), *y = random_floats(f, N), *z = random_floats(f, N);
    float *w = random_floats(f, N), *v = random_floats(f, N), *m = random_floats(f, N);
    float *in[8];
    for (size_t i = 0; i < N; i++) {
        x[i] *= 20;
        m[i] = fabsf(m[i]);
    }
    x[5] = 0;
    for (int act = VEC_RELU; act <= VEC_TANH; act++) {
        vec_act_forward(mc, (enum vec_act)act, z, x, N);
        for (size_t i = 0; i < N; i++) {
            near("act", mc, z[i], act_value((enum vec_act)act, x[i]), 16 * u * (1 + fabsf(x[i])));
        }
        for (int add = 0; add < 2; add++) {
            memcpy(z, w, N * sizeof *z);
            vec_act_backward(mc, (enum vec_act)act, z, x, y, N, add);
            for (size_t i = 0; i < N; i++) {
                near("act gradient", mc, z[i],
                     act_slope((enum vec_act)act, x[i]) * y[i] + (add ? w[i] : 0), 32 * u);
            }
        }
    }
    same_bits(f, mc, &kept[0], z, N);
    for (int n = 1; n <= 8; n++) {
        double sum = 0;
        for (int j = 0; j < n; j++) {
            in[j] = j % 2 ? x : y;
            sum += in[j][777];
        }
        vec_sum(mc, z, (const float *const *)in, n, N);
        near("sum", mc, z[777], sum, 8 * u * 200);
    }
    same_bits(f, mc, &kept[1], z, N);
    memcpy(z, y, N * sizeof *z);
    vec_axpy(mc, z, 3, x, N);
    vec_scale(mc, z, 0.5f, z, N);
    double dot = 0, dots = 0;
    for (size_t i = 0; i < N; i++) {
        near("axpy and scale", mc, z[i], 0.5 * ((double)y[i] + 3 * (double)x[i]), 100 * u);
        dot += (double)x[i] * y[i];
        dots += fabs((double)x[i] * y[i]);
    }
    near("dot", mc, vec_dot(mc, x, y, N), dot, dots * 1e-12);
    float as_float = (float)vec_dot(mc, x, y, N);
    same_bits(f, mc, &kept[2], &as_float, 1);
    for (int how = 0; how < 3; how++) { /* plain, momentum, Nesterov */
        float momentum = how ? 0.9f : 0, lr = 0.1f, decay = 5e-4f;
        memcpy(z, w, N * sizeof *z);
        float *vel = how ? random_floats(f, N) : NULL;
        float *vel0 = how ? random_floats(f, N) : NULL;
        if (how) {
            memcpy(vel0, vel, N * sizeof *vel);
        }
        vec_sgd(mc, z, vel, y, N, lr, momentum, decay, how == 2);
        for (size_t i = 0; i < N; i++) {
            double g = y[i] + (double)decay * w[i], vv = how ? (double)momentum * vel0[i] + g : g;
            double step = how == 2 ? g + (double)momentum * vv : vv;
            near("sgd", mc, z[i], w[i] - (double)lr * step, 8 * u * 3);
        }
    }
    same_bits(f, mc, &kept[3], z, N);
    memcpy(z, w, N * sizeof *z);
    float *m1 = random_floats(f, N), *m10 = random_floats(f, N), *m20 = random_floats(f, N);
    memcpy(m10, m1, N * sizeof *m1);
    memcpy(m20, m, N * sizeof *m);
    vec_adam(mc, z, m1, m, y, N, 1e-2f, 0.9f, 0.999f, 1e-8f, 1e-3f, 3);
    for (size_t i = 0; i < N; i++) {
        double g = y[i] + (double)1e-3f * w[i];
        double a = (double)0.9f * m10[i] + (1 - (double)0.9f) * g;
        double b = (double)0.999f * m20[i] + (1 - (double)0.999f) * g * g;
        double ah = a / (1 - pow(0.9f, 3)), bh = b / (1 - pow(0.999f, 3));
        double step = (double)1e-2f * ah / (sqrt(bh) + (double)1e-8f);
        near("adam", mc, z[i], w[i] - step, 64 * u * (1 + fabs(step)));
    }
    same_bits(f, mc, &kept[4], z, N);
    assert_true(vec_all_finite(mc, x, N));
    x[N - 1] = NAN;
    assert_false(vec_all_finite(mc, x, N));
    assert_true(vec_all_finite(mc, x, N - 1));
    x[40000] = -INFINITY;
    assert_false(vec_all_finite(mc, x, N - 1));
    (void)v;
}

static void test_vec(void **state)
{
    each_machine(*state, check_vec);
}

static void test_nothing_to_do(void **state)
{
    (void)state;
    struct machine mcs[CPU_N_TIERS];
    int n = machines(mcs);
    float one = 1;
    const float *in[1] = {&one};
    for (int t = 0; t < n; t++) {
        vec_act_forward(&mcs[t], VEC_RELU, &one, &one, 0);
        vec_sum(&mcs[t], &one, in, 1, 0);
        vec_axpy(&mcs[t], &one, 1, &one, 0);
        assert_true(vec_dot(&mcs[t], &one, &one, 0) == 0);
        assert_true(vec_all_finite(&mcs[t], &one, 0));
        gemm(&mcs[t], false, false, 0, 5, 5, 1, &one, 5, &one, 5, 0, &one, 5);
        assert_true(one == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv_is_its_definition),
        cmocka_unit_test(test_conv_random_shapes),
        cmocka_unit_test(test_conv_bits_at_any_thread_count),
        cmocka_unit_test(test_conv_refuses_nonsense),
        cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_gram),
        cmocka_unit_test(test_norm),
        cmocka_unit_test(test_norm_edges),
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_vec),
        cmocka_unit_test(test_nothing_to_do),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
