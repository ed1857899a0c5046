/*
 * test_core_kernels.c (kcheck): every kernel of every tier this machine runs against its plain C
 * twin.
 *
 * Data are small whole numbers, so that sums come out exact in any order and results are compared
 * bit for bit; where a kernel divides or multiplies by fractions, a few units in the last place.
 * Buffers lie flush against unreadable pages, before or behind, with sentinels on the other side.
 * Sizes are 0, 1, VL - 1, VL, VL + 1, 2 VL + 3 of every tier and random ones. A row of kernel.def
 * that no check calls fails; the loops over AMX's tiles are checked over tiles in plain C too; a
 * crash fails under its name. KCHECK_SEED repeats a run, its seed is printed.
 */
#define _GNU_SOURCE
#include "core/kernels.h"
#include "core/kernels/finish_ref.h"
#include "core/rng.h"
#include "tests/tiles.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { MAX_BUFS = 24, ROUNDS = 160 };

/* A buffer between unreadable pages. */
struct buf {
    unsigned char *map;
    size_t map_bytes, page;
    float *p;
    size_t n;
};

struct kcheck {
    const struct kernels *k, *ref;
    struct rng rng;
    struct buf bufs[MAX_BUFS];
    int n_bufs;
    int round;
    char what[200];
};

static uint64_t seed;
static sigjmp_buf crash_point;
static volatile sig_atomic_t crash_signal;

static void on_crash(int sig)
{
    crash_signal = sig;
    siglongjmp(crash_point, 1);
}

/* ---- buffers ---- */

/* n floats, flush with the page behind or (every second time) before; the rest of the readable
 * pages is filled with a pattern that must survive. */
