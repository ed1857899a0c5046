/*
 * Networks with planned memory, on random graphs and known ones: no two buffers that are needed at
 * the same time overlap; fused and planned equals plain (nothing fused, nothing shared); evaluation
 * equals training's network with running statistics; the same bits for 1, 2, 3 and 7 threads;
 * seeds, dead branches, several consumers, input gradient.
 *
 * Tolerance: fused and plain add the same numbers in another order. How much a random network
 * amplifies rounding is seen by a third net, plain too, whose images are disturbed by a part in ten
 * million: the first two may differ by thirty times that, and by 1e-4 of an array's norm. What a
 * wrong buffer leaves is of the order of the norm itself.
 */
#define _GNU_SOURCE
#include "core/rng.h"
#include "nn/loss.h"
#include "nn/model.h"
#include "nn/net.h"
#include "nn/net_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const double tolerance = 1e-4, drifts = 30;

struct state {
    struct machine mc;
    struct arena arena;
};

static int setup(void **state)
{
    static struct state s;
    struct err e;
    if (!machine_init(&s.mc, "auto", 2, &e) || !arena_init(&s.arena, (size_t)1 << 30, &e)) {
        return 1;
    }
    *state = &s;
    return 0;
}

static int draw(struct rng *r, int low, int high)
{
    return low + (int)rng_below(r, (uint64_t)(high - low + 1));
}

/* Squeeze and excite: x times sigmoid(linear(mean of x)). */
static int add_excite(struct graph *g, int x, int c, int i)
{
    char name[32];
    snprintf(name, sizeof name, "se%d", i);
    int s = graph_unary(g, graph_linear(g, graph_unary(g, x, "global_pool"), c, name), "sigmoid");
    return graph_add(g, "scale", &(struct op_attr){0}, (int[]){x, s}, 2, NULL);
}

/* One node of c channels on a map that keeps its size, from any earlier ones. */
static int add_random_node(struct graph *g, const int *nodes, int n, int c, int i, struct rng *r)
{
    char name[32];
    snprintf(name, sizeof name, "n%d", i);
    int x = nodes[draw(r, 0, n - 1)], in[4];
    struct op_attr pool = {.kernel = 3, .stride = 1, .pad = 1, .count_padding = draw(r, 0, 1)};
    switch (draw(r, 0, 12)) {
    case 0:
    case 1:
        return graph_conv(g, x, c, 3, 1, 1, 1, draw(r, 0, 1), name);
    case 2:
        return graph_conv(g, x, c, 1, 1, 0, draw(r, 0, 1) ? 2 : 1, false, name);
    case 3:
    case 4:
        return graph_bn(g, x, name);
    case 5:
    case 6:
        return graph_relu(g, x);
    case 7:
        return graph_add(g, draw(r, 0, 1) ? "avg_pool" : "max_pool", &pool, &x, 1, NULL);
    case 8:
        return draw(r, 0, 3) == 0 ? graph_unary(g, x, "zero") : add_excite(g, x, c, i);
    case 9:
        in[0] = x;
        in[1] = nodes[draw(r, 0, n - 1)];
        return graph_conv(g, graph_add(g, "concat", &(struct op_attr){0}, in, 2, NULL), c, 1, 1, 0,
                          1, false, name);
    default:
        for (int j = 0; j < 4; j++) {
            in[j] = nodes[draw(r, n > 5 ? n - 5 : 0, n - 1)];
        }
        return graph_sum(g, in, draw(r, 1, 4));
    }
}

/* A random network on 6 x 5 maps of 8 channels; some nodes dead, some zero, up to three taps. */
static struct graph *random_graph(struct arena *tmp, uint64_t seed)
{
    enum { C = 8, MAX_NODES = 32 };
    struct rng r = rng_key(seed, RNG_TEST, 17);
    struct graph *g = graph_new(tmp, (struct shape){6, 5, 3});
    int nodes[MAX_NODES], n = 0;
    nodes[n++] = graph_conv(g, 0, C, 3, 1, 1, 1, false, "stem");
    int n_wanted = draw(&r, 2, MAX_NODES - 1);
    while (n < n_wanted) {
        nodes[n] = add_random_node(g, nodes, n, C, n, &r);
        n++;
    }
    for (int i = draw(&r, 0, 3); i > 0; i--) {
        graph_tap(g, nodes[draw(&r, 0, n - 1)]);
    }
    int last = graph_sum(g, (int[]){nodes[n - 1], nodes[draw(&r, 0, n - 1)]}, 2);
    struct err e;
    if (!graph_finish(g, graph_linear(g, graph_unary(g, last, "global_pool"), 5, "head"), &e)) {
        fail_msg("%s", e.text);
    }
    return g;
}

