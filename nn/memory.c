#include "nn/memory.h"

#include "nn/alias.h"
#include "nn/place.h"

#include <limits.h>

/*
 * Two kinds of memory. The batch's: time goes by levels, forward level l at l, the caller's seeds
 * at `seeds`, backward level l at seeds + 1 + l. A thread's own, for what lives within a level:
 * time goes by steps, those of backward after those of forward.
 */
struct life {
    int birth, death; /* levels */
    int born, died;   /* steps */
};

struct memory {
    struct plan *plan;
    const int *seed;
    int batch, seeds, end;
    bool train;
    int *forward_level, *backward_level; /* of a step */
    int *forward_run;                    /* [n_units] step */
    int *remake;                         /* [n_units] step of backward, -1 = none */
    struct alias_steps back;
    int *root;          /* [n_nodes] nodes of equal root share their gradients' memory */
    struct life *grads; /* [n_nodes] of a root; birth INT_MAX = has none */
    struct place batches, locals;
};

static int *levels_of(const struct order *o, struct arena *keep)
{
    int *level = arena_push(keep, (size_t)o->n_steps + 1, sizeof *level);
    for (int l = 0; l < o->n_levels; l++) {
        for (int i = o->levels[l].first; i < o->levels[l].last; i++) {
            level[i] = l;
        }
    }
    return level;
}

static int *minus_ones(struct arena *keep, int n)
{
    int *a = arena_push(keep, (size_t)n + 1, sizeof *a);
    for (int i = 0; i < n; i++) {
        a[i] = -1;
    }
    return a;
}

static void find_steps(struct memory *m, struct arena *keep)
{
    const struct plan *plan = m->plan;
    m->forward_level = levels_of(&plan->forward, keep);
    m->backward_level = levels_of(&plan->backward, keep);
    m->forward_run = minus_ones(keep, plan->n_units);
    m->remake = minus_ones(keep, plan->n_units);
    m->back.dy = minus_ones(keep, plan->n_units);
    m->back.run = minus_ones(keep, plan->n_units);
    for (int i = 0; i < plan->forward.n_steps; i++) {
        const struct step *s = &plan->forward.steps[i];
        if (s->kind == STEP_RUN) {
            m->forward_run[s->unit] = i;
        }
    }
    for (int i = 0; i < plan->backward.n_steps; i++) {
        const struct step *s = &plan->backward.steps[i];
        if (s->kind == STEP_REMAKE) {
            m->remake[s->unit] = i;
            continue;
        }
        if (m->back.dy[s->unit] < 0) {
            m->back.dy[s->unit] = i;
        }
        if (s->kind == STEP_RUN) {
            m->back.run[s->unit] = i;
        }
    }
}

static size_t value_bytes(const struct memory *m, int node, int n)
{
    size_t bytes = shape_count(m->plan->graph->nodes[node].shape) * sizeof(float);
    bool fits = base_mul(bytes, (size_t)n, &bytes);
    ASSERT(fits);
    return bytes;
}

/* Two ints that a life spans. */
static void live(struct life *l, int level, int step)
{
    l->birth = MIN(l->birth, level);
    l->death = MAX(l->death, level);
    l->born = MIN(l->born, step);
    l->died = MAX(l->died, step);
}

static const struct life unborn = {INT_MAX, -1, INT_MAX, -1};

static void live_forward(const struct memory *m, struct life *l, int step)
{
    live(l, m->forward_level[step], step);
}

static void live_backward(const struct memory *m, struct life *l, int step)
{
    live(l, m->seeds + 1 + m->backward_level[step], m->plan->forward.n_steps + step);
}

/* Both looks of a unit's backward. */
static void live_in_backward(const struct memory *m, struct life *l, int unit)
{
    live_backward(m, l, m->back.dy[unit]);
    live_backward(m, l, m->back.run[unit]);
}

/* Values live from their unit to the last that reads them; gathering follows making at once. What
 * is made again has a second life in backward. */
static struct life value_life(const struct memory *m, int i_unit, struct life *again)
{
    const struct plan *plan = m->plan;
    const struct unit *made = &plan->units[i_unit];
    struct life l = unborn, *back = plan->remade[made->node] ? again : &l;
    *again = unborn;
    live_forward(m, &l, m->forward_run[i_unit]);
    if (m->remake[i_unit] >= 0) {
        live_backward(m, again, m->remake[i_unit]);
    }
    if (m->train && made->backward && plan_keeps(made, -1)) {
        live_in_backward(m, back, i_unit);
    }
    for (int i = 0; i < plan->n_units; i++) {
        const struct unit *u = &plan->units[i];
        for (int j = 0; j < u->n_in; j++) {
            if (u->in[j] != made->node) {
                continue;
            }
            live_forward(m, &l, m->forward_run[i]);
            if (m->train && u->backward && plan_keeps(u, j)) {
                live_in_backward(m, back, i);
            }
            if (m->remake[i] >= 0) {
                live_backward(m, back, m->remake[i]);
            }
        }
    }
    return l;
}

