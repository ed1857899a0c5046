/*
 * Every row of nn/ops.c, forward and backward, on random shapes: forward against a plain
 * implementation in double that is written here and shares nothing with the product; backward
 * against central differences of that implementation, both when gradients are overwritten and when
 * they are added to. A row without a reference here is a failure.
 *
 * Tolerance. A float result is a sum of at most m products of factors below about 2, so its error
 * is at most m u sum|a||b| with u = 2^-24; here m <= 2000 and the sums stay below about 100, which
 * TOLERANCE covers with the scale of the largest expected value. Central differences in double add
 * 1e-9.
 */
#include "core/rng.h"
#include "nn/graph.h"
#include "nn/ops.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const double tolerance = 2e-5;
static const double step = 1e-6;

/* The op's inputs in double, and where the reference writes. */
struct ref {
    const struct op_attr *attr;
    int n, n_in;
    struct shape in[OP_MAX_IN], out;
    double *x[OP_MAX_IN];
    double *w[OP_MAX_PARAM];
    double *y;
    bool train;
};

static size_t at(struct shape s, int n, int h, int w, int c)
{
    return (((size_t)n * (size_t)s.h + (size_t)h) * (size_t)s.w + (size_t)w) * (size_t)s.c +
           (size_t)c;
}

/* Visit every element of a batch of images. */
#define EACH(s, n_images)                                                                          \
    for (int n = 0; n < (n_images); n++)                                                           \
        for (int h = 0; h < (s).h; h++)                                                            \
            for (int w = 0; w < (s).w; w++)                                                        \
                for (int c = 0; c < (s).c; c++)

static void ref_conv(const struct ref *r)
{
    const struct op_attr *a = r->attr;
    struct shape in = r->in[0];
    int cg = in.c / a->groups, kg = a->k / a->groups;
    EACH(r->out, r->n)
    {
        double sum = a->bias ? r->w[1][c] : 0;
        for (int i = 0; i < a->kernel; i++) {
            for (int j = 0; j < a->kernel; j++) {
                int y = h * a->stride - a->pad + i, x = w * a->stride - a->pad + j;
                for (int ci = 0; y >= 0 && y < in.h && x >= 0 && x < in.w && ci < cg; ci++) {
                    double v = r->x[0][at(in, n, y, x, c / kg * cg + ci)];
                    v = a->relu_in && v < 0 ? 0 : v;
                    sum += v * r->w[0][((i * a->kernel + j) * cg + ci) * a->k + c];
                }
            }
        }
        r->y[at(r->out, n, h, w, c)] = sum;
    }
}

/* The convolution, its bn (running statistics; parameters from w[1] or w[2]), the addend, ReLU. */
static void ref_conv_bn(const struct ref *r)
{
    const struct op_attr *a = r->attr;
    double *const *norm = &r->w[a->bias ? 2 : 1];
    ref_conv(r);
    for (size_t i = 0; i < (size_t)r->n * shape_count(r->out); i++) {
        int c = (int)(i % (size_t)r->out.c);
        double v = r->y[i];
        if (a->norm_mask) {
            v = (v - norm[2][c]) / sqrt(norm[3][c] + (double)a->eps) * norm[0][c] + norm[1][c];
        }
        v += r->n_in > 1 ? r->x[1][i] : 0;
        r->y[i] = a->act == OP_ACT_RELU && v < 0 ? 0 : v;
    }
}

/* Scatter: every input pixel adds its kernel to the output. */
static void ref_conv_transpose(const struct ref *r)
{
    const struct op_attr *a = r->attr;
    struct shape in = r->in[0];
    EACH(r->out, r->n)
    {
        r->y[at(r->out, n, h, w, c)] = a->bias ? r->w[1][c] : 0;
    }
    EACH(in, r->n)
    {
        for (int i = 0; i < a->kernel; i++) {
            for (int j = 0; j < a->kernel; j++) {
                int y = h * a->stride - a->pad + i, x = w * a->stride - a->pad + j;
                for (int k = 0; y >= 0 && y < r->out.h && x >= 0 && x < r->out.w && k < a->k; k++) {
                    r->y[at(r->out, n, y, x, k)] +=
                        r->x[0][at(in, n, h, w, c)] *
                        r->w[0][((i * a->kernel + j) * a->k + k) * in.c + c];
                }
            }
        }
    }
}