static struct graph *graph_of_side(struct arena *tmp, const char *arch, int side)
{
    struct model_spec spec = {.input = {side, side, 3}, .n_classes = 5};
    struct graph *g;
    struct err e;
    snprintf(spec.arch, sizeof spec.arch, "%s", arch);
    if (!model_build(&g, tmp, &spec, &e)) {
        fail_msg("%s", e.text);
    }
    return g;
}

static struct graph *known_graph(struct arena *tmp, const char *arch)
{
    return graph_of_side(tmp, arch, 8);
}

static struct net *new_net(struct arena *tmp, const struct machine *mc, const struct graph *g,
                           int batch, enum net_mode mode)
{
    struct net *net;
    struct err e;
    size_t used = tmp->used, planned = net_plan_bytes(mc, g, batch, mode);
    if (!net_new(&net, tmp, mc, g, batch, mode, &e)) {
        fail_msg("%s", e.text);
    }
    assert_int_equal(tmp->used - used, planned);
    return net;
}

/* Weights that are not those of a fresh net: scales and shifts too, so that nothing cancels. */
static void set_params(struct net *net, uint64_t seed)
{
    net_init_params(net, NET_INIT_PYTORCH, seed);
    for (int i = 0; i < net_graph(net)->n_params; i++) {
        const struct param *p = &net_graph(net)->params[i];
        struct rng r = rng_key(seed, RNG_TEST, (uint64_t)i);
        for (size_t j = 0; p->spec.kind != PARAM_WEIGHT && j < p->count; j++) {
            net_param(net, i)[j] += (float)(rng_f64(&r) * 0.4 - 0.2);
        }
    }
    net_params_changed(net);
}

static float *random_floats(struct arena *tmp, size_t count, uint64_t seed)
{
    float *x = arena_push(tmp, count, sizeof *x);
    struct rng r = rng_key(seed, RNG_TEST, 99);
    for (size_t i = 0; i < count; i++) {
        x[i] = (float)(rng_f64(&r) * 4 - 2);
    }
    return x;
}

static double distance(const float *a, const float *b, size_t count)
{
    double squares = 0;
    for (size_t i = 0; i < count; i++) {
        double d = (double)a[i] - (b ? (double)b[i] : 0);
        squares += d * d;
    }
    return sqrt(squares);
}

/* a against b, the plain one, and c, the disturbed one. */
static void expect_near(const char *what, uint64_t seed, const float *a, const float *b,
                        const float *c, size_t count)
{
    double norm = distance(b, NULL, count), off = distance(a, b, count);
    if (!(off <= tolerance * fmax(norm, 1e-2) + drifts * distance(b, c, count))) {
        fail_msg("%s, graph %llu: differs by %g, norm %g, drift %g", what, (unsigned long long)seed,
                 off, norm, distance(b, c, count));
    }
}

/* Write the seeds whose bit is set; a twin gets the same numbers. */
static void write_seeds(struct net *net, struct arena tmp, int n, uint32_t mask, uint64_t seed)
{
    const struct graph *g = net_graph(net);
    for (int i = 0; i <= g->n_taps; i++) {
        int node = i == 0 ? g->output : g->taps[i - 1];
        size_t count = shape_count(g->nodes[node].shape) * (size_t)n;
        if (mask >> i & 1) {
            float *to = i == 0 ? net_output_seed(net) : net_tap_seed(net, i - 1);
            memcpy(to, random_floats(&tmp, count, seed + (uint64_t)i), count * sizeof *to);
        }
    }
}

/* The net under test, the plain one, the disturbed one. */
struct trio {
    struct net *net[3];
    const float *x[3];
};