static float *buf_new(struct kcheck *c, size_t n)
{
    assert_true(c->n_bufs < MAX_BUFS);
    struct buf *b = &c->bufs[c->n_bufs++];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = n * sizeof(float);
    size_t inner = DIV_UP(bytes + 1, page) * page;
    *b = (struct buf){.map_bytes = inner + 2 * page, .page = page, .n = n};
    b->map = mmap(NULL, b->map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(b->map != MAP_FAILED);
    assert_int_equal(mprotect(b->map + page, inner, PROT_READ | PROT_WRITE), 0);
    memset(b->map + page, 0xa5, inner);
    bool behind = rng_below(&c->rng, 2);
    b->p = (float *)(void *)(b->map + page + (behind ? inner - bytes : 0));
    return b->p;
}

static bool sentinels_hold(const struct buf *b)
{
    const unsigned char *first = b->map + b->page, *data = (const unsigned char *)b->p;
    const unsigned char *end = b->map + b->map_bytes - b->page;
    for (const unsigned char *p = first; p < end; p++) {
        if ((p < data || p >= data + b->n * sizeof(float)) && *p != 0xa5) {
            return false;
        }
    }
    return true;
}

static void bufs_release(struct kcheck *c)
{
    for (int i = 0; i < c->n_bufs; i++) {
        munmap(c->bufs[i].map, c->bufs[i].map_bytes);
    }
    c->n_bufs = 0;
}

/* Whole numbers in -8 .. 8; sums of some thousand products of them are exact. */
static float *whole(struct kcheck *c, size_t n)
{
    float *p = buf_new(c, n);
    for (size_t i = 0; i < n; i++) {
        p[i] = (float)((int)rng_below(&c->rng, 17) - 8);
    }
    return p;
}

static float *copy_of(struct kcheck *c, const float *from, size_t n)
{
    float *p = buf_new(c, n);
    memcpy(p, from, n * sizeof *p);
    return p;
}

static const struct buf *buf_of(const struct kcheck *c, const float *p)
{
    for (int i = 0; i < c->n_bufs; i++) {
        if (c->bufs[i].p == p) {
            return &c->bufs[i];
        }
    }
    return NULL;
}

/* got and want, two whole buffers of the same size, agree within `ulps` units in the last place of
 * the larger of |want| and `scale`; NaN agrees with NaN. */
static void same(struct kcheck *c, const char *name, const float *got, const float *want,
                 double ulps, double scale)
{
    const struct buf *b = buf_of(c, got);
    assert_non_null(b);
    for (size_t i = 0; i < b->n; i++) {
        double g = (double)got[i], w = (double)want[i];
        double slack = ulps * fmax(fabs(w), scale) / (1 << 23);
        if (!(fabs(g - w) <= slack || g == w || (isnan(g) && isnan(w)))) {
            fail_msg("%s: %s[%zu] of %zu is %.9g, the reference has %.9g", c->what, name, i, b->n,
                     g, w);
        }
    }
}

static void all_sentinels(struct kcheck *c)
{
    for (int i = 0; i < c->n_bufs; i++) {
        if (!sentinels_hold(&c->bufs[i])) {
            fail_msg("%s: wrote outside buffer %d", c->what, i);
        }
    }
}

/* Sizes around the registers of every tier, then random ones. */
static size_t a_size(struct kcheck *c, size_t max)
{
    static const size_t fixed[] = {0,  1,  3,  4,  5,  7,  8,  9,  11, 15,
                                   16, 17, 19, 31, 32, 33, 35, 47, 63, 64};
    size_t n = c->round < (int)N_ELEMS(fixed) && rng_below(&c->rng, 4) > 0
                   ? fixed[rng_below(&c->rng, N_ELEMS(fixed))]
                   : rng_below(&c->rng, max + 1);
    if (c->round < (int)N_ELEMS(fixed)) {
        n = c->round % 2 == 0 ? fixed[c->round] : n;
    }
    return MIN(n, max);
}

static bool flip(struct kcheck *c)
{
    return rng_below(&c->rng, 2);
}

#define DESCRIBE(...) snprintf(c->what, sizeof c->what, __VA_ARGS__)

/* ---- element-wise ---- */

static void check_vec_act_f32(struct kcheck *c)
{
    for (int act = KERNEL_RELU; act <= KERNEL_NO_ACT; act++) {
        size_t n = a_size(c, 300);
        float *x = whole(c, n), *y = buf_new(c, n), *z = buf_new(c, n);
        if (n > 2) {
            x[n / 2] = NAN;
            x[n / 3] = INFINITY;
            x[n - 1] = -INFINITY;
        }
        DESCRIBE("act %d, n %zu", act, n);
        c->ref->vec_act_f32(z, x, n, (enum kernel_act)act);
        c->k->vec_act_f32(y, x, n, (enum kernel_act)act);
        same(c, "y", y, z, act <= KERNEL_RELU6 || act == KERNEL_NO_ACT ? 0 : 4, 1);
        c->k->vec_act_f32(x, x, n, (enum kernel_act)act);
        same(c, "y in place", x, z, act <= KERNEL_RELU6 || act == KERNEL_NO_ACT ? 0 : 4, 1);
        all_sentinels(c);
        bufs_release(c);
    }
}

static void check_vec_act_grad_f32(struct kcheck *c)
{
    for (int v = 0; v < 2 * (KERNEL_NO_ACT + 1); v++) {
        enum kernel_act act = (enum kernel_act)(v / 2);
        bool add = v % 2;
        size_t n = a_size(c, 300);
        float *x = whole(c, n), *dy = whole(c, n), *a = whole(c, n), *b = copy_of(c, a, n);
        if (n > 2) {
            dy[n / 2] = NAN;
            x[n / 2] = 2;
            dy[n - 1] = INFINITY;
            x[n - 1] = -8; /* where the slope is 0 nothing comes through */
        }
        DESCRIBE("gradient of act %d, n %zu, add %d", (int)act, n, add);
        c->ref->vec_act_grad_f32(a, x, dy, n, act, add);
        c->k->vec_act_grad_f32(b, x, dy, n, act, add);
        /* The tails of sigmoid and tanh times an infinity are not worth an agreement. */
        if (n > 2 && (act == KERNEL_SIGMOID || act == KERNEL_TANH)) {
            a[n - 1] = b[n - 1] = 0;
        }
        same(c, "dx", b, a, act == KERNEL_RELU || act == KERNEL_RELU6 ? 0 : 16, 8);
        all_sentinels(c);
        bufs_release(c);
    }
}

static void check_vec_sum_f32(struct kcheck *c)
{
    const float *in[8];
    size_t n = a_size(c, 300);
    int n_in = 1 + (int)rng_below(&c->rng, 8);
    for (int j = 0; j < n_in; j++) {
        in[j] = whole(c, n);
    }
    float *a = buf_new(c, n), *b = buf_new(c, n);
    DESCRIBE("n_in %d, n %zu", n_in, n);
    c->ref->vec_sum_f32(a, in, n_in, n);
    c->k->vec_sum_f32(b, in, n_in, n);
    same(c, "y", b, a, 0, 0);
}

static void check_vec_rows_f32(struct kcheck *c)
{
    size_t n = a_size(c, 70), rows = a_size(c, 9);
    size_t to_row = n + rng_below(&c->rng, 4), from_row = n + rng_below(&c->rng, 4);
    float *from = whole(c, rows > 0 ? (rows - 1) * from_row + n : 0);
    size_t n_to = rows > 0 ? (rows - 1) * to_row + n : 0;
    float *a = whole(c, n_to), *b = copy_of(c, a, n_to);
    bool relu = flip(c);
    if (n > 1 && rows > 0) {
        from[1] = NAN;
    }
    DESCRIBE("rows %zu, n %zu, relu %d", rows, n, relu);
    c->ref->vec_rows_f32(a, (ptrdiff_t)to_row, from, (ptrdiff_t)from_row, rows, (int)n, relu);
    c->k->vec_rows_f32(b, (ptrdiff_t)to_row, from, (ptrdiff_t)from_row, rows, (int)n, relu);
    same(c, "to", b, a, 0, 0);
}

static void check_vec_transpose_f32(struct kcheck *c)
{
    size_t rows = a_size(c, 40), cols = a_size(c, 40);
    size_t to_row = rows + rng_below(&c->rng, 4), from_row = cols + rng_below(&c->rng, 4);
    bool some = rows > 0 && cols > 0;
    float *from = whole(c, some ? (rows - 1) * from_row + cols : 0);
    size_t n_to = some ? (cols - 1) * to_row + rows : 0;
    float *a = whole(c, n_to), *b = copy_of(c, a, n_to);
    DESCRIBE("%zu x %zu", rows, cols);
    c->ref->vec_transpose_f32(a, (ptrdiff_t)to_row, from, (ptrdiff_t)from_row, (int)rows,
                              (int)cols);
    c->k->vec_transpose_f32(b, (ptrdiff_t)to_row, from, (ptrdiff_t)from_row, (int)rows, (int)cols);
    same(c, "to", b, a, 0, 0);
}

static void check_vec_axpy_f32(struct kcheck *c)
{
    size_t n = a_size(c, 300);
    float *x = whole(c, n), *a = whole(c, n), *b = copy_of(c, a, n);
    DESCRIBE("n %zu", n);
    c->ref->vec_axpy_f32(a, -3, x, n);
    c->k->vec_axpy_f32(b, -3, x, n);
    same(c, "y", b, a, 0, 0);
}

static void check_vec_scale_f32(struct kcheck *c)
{
    size_t n = a_size(c, 300);
    float *x = whole(c, n), *a = buf_new(c, n), *b = buf_new(c, n);
    DESCRIBE("n %zu", n);
    c->ref->vec_scale_f32(a, 0.3f, x, n);
    c->k->vec_scale_f32(b, 0.3f, x, n);
    same(c, "y", b, a, 0, 0);
}

static void check_vec_dot_f32(struct kcheck *c)
{
    size_t n = a_size(c, 3000);
    float *x = whole(c, n), *y = whole(c, n);
    DESCRIBE("n %zu", n);
    double a = c->ref->vec_dot_f32(x, y, n), b = c->k->vec_dot_f32(x, y, n);
    if (a != b) {
        fail_msg("%s: %.17g, the reference has %.17g", c->what, b, a);
    }
}

static void check_vec_sgd_f32(struct kcheck *c)
{
    size_t n = a_size(c, 300);
    float *w = whole(c, n), *v = flip(c) ? whole(c, n) : NULL, *g = whole(c, n);
    float *w2 = copy_of(c, w, n), *v2 = v ? copy_of(c, v, n) : NULL;
    struct kernel_sgd s = {
        .lr = 0.1f, .momentum = v ? 0.9f : 0, .decay = 5e-4f, .nesterov = flip(c)};
    DESCRIBE("n %zu, momentum %g, nesterov %d", n, (double)s.momentum, s.nesterov);
    c->ref->vec_sgd_f32(w, v, g, n, &s);
    c->k->vec_sgd_f32(w2, v2, g, n, &s);
    same(c, "w", w2, w, 2, 16);
    if (v) {
        same(c, "v", v2, v, 2, 16);
    }
}

static void check_vec_adam_f32(struct kcheck *c)
{
    size_t n = a_size(c, 300);
    float *w = whole(c, n), *m = whole(c, n), *v = whole(c, n), *g = whole(c, n);
    for (size_t i = 0; i < n; i++) {
        v[i] = fabsf(v[i]) + 1;
    }
    float *w2 = copy_of(c, w, n), *m2 = copy_of(c, m, n), *v2 = copy_of(c, v, n);
    struct kernel_adam s = {.beta1 = 0.9f,
                            .beta2 = 0.999f,
                            .eps = 1e-8f,
                            .decay = 0.01f,
                            .step_size = 0.02f,
                            .root_correction = 3};
    DESCRIBE("n %zu", n);
    c->ref->vec_adam_f32(w, m, v, g, n, &s);
    c->k->vec_adam_f32(w2, m2, v2, g, n, &s);
    same(c, "w", w2, w, 2, 16);
    same(c, "m", m2, m, 2, 16);
    same(c, "v", v2, v, 2, 16);
}

static void check_vec_finite_f32(struct kcheck *c)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    size_t n = a_size(c, 300);
    float *x = whole(c, n);
    DESCRIBE("n %zu", n);
    if (!c->k->vec_finite_f32(x, n)) {
        fail_msg("%s: calls finite numbers not finite", c->what);
    }
    for (size_t i = 0; i < n; i += 1 + n / 9) {
        float was = x[i];
        x[i] = bad[rng_below(&c->rng, 3)];
        if (c->k->vec_finite_f32(x, n)) {
            fail_msg("%s: does not see %g at %zu", c->what, (double)x[i], i);
        }
        x[i] = was;
    }
}