static void ref_linear(const struct ref *r)
{
    EACH(r->out, r->n)
    {
        double sum = r->attr->bias ? r->w[1][c] : 0;
        for (int i = 0; i < r->in[0].c; i++) {
            sum += r->x[0][n * r->in[0].c + i] * r->w[0][i * r->out.c + c];
        }
        r->y[at(r->out, n, h, w, c)] = sum;
    }
}

/* One channel of a batch norm; parameters from w[0..3]. */
static void norm_channel(const struct ref *r, const double *x, double *const *w, int c,
                         double *mean, double *rstd)
{
    struct shape s = r->out;
    size_t n_pixels = (size_t)r->n * (size_t)s.h * (size_t)s.w;
    *mean = 0;
    double var = 0;
    for (size_t p = 0; p < n_pixels; p++) {
        *mean += x[p * (size_t)s.c + (size_t)c] / (double)n_pixels;
    }
    for (size_t p = 0; p < n_pixels; p++) {
        double d = x[p * (size_t)s.c + (size_t)c] - *mean;
        var += d * d / (double)n_pixels;
    }
    *mean = r->train ? *mean : w[2][c];
    *rstd = 1 / sqrt((r->train ? var : w[3][c]) + (double)r->attr->eps);
}

static void ref_bn(const struct ref *r)
{
    for (int k = 0; k < r->out.c; k++) {
        double mean, rstd;
        norm_channel(r, r->x[0], r->w, k, &mean, &rstd);
        for (size_t p = (size_t)k; p < (size_t)r->n * shape_count(r->out); p += (size_t)r->out.c) {
            r->y[p] = (r->x[0][p] - mean) * rstd * r->w[0][k] + r->w[1][k];
        }
    }
}

static void ref_norm_sum(const struct ref *r)
{
    size_t c = (size_t)r->out.c, count = (size_t)r->n * shape_count(r->out);
    memset(r->y, 0, count * sizeof *r->y);
    for (int i = 0, i_param = 0; i < r->n_in; i++) {
        bool normed = r->attr->norm_mask >> i & 1;
        for (size_t p = 0; p < count; p++) {
            double v = r->x[i][p];
            if (normed && p < c) {
                norm_channel(r, r->x[i], &r->w[i_param], (int)p, &r->y[count + p],
                             &r->y[count + c + p]);
            }
            if (normed) {
                double *const *w = &r->w[i_param];
                v = (v - r->y[count + p % c]) * r->y[count + c + p % c] * w[0][p % c] + w[1][p % c];
            }
            r->y[p] += v;
        }
        i_param += normed ? 4 : 0;
    }
    for (size_t p = 0; r->attr->act == OP_ACT_RELU && p < count; p++) {
        r->y[p] = r->y[p] > 0 ? r->y[p] : 0;
    }
}

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

static double act_relu(double v)
{
    return v > 0 ? v : 0;
}

static double act_relu6(double v)
{
    return clamp(v, 0, 6);
}

static double act_hswish(double v)
{
    return v * clamp(v + 3, 0, 6) / 6;
}

static double act_sigmoid(double v)
{
    return 1 / (1 + exp(-v));
}

static void map(const struct ref *r, double (*f)(double))
{
    for (size_t i = 0; i < (size_t)r->n * shape_count(r->out); i++) {
        r->y[i] = f(r->x[0][i]);
    }
}

static void ref_relu(const struct ref *r)
{
    map(r, act_relu);
}

static void ref_relu6(const struct ref *r)
{
    map(r, act_relu6);
}

static void ref_hswish(const struct ref *r)
{
    map(r, act_hswish);
}

static void ref_sigmoid(const struct ref *r)
{
    map(r, act_sigmoid);
}