/* Everything a step makes: output, taps, gradients, running statistics. */
static void compare_step(const struct trio *t, const struct machine *mc, int n, bool train,
                         uint64_t seed, struct arena tmp)
{
    const struct graph *g = net_graph(t->net[0]);
    const float *y[3];
    for (int k = 0; k < 3; k++) {
        y[k] = net_forward(t->net[k], mc, t->x[k], n, train);
    }
    expect_near("output", seed, y[0], y[1], y[2],
                shape_count(g->nodes[g->output].shape) * (size_t)n);
    for (int i = 0; i < g->n_taps; i++) {
        struct tensor a = net_tap(t->net[0], i), b = net_tap(t->net[1], i),
                      c = net_tap(t->net[2], i);
        expect_near("tap", seed, a.data, b.data, c.data, tensor_count(&a));
    }
    for (int k = 0; k < 3; k++) {
        write_seeds(t->net[k], tmp, n, (uint32_t)(seed % 16), seed);
        net_backward(t->net[k], mc);
    }
    for (int i = 0; i < g->n_params; i++) {
        const float *p[3];
        for (int k = 0; k < 3; k++) {
            p[k] = net_param_trained(t->net[k], i) ? net_param_grad(t->net[k], i)
                                                   : net_param(t->net[k], i);
        }
        expect_near(g->params[i].name, seed, p[0], p[1], p[2], g->params[i].count);
    }
    if (g->want_input_grad) {
        expect_near("input", seed, net_input_grad(t->net[0]), net_input_grad(t->net[1]),
                    net_input_grad(t->net[2]), shape_count(g->nodes[0].shape) * (size_t)n);
    }
}

static struct graph *copy_graph(struct arena *tmp, const struct graph *g)
{
    struct graph *copy = arena_push(tmp, 1, sizeof *copy);
    *copy = *g;
    return copy;
}

static const float *disturbed(struct arena *tmp, const float *x, size_t count, uint64_t seed)
{
    float *y = arena_push(tmp, count, sizeof *y);
    struct rng r = rng_key(seed, RNG_TEST, 98);
    for (size_t i = 0; i < count; i++) {
        y[i] = x[i] * (float)(1 + (rng_f64(&r) - 0.5) * 4e-7); /* an ulp or two */
    }
    return y;
}

/* The same network for evaluation, with the parameters of `from`. */
static struct net *evaluator(struct arena *tmp, const struct machine *mc, const struct graph *g,
                             struct net *from, int n)
{
    struct net *net = new_net(tmp, mc, g, n, NET_EVAL);
    for (int i = 0; i < g->n_params; i++) {
        memcpy(net_param(net, i), net_param(from, i), g->params[i].count * sizeof(float));
    }
    net_params_changed(net);
    return net;
}

/* constant: the output does not depend on x, and gradients through batch norms of constants are
 * rounding alone: only disturbed parameters tell how large that is. */
static void planned_equals_plain(struct state *s, struct graph *g, uint64_t seed, bool constant,
                                 struct arena tmp)
{
    enum { N = 3 };
    g->want_input_grad = seed % 3 == 0;
    g->part_bytes = seed % 2 ? 1 : 0; /* every image is a part, or all are one */
    struct graph *plain = copy_graph(&tmp, g);
    plain->keep_values = true;
    size_t count = shape_count(g->nodes[0].shape) * N;
    struct trio t;
    for (int k = 0; k < 3; k++) {
        t.net[k] = new_net(&tmp, &s->mc, k == 0 ? g : plain, N + (int)(seed % 2), NET_TRAIN);
        set_params(t.net[k], seed);
        t.x[k] = k == 0 ? random_floats(&tmp, count, seed) : t.x[0];
    }
    t.x[2] = disturbed(&tmp, t.x[0], count, seed);
    for (int i = 0; constant && i < g->n_params; i++) {
        const float *w = net_param(t.net[1], i);
        memcpy(net_param(t.net[2], i), disturbed(&tmp, w, g->params[i].count, seed + (uint64_t)i),
               g->params[i].count * sizeof *w);
    }
    compare_step(&t, &s->mc, N, true, seed, tmp);
    compare_step(&t, &s->mc, N, false, seed + 1,
                 tmp); /* running statistics, and again after a step */
    struct net *eval = evaluator(&tmp, &s->mc, g, t.net[1], N);
    const float *y = net_forward(eval, &s->mc, t.x[0], N, false);
    const float *b = net_forward(t.net[1], &s->mc, t.x[1], N, false);
    const float *c = net_forward(t.net[2], &s->mc, t.x[2], N, false);
    expect_near("evaluation", seed, y, b, c, shape_count(g->nodes[g->output].shape) * N);
    for (int i = 0; i < g->n_taps; i++) {
        struct tensor tap = net_tap(eval, i);
        expect_near("tap in evaluation", seed, tap.data, net_tap(t.net[1], i).data,
                    net_tap(t.net[2], i).data, tensor_count(&tap));
    }
}

