/*
 * test_core_numerics.c: products, normalisation, pooling and vectors held to their definition in
 * double, on every tier this machine has, with 1, 2, 3 and 7 threads and the same bits.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/gemm.h"
#include "core/norm.h"
#include "core/pool.h"
#include "core/vec.h"
#include "tests/numerics.h"

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
        cmocka_unit_test(test_gemm),          cmocka_unit_test(test_gram),
        cmocka_unit_test(test_norm),          cmocka_unit_test(test_norm_edges),
        cmocka_unit_test(test_pool),          cmocka_unit_test(test_vec),
        cmocka_unit_test(test_nothing_to_do),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
