/*
 * Training-free scores: the linear algebra by hand, SynFlow against the product of absolute weight
 * matrices in double (far beyond float32's range too), NASWOT's and SWAP's counts, and for every
 * score of the table: the same number twice, no more memory than planned, and no number rather than
 * a crash for a network whose output does not depend on its input. Against PyTorch:
 * tests/sh_torch_scores.sh.
 */
#include "nas/batch_shrink.h"
#include "nas/linalg.h"
#include "nas/relu_code.h"
#include "nas/scores.h"
#include "core/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { N = 8, SIDE = 8, CLASSES = 10 };

struct fixture {
    struct arena keep;
    struct machine mc;
    struct score_batch batch;
};

static int setup(void **state)
{
    static struct fixture f;
    struct err e;
    if (!arena_init(&f.keep, (size_t)1 << 30, &e) || !machine_init(&f.mc, "auto", 1, &e)) {
        return -1;
    }
    size_t count = (size_t)N * SIDE * SIDE * 3;
    float *x = arena_push(&f.keep, count, sizeof *x);
    int32_t *labels = arena_push(&f.keep, N, sizeof *labels);
    struct rng r = rng_key(1, RNG_TEST, 0);
    for (size_t i = 0; i < count; i++) {
        x[i] = (float)rng_normal(&r);
    }
    for (int i = 0; i < N; i++) {
        labels[i] = i % CLASSES;
    }
    f.batch = (struct score_batch){
        .n = N, .shape = {SIDE, SIDE, 3}, .n_classes = CLASSES, .x = x, .labels = labels};
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_release(&f->keep);
    return 0;
}

static void assert_close(double x, double expected, double tolerance)
{
    if (!(fabs(x - expected) <= tolerance)) {
        fail_msg("%.12g, expected %.12g +- %g", x, expected, tolerance);
    }
}

static struct graph *build(struct fixture *f, const char *arch, struct shape input)
{
    struct model_spec spec = {.input = input, .n_classes = CLASSES};
    struct graph *g = NULL;
    struct err e = {0};
    snprintf(spec.arch, sizeof spec.arch, "%s", arch);
    if (!model_build(&g, &f->keep, &spec, &e)) {
        fail_msg("%s", e.text);
    }
    return g;
}

/* The score in an arena that holds what was planned and not a byte more. */
static double run(struct fixture *f, const struct score *score, const struct graph *g,
                  const struct score_batch *batch)
{
    struct score_options o = {0};
    struct err e = {0};
    double value = 0;
    struct arena rest = f->keep;
    score->defaults(&o);
    size_t bytes = score->plan_bytes(&f->mc, g, batch);
    struct score_job job = {.mc = &f->mc, .graph = g, .batch = batch, .options = &o};
    job.tmp = arena_carve(&rest, arena_round(bytes));
    if (!score->run(&job, &value, &e)) {
        fail_msg("%s: %s", score->name, e.text);
    }
    return value;
}

static void linear_algebra(void **state)
{
    (void)state;
    double a[] = {0, 2, 1, 3, 0, 0, 0, 0, -4}; /* det = 0 (..) - 2 (3 * -4) = 24 */
    assert_close(linalg_log_det(a, 3), log(24), 1e-14);
    double singular[] = {1, 2, 2, 4};
    assert_true(linalg_log_det(singular, 2) == -INFINITY);
    /* Eigenvalues of the second difference matrix: 2 - 2 cos(k pi / (n + 1)). */
    enum { M = 20 };
    double s[M * M] = {0}, v[M];
    for (int i = 0; i < M; i++) {
        s[i * M + i] = 2;
        if (i > 0) {
            s[i * M + i - 1] = s[(i - 1) * M + i] = -1;
        }
    }
    linalg_eigenvalues(v, s, M);
    for (int k = 1; k <= M; k++) {
        assert_close(v[k - 1], 2 - 2 * cos(k * 3.14159265358979323846 / (M + 1)), 1e-13);
    }
    /* H D H with H = I - 2 u u^T / u^T u and D with zeros and equal values: its eigenvalues are D's. */
    const double d[] = {-3, 0, 0, 0, 1e-9, 2, 2, 2, 5, 100};
    enum { K = N_ELEMS(d) };
    double h[K * K], full[K * K] = {0}, u2 = 0;
    for (int i = 0; i < K; i++) {
        u2 += (i - 3.5) * (i - 3.5);
    }
    for (int i = 0; i < K * K; i++) {
        h[i] = (i % K == i / K) - 2 * (i % K - 3.5) * (i / K - 3.5) / u2;
    }
    for (int i = 0; i < K * K * K; i++) {
        full[i / K] += h[i / K / K * K + i % K] * d[i % K] * h[i % K * K + i / K % K];
    }
    linalg_eigenvalues(v, full, K);
    for (int k = 0; k < K; k++) {
        assert_true(fabs(v[k] - d[k]) < 1e-13 * 100);
    }
    double one[] = {-7}, two[] = {1, 2, 2, 1};
    linalg_eigenvalues(v, one, 1);
    assert_true(v[0] == -7);
    linalg_eigenvalues(v, two, 2);
    assert_close(v[0], -1, 1e-15);
    assert_close(v[1], 3, 1e-15);
    double b[] = {3, 0, 4, 5, 0, 0}, scratch[6]; /* [2, 3]; A A^T = 25 15; 15 25 */
    assert_close(linalg_norm(b, 2, 3, scratch), sqrt(40), 1e-13);
    assert_close(linalg_norm(b, 3, 2, scratch), sqrt(45), 1e-12); /* A^T A = 25 20; 20 25 */
}