/* ---- the product over taps ---- */

static struct kernel_post some_post(struct kcheck *c, size_t n_y, size_t n_cols, bool zero_nan)
{
    static const enum kernel_act acts[] = {KERNEL_NO_ACT, KERNEL_RELU, KERNEL_RELU6, KERNEL_HSWISH};
    bool backward = rng_below(&c->rng, 2) == 0; /* a mask and a sum going on, as gradients want it */
    struct kernel_post p = {.act = backward ? KERNEL_NO_ACT : acts[rng_below(&c->rng, 4)],
                            .into = flip(c)};
    if (backward) {
        p.mask = whole(c, n_y);
        return p;
    }
    p.scale = flip(c) ? whole(c, n_cols) : NULL;
    p.shift = flip(c) ? whole(c, n_cols) : NULL;
    p.add = flip(c) ? whole(c, n_y) : NULL;
    if (flip(c)) {
        float *mask = whole(c, n_y);
        if (n_y > 3 && zero_nan) {
            mask[n_y / 2] = NAN; /* keeps */
        }
        p.mask = mask;
    }
    return p;
}

/* n whole numbers, or 2 n of them as n pairs of bf16, which hold them exactly. */
static const float *factors(struct kcheck *c, size_t n, bool pairs)
{
    float *p = whole(c, pairs ? 2 * n : n), *packed = pairs ? buf_new(c, n) : p;
    if (pairs) {
        c->ref->bf16_pack((uint32_t *)(void *)packed, p, n, 2, false);
    }
    return packed;
}

/* The product over taps of floats, or of pairs of bf16. */
static void check_taps(struct kcheck *c, void (*ref)(const struct kernel_gemm *),
                       void (*kernel)(const struct kernel_gemm *), bool pairs)
{
    struct kernel_tap taps[4];
    int n_taps = (int)rng_below(&c->rng, 4);
    size_t rows = a_size(c, 70), cols = MIN(a_size(c, 150), c->round % 5 ? 150 : 40);
    bool square = c->round % 8 == 3; /* sixteen channels in and out */
    rows = square ? rows + 9 : rows;
    cols = square ? 16 : cols;
    n_taps = square ? 1 : n_taps;
    bool by_columns = flip(c) && !square; /* rows of the product are neighbours in x (backward weights) */
    int x_row = by_columns ? 1 : square || flip(c) ? 16 >> pairs : 1 + (int)rng_below(&c->rng, 40);
    int x_inner = by_columns ? (int)rows + (int)rng_below(&c->rng, 3) : 1;
    size_t w_inner = cols + rng_below(&c->rng, 3), y_row = cols + rng_below(&c->rng, square ? 1 : 3);
    size_t x_end = 0, w_end = 0; /* one beyond the last element read */
    for (int t = 0; t < n_taps; t++) {
        taps[t] = (struct kernel_tap){.x = (ptrdiff_t)rng_below(&c->rng, 30),
                                      .w = (ptrdiff_t)rng_below(&c->rng, 30),
                                      .n = square ? 16 >> pairs : (int)rng_below(&c->rng, 20)};
        if (taps[t].n > 0 && rows > 0 && cols > 0) {
            size_t last = (size_t)taps[t].x + (rows - 1) * (size_t)x_row +
                          (size_t)((taps[t].n - 1) * x_inner);
            x_end = MAX(x_end, last + 1);
            w_end = MAX(w_end, (size_t)taps[t].w + (size_t)(taps[t].n - 1) * w_inner + cols);
        }
    }
    size_t n_y = rows > 0 && cols > 0 ? (rows - 1) * y_row + cols : 0;
    struct kernel_lines more = {0};
    if (!pairs && n_y > 0 && c->round % 3 == 0) {
        more.n = (int)rng_below(&c->rng, 4);
        more.x = (ptrdiff_t)rng_below(&c->rng, 40);
        more.y = (ptrdiff_t)(n_y + rng_below(&c->rng, 3));
        x_end += x_end > 0 ? (size_t)(more.n * more.x) : 0;
        n_y += (size_t)(more.n * more.y);
    }
    int how = (int)rng_below(&c->rng, 3);
    struct kernel_planes planes = {0};
    if (!pairs && n_y > 0 && how != 2 && c->round % 4 == 3) {
        planes.n = (int)rng_below(&c->rng, 4);
        planes.x = (ptrdiff_t)rng_below(&c->rng, 40);
        planes.w = (ptrdiff_t)rng_below(&c->rng, 40);
        planes.y = (ptrdiff_t)(n_y + rng_below(&c->rng, 3));
        x_end += x_end > 0 ? (size_t)(planes.n * planes.x) : 0;
        w_end += w_end > 0 ? (size_t)(planes.n * planes.w) : 0;
        n_y += (size_t)(planes.n * planes.y);
    }
    const float *x = factors(c, x_end, pairs), *w = factors(c, w_end, pairs);
    float *y = whole(c, n_y), *y2 = copy_of(c, y, n_y);
    struct kernel_post post = some_post(c, n_y, cols, true);
    struct kernel_gemm g = {.x = x,
                            .w = w,
                            .y = y,
                            .taps = taps,
                            .n_taps = n_taps,
                            .x_row = x_row,
                            .x_inner = x_inner,
                            .w_inner = (ptrdiff_t)w_inner,
                            .y_row = (ptrdiff_t)y_row,
                            .n_rows = rows,
                            .n_cols = (int)cols,
                            .accumulate = how == 1,
                            .post = how == 2 ? &post : NULL,
                            .more = more,
                            .planes = planes,
                            /* A hint of any length changes nothing. */
                            .ahead = {{x, c->round % 3 ? x_end : 0}, {w, c->round % 7 * 50}}};
    DESCRIBE("planes %d, lines %d, rows %zu, cols %zu, taps %d, %s", 1 + planes.n, 1 + more.n, rows, cols, n_taps,
             how == 0   ? "plain"
             : how == 1 ? "accumulate"
                        : "post");
    ref(&g);
    g.y = y2;
    kernel(&g);
    same(c, "y", y2, y, how == 2 && post.act == KERNEL_HSWISH ? 4 : 0, 1);
}

