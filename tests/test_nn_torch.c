/*
 * Whole networks against PyTorch: features, gradients (of a loss that also reads the taps), ten
 * training steps, running statistics and the evaluated network, for each file of
 * tests/fixtures/torch_*.safetensors, or each file given as an argument (tests/sh_torch_live.sh
 * makes them anew). The files are made in double by tests/torch/cases.py, which also says how
 * weights and images come from a hash.
 *
 * Tolerance. The truth is PyTorch in float64, ours is float32; how much a network amplifies
 * rounding is told by the drift stored behind each array (see cases.py). We may drift four times as
 * far, and by 1e-4 of the array's norm (2e-3 after training) where chance made the stored drift
 * small. A wrong formula is off by more than 1e-2.
 */
#include "nn/loss.h"
#include "nn/optim.h"
#include "nn/safetensors.h"
#include "nn/weights.h"

#include <glob.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const double tolerance = 1e-4;         /* of an array's norm */
static const double trained_tolerance = 2e-3; /* after training steps */
static const double drifts = 4;

static uint32_t mix(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ x >> 16;
}

static uint32_t hash_name(const char *name, uint32_t seed)
{
    uint32_t h = 2166136261u;
    for (; *name; name++) {
        h = (h ^ (unsigned char)*name) * 16777619u;
    }
    return h ^ seed * 0x9e3779b1u;
}

/* Number i of the stream `start`, in [-1, 1), exact in float32. */
static float hashed(uint32_t start, size_t i)
{
    return (float)(mix((uint32_t)i + start) >> 8) * 0x1p-23f - 1.0f;
}

/* A case under way. */
struct run {
    struct safetensors st;
    struct machine mc;
    struct arena arena;
    struct net *net;
    const struct graph *g;
    int n, n_classes, n_steps;
    uint32_t seed;
    float smoothing;
    float *x;
    int32_t *labels;
};

static const char *meta(const struct run *r, const char *key)
{
    const char *value = safetensors_meta(&r->st, key);
    if (!value) {
        fail_msg("%s: no %s in __metadata__", r->st.path, key);
    }
    return value;
}

static double number(const struct run *r, const char *key)
{
    return strtod(meta(r, key), NULL);
}

/* count numbers and, behind them, n_drifts. */
static const double *expected(const struct run *r, const char *name, size_t count, size_t n_drifts)
{
    const struct safetensors_entry *t = safetensors_find(&r->st, name);
    if (!t || t->type != SAFETENSORS_F64 || t->bytes != (count + n_drifts) * sizeof(double)) {
        fail_msg("%s: no tensor %s of %zu doubles", r->st.path, name, count);
    }
    return t->data;
}

static void near(const struct run *r, const char *what, int i, double found, double wanted,
                 double bound)
{
    if (!(fabs(found - wanted) <= bound)) {
        fail_msg("%s: %s [%d]: found %.9g, PyTorch %.9g, bound %.2g", r->st.path, what, i, found,
                 wanted, bound);
    }
}

/* Place in our layout of element i of PyTorch's: theirs[k][c][kh][kw], ours[kh][kw][c][k]; linear
 * [k][c], [c][k]. */
static size_t our_index(const struct param_spec *spec, size_t i)
{
    if (spec->n_dims < 2) {
        return i;
    }
    size_t area = spec->n_dims == 4 ? (size_t)spec->dims[0] * (size_t)spec->dims[1] : 1;
    size_t c = (size_t)spec->dims[spec->n_dims == 4 ? 2 : 0],
           k = (size_t)spec->dims[spec->n_dims == 4 ? 3 : 1];
    size_t i_area = i % area, i_c = i / area % c, i_k = i / area / c;
    return (i_area * c + i_c) * k + i_k;
}

/* values are ours; norm, product with hashed signs and first four elements are compared in
 * PyTorch's order. */
static void check_param(const struct run *r, const char *prefix, int i_param, const float *values)
{
    const struct param *p = &r->g->params[i_param];
    char name[128];
    snprintf(name, sizeof name, "%s.%s", prefix, p->name);
    const double *want = expected(r, name, 6, 1);
    uint32_t start = mix(hash_name(p->name, r->seed + 1));
    double base = strncmp(prefix, "final", 5) == 0 ? trained_tolerance : tolerance;
    double bound = drifts * want[6] + base * fmax(want[0], 1e-2);

    double squares = 0, dot = 0;
    for (size_t i = 0; i < p->count; i++) {
        double v = (double)values[our_index(&p->spec, i)];
        squares += v * v;
        dot += v * (double)hashed(start, i);
        if (i < 4) {
            near(r, name, (int)(2 + i), v, want[2 + i], bound);
        }
    }
    near(r, name, 0, sqrt(squares), want[0], bound);
    near(r, name, 1, dot, want[1], bound);
}