static void ref_tanh(const struct ref *r)
{
    map(r, tanh);
}

static void ref_pool(const struct ref *r, bool max)
{
    const struct op_attr *a = r->attr;
    struct shape in = r->in[0];
    EACH(r->out, r->n)
    {
        double sum = 0, best = -1e300;
        int n_real = 0;
        for (int y = h * a->stride - a->pad; y < h * a->stride - a->pad + a->kernel; y++) {
            for (int x = w * a->stride - a->pad; x < w * a->stride - a->pad + a->kernel; x++) {
                if (y >= 0 && y < in.h && x >= 0 && x < in.w) {
                    double v = r->x[0][at(in, n, y, x, c)];
                    sum += v;
                    best = v > best ? v : best;
                    n_real++;
                }
            }
        }
        int area = a->count_padding ? a->kernel * a->kernel : n_real;
        r->y[at(r->out, n, h, w, c)] = max ? best : sum / area;
    }
}

static void ref_avg_pool(const struct ref *r)
{
    ref_pool(r, false);
}

static void ref_max_pool(const struct ref *r)
{
    ref_pool(r, true);
}

static void ref_global_pool(const struct ref *r)
{
    memset(r->y, 0, (size_t)r->n * shape_count(r->out) * sizeof *r->y);
    EACH(r->in[0], r->n)
    {
        r->y[n * r->out.c + c] += r->x[0][at(r->in[0], n, h, w, c)] / (r->in[0].h * r->in[0].w);
    }
}

static void ref_sum(const struct ref *r)
{
    for (size_t i = 0; i < (size_t)r->n * shape_count(r->out); i++) {
        r->y[i] = 0;
        for (int j = 0; j < r->n_in; j++) {
            r->y[i] += r->x[j][i];
        }
    }
}

static void ref_concat(const struct ref *r)
{
    EACH(r->out, r->n)
    {
        int j = 0, k = c;
        while (k >= r->in[j].c) {
            k -= r->in[j++].c;
        }
        r->y[at(r->out, n, h, w, c)] = r->x[j][at(r->in[j], n, h, w, k)];
    }
}

static void ref_scale(const struct ref *r)
{
    EACH(r->out, r->n)
    {
        r->y[at(r->out, n, h, w, c)] = r->x[0][at(r->out, n, h, w, c)] * r->x[1][n * r->out.c + c];
    }
}

static void ref_zero(const struct ref *r)
{
    memset(r->y, 0, (size_t)r->n * shape_count(r->out) * sizeof *r->y);
}

static void ref_shuffle(const struct ref *r)
{
    int groups = r->attr->groups, width = r->out.c / groups;
    EACH(r->out, r->n)
    {
        r->y[at(r->out, n, h, w, c)] =
            r->x[0][at(r->out, n, h, w, c % groups * width + c / groups)];
    }
}

static void ref_shortcut_a(const struct ref *r)
{
    int before = (r->out.c - r->in[0].c) / 2;
    EACH(r->out, r->n)
    {
        bool real = c >= before && c < before + r->in[0].c;
        r->y[at(r->out, n, h, w, c)] =
            real ? r->x[0][at(r->in[0], n, 2 * h, 2 * w, c - before)] : 0;
    }
}

/* The flat side of `image` is in [c][h][w] order. */
static void ref_flatten(const struct ref *r)
{
    struct shape s = r->in[0];
    EACH(s, r->n)
    {
        r->y[((n * s.c + c) * s.h + h) * s.w + w] = r->x[0][at(s, n, h, w, c)];
    }
}

static void ref_reshape(const struct ref *r)
{
    struct shape s = r->out;
    EACH(s, r->n)
    {
        r->y[at(s, n, h, w, c)] = r->x[0][((n * s.c + c) * s.h + h) * s.w + w];
    }
}

static void ref_upsample(const struct ref *r)
{
    int times = r->attr->times;
    EACH(r->out, r->n)
    {
        r->y[at(r->out, n, h, w, c)] = r->x[0][at(r->in[0], n, h / times, w / times, c)];
    }
}