static const char *const known[] = {"resnet20",     "nb201:333333", "nb201:432134",
                                    "nb201:031200", "nb201:003032", "nb201:111111",
                                    "nb201:000000", "nb201:414141", "mlp:9,8"};

static void fused_and_planned_equals_plain(void **state)
{
    struct state *s = *state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct arena tmp = s->arena;
        planned_equals_plain(s, random_graph(&tmp, seed), seed, false, tmp);
    }
    for (size_t i = 0; i < N_ELEMS(known); i++) {
        struct arena tmp = s->arena;
        bool constant = strcmp(known[i], "nb201:003032") == 0;
        planned_equals_plain(s, known_graph(&tmp, known[i]), 15 + 16 * i, constant, tmp);
    }
}

/* Parameters and gradients of the two nets, to the bit. */
static void expect_same(struct net *a, struct net *b, const struct graph *g, uint64_t seed)
{
    for (int i = 0; i < g->n_params; i++) {
        const float *p = net_param(a, i), *q = net_param(b, i);
        for (int k = 0; k < 1 + net_param_trained(a, i); k++) {
            if (memcmp(p, q, g->params[i].count * sizeof *p) != 0) {
                fail_msg("seed %d: %s %s differs", (int)seed, k ? "gradient of" : "parameter",
                         g->params[i].name);
            }
            p = net_param_grad(a, i);
            q = net_param_grad(b, i);
        }
    }
    const float *dx = net_input_grad(a), *dy = net_input_grad(b);
    assert_true(!dx || memcmp(dx, dy, shape_count(g->nodes[0].shape) * 3 * sizeof *dx) == 0);
}

/* A step with values made again in backward, beside one that keeps them: how many were there. */
static int made_again(struct state *s, struct graph *g, uint64_t seed, bool train, struct arena tmp)
{
    enum { N = 3 };
    g->want_input_grad = seed % 3 == 0;
    g->part_bytes = seed % 2 ? 1 : 0;
    struct graph *spare = copy_graph(&tmp, g);
    spare->spare_bytes = seed % 5 == 0 ? 1 : (size_t)1 << 40;
    struct net *a = new_net(&tmp, &s->mc, g, N, NET_TRAIN);
    struct net *b = new_net(&tmp, &s->mc, spare, N, NET_TRAIN);
    const float *x = random_floats(&tmp, shape_count(g->nodes[0].shape) * N, seed);
    set_params(a, seed);
    set_params(b, seed);
    for (int step = 0; step < 2; step++) {
        net_forward(a, &s->mc, x, N, train);
        net_forward(b, &s->mc, x, N, train);
        write_seeds(a, tmp, N, (uint32_t)(seed % 16), seed);
        write_seeds(b, tmp, N, (uint32_t)(seed % 16), seed);
        net_backward(a, &s->mc);
        net_backward(b, &s->mc);
        expect_same(a, b, g, seed);
    }
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        n += b->plan.remade[i];
        assert_false(a->plan.remade[i]);
        assert_false(b->plan.remade[i] && b->plan.readable[i]);
    }
    assert_true(seed % 5 != 0 || n <= 1);
    return n;
}

static void values_made_again_are_the_same(void **state)
{
    struct state *s = *state;
    int most = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct arena tmp = s->arena;
        most = MAX(most, made_again(s, random_graph(&tmp, seed), seed, seed % 7 != 0, tmp));
    }
    assert_true(most >= 2);
    for (size_t i = 0; i < N_ELEMS(known); i++) {
        struct arena tmp = s->arena;
        made_again(s, known_graph(&tmp, known[i]), 16 + 16 * i, true, tmp);
    }
    /* Of every cell of all-3x3, three nodes: a third of what backward reads. */
    struct arena tmp = s->arena;
    assert_true(made_again(s, known_graph(&tmp, "nb201:333333"), 16, true, tmp) >= 45);
    struct graph *g = graph_of_side(&tmp, "nb201:333333", 32);
    size_t kept = net_plan_bytes(&s->mc, g, 32, NET_TRAIN);
    g->spare_bytes = (size_t)1 << 40;
    assert_true(net_plan_bytes(&s->mc, g, 32, NET_TRAIN) < kept / 100 * 75);
    g->spare_bytes = kept / 10;
    size_t spared = kept - net_plan_bytes(&s->mc, g, 32, NET_TRAIN);
    assert_in_range(spared, kept / 12, kept / 8);
}