static void check_gemm_taps_f32(struct kcheck *c)
{
    check_taps(c, c->ref->gemm_taps_f32, c->k->gemm_taps_f32, false);
}

/* ---- bf16 ---- */

static void check_bf16_taps(struct kcheck *c)
{
    check_taps(c, c->ref->bf16_taps, c->k->bf16_taps, true);
}

/* Any bits: numbers of every size, ties of the rounding, infinities, NaN. */
static float *any_floats(struct kcheck *c, size_t n)
{
    static const uint32_t low[] = {0x8000, 0x7fff, 0x8001, 0, 0xffff};
    float *p = buf_new(c, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)rng_below(&c->rng, (uint64_t)1 << 32);
        bits = flip(c) ? (bits & 0xffff0000u) | low[rng_below(&c->rng, N_ELEMS(low))] : bits;
        bits = rng_below(&c->rng, 8) == 0 ? bits | 0x7f800000u : bits; /* infinity, NaN */
        bits = rng_below(&c->rng, 8) == 0 ? bits & 0x807fffffu : bits; /* zero, below the normal */
        memcpy(&p[i], &bits, sizeof bits);
    }
    return p;
}

static void same_pairs(struct kcheck *c, const uint32_t *got, const uint32_t *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (got[i] != want[i]) {
            fail_msg("%s: pair %zu of %zu is %08x, the reference has %08x", c->what, i, n, got[i],
                     want[i]);
        }
    }
}

static void check_bf16_pack(struct kcheck *c)
{
    size_t rows = a_size(c, 9), n = a_size(c, 150), row = (n + 1) / 2;
    const float *x = any_floats(c, rows * n);
    uint32_t *a = (uint32_t *)(void *)buf_new(c, rows * row);
    uint32_t *b = (uint32_t *)(void *)buf_new(c, rows * row);
    bool relu = flip(c);
    DESCRIBE("%zu rows of %zu, relu %d", rows, n, relu);
    c->ref->bf16_pack(a, x, rows, (int)n, relu);
    c->k->bf16_pack(b, x, rows, (int)n, relu);
    same_pairs(c, b, a, rows * row);
}

static void check_bf16_zip(struct kcheck *c)
{
    size_t n = a_size(c, 150);
    const float *x = any_floats(c, n), *z = flip(c) ? any_floats(c, n) : NULL;
    uint32_t *a = (uint32_t *)(void *)buf_new(c, n), *b = (uint32_t *)(void *)buf_new(c, n);
    bool relu = flip(c);
    DESCRIBE("n %zu, %s, relu %d", n, z ? "two" : "one", relu);
    c->ref->bf16_zip(a, x, z, n, relu);
    c->k->bf16_zip(b, x, z, n, relu);
    same_pairs(c, b, a, n);
}

/* AMX's loops over tiles in plain C. */
static void finish_tiles(const struct kernel_gemm *g, ptrdiff_t at, int col, const float *sums,
                         int n)
{
    for (int i = 0; i < n; i++) {
        g->y[at + i] = finish_ref(g->post, sums[i], g->y, at + i, col + i);
    }
}

#define TILES_FUNCTION static void taps_by_tiles
#define TILES_FINISH   finish_tiles
#include "core/kernels/tiles_body.h"

static void check_tiles(struct kcheck *c)
{
    check_taps(c, c->ref->bf16_taps, taps_by_tiles, true);
}

/* By hand: the plain C kernels, which all others are held to. */
static void test_bf16_definition(void **state)
{
    (void)state;
    const struct kernels *k = kernels_of(CPU_REF);
    /* 1 + 2^-8 lies between 1 and 1 + 2^-7: to the even one. 1 + 3 2^-8 likewise goes up. */
    const float x[] = {1, 1 + 0x1p-8f, 1 + 0x3p-8f, 1 + 0x1.1p-8f, -0x1.fffp127f, 0x1p-127f, -3.5f};
    static const uint32_t want[] = {0x3f803f80, 0x3f813f82, 0x0000ff80, 0x0000c060};
    uint32_t pairs[N_ELEMS(want)];
    k->bf16_pack(pairs, x, 1, (int)N_ELEMS(x), false);
    assert_memory_equal(pairs, want, sizeof want);
    k->bf16_zip(pairs, x + 6, x, 1, true);
    assert_int_equal(pairs[0], 0x3f800000);
    /* y = 10 + (1 * -3.5) + (1 * 1): the pair's second product first. */
    float y = 10, w;
    k->bf16_zip(pairs, x + 6, x, 1, false);
    memcpy(&w, pairs, sizeof w);
    k->bf16_zip(pairs, x, x, 1, false);
    const struct kernel_tap tap = {.n = 1};
    k->bf16_taps(&(struct kernel_gemm){.x = (const float *)(const void *)pairs,
                                       .w = &w,
                                       .y = &y,
                                       .taps = &tap,
                                       .n_taps = 1,
                                       .n_rows = 1,
                                       .n_cols = 1,
                                       .accumulate = true});
    assert_true(y == 7.5f);
}

static void check_gemm_dots_f32(struct kcheck *c)
{
    size_t na = a_size(c, 20), nb = a_size(c, 20), k = a_size(c, 200),
           row = nb + rng_below(&c->rng, 3);
    size_t lda = k + rng_below(&c->rng, 9), ldb = k + rng_below(&c->rng, 9);
    float *a = whole(c, na > 0 ? (na - 1) * lda + k : 0),
          *b = whole(c, nb > 0 ? (nb - 1) * ldb + k : 0);
    size_t n_sums = na > 0 && nb > 0 ? (na - 1) * row + nb : 0;
    float *one = whole(c, 2 * n_sums), *two = copy_of(c, one, 2 * n_sums);
    double *s1 = (double *)(void *)one, *s2 = (double *)(void *)two;
    for (size_t i = 0; i < n_sums; i++) {
        double v = (double)rng_below(&c->rng, 9);
        memcpy(&s1[i], &v, sizeof v);
        memcpy(&s2[i], &v, sizeof v);
    }
    DESCRIBE("%zu x %zu, k %zu", na, nb, k);
    c->ref->gemm_dots_f32(s1, (ptrdiff_t)row, a, (ptrdiff_t)lda, (int)na, b, (ptrdiff_t)ldb,
                          (int)nb, (int)k);
    c->k->gemm_dots_f32(s2, (ptrdiff_t)row, a, (ptrdiff_t)lda, (int)na, b, (ptrdiff_t)ldb, (int)nb,
                        (int)k);
    if (memcmp(s1, s2, n_sums * sizeof *s1) != 0) {
        fail_msg("%s: other sums than the reference", c->what);
    }
}