/* Seed 7, step 5: what the check gives the op. */
static void ref_latent(const struct ref *r)
{
    size_t count = shape_count(r->out);
    for (size_t image = 0; image < (size_t)r->n; image++) {
        struct rng noise = rng_key(7, RNG_LATENT, (uint64_t)5 << 32 | image);
        for (size_t i = image * count; i < (image + 1) * count; i++) {
            r->y[i] = r->x[0][i] + (r->train ? exp(r->x[1][i] / 2) * rng_normal(&noise) : 0);
        }
    }
}

/* What to try: attributes and input shapes from a random generator. */
struct trial {
    struct op_attr attr;
    int n, n_in;
    struct shape in[OP_MAX_IN];
    bool eval;            /* running statistics */
    bool zero[OP_MAX_IN]; /* inputs that are all zeros, which the op is told by a NULL */
};

static int draw(struct rng *r, int low, int high)
{
    return low + (int)rng_below(r, (uint64_t)(high - low + 1));
}

static void try_any(struct trial *t, struct rng *r)
{
    t->in[0] = (struct shape){draw(r, 1, 6), draw(r, 1, 6), draw(r, 1, 19)};
}

static void try_conv(struct trial *t, struct rng *r)
{
    int groups = draw(r, 0, 3) == 0 ? draw(r, 2, 3) : 1, width = draw(r, 1, 9), k = draw(r, 1, 18);
    bool depthwise = draw(r, 0, 4) == 0;
    t->attr = (struct op_attr){.k = depthwise ? width * groups : k * groups,
                               .kernel = draw(r, 1, 5),
                               .stride = draw(r, 1, 2),
                               .groups = depthwise ? width * groups : groups,
                               .bias = draw(r, 0, 1),
                               .relu_in = draw(r, 0, 1)};
    t->attr.pad = draw(r, 0, t->attr.kernel / 2);
    int side = MAX(1, t->attr.kernel - 2 * t->attr.pad);
    t->in[0] = (struct shape){draw(r, side, side + 5), draw(r, side, side + 5), width * groups};
}

static void try_conv_bn(struct trial *t, struct rng *r)
{
    try_conv(t, r);
    struct op_attr *a = &t->attr;
    a->norm_mask = (uint32_t)draw(r, 0, 1);
    a->eps = 1e-5f;
    a->act = draw(r, 0, 1) ? OP_ACT_RELU : OP_ACT_NONE;
    t->n_in = draw(r, 1, 2);
    t->eval = true;
    int oh = (t->in[0].h + 2 * a->pad - a->kernel) / a->stride + 1;
    int ow = (t->in[0].w + 2 * a->pad - a->kernel) / a->stride + 1;
    t->in[1] = (struct shape){oh, ow, a->k};
}

static void try_conv_transpose(struct trial *t, struct rng *r)
{
    t->attr = (struct op_attr){.k = draw(r, 1, 9),
                               .kernel = draw(r, 2, 4),
                               .stride = draw(r, 1, 2),
                               .pad = draw(r, 0, 1),
                               .bias = draw(r, 0, 1)};
    t->attr.times = draw(r, 0, t->attr.stride - 1);
    t->in[0] = (struct shape){draw(r, 2, 5), draw(r, 2, 5), draw(r, 1, 9)};
}

static void try_linear(struct trial *t, struct rng *r)
{
    t->attr = (struct op_attr){.k = draw(r, 1, 12), .bias = draw(r, 0, 1)};
    t->in[0] = (struct shape){1, 1, draw(r, 1, 40)};
}

static void try_bn(struct trial *t, struct rng *r)
{
    try_any(t, r);
    t->attr = (struct op_attr){.eps = 1e-5f, .momentum = 0.1f};
    t->n =
        draw(r, 4, 6); /* few pixels make the inverse deviation explode and the comparison blunt */
    t->eval = draw(r, 0, 2) == 0;
}