/* Features in PyTorch's order [n][c][h][w]. */
static void check_tap(const struct run *r, int i_tap)
{
    struct tensor t = net_tap(r->net, i_tap);
    char name[32];
    snprintf(name, sizeof name, "tap.%d", i_tap);
    const double *want = expected(r, name, 6, 1);
    uint32_t start = mix(hash_name("tap", r->seed + 1));
    double squares = 0, dot = 0;
    size_t hw = (size_t)t.h * (size_t)t.w, c = (size_t)t.c;
    for (size_t i = 0; i < tensor_count(&t); i++) {
        size_t n = i / (c * hw), i_c = i / hw % c, pixel = i % hw;
        double v = (double)t.data[(n * hw + pixel) * c + i_c];
        squares += v * v;
        dot += v * (double)hashed(start, i);
    }
    double bound = drifts * want[6] + tolerance * want[0];
    near(r, name, 0, sqrt(squares), want[0], bound);
    near(r, name, 1, dot, want[1], bound);
}

static void check_logits(const struct run *r, const char *name, const float *logits)
{
    int count = r->n * r->n_classes;
    double base = strncmp(name, "eval", 4) == 0 ? trained_tolerance : tolerance;
    const double *want = expected(r, name, (size_t)count, 1);
    double squares = 0;
    for (int i = 0; i < count; i++) {
        squares += want[i] * want[i];
    }
    for (int i = 0; i < count; i++) {
        near(r, name, i, (double)logits[i], want[i],
             drifts * want[count] + base * sqrt(squares / count));
    }
}

static void set_weights(struct run *r)
{
    for (int i = 0; i < r->g->n_params; i++) {
        const struct param *p = &r->g->params[i];
        float *w = net_param(r->net, i);
        uint32_t start = mix(hash_name(p->name, r->seed));
        size_t fan_in = p->count / (size_t)p->spec.dims[p->spec.n_dims == 4 ? 3 : 1];
        float bound = (float)sqrt(3.0 / (double)fan_in);
        for (size_t j = 0; j < p->count; j++) {
            float u = hashed(start, j);
            switch (p->spec.kind) {
            case PARAM_WEIGHT:
                w[our_index(&p->spec, j)] = u * bound;
                break;
            case PARAM_SCALE:
                w[j] = u * 0.2f + 1.0f;
                break;
            case PARAM_BIAS:
            case PARAM_SHIFT:
                w[j] = u * 0.2f;
                break;
            case PARAM_RUNNING_MEAN:
            case PARAM_RUNNING_VAR:
                w[j] = p->spec.kind == PARAM_RUNNING_VAR;
                break;
            }
        }
    }
    net_params_changed(r->net);
}

static void set_images(struct run *r, struct shape s)
{
    r->x = arena_push(&r->arena, shape_count(s) * (size_t)r->n, sizeof *r->x);
    r->labels = arena_push(&r->arena, (size_t)r->n, sizeof *r->labels);
    uint32_t start = mix(hash_name("images", r->seed));
    size_t hw = (size_t)s.h * (size_t)s.w, c = (size_t)s.c;
    for (size_t i = 0; i < shape_count(s) * (size_t)r->n; i++) {
        size_t n = i / (c * hw), i_c = i / hw % c, pixel = i % hw;
        r->x[(n * hw + pixel) * c + i_c] = hashed(start, i) * 1.5f;
    }
    for (int i = 0; i < r->n; i++) {
        r->labels[i] = (int32_t)(mix((uint32_t)i + r->seed) % (uint32_t)r->n_classes);
    }
}

static void open_case(struct run *r, const char *path)
{
    struct err e = {0};
    struct model_spec spec = {0};
    struct graph *g;
    bool ok =
        machine_init(&r->mc, getenv("HDNAS_TEST_CPU") ? getenv("HDNAS_TEST_CPU") : "auto", 1, &e) &&
        arena_init(&r->arena, (size_t)1 << 30, &e) && safetensors_read(&r->st, &r->arena, path, &e);
    if (!ok) {
        fail_msg("%s", e.text);
    }
    r->n = (int)number(r, "batch");
    r->n_classes = spec.n_classes = (int)number(r, "classes");
    r->n_steps = (int)number(r, "steps");
    r->seed = (uint32_t)number(r, "seed");
    r->smoothing = (float)number(r, "smoothing");
    snprintf(spec.arch, sizeof spec.arch, "%s", meta(r, "arch"));
    struct shape *s = &spec.input;
    assert_int_equal(sscanf(meta(r, "input"), "%d,%d,%d", &s->h, &s->w, &s->c), 3);
    ok = model_build(&g, &r->arena, &spec, &e) &&
         net_new(&r->net, &r->arena, &r->mc, g, r->n, NET_TRAIN, &e);
    if (!ok) {
        fail_msg("%s", e.text);
    }
    r->g = g;
    set_weights(r);
    set_images(r, spec.input);
}

