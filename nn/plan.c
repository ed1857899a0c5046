#include "nn/plan.h"

#include "nn/alias.h"
#include "nn/fuse.h"
#include "nn/lower.h"
#include "nn/place.h"

#include <limits.h>
#include <string.h>

void plan_shapes(const struct graph *g, const struct unit *u, struct shape shapes[OP_MAX_IN])
{
    for (int i = 0; i < u->n_in; i++) {
        shapes[i] = g->nodes[u->in[i] == PLAN_ZERO ? u->node : u->in[i]].shape;
    }
}

/* What planning needs to know of each node. */
struct facts {
    bool *needs_grad;  /* something trained lies at or before it */
    int *seed;         /* index of its first seed + 1 */
    int *made_by;      /* unit, -1 = none */
    int *birth;        /* when its gradient is first written, -1 = has none */
    int *root;         /* nodes of equal root share their gradients' memory */
    int *first, *last; /* of a root: when its gradients are alive */
};

/* The seeds: output, then taps. A node's second seed needs a buffer beside its gradient. */
static void find_seeds(struct plan *plan, struct facts *f)
{
    const struct graph *g = plan->graph;
    plan->n_seeds = 1 + g->n_taps;
    for (int i = 0; i < plan->n_seeds; i++) {
        int node = i == 0 ? g->output : g->taps[i - 1];
        plan->seeds[i] = (struct plan_seed){.node = node, .is_grad = f->seed[node] == 0};
        f->seed[node] = f->seed[node] ? f->seed[node] : i + 1;
    }
}

static bool is_trained(const struct graph *g, int i_param)
{
    enum param_kind kind = g->params[i_param].spec.kind;
    return kind != PARAM_RUNNING_MEAN && kind != PARAM_RUNNING_VAR;
}

/* Which units run backward, and which of their inputs want a gradient. */
static void find_gradients(struct plan *plan, struct facts *f)
{
    const struct graph *g = plan->graph;
    f->needs_grad[0] = g->want_input_grad;
    for (int i = 0; i < plan->n_units; i++) {
        struct unit *u = &plan->units[i];
        for (int j = 0; j < u->n_in; j++) {
            u->needs_dx[j] = u->in[j] != PLAN_ZERO && f->needs_grad[u->in[j]];
            u->backward = u->backward || u->needs_dx[j];
        }
        for (int j = 0; j < u->n_params; j++) {
            u->backward = u->backward || is_trained(g, u->params[j]);
        }
        f->needs_grad[u->node] = u->backward;
    }
}

/*
 * Time: unit u runs forward at u, backward at 2 n_units - u; the caller writes seeds at n_units. A
 * value lives from its unit to its last reader, a gradient from its first writer to its node's
 * unit.
 */
static int backward_time(const struct plan *plan, int u)
{
    return 2 * plan->n_units - u;
}

static size_t value_bytes(const struct graph *g, int node, int batch)
{
    size_t bytes = shape_count(g->nodes[node].shape) * sizeof(float);
    bool fits = base_mul(bytes, (size_t)batch, &bytes);
    ASSERT(fits);
    return bytes;
}

bool plan_keeps(const struct unit *u, int i)
{
    bool keeps = i < 0 ? u->op->keeps_y : u->op->keeps_x;
    return keeps && (!u->op->keeps || u->op->keeps(&u->attr, u->n_in, i));
}

static int value_death(const struct plan *plan, int i_unit, bool train, bool pinned)
{
    const struct unit *made = &plan->units[i_unit];
    if (pinned) {
        return 2 * plan->n_units;
    }
    bool backward = train && made->backward;
    int death = backward && plan_keeps(made, -1) ? backward_time(plan, i_unit) : i_unit;
    for (int i = i_unit + 1; i < plan->n_units; i++) {
        const struct unit *u = &plan->units[i];
        for (int j = 0; j < u->n_in; j++) {
            if (u->in[j] == made->node) {
                bool kept = train && u->backward && plan_keeps(u, j);
                death = MAX(death, kept ? backward_time(plan, i) : i);
            }
        }
    }
    return death;
}