/* The level in which all of a life happens, if it can be a thread's own; NULL otherwise. */
static const struct level *sole_level(const struct memory *m, const struct life *l)
{
    if (l->birth != l->death || l->birth == m->seeds) {
        return NULL;
    }
    const struct level *level = l->birth < m->seeds
                                    ? &m->plan->forward.levels[l->birth]
                                    : &m->plan->backward.levels[l->birth - m->seeds - 1];
    return level->whole ? NULL : level;
}

static int part_images(const struct memory *m, const struct level *level)
{
    return order_part_images(level, m->batch, m->plan->part_bytes, m->plan->max_parts);
}

/* A node's value or gradient: local where its life allows it. */
static bool place_node(struct memory *m, size_t *at, int node, const struct life *l)
{
    const struct level *level = m->plan->graph->keep_values ? NULL : sole_level(m, l);
    if (level) {
        place_add(&m->locals, at, value_bytes(m, node, part_images(m, level)), l->born, l->died);
    } else {
        place_add(&m->batches, at, value_bytes(m, node, m->batch), l->birth, l->death);
    }
    return level != NULL;
}

static void place_values(struct memory *m)
{
    struct plan *plan = m->plan;
    for (int i = 0; i < plan->n_units; i++) {
        int node = plan->units[i].node;
        bool pinned = m->seed[node] || plan->graph->keep_values;
        struct life again, l = value_life(m, i, &again);
        if (pinned) {
            l.death = m->end;
        }
        plan->made_in[node] = m->forward_level[m->forward_run[i]];
        plan->value_local[node] = place_node(m, &plan->value_at[node], node, &l);
        if (plan->remade[node]) {
            plan->again_local[node] = place_node(m, &plan->again_at[node], node, &again);
        }
        plan->readable[node] = !plan->units[i].hidden && l.death >= m->seeds;
    }
}

/* Parts in which the unit's backward runs: at most for the largest batch. */
static int parts_of_backward(const struct memory *m, int i_unit)
{
    int level = m->backward_level[m->back.run[i_unit]];
    return plan_parts(m->plan, &m->plan->backward.levels[level], m->batch);
}

/* What units leave: from gather to settle, and from forward to backward. */
static void place_saves(struct memory *m)
{
    struct plan *plan = m->plan;
    const struct graph *g = plan->graph;
    int parts = MIN(m->batch, MIN(plan->max_parts, (int)OP_MAX_PARTS));
    plan->gather_parts = parts;
    for (int i = 0; i < plan->n_units; i++) {
        struct unit *u = &plan->units[i];
        struct shape shapes[OP_MAX_IN], out = g->nodes[u->node].shape;
        plan_shapes(g, u, shapes);
        struct life l = unborn;
        live_forward(m, &l, m->forward_run[i]);
        size_t part = plan_gather_bytes(g, u);
        if (part > 0) {
            struct life gather = l;
            for (int j = 0; j < u->n_in; j++) {
                if (plan_gathers(u, j)) {
                    live(&gather, plan->made_in[u->in[j]], 0);
                }
            }
            place_add(&m->batches, &u->parts_at, part * (size_t)(parts * u->n_in), gather.birth,
                      gather.death);
        }
        struct life back = unborn;
        if (m->train && u->backward) {
            live_in_backward(m, &back, i);
            live_in_backward(m, &l, i);
        }
        size_t save =
            u->op->save_bytes ? u->op->save_bytes(&u->attr, m->batch, shapes, u->n_in, out) : 0;
        if (save > 0) {
            place_add(&m->batches, &u->save_at, save, l.birth, l.death);
        }
        if (part > 0 && back.death >= 0) {
            place_add(&m->batches, &u->dy_parts_at, part * (size_t)parts, back.birth, back.death);
        }
        size_t dw = u->op->gather ? 0 : plan_dw_floats(g, u) * sizeof(float);
        int dw_parts = back.death >= 0 ? parts_of_backward(m, i) : 0;
        if (dw > 0 && dw_parts > 1) {
            place_add(&m->batches, &u->dw_at, dw * (size_t)dw_parts, back.birth, back.death);
        }
    }
}