/* Cross-entropy plus half the mean of tap * hashed signs, for every tap. */
static void check_gradients(struct run *r)
{
    const float *logits = net_forward(r->net, &r->mc, r->x, r->n, true);
    check_logits(r, "first.logits", logits);
    loss_cross_entropy(logits, r->labels, r->n, r->n_classes, r->smoothing, 1,
                       net_output_seed(r->net), NULL);
    for (int i = 0; i < r->g->n_taps; i++) {
        check_tap(r, i);
        struct tensor t = net_tap(r->net, i);
        char name[32];
        snprintf(name, sizeof name, "tap%d", i);
        uint32_t start = mix(hash_name(name, r->seed));
        float *seed = net_tap_seed(r->net, i);
        size_t hw = (size_t)t.h * (size_t)t.w, c = (size_t)t.c;
        for (size_t j = 0; j < tensor_count(&t); j++) {
            size_t n = j / (c * hw), i_c = j / hw % c, pixel = j % hw;
            seed[(n * hw + pixel) * c + i_c] = 0.5f * hashed(start, j) / (float)tensor_count(&t);
        }
    }
    net_backward(r->net, &r->mc);
    for (int i = 0; i < r->g->n_params; i++) {
        if (net_param_trained(r->net, i)) {
            check_param(r, "grad", i, net_param_grad(r->net, i));
        }
    }
}

/* PyTorch runs branches that reach nothing and so moves their running statistics; we leave them
 * alone. */
static bool is_dead(const struct run *r, int i_param)
{
    const struct node *node = &r->g->nodes[r->g->params[i_param].node];
    bool dead = true;
    for (int i = node->first_param; i < node->first_param + node->n_params; i++) {
        char name[128];
        snprintf(name, sizeof name, "grad.%s", r->g->params[i].name);
        dead = dead && (!net_param_trained(r->net, i) || expected(r, name, 6, 1)[0] == 0);
    }
    return dead;
}

static void check_training(struct run *r)
{
    bool adam = strcmp(meta(r, "optim"), "adam") == 0;
    struct optim_config config = {.kind = adam ? OPTIM_ADAM : OPTIM_SGD,
                                  .momentum = (float)number(r, "momentum"),
                                  .nesterov = number(r, "nesterov") != 0,
                                  .decay = (float)number(r, "decay"),
                                  .decay_all = true,
                                  .beta1 = 0.9f,
                                  .beta2 = 0.999f,
                                  .eps = 1e-8f};
    struct optim *optim = optim_new(&r->arena, r->net, &config);
    const double *losses = expected(r, "losses", (size_t)r->n_steps, (size_t)r->n_steps);
    for (int i = 0; i < r->n_steps; i++) {
        const float *logits = net_forward(r->net, &r->mc, r->x, r->n, true);
        double loss = loss_cross_entropy(logits, r->labels, r->n, r->n_classes, r->smoothing, 1,
                                         net_output_seed(r->net), NULL);
        near(r, "losses", i, loss, losses[i],
             drifts * losses[r->n_steps + i] + (i > 0 ? trained_tolerance : tolerance));
        net_backward(r->net, &r->mc);
        optim_step(optim, r->net, &r->mc, (float)number(r, "lr"));
    }
    for (int i = 0; i < r->g->n_params; i++) {
        if (net_param_trained(r->net, i) || !is_dead(r, i)) {
            check_param(r, "final", i, net_param(r->net, i));
        }
    }
    check_logits(r, "eval.logits", net_forward(r->net, &r->mc, r->x, r->n, false));
}

/* The same weights in a net that only evaluates. */
static void check_evaluation(struct run *r)
{
    struct net *net;
    struct err e;
    assert_true(net_new(&net, &r->arena, &r->mc, r->g, r->n, NET_EVAL, &e));
    for (int i = 0; i < r->g->n_params; i++) {
        memcpy(net_param(net, i), net_param_const(r->net, i),
               r->g->params[i].count * sizeof(float));
    }
    net_params_changed(net);
    check_logits(r, "eval.logits", net_forward(net, &r->mc, r->x, r->n, false));
}

static void case_agrees(void **state)
{
    struct run r = {0};
    open_case(&r, *state);
    check_gradients(&r);
    check_training(&r);
    check_evaluation(&r);
    arena_release(&r.arena);
}

int main(int argc, char **argv)
{
    enum { MAX_CASES = 64 };
    static struct CMUnitTest tests[MAX_CASES];
    glob_t found = {0};
    if (argc < 2 && glob("tests/fixtures/torch_*.safetensors", 0, NULL, &found) != 0) {
        return 1;
    }
    size_t n = argc < 2 ? found.gl_pathc : (size_t)(argc - 1);
    for (size_t i = 0; i < MIN(n, (size_t)MAX_CASES); i++) {
        char *path = argc < 2 ? found.gl_pathv[i] : argv[i + 1];
        const char *slash = strrchr(path, '/');
        tests[i] = (struct CMUnitTest){
            .name = slash ? slash + 1 : path, .test_func = case_agrees, .initial_state = path};
    }
    int failed = _cmocka_run_group_tests("torch", tests, MIN(n, (size_t)MAX_CASES), NULL, NULL);
    globfree(&found);
    return failed;
}