/* Up to four normalised inputs among up to six; some inputs zero. */
static void try_norm_sum(struct trial *t, struct rng *r)
{
    try_bn(t, r);
    t->n_in = draw(r, 1, 6);
    t->attr.act = draw(r, 0, 1) ? OP_ACT_RELU : OP_ACT_NONE;
    t->attr.norm_mask = 1u << draw(r, 0, t->n_in - 1);
    for (int i = 0, n_normed = 1; i < t->n_in; i++) {
        t->in[i] = t->in[0];
        if (n_normed < 4 && !(t->attr.norm_mask >> i & 1) && draw(r, 0, 1)) {
            t->attr.norm_mask |= 1u << i;
            n_normed++;
        }
        t->zero[i] = draw(r, 0, 5) == 0;
    }
}

static void try_pool(struct trial *t, struct rng *r)
{
    int kernel = draw(r, 1, 3);
    t->attr = (struct op_attr){.kernel = kernel,
                               .stride = draw(r, 1, 2),
                               .pad = draw(r, 0, kernel / 2),
                               .count_padding = draw(r, 0, 1)};
    t->in[0] = (struct shape){draw(r, 3, 7), draw(r, 3, 7), draw(r, 1, 19)};
}

static void try_sum(struct trial *t, struct rng *r)
{
    try_any(t, r);
    t->n_in = draw(r, 1, OP_MAX_IN);
    for (int i = 1; i < t->n_in; i++) {
        t->in[i] = t->in[0];
    }
}

static void try_concat(struct trial *t, struct rng *r)
{
    try_sum(t, r);
    for (int i = 1; i < t->n_in; i++) {
        t->in[i].c = draw(r, 1, 9);
    }
}

static void try_scale(struct trial *t, struct rng *r)
{
    try_any(t, r);
    t->n_in = 2;
    t->in[1] = (struct shape){1, 1, t->in[0].c};
}

static void try_latent(struct trial *t, struct rng *r)
{
    t->n_in = 2;
    t->in[0] = t->in[1] = (struct shape){1, 1, draw(r, 1, 19)};
    t->eval = draw(r, 0, 3) == 0;
}

static void try_shuffle(struct trial *t, struct rng *r)
{
    try_any(t, r);
    t->attr.groups = draw(r, 1, 4);
    t->in[0].c = t->attr.groups * draw(r, 1, 5);
}

static void try_shortcut_a(struct trial *t, struct rng *r)
{
    try_any(t, r);
    t->attr.k = t->in[0].c + 2 * draw(r, 0, 8);
}

static void try_reshape(struct trial *t, struct rng *r)
{
    t->attr = (struct op_attr){.k = draw(r, 1, 8), .kernel = draw(r, 1, 4)};
    t->in[0] = (struct shape){1, 1, t->attr.k * t->attr.kernel * t->attr.kernel};
}

static void try_upsample(struct trial *t, struct rng *r)
{
    try_any(t, r);
    t->attr.times = draw(r, 1, 3);
}

static const struct check {
    const char *op;
    void (*reference)(const struct ref *);
    void (*draw)(struct trial *, struct rng *);
} checks[] = {
    {"conv", ref_conv, try_conv},
    {"conv_bn", ref_conv_bn, try_conv_bn},
    {"conv_transpose", ref_conv_transpose, try_conv_transpose},
    {"linear", ref_linear, try_linear},
    {"bn", ref_bn, try_bn},
    {"norm_sum", ref_norm_sum, try_norm_sum},
    {"relu", ref_relu, try_any},
    {"relu6", ref_relu6, try_any},
    {"hswish", ref_hswish, try_any},
    {"sigmoid", ref_sigmoid, try_any},
    {"tanh", ref_tanh, try_any},
    {"avg_pool", ref_avg_pool, try_pool},
    {"max_pool", ref_max_pool, try_pool},
    {"global_pool", ref_global_pool, try_any},
    {"sum", ref_sum, try_sum},
    {"concat", ref_concat, try_concat},
    {"scale", ref_scale, try_scale},
    {"zero", ref_zero, try_any},
    {"shuffle", ref_shuffle, try_shuffle},
    {"shortcut_a", ref_shortcut_a, try_shortcut_a},
    {"flatten", ref_flatten, try_any},
    {"reshape", ref_reshape, try_reshape},
    {"upsample", ref_upsample, try_upsample},
    {"latent", ref_latent, try_latent},
};