/* A buffer and the moments it is needed, worked out from the units anew. */
struct life {
    size_t at, bytes;
    int first, last, root;
};

static void add_life(struct life *lives, int *n, size_t at, size_t bytes, int first, int last)
{
    if (at != PLAN_NOWHERE && bytes > 0) {
        lives[(*n)++] = (struct life){at, bytes, first, last, 0};
    }
}

static bool is_seed(const struct plan *p, int node)
{
    for (int i = 0; i < p->n_seeds; i++) {
        if (p->seeds[i].node == node) {
            return true;
        }
    }
    return false;
}

/* Level of the step of that kind, -1 = there is none. */
static int level_of(const struct order *o, enum step_kind kind, int unit)
{
    for (int l = 0; l < o->n_levels; l++) {
        for (int i = o->levels[l].first; i < o->levels[l].last; i++) {
            if (o->steps[i].unit == unit && o->steps[i].kind == kind) {
                return l;
            }
        }
    }
    return -1;
}

/* What lives within a level is a thread's own; everything else lives by levels: forward, then the
 * seeds, then backward. */
static int find_lives(const struct plan *p, int batch, bool train, struct life *lives)
{
    int n = 0, seeds = p->forward.n_levels, end = seeds + 1 + p->backward.n_levels;
    for (int i = 0; i < p->n_units; i++) {
        const struct unit *u = &p->units[i];
        int made = level_of(&p->forward, STEP_RUN, i), value_last = made;
        int own = seeds + 1 + level_of(&p->backward, STEP_RUN, i), grad_first = own;
        int first_look = level_of(&p->backward, STEP_GATHER, i);
        grad_first = first_look >= 0 ? seeds + 1 + first_look : grad_first;
        bool value_used_elsewhere = false;
        for (int j = i; j < p->n_units; j++) {
            const struct unit *v = &p->units[j];
            bool back = train && v->backward;
            int run = level_of(&p->forward, STEP_RUN, j);
            int back_run = seeds + 1 + level_of(&p->backward, STEP_RUN, j);
            int back_gather = level_of(&p->backward, STEP_GATHER, j);
            if (j == i && back && plan_keeps(v, -1)) {
                value_last = back_run;
            }
            for (int k = 0; j > i && k < v->n_in; k++) {
                if (v->in[k] == u->node) {
                    value_last = MAX(value_last, back && plan_keeps(v, k) ? back_run : run);
                    bool early = back_gather >= 0 && !plan_gathers(v, k);
                    int write = early ? seeds + 1 + back_gather : back_run;
                    grad_first = v->needs_dx[k] ? MIN(grad_first, write) : grad_first;
                }
            }
        }
        value_used_elsewhere = value_last > made;
        bool seed = is_seed(p, u->node);
        size_t bytes = shape_count(p->graph->nodes[u->node].shape) * (size_t)batch * sizeof(float);
        if (p->value_local[u->node]) {
            assert_false(value_used_elsewhere || seed);
        } else {
            add_life(lives, &n, p->value_at[u->node], bytes, made, seed ? end : value_last);
        }
        if (train && u->backward && p->grad_local[u->node]) {
            assert_true(grad_first == own && !seed);
        } else if (train && u->backward) {
            add_life(lives, &n, p->grad_at[u->node], bytes, seed ? seeds : grad_first, own);
        }
        struct shape shapes[OP_MAX_IN];
        plan_shapes(p->graph, u, shapes);
        size_t save = u->op->save_bytes ? u->op->save_bytes(&u->attr, batch, shapes, u->n_in,
                                                            p->graph->nodes[u->node].shape)
                                        : 0;
        add_life(lives, &n, u->save_at, save, made, train && u->backward ? own : made);
    }
    for (int i = 0; train && i < p->n_seeds; i++) {
        size_t bytes =
            shape_count(p->graph->nodes[p->seeds[i].node].shape) * (size_t)batch * sizeof(float);
        if (!p->seeds[i].is_grad) {
            add_life(lives, &n, p->seeds[i].at, bytes, seeds, end);
        }
    }
    return n;
}