/* ---- Winograd ---- */

static void check_wino_input_f32(struct kcheck *c)
{
    int channels = (int)a_size(c, 70), tiles = (int)rng_below(&c->rng, 5);
    int lo = (int)rng_below(&c->rng, 4), cols = 4 * tiles + 2, less = (int)rng_below(&c->rng, 6);
    int hi = MAX(lo, cols - less);
    size_t all = (size_t)(tiles * channels), width = tiles > 0 ? (size_t)(MIN(hi, cols) - lo) : 0;
    size_t step = all + rng_below(&c->rng, 5), n_v = all > 0 ? 35 * step + all : 0;
    float *a = whole(c, n_v), *b = copy_of(c, a, n_v);
    struct kernel_wino_in in = {.v = a,
                                .v_step = (ptrdiff_t)step,
                                .n_tiles = tiles,
                                .lo = lo,
                                .hi = hi,
                                .c = channels,
                                .relu = flip(c)};
    for (int r = 0; r < 6; r++) {
        float *p = whole(c, width * (size_t)channels);
        in.rows[r] = (const float *)((uintptr_t)p - (size_t)(lo * channels) * sizeof *p);
        if (r == 3 && width > 0 && channels > 0 && flip(c)) {
            p[0] = NAN;
        }
    }
    DESCRIBE("c %d, %d tiles, columns %d .. %d, relu %d", channels, tiles, lo, hi, in.relu);
    c->ref->wino_input_f32(&in);
    in.v = b;
    c->k->wino_input_f32(&in);
    for (size_t i = 0; i < n_v; i++) {
        /* Zero times NaN: the reference multiplies by the zeros of B, the kernels leave them out.
         */
        if (isnan(a[i]) && !isnan(b[i])) {
            a[i] = b[i];
        }
    }
    same(c, "v", b, a, 0, 0);
}

static void check_wino_weights_f32(struct kcheck *c)
{
    size_t n = a_size(c, 200), u_step = n + rng_below(&c->rng, 5),
           w_step = n + rng_below(&c->rng, 5);
    float *w = whole(c, n > 0 ? 8 * w_step + n : 0);
    size_t n_u = n > 0 ? 35 * u_step + n : 0;
    float *a = whole(c, n_u), *b = copy_of(c, a, n_u);
    DESCRIBE("n %zu", n);
    c->ref->wino_weights_f32(a, (ptrdiff_t)u_step, w, (ptrdiff_t)w_step, n);
    c->k->wino_weights_f32(b, (ptrdiff_t)u_step, w, (ptrdiff_t)w_step, n);
    same(c, "u", b, a, 8, 8);
}

static void check_wino_output_f32(struct kcheck *c)
{
    size_t n = a_size(c, 70), pixel = n + rng_below(&c->rng, 4);
    int rows = 1 + (int)rng_below(&c->rng, 4), tiles = 1 + (int)rng_below(&c->rng, 4);
    int cols = 4 * tiles - (int)rng_below(&c->rng, 4);
    size_t step = n * (size_t)tiles + rng_below(&c->rng, 5);
    size_t row = pixel * (size_t)cols + rng_below(&c->rng, 4);
    size_t n_y = n > 0 ? (size_t)(rows - 1) * row + (size_t)(cols - 1) * pixel + n : 0;
    float *m = whole(c, n > 0 ? 35 * step + n * (size_t)tiles : 0), *a = whole(c, n_y),
          *b = copy_of(c, a, n_y);
    struct kernel_post post = some_post(c, n_y, n, true);
    bool plain = flip(c);
    struct kernel_wino_out o = {.m = m,
                                .m_step = (ptrdiff_t)step,
                                .y = a,
                                .y_pixel = (ptrdiff_t)pixel,
                                .y_row = (ptrdiff_t)row,
                                .n_tiles = tiles,
                                .n_rows = rows,
                                .n_cols = cols,
                                .n = (int)n,
                                .post = plain ? NULL : &post};
    DESCRIBE("n %zu, %d x %d, %s", n, rows, cols, plain ? "plain" : "post");
    c->ref->wino_output_f32(&o);
    o.y = b;
    c->k->wino_output_f32(&o);
    same(c, "y", b, a, !plain && post.act == KERNEL_HSWISH ? 4 : 0, 1);
}

static void check_wino_gradient_f32(struct kcheck *c)
{
    int channels = (int)a_size(c, 70), tiles = (int)rng_below(&c->rng, 5);
    int less = (int)rng_below(&c->rng, 4), cols = MAX(0, 4 * tiles - less);
    size_t all = (size_t)(tiles * channels), step = all + rng_below(&c->rng, 5);
    const float *rows[4];
    for (int r = 0; r < 4; r++) {
        rows[r] = whole(c, (size_t)(cols * channels));
    }
    size_t n_v = all > 0 ? 35 * step + all : 0;
    float *a = whole(c, n_v), *b = copy_of(c, a, n_v);
    DESCRIBE("c %d, %d tiles, %d columns", channels, tiles, cols);
    c->ref->wino_gradient_f32(a, (ptrdiff_t)step, rows, tiles, cols, channels);
    c->k->wino_gradient_f32(b, (ptrdiff_t)step, rows, tiles, cols, channels);
    same(c, "v", b, a, 0, 0);
}

static void check_wino_dweights_f32(struct kcheck *c)
{
    size_t n = a_size(c, 200), m_step = n + rng_below(&c->rng, 5),
           w_step = n + rng_below(&c->rng, 5);
    float *m = whole(c, n > 0 ? 35 * m_step + n : 0);
    size_t n_w = n > 0 ? 8 * w_step + n : 0;
    float *a = whole(c, n_w), *b = copy_of(c, a, n_w);
    DESCRIBE("n %zu", n);
    c->ref->wino_dweights_f32(a, (ptrdiff_t)w_step, m, (ptrdiff_t)m_step, n);
    c->k->wino_dweights_f32(b, (ptrdiff_t)w_step, m, (ptrdiff_t)m_step, n);
    same(c, "dw", b, a, 16, 16);
}

/* ---- depthwise ---- */

/* Three rows of pixels at most, of taps that they share: each leaves out some at the ends, as rows at
 * the border of an image do. */
enum { SOME_DEPTH_ROWS = 3 };