/* Values for an input: no two alike and none near a kink (0, 3, -3, 6), so that a small step
 * crosses nothing. */
static void fill_input(double *x, size_t count, struct rng *r)
{
    for (size_t i = 0; i < count; i++) {
        do {
            x[i] = (double)(float)((rng_f64(r) - 0.5) * 4 * (rng_below(r, 8) == 0 ? 4 : 1));
        } while (fabs(x[i]) < 1e-3 || fabs(fabs(x[i]) - 3) < 1e-3 || fabs(x[i] - 6) < 1e-3);
    }
}

/* Both sides of one trial. */
struct bench {
    struct arena *tmp;
    const struct op *op;
    struct ref ref;
    struct op_io io;
    size_t x_count[OP_MAX_IN], w_count[OP_MAX_PARAM], y_count;
    int n_params;
    double *dy; /* [y_count] */
};

static float *as_float(struct arena *tmp, const double *v, size_t count)
{
    float *f = arena_push(tmp, count, sizeof *f);
    for (size_t i = 0; i < count; i++) {
        f[i] = (float)v[i];
    }
    return f;
}

static struct tensor tensor_of(float *data, int n, struct shape s)
{
    return (struct tensor){.data = data, .n = n, .h = s.h, .w = s.w, .c = s.c};
}

static void draw_params(struct bench *b, const struct param_spec *specs, struct rng *r)
{
    for (int i = 0; i < b->n_params; i++) {
        size_t count = 1;
        for (int j = 0; j < 4; j++) {
            count *= (size_t)specs[i].dims[j];
        }
        bool positive = specs[i].kind == PARAM_RUNNING_VAR;
        b->w_count[i] = count;
        b->ref.w[i] = arena_push(b->tmp, count, sizeof(double));
        for (size_t j = 0; j < count; j++) {
            b->ref.w[i][j] = (double)(float)(positive ? 0.5 + rng_f64(r) : rng_f64(r) * 2 - 1);
        }
        b->io.w[i] = as_float(b->tmp, b->ref.w[i], count);
        bool trained = specs[i].kind != PARAM_RUNNING_MEAN && specs[i].kind != PARAM_RUNNING_VAR;
        b->io.dw[i] = trained ? arena_push_zero(b->tmp, count, sizeof(float)) : NULL;
    }
}