/* Two buffers may share bytes only if they are the same buffer (a gradient handed on) or never
 * alive together. */
static void check_lives(const struct plan *p, const struct life *lives, int n)
{
    for (int i = 0; i < n; i++) {
        assert_true(lives[i].at + lives[i].bytes <= p->memory_bytes);
        assert_true(lives[i].at % ARENA_ALIGN == 0);
        for (int j = 0; j < i; j++) {
            const struct life *a = &lives[i], *b = &lives[j];
            bool together = a->first <= b->last && b->first <= a->last;
            bool overlap = a->at < b->at + b->bytes && b->at < a->at + a->bytes;
            bool handed_on = a->at == b->at && a->bytes == b->bytes;
            if (together && overlap && !handed_on) {
                fail_msg("buffers [%zu, +%zu) %d..%d and [%zu, +%zu) %d..%d overlap", a->at,
                         a->bytes, a->first, a->last, b->at, b->bytes, b->first, b->last);
            }
        }
    }
}

static void live_buffers_do_not_overlap(void **state)
{
    struct state *s = *state;
    for (uint64_t seed = 1; seed <= 200 + N_ELEMS(known); seed++) {
        for (int train = 0; train < 2; train++) {
            struct arena tmp = s->arena;
            struct graph *g =
                seed <= 200 ? random_graph(&tmp, seed) : known_graph(&tmp, known[seed - 201]);
            struct plan plan;
            plan_init(&plan, &tmp, &s->mc, g, 2, train ? NET_TRAIN : NET_EVAL);
            struct life *lives =
                arena_push(&tmp, (size_t)(3 * plan.n_units + plan.n_seeds), sizeof *lives);
            check_lives(&plan, lives, find_lives(&plan, 2, train == 1, lives));
        }
    }
}

static void sharing_saves_memory(void **state)
{
    struct state *s = *state;
    struct arena tmp = s->arena;
    struct graph *g = known_graph(&tmp, "nb201:333333"), *plain = copy_graph(&tmp, g);
    plain->keep_values = true;
    size_t shared = net_plan_bytes(&s->mc, g, 256, NET_TRAIN),
           apart = net_plan_bytes(&s->mc, plain, 256, NET_TRAIN);
    size_t eval = net_plan_bytes(&s->mc, g, 256, NET_EVAL);
    assert_true(shared < apart / 2);
    assert_true(eval < shared / 2);
}

/* Two steps of training by hand: the bits of all parameters after them. */
static void train_a_little(struct net *net, const struct machine *mc, const float *x, int n)
{
    for (int step = 0; step < 2; step++) {
        static const int32_t labels[8] = {0, 1, 2, 3, 4, 0, 1, 2};
        const float *y = net_forward(net, mc, x, n, true);
        loss_cross_entropy(y, labels, n, 5, 0, 1, net_output_seed(net), NULL);
        struct tensor t = net_tap(net, 0);
        float *seed = net_tap_seed(net, 0);
        for (size_t i = 0; i < tensor_count(&t); i++) {
            seed[i] = t.data[i] * 1e-4f;
        }
        net_backward(net, mc);
        for (int i = 0; i < net_graph(net)->n_params; i++) {
            for (size_t j = 0; net_param_trained(net, i) && j < net_graph(net)->params[i].count;
                 j++) {
                net_param(net, i)[j] -= 0.01f * net_param_grad(net, i)[j];
            }
        }
    }
}

/* Images large enough that every op cuts its work into several parts. */
static void same_bits_for_any_number_of_threads(void **state)
{
    struct state *s = *state;
    static const int n_threads[] = {1, 2, 3, 7};
    static const char *const archs[] = {"nb201:432134", "resnet20", "mlp:64"};
    for (size_t i = 0; i < N_ELEMS(archs); i++) {
        float *first = NULL;
        struct arena tmp = s->arena;
        size_t n_floats = 0;
        struct graph *g = graph_of_side(&tmp, archs[i], 32);
        const float *x = random_floats(&tmp, 8 * 3072, 5);
        for (size_t t = 0; t < N_ELEMS(n_threads); t++) {
            struct machine mc = s->mc;
            mc.n_threads = n_threads[t];
            struct net *net = new_net(&tmp, &mc, g, 8, NET_TRAIN);
            set_params(net, 3);
            train_a_little(net, &mc, x, 8);
            const struct param *last = &g->params[g->n_params - 1];
            n_floats = (size_t)(net_param(net, g->n_params - 1) - net_param(net, 0)) + last->count;
            if (!first) {
                first = net_param(net, 0);
            } else {
                assert_memory_equal(first, net_param(net, 0), n_floats * sizeof(float));
            }
        }
        assert_true(n_floats > 1000);
    }
}