static int gradient_birth(const struct plan *plan, int node)
{
    for (int i = plan->n_units - 1; i >= 0; i--) {
        const struct unit *u = &plan->units[i];
        for (int j = 0; j < u->n_in; j++) {
            if (u->in[j] == node && u->needs_dx[j]) {
                return backward_time(plan, i);
            }
        }
    }
    return plan->n_units;
}

static void place_values(struct plan *plan, struct place *place, int batch, bool train,
                         const struct facts *f)
{
    const struct graph *g = plan->graph;
    for (int i = 0; i < plan->n_units; i++) {
        struct unit *u = &plan->units[i];
        bool pinned = f->seed[u->node] || g->keep_values;
        int death = value_death(plan, i, train, pinned);
        place_add(place, &plan->value_at[u->node], value_bytes(g, u->node, batch), i, death);
        plan->readable[u->node] = !u->hidden && death >= plan->n_units;
        struct shape shapes[OP_MAX_IN];
        plan_shapes(g, u, shapes);
        struct shape out = g->nodes[u->node].shape;
        size_t save =
            u->op->save_bytes ? u->op->save_bytes(&u->attr, batch, shapes, u->n_in, out) : 0;
        if (save > 0) {
            place_add(place, &u->save_at, save, i, train ? backward_time(plan, i) : i);
        }
    }
}

/* One buffer for all gradients of a root, alive as long as any of them. */
static void place_gradients(struct plan *plan, struct place *place, int batch,
                            const struct facts *f)
{
    const struct graph *g = plan->graph;
    int end = 2 * plan->n_units + 1;
    for (int node = 0; node < g->n_nodes; node++) {
        if (f->birth[node] < 0) {
            continue;
        }
        int root = f->root[node];
        f->first[root] = MIN(f->first[root], f->birth[node]);
        f->last[root] =
            MAX(f->last[root], f->made_by[node] < 0 ? end : backward_time(plan, f->made_by[node]));
        ASSERT(shape_count(g->nodes[node].shape) == shape_count(g->nodes[root].shape));
    }
    for (int root = 0; root < g->n_nodes; root++) {
        if (f->last[root] >= 0) {
            place_add(place, &plan->grad_at[root], value_bytes(g, root, batch), f->first[root],
                      f->last[root]);
        }
    }
    for (int i = 0; i < plan->n_seeds; i++) {
        struct plan_seed *s = &plan->seeds[i];
        s->is_grad = s->is_grad && f->birth[s->node] >= 0;
        if (!s->is_grad) {
            place_add(place, &s->at, value_bytes(g, s->node, batch), 0, end);
        }
    }
}

static void find_lifetimes(struct plan *plan, struct facts *f)
{
    const struct graph *g = plan->graph;
    for (int i = 0; i < g->n_nodes; i++) {
        f->first[i] = INT_MAX;
        f->root[i] = i;
        f->last[i] = f->birth[i] = f->made_by[i] = -1;
    }
    for (int i = 0; i < plan->n_units; i++) {
        const struct unit *u = &plan->units[i];
        f->made_by[u->node] = i;
        if (u->backward) {
            f->birth[u->node] = f->seed[u->node] ? 0 : gradient_birth(plan, u->node);
        }
    }
    f->birth[0] = g->want_input_grad ? gradient_birth(plan, 0) : -1;
}

static void place_all(struct plan *plan, struct arena *keep, int batch, bool train, struct facts *f)
{
    const struct graph *g = plan->graph;
    struct place place;
    place_init(&place, keep, 2 * plan->n_units + g->n_nodes + plan->n_seeds);
    place.apart = g->keep_values;
    place_values(plan, &place, batch, train, f);
    if (train) {
        find_lifetimes(plan, f);
        if (!g->keep_values) {
            alias_gradients(plan, keep, f->seed, f->root);
        }
        place_gradients(plan, &place, batch, f);
    }
    plan->memory_bytes = place_solve(&place);
    for (int i = 0; train && i < g->n_nodes; i++) {
        plan->grad_at[i] = f->birth[i] >= 0 ? plan->grad_at[f->root[i]] : PLAN_NOWHERE;
    }
    for (int i = 0; train && i < plan->n_seeds; i++) {
        struct plan_seed *s = &plan->seeds[i];
        s->at = s->is_grad ? plan->grad_at[s->node] : s->at;
    }
}