/* R of the chain of linear layers with the weights a score of seed 1 starts from, as a logarithm.
 */
static double chain(struct fixture *f, const struct graph *g)
{
    struct score_options o;
    struct err e;
    struct trial t;
    score_synflow.defaults(&o);
    struct score_job job = {.mc = &f->mc, .graph = g, .options = &o, .tmp = f->keep};
    assert_true(trial_open(&t, &job, 1, 0, &e));
    double x[1024], y[1024], log_scale = 0;
    int n = 3;
    for (int i = 0; i < n; i++) {
        x[i] = 1;
    }
    for (int p = 0; p < g->n_params; p++) {
        if (!trial_is_weight(&t, p)) {
            continue;
        }
        int k = g->params[p].spec.dims[1];
        double most = 0;
        for (int j = 0; j < k; j++) {
            y[j] = 0;
            for (int i = 0; i < n; i++) {
                y[j] += x[i] * fabs((double)net_param(t.net, p)[i * k + j]);
            }
            most = fmax(most, y[j]);
        }
        for (int j = 0; j < k; j++) {
            x[j] = y[j] / most;
        }
        log_scale += log(most);
        n = k;
    }
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += x[i];
    }
    return log(sum) + log_scale;
}

/* Every layer of a chain passes all of R on: the sum over layers of w dR/dw is (layers) R. */
static void synflow_conserves(void **state)
{
    struct fixture *f = *state;
    const struct {
        int layers, width;
        double least;
    } cases[] = {{1, 5, -10}, {3, 16, -10}, {40, 600, 89}}; /* log of float32's largest: 88.7 */
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        struct arena mark = f->keep;
        struct graph *g = graph_new(&f->keep, (struct shape){1, 1, 3});
        struct err e = {0};
        int x = 0;
        for (int l = 0; l < cases[i].layers; l++) {
            char name[16];
            snprintf(name, sizeof name, "layer%d", l);
            x = graph_relu(g, graph_linear(g, x, cases[i].width, name));
        }
        assert_true(graph_finish(g, graph_linear(g, x, CLASSES, "last"), &e));
        double value = run(f, &score_synflow, g, NULL), r = chain(f, g);
        assert_close(value, log(cases[i].layers + 1) + r, 1e-5);
        assert_true(value > cases[i].least);
        f->keep = mark;
    }
}

/* Both counts by hand on a network with one ReLU: signs of the batch itself after stem and norm are
 * not at hand, so codes are compared image by image with the network's own values. */
static void codes_are_counted(void **state)
{
    struct fixture *f = *state;
    struct graph *g = build(f, "nb201:000300", (struct shape){SIDE, SIDE, 3});
    struct score_options o;
    struct trial t;
    struct err e;
    score_naswot.defaults(&o);
    struct score_job job = {
        .mc = &f->mc, .graph = g, .options = &o, .batch = &f->batch, .tmp = f->keep};
    assert_true(trial_open(&t, &job, N, TRIAL_VALUES, &e));
    trial_forward(&t, f->batch.x, N);
    double agree[N * N];
    relu_code_agree(agree, &t, N, t.tmp);
    double expected = 0, units = 0;
    for (int i = 1; i < g->n_nodes; i++) {
        struct tensor y = net_node_value(t.net, i);
        size_t count = shape_count(g->nodes[i].shape);
        if (strcmp(g->nodes[i].op->name, "relu") != 0 || !y.data) {
            continue;
        }
        for (size_t k = 0; k < count; k++) {
            bool same = (y.data[count + k] > 0) == (y.data[5 * count + k] > 0);
            expected += same ? relu_code_times(g, i) : 0;
        }
        units += (double)count * relu_code_times(g, i);
    }
    assert_true(units > 0);
    assert_true(agree[1 * N + 5] == expected && agree[5 * N + 1] == expected);
    assert_true(agree[0] == units);
    int64_t patterns = relu_code_patterns(&t, N, t.tmp);
    assert_true(patterns > 1 && patterns <= 1 << N);
}