/* Fewer images than planned for give what they give alone. */
static void a_smaller_batch_is_fine(void **state)
{
    struct state *s = *state;
    struct arena tmp = s->arena;
    struct graph *g = known_graph(&tmp, "nb201:333123");
    struct net *big = new_net(&tmp, &s->mc, g, 7, NET_TRAIN),
               *small = new_net(&tmp, &s->mc, g, 2, NET_TRAIN);
    set_params(big, 1);
    set_params(small, 1);
    const float *x = random_floats(&tmp, 7 * 192, 1);
    net_forward(big, &s->mc, x, 7, false);
    const float *a = net_forward(big, &s->mc, x, 2, false),
                *b = net_forward(small, &s->mc, x, 2, false);
    assert_memory_equal(a, b, 10 * sizeof *a);
}

static void seeds_not_asked_for_count_as_zero(void **state)
{
    struct state *s = *state;
    struct arena tmp = s->arena;
    struct graph *g = known_graph(&tmp, "resnet20");
    struct net *net = new_net(&tmp, &s->mc, g, 2, NET_TRAIN);
    set_params(net, 1);
    const float *x = random_floats(&tmp, 2 * 192, 1);
    net_forward(net, &s->mc, x, 2, true);
    for (int i = 0; i < g->n_taps; i++) {
        struct tensor t = net_tap(net, i);
        memset(net_tap_seed(net, i), 0x7f, tensor_count(&t) * sizeof(float)); /* large numbers */
    }
    net_forward(net, &s->mc, x, 2, true); /* forgets them */
    net_backward(net, &s->mc);
    for (int i = 0; i < g->n_params; i++) {
        for (size_t j = 0; net_param_trained(net, i) && j < g->params[i].count; j++) {
            assert_true(net_param_grad(net, i)[j] == 0);
        }
    }
}

/* The same node as two taps and as output: their seeds add. */
static void seeds_of_one_node_add(void **state)
{
    struct state *s = *state;
    struct arena tmp = s->arena;
    struct graph *g = graph_new(&tmp, (struct shape){1, 1, 4});
    struct err e;
    int y = graph_linear(g, 0, 3, "l");
    graph_tap(g, y);
    graph_tap(g, y);
    assert_true(graph_finish(g, y, &e));
    struct net *net = new_net(&tmp, &s->mc, g, 1, NET_TRAIN);
    static const float x[4] = {1, 2, 3, 4};
    for (int mask = 0; mask < 8; mask++) {
        net_forward(net, &s->mc, x, 1, true);
        float expected = 0;
        for (int i = 0; i < 3; i++) {
            if (mask >> i & 1) {
                float *seed = i == 0 ? net_output_seed(net) : net_tap_seed(net, i - 1);
                for (int k = 0; k < 3; k++) {
                    seed[k] = (float)(1 << 2 * i);
                }
                expected += (float)(1 << 2 * i);
            }
        }
        net_backward(net, &s->mc);
        assert_true(net_param_grad(net, 1)[2] == expected);
        assert_true(net_param_grad(net, 0)[3 * 3] == 4 * expected);
    }
}

/* Branches that reach nothing own their parameters, cost nothing, and get no gradient. */
static void dead_branches_cost_nothing(void **state)
{
    struct state *s = *state;
    struct arena tmp = s->arena;
    struct graph *dead = known_graph(&tmp, "nb201:030000"),
                 *none = known_graph(&tmp, "nb201:000000");
    assert_true(graph_param_count(dead) > graph_param_count(none));
    struct plan a, b;
    plan_init(&a, &tmp, &s->mc, dead, 4, NET_TRAIN);
    plan_init(&b, &tmp, &s->mc, none, 4, NET_TRAIN);
    assert_int_equal(a.n_units, b.n_units);
    assert_int_equal(a.memory_bytes, b.memory_bytes);
}