static size_t find_scratch(const struct plan *plan, const struct machine *mc, int batch,
                           enum net_mode mode)
{
    size_t most = 0;
    for (int i = 0; i < plan->n_units; i++) {
        const struct unit *u = &plan->units[i];
        if (!u->op->scratch_bytes) {
            continue;
        }
        struct shape shapes[OP_MAX_IN];
        plan_shapes(plan->graph, u, shapes);
        struct shape out = plan->graph->nodes[u->node].shape;
        most = MAX(most, u->op->scratch_bytes(mc, &u->attr, batch, shapes, u->n_in, out, false));
        if (mode == NET_TRAIN && u->backward) {
            most = MAX(most, u->op->scratch_bytes(mc, &u->attr, batch, shapes, u->n_in, out, true));
        }
    }
    return most;
}

/* What units prepare at most: transformed weights are four times as large as what they are made
 * from, and beyond a share of L3 reading them costs what making them does (all-conv3x3 has 22 MB
 * and gained nothing at batch 1; ResNet-20 has 4 MB: .234 -> .197 ms). */
static const size_t plan_ready_max = (size_t)8 << 20;

/* Units from the first on, as many as fit. */
static void find_ready(struct plan *plan, const struct machine *mc, int batch)
{
    for (; plan->n_ready < plan->n_units; plan->n_ready++) {
        const struct unit *u = &plan->units[plan->n_ready];
        struct shape shapes[OP_MAX_IN];
        plan_shapes(plan->graph, u, shapes);
        size_t bytes =
            u->op->prepare ? u->op->prepare_bytes(mc, &u->attr, batch, shapes, u->n_in) : 0;
        if (plan->ready_bytes + bytes > plan_ready_max) {
            break;
        }
        plan->ready_bytes += bytes;
    }
}

static size_t *nowhere(struct arena *keep, int n)
{
    size_t *at = arena_push(keep, (size_t)n, sizeof *at);
    for (int i = 0; i < n; i++) {
        at[i] = PLAN_NOWHERE;
    }
    return at;
}

void plan_init(struct plan *plan, struct arena *keep, const struct machine *mc,
               const struct graph *g, int batch, enum net_mode mode)
{
    ASSERT(g->output > 0 && batch > 0);
    *plan = (struct plan){.graph = g};
    size_t n = (size_t)g->n_nodes;
    struct facts f = {.needs_grad = arena_push_zero(keep, n, sizeof(bool)),
                      .seed = arena_push_zero(keep, n, sizeof(int)),
                      .made_by = arena_push(keep, n, sizeof(int)),
                      .birth = arena_push(keep, n, sizeof(int)),
                      .root = arena_push(keep, n, sizeof(int)),
                      .first = arena_push(keep, n, sizeof(int)),
                      .last = arena_push(keep, n, sizeof(int))};
    plan->readable = arena_push_zero(keep, n, sizeof(bool));
    plan->value_at = nowhere(keep, g->n_nodes);
    plan->grad_at = nowhere(keep, g->n_nodes);
    lower_graph(plan, keep, g);
    if (!g->keep_values) {
        fuse_units(plan, keep, mode);
    }
    find_seeds(plan, &f);
    find_gradients(plan, &f);
    place_all(plan, keep, batch, mode == NET_TRAIN, &f);
    plan->scratch_bytes = find_scratch(plan, mc, batch, mode);
    if (mode == NET_EVAL) {
        find_ready(plan, mc, batch);
    }
}