/* An image twice in the batch: K is singular, and there is no score. */
static void naswot_of_twins(void **state)
{
    struct fixture *f = *state;
    struct score_batch twins = f->batch;
    size_t image = (size_t)SIDE * SIDE * 3;
    float *x = arena_push(&f->keep, N * image, sizeof *x);
    memcpy(x, f->batch.x, N * image * sizeof *x);
    memcpy(x + 3 * image, x, image * sizeof *x);
    twins.x = x;
    struct graph *g = build(f, "nb201:333333", f->batch.shape);
    assert_true(isfinite(run(f, &score_naswot, g, &f->batch)));
    assert_true(isnan(run(f, &score_naswot, g, &twins)));
}

/* Every score: a number, the same one twice, within its plan; larger cells larger where that is
 * what is measured. */
static void every_score(void **state)
{
    struct fixture *f = *state;
    struct graph *live = build(f, "nb201:331312", f->batch.shape);
    struct graph *dead = build(f, "nb201:000000", f->batch.shape);
    struct graph *other = build(f, "resnet20", f->batch.shape);
    for (int i = 0; i < score_count(); i++) {
        const struct score *s = score_at(i);
        if (s->needs_reference || s->members) {
            continue;
        }
        double a = run(f, s, live, &f->batch), b = run(f, s, live, &f->batch);
        if (!isfinite(a) || a != b) {
            fail_msg("%s: %.17g, then %.17g", s->name, a, b);
        }
        if (!isfinite(run(f, s, other, &f->batch))) {
            fail_msg("%s: no number for a ResNet", s->name);
        }
        double none = run(f, s, dead, &f->batch);
        if (isinf(none)) {
            fail_msg("%s: infinite for a dead network", s->name);
        }
    }
}

/* A batch made smaller: each pixel the mean of what it covers. By hand where two by two become one,
 * and where three become two (a pixel and a half each); the mean stays, and so does the same size. */
static void shrunk(void **state)
{
    struct fixture *f = *state;
    struct err e;
    const float by_two[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    struct score_batch b = {.n = 1, .shape = {4, 4, 1}, .x = by_two};
    assert_true(batch_shrink(&b, 2, &f->keep, &e));
    assert_true(b.shape.h == 2 && b.shape.w == 2 && b.shape.c == 1);
    assert_true(b.x[0] == 3.5f && b.x[1] == 5.5f && b.x[2] == 11.5f && b.x[3] == 13.5f);
    const float three[] = {0, 3, 6, 9, 12, 15, 18, 21, 24};
    b = (struct score_batch){.n = 1, .shape = {3, 3, 1}, .x = three};
    assert_true(batch_shrink(&b, 2, &f->keep, &e));
    assert_close(b.x[0], (0 + 3 / 2.0 + 9 / 2.0 + 12 / 4.0) / 2.25, 1e-6);
    assert_close(b.x[3], (24 + 21 / 2.0 + 15 / 2.0 + 12 / 4.0) / 2.25, 1e-6);
    for (int side = 1; side <= SIDE; side++) {
        double before = 0, after = 0;
        b = f->batch;
        assert_true(batch_shrink(&b, side, &f->keep, &e));
        for (int i = 0; i < N * SIDE * SIDE * 3; i++) {
            before += (double)f->batch.x[i] / (SIDE * SIDE);
        }
        for (int i = 0; i < N * side * side * 3; i++) {
            after += (double)b.x[i] / (side * side);
        }
        assert_true(fabs(after - before) < 1e-5);
        assert_true(side < SIDE || memcmp(b.x, f->batch.x, sizeof(float) * N * SIDE * SIDE * 3) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_algebra),    cmocka_unit_test(synflow_conserves),
        cmocka_unit_test(codes_are_counted), cmocka_unit_test(naswot_of_twins),
        cmocka_unit_test(every_score),       cmocka_unit_test(shrunk),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