static void values_of_nodes(void **state)
{
    struct state *s = *state;
    struct arena tmp = s->arena;
    struct graph *g = known_graph(&tmp, "nb201:333123"), *plain = copy_graph(&tmp, g);
    plain->keep_values = true;
    struct net *a = new_net(&tmp, &s->mc, g, 2, NET_TRAIN),
               *b = new_net(&tmp, &s->mc, plain, 2, NET_TRAIN);
    set_params(a, 1);
    set_params(b, 1);
    const float *x = random_floats(&tmp, 2 * 192, 1);
    assert_null(net_node_value(b, 1).data);
    net_forward(a, &s->mc, x, 2, true);
    net_forward(b, &s->mc, x, 2, true);
    int n_there = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        struct tensor p = net_node_value(a, i), q = net_node_value(b, i);
        assert_non_null(q.data);
        if (p.data) {
            expect_near("node", (uint64_t)i, p.data, q.data, q.data, tensor_count(&p));
            n_there++;
        }
    }
    assert_true(n_there > g->n_nodes / 3 && n_there < g->n_nodes);
}

static void too_large_is_an_error(void **state)
{
    struct state *s = *state;
    struct arena small, tmp = s->arena;
    struct err e = {0};
    struct net *net;
    struct graph *g = known_graph(&tmp, "resnet20");
    assert_true(arena_init(&small, 1 << 20, &e));
    assert_false(net_new(&net, &small, &s->mc, g, 128, NET_TRAIN, &e));
    assert_int_equal(e.code, ERR_FAILED);
    assert_true(e.hint[0] != 0);
    arena_release(&small);
}

/* dL/dx by central differences of the network itself: float32, so only to a percent. */
static void input_gradient_is_the_slope(void **state)
{
    struct state *s = *state;
    struct arena tmp = s->arena;
    struct graph *g = graph_new(&tmp, (struct shape){4, 4, 2});
    struct err e;
    int x = graph_unary(g, graph_conv(g, 0, 5, 3, 1, 1, 1, true, "c"), "tanh");
    x = graph_sum(g, (int[]){x, x}, 2);
    assert_true(graph_finish(g, graph_linear(g, graph_unary(g, x, "flatten"), 1, "l"), &e));
    g->want_input_grad = true;
    struct net *net = new_net(&tmp, &s->mc, g, 1, NET_TRAIN);
    set_params(net, 4);
    float *image = random_floats(&tmp, 32, 3);
    net_forward(net, &s->mc, image, 1, true);
    *net_output_seed(net) = 1;
    net_backward(net, &s->mc);
    float dx[32];
    memcpy(dx, net_input_grad(net), sizeof dx);
    for (int i = 0; i < 32; i++) {
        const float h = 0x1p-6f;
        float old = image[i];
        image[i] = old + h;
        double up = (double)*net_forward(net, &s->mc, image, 1, true);
        image[i] = old - h;
        double down = (double)*net_forward(net, &s->mc, image, 1, true);
        image[i] = old;
        assert_true(fabs((up - down) / (2 * (double)h) - (double)dx[i]) < 1e-2);
    }
}

/* Seven threads on any machine, beside whatever else it does: those that wait must not spin, or a
 * test of a second takes minutes. The OpenMP runtime reads its policy before main, so the program
 * starts itself again with it. */
static void start_again_without_spinning(char **argv)
{
    if (!getenv("OMP_WAIT_POLICY")) {
        setenv("OMP_WAIT_POLICY", "passive", 1);
        execv("/proc/self/exe", argv); /* where that fails, the test is merely slow */
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    start_again_without_spinning(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fused_and_planned_equals_plain),
        cmocka_unit_test(values_made_again_are_the_same),
        cmocka_unit_test(live_buffers_do_not_overlap),
        cmocka_unit_test(sharing_saves_memory),
        cmocka_unit_test(same_bits_for_any_number_of_threads),
        cmocka_unit_test(a_smaller_batch_is_fine),
        cmocka_unit_test(seeds_not_asked_for_count_as_zero),
        cmocka_unit_test(seeds_of_one_node_add),
        cmocka_unit_test(dead_branches_cost_nothing),
        cmocka_unit_test(values_of_nodes),
        cmocka_unit_test(too_large_is_an_error),
        cmocka_unit_test(input_gradient_is_the_slope),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