static struct kernel_depth some_depth(struct kcheck *c, struct kernel_tap taps[8],
                                      struct kernel_depth_row rows[SOME_DEPTH_ROWS], size_t *n_x,
                                      size_t *n_w, size_t *n_y)
{
    int n_taps = (int)rng_below(&c->rng, 8);
    int channels = (int)a_size(c, 70), usual = 1 + (int)rng_below(&c->rng, 6);
    size_t pixels = a_size(c, 40);
    struct kernel_depth d = {.rows = rows,
                             .n_rows = (int)rng_below(&c->rng, SOME_DEPTH_ROWS + 1),
                             .stride = 1 + (int)rng_below(&c->rng, 3),
                             .relu = flip(c),
                             .x_col = channels + (ptrdiff_t)rng_below(&c->rng, 9),
                             .w_col = channels + (ptrdiff_t)rng_below(&c->rng, 3),
                             .y_pixel = channels + (ptrdiff_t)rng_below(&c->rng, 9),
                             .n_pixels = pixels,
                             .c = channels};
    bool some = channels > 0 && pixels > 0;
    int cols = (int)pixels * d.stride + 6;
    d.lo = flip(c) ? 0 : (int)rng_below(&c->rng, 4);
    d.hi = flip(c) ? cols : d.lo + (int)rng_below(&c->rng, (uint64_t)cols);
    *n_x = *n_w = *n_y = 0;
    for (int t = 0; t < n_taps; t++) {
        taps[t].n = rng_below(&c->rng, 6) == 0 ? (int)rng_below(&c->rng, 8) : usual;
        taps[t].x = (ptrdiff_t)rng_below(&c->rng, 50);
        taps[t].w = (ptrdiff_t)*n_w;
        if (channels > 0 && taps[t].n > 0) {
            *n_w += (size_t)(taps[t].n - 1) * (size_t)d.w_col + (size_t)channels;
        }
        /* Columns lo .. last are read; the buffer ends behind the last of them. */
        ptrdiff_t last = ((ptrdiff_t)pixels - 1) * d.stride + taps[t].n - 1;
        last = MIN(last, d.hi - 1);
        if (some && taps[t].n > 0 && last >= d.lo) {
            *n_x = MAX(*n_x, (size_t)taps[t].x + (size_t)last * (size_t)d.x_col + (size_t)channels);
        }
    }
    size_t row = some ? (pixels - 1) * (size_t)d.y_pixel + (size_t)channels : 0;
    for (int r = 0; r < d.n_rows; r++) {
        int first = flip(c) ? 0 : (int)rng_below(&c->rng, (uint64_t)n_taps + 1);
        int last = flip(c) ? n_taps : first + (int)rng_below(&c->rng, (uint64_t)(n_taps - first) + 1);
        rows[r] = (struct kernel_depth_row){
            .taps = taps + first, .n_taps = last - first, .y = (ptrdiff_t)((size_t)r * row)};
    }
    *n_y = (size_t)d.n_rows * row;
    DESCRIBE("c %d, %d rows, pixels %zu, kernel rows %d of %d, stride %d", channels, d.n_rows, pixels,
             n_taps, usual, d.stride);
    return d;
}

static void check_depthwise_rows_f32(struct kcheck *c)
{
    struct kernel_tap taps[8];
    struct kernel_depth_row rows[SOME_DEPTH_ROWS];
    size_t n_x, n_w, n_y;
    struct kernel_depth d = some_depth(c, taps, rows, &n_x, &n_w, &n_y);
    struct kernel_post post = some_post(c, n_y, (size_t)d.c, true);
    float *a = whole(c, n_y), *b = copy_of(c, a, n_y);
    d.x = whole(c, n_x);
    d.w = whole(c, n_w);
    d.ahead[c->round % 2] = (struct kernel_ahead){d.x, n_x};
    d.post = flip(c) ? &post : NULL;
    d.y = a;
    c->ref->depthwise_rows_f32(&d);
    d.y = b;
    c->k->depthwise_rows_f32(&d);
    same(c, "y", b, a, d.post && post.act == KERNEL_HSWISH ? 4 : 0, 1);
}

static void check_depthwise_weights_f32(struct kcheck *c)
{
    int channels = (int)a_size(c, 70), usual = flip(c) ? 3 : 5;
    struct kernel_depth_weights d = {.kh = flip(c) ? usual : 1 + (int)rng_below(&c->rng, 7),
                                     .kw = flip(c) ? usual : 1 + (int)rng_below(&c->rng, 7),
                                     .stride = 1 + (int)rng_below(&c->rng, 3),
                                     .relu = flip(c),
                                     .step = channels + (ptrdiff_t)rng_below(&c->rng, 9),
                                     .c = channels};
    d.in_order = flip(c);
    if (d.in_order && flip(c)) { /* the shape for which the hint is taken */
        d.kh = d.kw = 3;
        d.stride = 2;
    }
    d.next = flip(c);
    d.pad = flip(c) ? MIN(d.kh, d.kw) / 2 : (int)rng_below(&c->rng, 4);
    d.h = MAX(1, d.kh - 2 * d.pad) + (int)rng_below(&c->rng, 9);
    d.w = MAX(1, d.kw - 2 * d.pad) + (int)rng_below(&c->rng, 20);
    if (d.next && d.stride <= 2 && flip(c)) { /* the same */
        d.kh = d.kw = 3;
        d.pad = 1;
        d.w = 4 * d.stride * (1 + (int)rng_below(&c->rng, 4));
    }
    d.ow = (d.w + 2 * d.pad - d.kw) / d.stride + 1;
    int oh = (d.h + 2 * d.pad - d.kh) / d.stride + 1;
    d.y0 = flip(c) ? 0 : (int)rng_below(&c->rng, (uint64_t)oh + 1);
    d.y1 = flip(c) ? oh : d.y0 + (int)rng_below(&c->rng, (uint64_t)(oh - d.y0) + 1);
    DESCRIBE("c %d, %d x %d, kernel %d x %d, stride %d, pad %d, rows %d to %d", channels, d.h, d.w,
             d.kh, d.kw, d.stride, d.pad, d.y0, d.y1);
    size_t step = channels > 0 ? (size_t)d.step : 0, last = channels > 0 ? (size_t)channels : 0;
    size_t n_w = (size_t)(d.kh * d.kw - 1) * step + last;
    float *a = whole(c, n_w), *b = copy_of(c, a, n_w);
    d.x = whole(c, (size_t)(d.h * d.w - 1) * step + last);
    d.dy = whole(c, (size_t)(oh * d.ow - 1) * step + last);
    d.dw = a;
    d.ahead[c->round % 2] = (struct kernel_ahead){d.x, 100};
    c->ref->depthwise_weights_f32(&d);
    d.dw = b;
    c->k->depthwise_weights_f32(&d);
    same(c, "dw", b, a, 0, 0);
}

/* ---- pooling ---- */