static void bench_init(struct bench *b, struct arena *tmp, const struct machine *mc,
                       const struct check *check, struct trial *t, struct rng *r)
{
    *b = (struct bench){.tmp = tmp, .op = op_find(check->op)};
    struct param_spec specs[OP_MAX_PARAM];
    struct err e = {0};
    struct shape out;
    assert_non_null(b->op);
    if (!b->op->infer(&t->attr, t->in, t->n_in, &out, specs, &b->n_params, &e)) {
        fail_msg("%s: %s", check->op, e.text);
    }
    b->ref =
        (struct ref){.attr = &t->attr, .n = t->n, .n_in = t->n_in, .out = out, .train = !t->eval};
    b->io = (struct op_io){.mc = mc, .attr = &t->attr, .n_in = t->n_in, .train = !t->eval};
    b->io.noise_seed = 7;
    b->io.noise_step = 5;
    for (int i = 0; i < t->n_in; i++) {
        b->ref.in[i] = t->in[i];
        b->x_count[i] = (size_t)t->n * shape_count(t->in[i]);
        b->ref.x[i] = arena_push(tmp, b->x_count[i], sizeof(double));
        fill_input(b->ref.x[i], b->x_count[i], r);
        if (t->zero[i]) {
            memset(b->ref.x[i], 0, b->x_count[i] * sizeof(double));
        }
        float *x = t->zero[i] ? NULL : as_float(tmp, b->ref.x[i], b->x_count[i]);
        b->io.x[i] = tensor_of(x, t->n, t->in[i]);
    }
    draw_params(b, specs, r);
    b->y_count = (size_t)t->n * shape_count(out);
    /* Two rows of [c] behind the output are the reference's to use. */
    b->ref.y = arena_push(tmp, b->y_count + 2 * (size_t)out.c, sizeof(double));
    b->io.y = tensor_of(arena_push(tmp, b->y_count, sizeof(float)), t->n, out);
    b->dy = arena_push(tmp, b->y_count, sizeof(double));
    for (size_t i = 0; i < b->y_count; i++) {
        b->dy[i] = (double)(float)(rng_f64(r) * 2 - 1);
    }
    size_t save = b->op->save_bytes ? b->op->save_bytes(&t->attr, t->n, t->in, t->n_in, out) : 0;
    b->io.save = arena_push(tmp, save, 1);
    size_t scratch = 0;
    for (int back = 0; b->op->scratch_bytes && back < (b->op->backward ? 2 : 1); back++) {
        scratch =
            MAX(scratch, b->op->scratch_bytes(mc, &t->attr, t->n, t->in, t->n_in, out, back == 1));
    }
    b->io.tmp = arena_carve(tmp, scratch);
    b->io.n_batch = t->n;
    for (int i = 0; b->op->gather && i < t->n_in; i++) {
        b->io.parts[i] = arena_push(tmp, b->op->gather->part_bytes(&t->attr, t->n_in, out.c), 1);
    }
}

/* The whole batch as one part. */
static void run_forward(struct bench *b)
{
    const struct op_gather *g = b->op->gather;
    for (int i = 0; g && i < b->io.n_in; i++) {
        if (b->io.train && b->io.x[i].data && g->reads(b->io.attr, i)) {
            g->gather_x(&b->io, i);
            b->io.n_parts[i] = 1;
        }
    }
    if (g) {
        g->settle_forward(&b->io);
    }
    b->op->forward(&b->io);
}

/* dx of gathered inputs belongs to backward, the others' to gather_dy. */
static void keep_dx(struct op_io *io, const struct bench *b, bool gathered)
{
    *io = b->io;
    for (int i = 0; i < io->n_in; i++) {
        if (b->op->gather->reads(io->attr, i) != gathered) {
            io->dx[i].data = NULL;
        }
    }
}

static void run_backward(struct bench *b)
{
    const struct op_gather *g = b->op->gather;
    if (!g) {
        b->op->backward(&b->io);
        return;
    }
    struct op_io io;
    b->io.n_parts[0] = 1;
    keep_dx(&io, b, false);
    g->gather_dy(&io);
    g->settle_backward(&b->io);
    keep_dx(&io, b, true);
    b->op->backward(&io);
}

static double loss(const struct bench *b, const struct check *check)
{
    check->reference(&b->ref);
    double sum = 0;
    for (size_t i = 0; i < b->y_count; i++) {
        sum += b->ref.y[i] * b->dy[i];
    }
    return sum;
}

/* dL/dv[i] for all i; the running statistics are not touched by the reference. */
static double *differences(const struct bench *b, const struct check *check, double *v,
                           size_t count)
{
    double *g = arena_push(b->tmp, count, sizeof *g);
    for (size_t i = 0; i < count; i++) {
        double old = v[i];
        v[i] = old + step;
        double up = loss(b, check);
        v[i] = old - step;
        g[i] = (up - loss(b, check)) / (2 * step);
        v[i] = old;
    }
    return g;
}

static void expect_close(const char *op, const char *what, int which, const float *found,
                         const double *expected, size_t count, double offset)
{
    double scale = 1;
    for (size_t i = 0; i < count; i++) {
        scale = fmax(scale, fabs(expected[i]));
    }
    for (size_t i = 0; i < count; i++) {
        double error = fabs((double)found[i] - offset - expected[i]);
        if (!(error <= tolerance * scale)) {
            fail_msg("%s: %s %d [%zu of %zu]: found %.9g, expected %.9g, scale %g", op, what, which,
                     i, count, (double)found[i] - offset, expected[i], scale);
        }
    }
}