/* When gradients are first written and last looked at; those of a root together. */
static void find_gradient_lives(struct memory *m)
{
    const struct plan *plan = m->plan;
    for (int i = 0; i < plan->n_units; i++) {
        const struct unit *u = &plan->units[i];
        if (!u->backward) {
            continue;
        }
        struct life *l = &m->grads[m->root[u->node]];
        live_in_backward(m, l, i);
        if (m->seed[u->node]) {
            live(l, m->seeds, 0);
        }
        for (int j = 0; j < u->n_in; j++) {
            if (u->needs_dx[j]) {
                live_backward(m, &m->grads[m->root[u->in[j]]],
                              alias_write_step(plan, &m->back, i, j));
            }
        }
    }
    struct life *input = &m->grads[m->root[0]];
    if (plan->graph->want_input_grad) {
        live(input, m->end, INT_MAX);
    }
}

static void place_gradients(struct memory *m)
{
    struct plan *plan = m->plan;
    const struct graph *g = plan->graph;
    for (int root = 0; root < g->n_nodes; root++) {
        if (m->root[root] == root && m->grads[root].death >= 0) {
            plan->grad_local[root] = place_node(m, &plan->grad_at[root], root, &m->grads[root]);
        }
    }
    for (int i = 0; i < plan->n_seeds; i++) {
        struct plan_seed *s = &plan->seeds[i];
        s->is_grad = s->is_grad && m->grads[m->root[s->node]].death >= 0;
        if (!s->is_grad) {
            place_add(&m->batches, &s->at, value_bytes(m, s->node, m->batch), 0, m->end);
        }
    }
}

/* Nodes and seeds take their root's and their node's place. */
static void share_places(struct plan *plan, const int *root)
{
    for (int i = 0; i < plan->graph->n_nodes; i++) {
        plan->grad_at[i] = plan->grad_at[root[i]];
        plan->grad_local[i] = plan->grad_local[root[i]];
    }
    for (int i = 0; i < plan->n_seeds; i++) {
        struct plan_seed *s = &plan->seeds[i];
        s->at = s->is_grad ? plan->grad_at[s->node] : s->at;
    }
}

static size_t *nowhere(struct arena *keep, size_t n)
{
    size_t *at = arena_push(keep, n, sizeof *at);
    for (size_t i = 0; i < n; i++) {
        at[i] = PLAN_NOWHERE;
    }
    return at;
}

static void begin(struct memory *m, struct arena *keep)
{
    struct plan *plan = m->plan;
    size_t n = (size_t)plan->graph->n_nodes;
    plan->value_at = nowhere(keep, n);
    plan->grad_at = nowhere(keep, n);
    plan->again_at = nowhere(keep, n);
    plan->again_local = arena_push_zero(keep, n, sizeof *plan->again_local);
    plan->value_local = arena_push_zero(keep, n, sizeof *plan->value_local);
    plan->grad_local = arena_push_zero(keep, n, sizeof *plan->grad_local);
    plan->readable = arena_push_zero(keep, n, sizeof *plan->readable);
    plan->made_in = minus_ones(keep, (int)n);
    m->root = arena_push(keep, n, sizeof *m->root);
    m->grads = arena_push(keep, n, sizeof *m->grads);
    for (size_t i = 0; i < n; i++) {
        m->root[i] = (int)i;
        m->grads[i] = unborn;
    }
    find_steps(m, keep);
    place_init(&m->batches, keep, 6 * plan->n_units + (int)n + plan->n_seeds);
    place_init(&m->locals, keep, 2 * plan->n_units + (int)n);
    m->batches.apart = plan->graph->keep_values;
}

void memory_place(struct plan *plan, struct arena *keep, int batch, bool train, const int *seed)
{
    struct memory m = {.plan = plan,
                       .seed = seed,
                       .batch = batch,
                       .train = train,
                       .seeds = plan->forward.n_levels,
                       .end = plan->forward.n_levels + 1 + plan->backward.n_levels};
    begin(&m, keep);
    place_values(&m);
    place_saves(&m);
    if (train) {
        if (!plan->graph->keep_values) {
            alias_gradients(plan, keep, &m.back, seed, m.root);
        }
        find_gradient_lives(&m);
        place_gradients(&m);
    }
    plan->memory_bytes = place_solve(&m.batches);
    plan->local_bytes = place_solve(&m.locals);
    if (train) {
        share_places(plan, m.root);
    }
}
