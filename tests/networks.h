/*
 * networks.h: random networks and known ones, and nets of them with random parameters: what the
 * tests of planning and of running share.
 */
#ifndef TESTS_NETWORKS_H
#define TESTS_NETWORKS_H

#include "core/rng.h"
#include "nn/model.h"
#include "nn/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const networks_names[] = {"resnet20",     "nb201:333333", "nb201:432134",
                                             "nb201:031200", "nb201:003032", "nb201:111111",
                                             "nb201:000000", "nb201:414141", "mlp:9,8"};

struct networks_state {
    struct machine mc;
    struct arena arena;
};

static inline int networks_setup(void **state)
{
    static struct networks_state s;
    struct err e;
    if (!machine_init(&s.mc, "auto", 2, &e) || !arena_init(&s.arena, (size_t)1 << 30, &e)) {
        return 1;
    }
    *state = &s;
    return 0;
}

static inline int networks_draw(struct rng *r, int low, int high)
{
    return low + (int)rng_below(r, (uint64_t)(high - low + 1));
}

/* Squeeze and excite: x times sigmoid(linear(mean of x)). */
static inline int networks_add_excite(struct graph *g, int x, int c, int i)
{
    char name[32];
    snprintf(name, sizeof name, "se%d", i);
    int s = graph_unary(g, graph_linear(g, graph_unary(g, x, "global_pool"), c, name), "sigmoid");
    return graph_add(g, "scale", &(struct op_attr){0}, (int[]){x, s}, 2, NULL);
}

/* One node of c channels on a map that keeps its size, from any earlier ones. */
static inline int networks_add_node(struct graph *g, const int *nodes, int n, int c, int i,
                                    struct rng *r)
{
    char name[32];
    snprintf(name, sizeof name, "n%d", i);
    int x = nodes[networks_draw(r, 0, n - 1)], in[4];
    struct op_attr pool = {
        .kernel = 3, .stride = 1, .pad = 1, .count_padding = networks_draw(r, 0, 1)};
    switch (networks_draw(r, 0, 12)) {
    case 0:
    case 1:
        return graph_conv(g, x, c, 3, 1, 1, 1, networks_draw(r, 0, 1), name);
    case 2:
        return graph_conv(g, x, c, 1, 1, 0, networks_draw(r, 0, 1) ? 2 : 1, false, name);
    case 3:
    case 4:
        return graph_bn(g, x, name);
    case 5:
    case 6:
        return graph_relu(g, x);
    case 7:
        return graph_add(g, networks_draw(r, 0, 1) ? "avg_pool" : "max_pool", &pool, &x, 1, NULL);
    case 8:
        return networks_draw(r, 0, 3) == 0 ? graph_unary(g, x, "zero")
                                           : networks_add_excite(g, x, c, i);
    case 9:
        in[0] = x;
        in[1] = nodes[networks_draw(r, 0, n - 1)];
        return graph_conv(g, graph_add(g, "concat", &(struct op_attr){0}, in, 2, NULL), c, 1, 1, 0,
                          1, false, name);
    default:
        for (int j = 0; j < 4; j++) {
            in[j] = nodes[networks_draw(r, n > 5 ? n - 5 : 0, n - 1)];
        }
        return graph_sum(g, in, networks_draw(r, 1, 4));
    }
}

/* A random network on 6 x 5 maps of 8 channels; some nodes dead, some zero, up to three taps. */
static inline struct graph *networks_random(struct arena *tmp, uint64_t seed)
{
    enum { C = 8, MAX_NODES = 32 };
    struct rng r = rng_key(seed, RNG_TEST, 17);
    struct graph *g = graph_new(tmp, (struct shape){6, 5, 3});
    int nodes[MAX_NODES], n = 0;
    nodes[n++] = graph_conv(g, 0, C, 3, 1, 1, 1, false, "stem");
    int n_wanted = networks_draw(&r, 2, MAX_NODES - 1);
    while (n < n_wanted) {
        nodes[n] = networks_add_node(g, nodes, n, C, n, &r);
        n++;
    }
    for (int i = networks_draw(&r, 0, 3); i > 0; i--) {
        graph_tap(g, nodes[networks_draw(&r, 0, n - 1)]);
    }
    int last = graph_sum(g, (int[]){nodes[n - 1], nodes[networks_draw(&r, 0, n - 1)]}, 2);
    struct err e;
    if (!graph_finish(g, graph_linear(g, graph_unary(g, last, "global_pool"), 5, "head"), &e)) {
        fail_msg("%s", e.text);
    }
    return g;
}

static inline struct graph *networks_of_side(struct arena *tmp, const char *arch, int side)
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

static inline struct graph *networks_known(struct arena *tmp, const char *arch)
{
    return networks_of_side(tmp, arch, 8);
}

static inline struct net *networks_net(struct arena *tmp, const struct machine *mc,
                                       const struct graph *g, int batch, enum net_mode mode)
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
static inline void networks_set_params(struct net *net, uint64_t seed)
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

static inline float *networks_floats(struct arena *tmp, size_t count, uint64_t seed)
{
    float *x = arena_push(tmp, count, sizeof *x);
    struct rng r = rng_key(seed, RNG_TEST, 99);
    for (size_t i = 0; i < count; i++) {
        x[i] = (float)(rng_f64(&r) * 4 - 2);
    }
    return x;
}

/* Write the seeds whose bit is set; a twin gets the same numbers. */
static inline void networks_write_seeds(struct net *net, struct arena tmp, int n, uint32_t mask,
                                        uint64_t seed)
{
    const struct graph *g = net_graph(net);
    for (int i = 0; i <= g->n_taps; i++) {
        int node = i == 0 ? g->output : g->taps[i - 1];
        size_t count = shape_count(g->nodes[node].shape) * (size_t)n;
        if (mask >> i & 1) {
            float *to = i == 0 ? net_output_seed(net) : net_tap_seed(net, i - 1);
            memcpy(to, networks_floats(&tmp, count, seed + (uint64_t)i), count * sizeof *to);
        }
    }
}

static inline struct graph *networks_copy(struct arena *tmp, const struct graph *g)
{
    struct graph *copy = arena_push(tmp, 1, sizeof *copy);
    *copy = *g;
    return copy;
}

#endif
