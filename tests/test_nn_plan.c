/*
 * Planned memory, on random networks and known ones: no two buffers that are needed at the same
 * time overlap, sharing saves memory, values made again in backward give the same bits.
 */
#include "nn/net_run.h"
#include "tests/networks.h"

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
    struct networks_state *s = *state;
    for (uint64_t seed = 1; seed <= 200 + N_ELEMS(networks_names); seed++) {
        for (int train = 0; train < 2; train++) {
            struct arena tmp = s->arena;
            struct graph *g = seed <= 200 ? networks_random(&tmp, seed)
                                          : networks_known(&tmp, networks_names[seed - 201]);
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
    struct networks_state *s = *state;
    struct arena tmp = s->arena;
    struct graph *g = networks_known(&tmp, "nb201:333333"), *plain = networks_copy(&tmp, g);
    plain->keep_values = true;
    size_t shared = net_plan_bytes(&s->mc, g, 256, NET_TRAIN),
           apart = net_plan_bytes(&s->mc, plain, 256, NET_TRAIN);
    size_t eval = net_plan_bytes(&s->mc, g, 256, NET_EVAL);
    assert_true(shared < apart / 2);
    assert_true(eval < shared / 2);
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
static int made_again(struct networks_state *s, struct graph *g, uint64_t seed, bool train,
                      struct arena tmp)
{
    enum { N = 3 };
    g->want_input_grad = seed % 3 == 0;
    g->part_bytes = seed % 2 ? 1 : 0;
    struct graph *spare = networks_copy(&tmp, g);
    spare->spare_bytes = seed % 5 == 0 ? 1 : (size_t)1 << 40;
    struct net *a = networks_net(&tmp, &s->mc, g, N, NET_TRAIN);
    struct net *b = networks_net(&tmp, &s->mc, spare, N, NET_TRAIN);
    const float *x = networks_floats(&tmp, shape_count(g->nodes[0].shape) * N, seed);
    networks_set_params(a, seed);
    networks_set_params(b, seed);
    for (int step = 0; step < 2; step++) {
        net_forward(a, &s->mc, x, N, train);
        net_forward(b, &s->mc, x, N, train);
        networks_write_seeds(a, tmp, N, (uint32_t)(seed % 16), seed);
        networks_write_seeds(b, tmp, N, (uint32_t)(seed % 16), seed);
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
    struct networks_state *s = *state;
    int most = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct arena tmp = s->arena;
        most = MAX(most, made_again(s, networks_random(&tmp, seed), seed, seed % 7 != 0, tmp));
    }
    assert_true(most >= 2);
    for (size_t i = 0; i < N_ELEMS(networks_names); i++) {
        struct arena tmp = s->arena;
        made_again(s, networks_known(&tmp, networks_names[i]), 16 + 16 * i, true, tmp);
    }
    /* Of every cell of all-3x3, three nodes: a third of what backward reads. */
    struct arena tmp = s->arena;
    assert_true(made_again(s, networks_known(&tmp, "nb201:333333"), 16, true, tmp) >= 45);
    struct graph *g = networks_of_side(&tmp, "nb201:333333", 32);
    size_t kept = net_plan_bytes(&s->mc, g, 32, NET_TRAIN);
    g->spare_bytes = (size_t)1 << 40;
    assert_true(net_plan_bytes(&s->mc, g, 32, NET_TRAIN) < kept / 100 * 75);
    g->spare_bytes = kept / 10;
    size_t spared = kept - net_plan_bytes(&s->mc, g, 32, NET_TRAIN);
    assert_in_range(spared, kept / 12, kept / 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(live_buffers_do_not_overlap),
        cmocka_unit_test(sharing_saves_memory),
        cmocka_unit_test(values_made_again_are_the_same),
    };
    return cmocka_run_group_tests(tests, networks_setup, NULL);
}