static void check_pool_row_f32(struct kcheck *c)
{
    int size = c->round % 2 ? 3 : 1 + (int)rng_below(&c->rng, 6);
    int stride = c->round % 4 < 2 ? 1 : 1 + (int)rng_below(&c->rng, 3);
    int pad = (int)rng_below(&c->rng, (uint64_t)size / 2 + 1);
    int width = MAX(size - 2 * pad, 1) + (int)rng_below(&c->rng, 20);
    int out = (width + 2 * pad - size) / stride + 1, n_rows = (int)rng_below(&c->rng, 5);
    int channels = flip(c) ? 16 * (1 + (int)rng_below(&c->rng, 4)) : (int)a_size(c, 70);
    bool back = flip(c);
    float share[8], row_scale[4];
    const float *rows[4];
    for (int i = 0; i <= size; i++) {
        share[i] = 1.0f / (float)MAX(1, i);
    }
    struct kernel_pool p = {.rows = rows,
                            .row_scale = row_scale,
                            .n_rows = n_rows,
                            .n_in = back ? out : width,
                            .n_out = back ? width : out,
                            .c = channels,
                            .size = size,
                            .stride = stride,
                            .pad = pad,
                            .share = share,
                            .back = back,
                            .into = flip(c)};
    for (int r = 0; r < n_rows; r++) {
        rows[r] = whole(c, (size_t)(p.n_in * channels));
        row_scale[r] = share[rng_below(&c->rng, (uint64_t)size + 1)];
    }
    size_t n_y = (size_t)(p.n_out * channels);
    float *a = whole(c, n_y), *b = copy_of(c, a, n_y);
    DESCRIBE("c %d, size %d, stride %d, pad %d, %d to %d, rows %d, back %d", channels, size, stride,
             pad, p.n_in, p.n_out, n_rows, back);
    p.y = a;
    c->ref->pool_row_f32(&p);
    p.y = b;
    c->k->pool_row_f32(&p);
    same(c, "y", b, a, 40, 8);
}

/* ---- batch norm ---- */

static void check_norm_moments_f32(struct kcheck *c)
{
    size_t rows = a_size(c, 90), channels = 1 + a_size(c, 150), n = rows * channels;
    float *x = whole(c, n), *mean = whole(c, channels), *out[4];
    for (int i = 0; i < 4; i++) {
        out[i] = whole(c, channels);
    }
    if (n > 9) {
        x[n / 2] = NAN;
    }
    DESCRIBE("rows %zu, c %zu", rows, channels);
    c->ref->norm_moments_f32(out[0], out[1], mean, x, rows, (int)channels);
    c->k->norm_moments_f32(out[2], out[3], mean, x, rows, (int)channels);
    same(c, "sum", out[2], out[0], 0, 0);
    same(c, "sum2", out[3], out[1], 0, 0);
}

static void check_norm_apply_f32(struct kcheck *c)
{
    size_t rows = a_size(c, 40), channels = 1 + a_size(c, 150), n = rows * channels;
    float *x = whole(c, n), *a = whole(c, n), *b = copy_of(c, a, n);
    float *scale = whole(c, channels), *shift = whole(c, channels);
    bool relu = flip(c), add = flip(c);
    if (n > 3) {
        x[n / 2] = NAN;
    }
    DESCRIBE("rows %zu, c %zu, relu %d, add %d", rows, channels, relu, add);
    c->ref->norm_apply_f32(a, x, scale, shift, rows, (int)channels, relu, add);
    c->k->norm_apply_f32(b, x, scale, shift, rows, (int)channels, relu, add);
    same(c, "y", b, a, 0, 0);
    if (!add) {
        c->k->norm_apply_f32(x, x, scale, shift, rows, (int)channels, relu, false);
        same(c, "y in place", x, a, 0, 0);
    }
}

static void check_norm_sum_f32(struct kcheck *c)
{
    size_t rows = a_size(c, 40), channels = 1 + a_size(c, 150), n = rows * channels;
    struct kernel_norm_sum s = {.y = whole(c, n),
                                .shift = whole(c, channels),
                                .n_scaled = (int)rng_below(&c->rng, 4),
                                .n_plain = (int)rng_below(&c->rng, 4),
                                .n_rows = rows,
                                .c = (int)channels,
                                .relu = flip(c)};
    float *a = s.y, *b = copy_of(c, a, n);
    for (int i = 0; i < s.n_scaled + s.n_plain; i++) {
        float *x = whole(c, n);
        if (n > 3 && i == 1) {
            x[n / 2] = NAN;
        }
        s.x[i] = x;
        s.scale[i] = i < s.n_scaled ? whole(c, channels) : NULL;
    }
    DESCRIBE("rows %zu, c %zu, %d scaled, %d plain, relu %d", rows, channels, s.n_scaled, s.n_plain,
             s.relu);
    c->ref->norm_sum_f32(&s);
    s.y = b;
    c->k->norm_sum_f32(&s);
    same(c, "y", b, a, 0, 0);
}

/* Some rows of a normalised map; with ReLU or without. */
static struct kernel_norm_grad some_norm_grad(struct kcheck *c, size_t most_rows)
{
    struct kernel_norm_grad g = {.n_rows = a_size(c, most_rows), .c = 1 + (int)a_size(c, 150)};
    size_t channels = (size_t)g.c, n = g.n_rows * channels;
    g.x = whole(c, n);
    g.dy = whole(c, n);
    g.mean = whole(c, channels);
    if (flip(c)) {
        g.scale = whole(c, channels);
        g.shift = whole(c, channels);
    }
    DESCRIBE("rows %zu, c %d, relu %d", g.n_rows, g.c, g.scale != NULL);
    return g;
}

static void check_norm_grad_sums_f32(struct kcheck *c)
{
    struct kernel_norm_grad g = some_norm_grad(c, 90);
    float *out[4];
    for (int i = 0; i < 4; i++) {
        out[i] = whole(c, (size_t)g.c);
    }
    c->ref->norm_grad_sums_f32(out[0], out[1], &g);
    c->k->norm_grad_sums_f32(out[2], out[3], &g);
    same(c, "sum_dy", out[2], out[0], 0, 0);
    same(c, "sum_dyx", out[3], out[1], 0, 0);
}

static void check_norm_grad_f32(struct kcheck *c)
{
    struct kernel_norm_grad g = some_norm_grad(c, 40);
    size_t channels = (size_t)g.c, n = g.n_rows * channels;
    float *p[3], *a = whole(c, n), *b = copy_of(c, a, n);
    for (int i = 0; i < 3; i++) {
        p[i] = whole(c, channels);
    }
    bool add = flip(c);
    c->ref->norm_grad_f32(a, &g, p[0], p[1], p[2], add);
    c->k->norm_grad_f32(b, &g, p[0], p[1], p[2], add);
    same(c, add ? "dx, added" : "dx", b, a, 0, 0);
    if (!add) {
        c->k->norm_grad_f32((float *)g.dy, &g, p[0], p[1], p[2], false);
        same(c, "dx in place", g.dy, a, 0, 0);
    }
}

