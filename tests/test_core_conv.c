/*
 * test_core_conv.c: convolutions held to their definition in double: every algorithm, direction and
 * tier this machine has, over shapes of NAS-Bench-201, ResNet and FBNet (fewer pixels, the same
 * channels) and odd ones, with ReLU on the way in, posts, masks and addition. Bound:
 * (n + 4) u sum|a||b|, n terms in the sum, u = 2^-24; Winograd's own bound is stated at
 * CONV_WINOGRAD_FACTOR. bf16 is held to the same bound over inputs that bf16 holds exactly, and any
 * inputs must give the bits of theirs rounded. Everything is computed with 1, 2, 3 and 7 threads
 * and must give the same bits.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/numerics.h"

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
    /* so they are here for all images as one part, not for eight parts */
    SHAPE(8, 8, 8, 32, 20, 1, 1, 1, 0, 1),
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
            struct arena tmp =
                arena_carve(&f->arena, conv_scratch_bytes(mc, s, (enum conv_dir)dir, CONV_BF16));
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
    static const int counts[] = {1, 2, 3, 17}; /* the last: more than there are parts */
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
        float *out[2], *whole[2]; /* whole: backward weights as one part */
        for (int k = 0; k < 2; k++) {
            out[k] = arena_push(&f->arena, n_max, sizeof(float));
            whole[k] = arena_push(&f->arena, n_w, sizeof(float));
        }
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
                float *one = whole[v % 4 > 0];
                conv_backward_weights(&mc, o, x, dy, &s, true, algo, tmp);
                conv_backward_weights_part(&mc, one, x, dy, &s, true, algo, tmp);
            }
            bool same = memcmp(out[0], out[1], n * sizeof(float)) == 0;
            if (dir == CONV_BWD_WEIGHTS) {
                same = same && memcmp(whole[0], whole[1], n_w * sizeof(float)) == 0;
            }
            if (v % 4 > 0 && !same) {
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv_is_its_definition),
        cmocka_unit_test(test_conv_random_shapes),
        cmocka_unit_test(test_conv_bits_at_any_thread_count),
        cmocka_unit_test(test_conv_refuses_nonsense),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
