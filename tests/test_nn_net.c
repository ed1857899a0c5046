/*
 * Networks with planned memory, on random graphs and known ones: fused and planned equals plain
 * (nothing fused, nothing shared); evaluation equals training's network with running statistics;
 * the same bits for 1, 2, 3 and 7 threads; seeds, dead branches, several consumers, input gradient.
 *
 * Tolerance: fused and plain add the same numbers in another order. How much a random network
 * amplifies rounding is seen by a third net, plain too, whose images are disturbed by a part in ten
 * million: the first two may differ by thirty times that, and by 1e-4 of an array's norm. What a
 * wrong buffer leaves is of the order of the norm itself.
 */
#define _GNU_SOURCE
#include "nn/loss.h"
#include "nn/plan.h"
#include "tests/networks.h"

#include <math.h>
#include <unistd.h>

static const double tolerance = 1e-4, drifts = 30;

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
        networks_write_seeds(t->net[k], tmp, n, (uint32_t)(seed % 16), seed);
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
    struct net *net = networks_net(tmp, mc, g, n, NET_EVAL);
    for (int i = 0; i < g->n_params; i++) {
        memcpy(net_param(net, i), net_param(from, i), g->params[i].count * sizeof(float));
    }
    net_params_changed(net);
    return net;
}

/* constant: the output does not depend on x, and gradients through batch norms of constants are
 * rounding alone: only disturbed parameters tell how large that is. */