static void check_norm_row_sum_f32(struct kcheck *c)
{
    size_t rows = a_size(c, 90), channels = 1 + a_size(c, 150);
    float *x = whole(c, rows * channels), *a = whole(c, channels), *b = copy_of(c, a, channels);
    DESCRIBE("rows %zu, c %zu", rows, channels);
    c->ref->norm_row_sum_f32(a, x, rows, (int)channels);
    c->k->norm_row_sum_f32(b, x, rows, (int)channels);
    same(c, "sum", b, a, 0, 0);
}

static void check_peak_fma_f32(struct kcheck *c)
{
    float value = 0;
    DESCRIBE("200 rounds");
    if (!(c->k->peak_fma_f32(&value, 200) >= 400) || value != 2) {
        fail_msg("%s: ends at %g", c->what, (double)value);
    }
}

static void check_peak_read_f32(struct kcheck *c)
{
    size_t n = a_size(c, 600);
    const float *x = whole(c, n);
    DESCRIBE("n %zu", n);
    float sum = c->k->peak_read_f32(x, n), expected = c->ref->peak_read_f32(x, n);
    if (sum != expected) {
        fail_msg("%s: the sum is %g, the reference has %g", c->what, (double)sum, (double)expected);
    }
}

static void check_peak_copy_f32(struct kcheck *c)
{
    size_t n = a_size(c, 600);
    const float *x = whole(c, n);
    float *y = buf_new(c, n);
    DESCRIBE("n %zu", n);
    c->k->peak_copy_f32(y, x, n);
    same(c, "y", y, x, 0, 0);
}

/* ---- all of them ---- */

struct check {
    const char *name;
    void (*run)(struct kcheck *c);
};

#define CHECK(name)                                                                                \
    {                                                                                              \
#name, check_##name                                                                        \
    }
static const struct check checks[] = {
    CHECK(vec_act_f32),
    CHECK(vec_act_grad_f32),
    CHECK(vec_sum_f32),
    CHECK(vec_rows_f32),
    CHECK(vec_transpose_f32),
    CHECK(vec_axpy_f32),
    CHECK(vec_scale_f32),
    CHECK(vec_dot_f32),
    CHECK(vec_sgd_f32),
    CHECK(vec_adam_f32),
    CHECK(vec_finite_f32),
    CHECK(gemm_taps_f32),
    CHECK(gemm_dots_f32),
    CHECK(wino_input_f32),
    CHECK(wino_weights_f32),
    CHECK(wino_output_f32),
    CHECK(wino_gradient_f32),
    CHECK(wino_dweights_f32),
    CHECK(depthwise_rows_f32),
    CHECK(depthwise_weights_f32),
    CHECK(pool_row_f32),
    CHECK(norm_moments_f32),
    CHECK(norm_apply_f32),
    CHECK(norm_sum_f32),
    CHECK(norm_grad_sums_f32),
    CHECK(norm_grad_f32),
    CHECK(norm_row_sum_f32),
    CHECK(peak_fma_f32),
    CHECK(peak_read_f32),
    CHECK(peak_copy_f32),
    CHECK(bf16_pack),
    CHECK(bf16_zip),
    CHECK(bf16_taps),
    CHECK(tiles),
};

/* One kernel of one tier: what cmocka calls a test. */
struct test_row {
    char name[80];
    const char *kernel;
    enum cpu_tier tier;
};

static const struct check *find_check(const char *kernel)
{
    for (size_t i = 0; i < N_ELEMS(checks); i++) {
        if (strcmp(checks[i].name, kernel) == 0) {
            return &checks[i];
        }
    }
    fail_msg("no check calls %s", kernel);
    return NULL;
}

static void run_row(void **state)
{
    const struct test_row *row = *state;
    static struct kcheck c;
    const struct check *const check = find_check(row->kernel);
    uint64_t stream = (uint64_t)row->tier;
    for (const char *p = row->kernel; *p; p++) {
        stream = stream * 31 + (uint64_t)*p;
    }
    c = (struct kcheck){.k = kernels_of(row->tier), .ref = kernels_of(CPU_REF)};
    c.rng = rng_key(seed, RNG_TEST, stream);
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    struct sigaction act = {.sa_handler = on_crash, .sa_flags = SA_NODEFER}, old[N_ELEMS(signals)];
    for (size_t i = 0; i < N_ELEMS(signals); i++) {
        sigaction(signals[i], &act, &old[i]);
    }
    bool crashed = sigsetjmp(crash_point, 1) != 0;
    for (c.round = 0; !crashed && c.round < ROUNDS; c.round++) {
        check->run(&c);
        all_sentinels(&c);
        bufs_release(&c);
    }
    for (size_t i = 0; i < N_ELEMS(signals); i++) {
        sigaction(signals[i], &old[i], NULL);
    }
    if (crashed) {
        fail_msg("%s: %s", c.what, strsignal(crash_signal));
    }
}

int main(void)
{
    enum { MAX_TESTS = 200 };
    static struct test_row rows[MAX_TESTS];
    static struct CMUnitTest tests[MAX_TESTS];
    size_t n = 0;
    const char *asked = getenv("KCHECK_SEED");
    seed = asked ? strtoull(asked, NULL, 10) : (uint64_t)time(NULL);
    print_message("# KCHECK_SEED=%llu\n", (unsigned long long)seed);
    for (int t = 0; t < CPU_N_TIERS; t++) {
        if (t == CPU_REF || !cpu_has((enum cpu_tier)t)) {
            continue;
        }
        /* Kernels that a tier shares with the one before it are checked once. */
        const struct kernels *before = t > 0 ? kernels_of((enum cpu_tier)(t - 1)) : NULL;
#define KERNEL(result, kernel_name, args)                                                          \
    if (!before || before->kernel_name != kernels_of((enum cpu_tier)t)->kernel_name) {             \
        rows[n].kernel = #kernel_name;                                                             \
        rows[n].tier = (enum cpu_tier)t;                                                           \
        snprintf(rows[n].name, sizeof rows[n].name, "%s__%s", #kernel_name,                        \
                 cpu_tier_name((enum cpu_tier)t));                                                 \
        tests[n] = (struct CMUnitTest){                                                            \
            .name = rows[n].name, .test_func = run_row, .initial_state = &rows[n]};                \
        n++;                                                                                       \
    }
#include "core/kernel.def"
#include "core/kernel_bf16.def"
#undef KERNEL
    }
    rows[n] = (struct test_row){.name = "bf16_taps by tiles in C", .kernel = "tiles"};
    tests[n] =
        (struct CMUnitTest){.name = rows[n].name, .test_func = run_row, .initial_state = &rows[n]};
    n++;
    tests[n++] = (struct CMUnitTest){.name = "bf16 by hand", .test_func = test_bf16_definition};
    ASSERT(n <= MAX_TESTS);
    return _cmocka_run_group_tests("kernels", tests, n, NULL, NULL);
}