/* Backward with dx overwritten (offset 0) or added to what is there (offset 1). */
static void check_backward(struct bench *b, const struct check *check, double *const dx[],
                           double *const dw[], bool add)
{
    b->io.dy = tensor_of(as_float(b->tmp, b->dy, b->y_count), b->ref.n, b->ref.out);
    for (int i = 0; i < b->ref.n_in; i++) {
        if (!b->io.x[i].data) {
            continue; /* nobody wants the gradient of a constant */
        }
        b->io.dx[i] =
            tensor_of(arena_push(b->tmp, b->x_count[i], sizeof(float)), b->ref.n, b->ref.in[i]);
        b->io.dx_add[i] = add;
        for (size_t j = 0; j < b->x_count[i]; j++) {
            b->io.dx[i].data[j] = add ? 1 : NAN;
        }
    }
    run_backward(b);
    for (int i = 0; i < b->ref.n_in; i++) {
        if (!b->io.x[i].data) {
            continue;
        }
        expect_close(check->op, "dx", i, b->io.dx[i].data, dx[i], b->x_count[i], add ? 1 : 0);
    }
    for (int i = 0; i < b->n_params; i++) {
        if (b->io.dw[i]) {
            expect_close(check->op, "dw", i, b->io.dw[i], dw[i], b->w_count[i], 0);
        }
    }
}

static void check_trial(const struct machine *mc, const struct check *check, uint64_t seed,
                        struct arena tmp)
{
    struct rng r = rng_key(seed, RNG_TEST, (uint64_t)(check - checks));
    struct trial t = {.n = draw(&r, 1, 3), .n_in = 1};
    check->draw(&t, &r);
    struct bench b;
    bench_init(&b, &tmp, mc, check, &t, &r);
    check->reference(&b.ref);
    run_forward(&b);
    expect_close(check->op, "y", 0, b.io.y.data, b.ref.y, b.y_count, 0);
    if (!b.op->backward) {
        return; /* evaluation only */
    }
    double *dx[OP_MAX_IN], *dw[OP_MAX_PARAM] = {0};
    for (int i = 0; i < t.n_in; i++) {
        dx[i] = differences(&b, check, b.ref.x[i], b.x_count[i]);
    }
    for (int i = 0; i < b.n_params; i++) {
        dw[i] = b.io.dw[i] ? differences(&b, check, b.ref.w[i], b.w_count[i]) : NULL;
    }
    check_backward(&b, check, dx, dw, false);
    check_backward(&b, check, dx, dw, true);
}

struct state {
    struct machine mc;
    struct arena arena;
};

static int setup(void **state)
{
    static struct state s;
    struct err e;
    if (!machine_init(&s.mc, "auto", 1, &e) || !arena_init(&s.arena, (size_t)256 << 20, &e)) {
        return 1;
    }
    *state = &s;
    return 0;
}

static void every_op_has_a_reference(void **state)
{
    (void)state;
    for (int i = 0; i < ops_count(); i++) {
        size_t j = 0;
        while (j < N_ELEMS(checks) && strcmp(checks[j].op, ops_at(i)->name) != 0) {
            j++;
        }
        if (j == N_ELEMS(checks)) {
            fail_msg("no check covers op %s", ops_at(i)->name);
        }
    }
    assert_int_equal(ops_count(), (int)N_ELEMS(checks));
}

static void gradients_equal_central_differences(void **state)
{
    struct state *s = *state;
    for (size_t i = 0; i < N_ELEMS(checks); i++) {
        for (uint64_t seed = 1; seed <= 16; seed++) {
            check_trial(&s->mc, &checks[i], seed, s->arena);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op_has_a_reference),
        cmocka_unit_test(gradients_equal_central_differences),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