static void planned_equals_plain(struct networks_state *s, struct graph *g, uint64_t seed,
                                 bool constant, struct arena tmp)
{
    enum { N = 3 };
    g->want_input_grad = seed % 3 == 0;
    g->part_bytes = seed % 2 ? 1 : 0; /* every image is a part, or all are one */
    struct graph *plain = networks_copy(&tmp, g);
    plain->keep_values = true;
    size_t count = shape_count(g->nodes[0].shape) * N;
    struct trio t;
    for (int k = 0; k < 3; k++) {
        t.net[k] = networks_net(&tmp, &s->mc, k == 0 ? g : plain, N + (int)(seed % 2), NET_TRAIN);
        networks_set_params(t.net[k], seed);
        t.x[k] = k == 0 ? networks_floats(&tmp, count, seed) : t.x[0];
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

static void fused_and_planned_equals_plain(void **state)
{
    struct networks_state *s = *state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct arena tmp = s->arena;
        planned_equals_plain(s, networks_random(&tmp, seed), seed, false, tmp);
    }
    for (size_t i = 0; i < N_ELEMS(networks_names); i++) {
        struct arena tmp = s->arena;
        bool constant = strcmp(networks_names[i], "nb201:003032") == 0;
        planned_equals_plain(s, networks_known(&tmp, networks_names[i]), 15 + 16 * i, constant,
                             tmp);
    }
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
    struct networks_state *s = *state;
    static const int n_threads[] = {1, 2, 3, 7};
    static const char *const archs[] = {"nb201:432134", "resnet20", "mlp:64"};
    for (size_t i = 0; i < N_ELEMS(archs); i++) {
        float *first = NULL;
        struct arena tmp = s->arena;
        size_t n_floats = 0;
        struct graph *g = networks_of_side(&tmp, archs[i], 32);
        const float *x = networks_floats(&tmp, 8 * 3072, 5);
        for (size_t t = 0; t < N_ELEMS(n_threads); t++) {
            struct machine mc = s->mc;
            mc.n_threads = n_threads[t];
            struct net *net = networks_net(&tmp, &mc, g, 8, NET_TRAIN);
            networks_set_params(net, 3);
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
    struct networks_state *s = *state;
    struct arena tmp = s->arena;
    struct graph *g = networks_known(&tmp, "nb201:333123");
    struct net *big = networks_net(&tmp, &s->mc, g, 7, NET_TRAIN),
               *small = networks_net(&tmp, &s->mc, g, 2, NET_TRAIN);
    networks_set_params(big, 1);
    networks_set_params(small, 1);
    const float *x = networks_floats(&tmp, 7 * 192, 1);
    net_forward(big, &s->mc, x, 7, false);
    const float *a = net_forward(big, &s->mc, x, 2, false),
                *b = net_forward(small, &s->mc, x, 2, false);
    assert_memory_equal(a, b, 10 * sizeof *a);
}

static void seeds_not_asked_for_count_as_zero(void **state)
{
    struct networks_state *s = *state;
    struct arena tmp = s->arena;
    struct graph *g = networks_known(&tmp, "resnet20");
    struct net *net = networks_net(&tmp, &s->mc, g, 2, NET_TRAIN);
    networks_set_params(net, 1);
    const float *x = networks_floats(&tmp, 2 * 192, 1);
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
    struct networks_state *s = *state;
    struct arena tmp = s->arena;
    struct graph *g = graph_new(&tmp, (struct shape){1, 1, 4});
    struct err e;
    int y = graph_linear(g, 0, 3, "l");
    graph_tap(g, y);
    graph_tap(g, y);
    assert_true(graph_finish(g, y, &e));
    struct net *net = networks_net(&tmp, &s->mc, g, 1, NET_TRAIN);
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
    struct networks_state *s = *state;
    struct arena tmp = s->arena;
    struct graph *dead = networks_known(&tmp, "nb201:030000"),
                 *none = networks_known(&tmp, "nb201:000000");
    assert_true(graph_param_count(dead) > graph_param_count(none));
    struct plan a, b;
    plan_init(&a, &tmp, &s->mc, dead, 4, NET_TRAIN);
    plan_init(&b, &tmp, &s->mc, none, 4, NET_TRAIN);
    assert_int_equal(a.n_units, b.n_units);
    assert_int_equal(a.memory_bytes, b.memory_bytes);
}

static void values_of_nodes(void **state)
{
    struct networks_state *s = *state;
    struct arena tmp = s->arena;
    struct graph *g = networks_known(&tmp, "nb201:333123"), *plain = networks_copy(&tmp, g);
    plain->keep_values = true;
    struct net *a = networks_net(&tmp, &s->mc, g, 2, NET_TRAIN),
               *b = networks_net(&tmp, &s->mc, plain, 2, NET_TRAIN);
    networks_set_params(a, 1);
    networks_set_params(b, 1);
    const float *x = networks_floats(&tmp, 2 * 192, 1);
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
    struct networks_state *s = *state;
    struct arena small, tmp = s->arena;
    struct err e = {0};
    struct net *net;
    struct graph *g = networks_known(&tmp, "resnet20");
    assert_true(arena_init(&small, 1 << 20, &e));
    assert_false(net_new(&net, &small, &s->mc, g, 128, NET_TRAIN, &e));
    assert_int_equal(e.code, ERR_FAILED);
    assert_true(e.hint[0] != 0);
    arena_release(&small);
}

/* dL/dx by central differences of the network itself: float32, so only to a percent. */
static void input_gradient_is_the_slope(void **state)
{
    struct networks_state *s = *state;
    struct arena tmp = s->arena;
    struct graph *g = graph_new(&tmp, (struct shape){4, 4, 2});
    struct err e;
    int x = graph_unary(g, graph_conv(g, 0, 5, 3, 1, 1, 1, true, "c"), "tanh");
    x = graph_sum(g, (int[]){x, x}, 2);
    assert_true(graph_finish(g, graph_linear(g, graph_unary(g, x, "flatten"), 1, "l"), &e));
    g->want_input_grad = true;
    struct net *net = networks_net(&tmp, &s->mc, g, 1, NET_TRAIN);
    networks_set_params(net, 4);
    float *image = networks_floats(&tmp, 32, 3);
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
        cmocka_unit_test(same_bits_for_any_number_of_threads),
        cmocka_unit_test(a_smaller_batch_is_fine),
        cmocka_unit_test(seeds_not_asked_for_count_as_zero),
        cmocka_unit_test(seeds_of_one_node_add),
        cmocka_unit_test(dead_branches_cost_nothing),
        cmocka_unit_test(values_of_nodes),
        cmocka_unit_test(too_large_is_an_error),
        cmocka_unit_test(input_gradient_is_the_slope),
    };
    return cmocka_run_group_tests(tests, networks_setup, NULL);
}
