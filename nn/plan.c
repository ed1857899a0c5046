#include "nn/plan.h"

#include "nn/fuse.h"
#include "nn/lower.h"
#include "nn/memory.h"
#include "nn/remake.h"

#include <string.h>

void plan_shapes(const struct graph *g, const struct unit *u, struct shape shapes[OP_MAX_IN])
{
    for (int i = 0; i < u->n_in; i++) {
        shapes[i] = g->nodes[u->in[i] == PLAN_ZERO ? u->node : u->in[i]].shape;
    }
}

/* What planning needs to know of each node. */
struct plan_facts {
    bool *needs_grad; /* something trained lies at or before it */
    int *seed;        /* index of its first seed + 1 */
};

/* The seeds: output, then taps. A node's second seed needs a buffer beside its gradient. */
static void find_seeds(struct plan *plan, struct plan_facts *f)
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
static void find_gradients(struct plan *plan, struct plan_facts *f)
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

bool plan_keeps(const struct unit *u, int i)
{
    bool keeps = i < 0 ? u->op->keeps_y : u->op->keeps_x;
    return keeps && (!u->op->keeps || u->op->keeps(&u->attr, u->n_in, i));
}

bool plan_gathers(const struct unit *u, int i)
{
    return u->op->gather && u->in[i] != PLAN_ZERO && u->op->gather->reads(&u->attr, i);
}

int plan_parts(const struct plan *plan, const struct level *level, int n)
{
    return order_parts(level, n, plan->part_bytes, plan->max_parts);
}

size_t plan_dw_floats(const struct graph *g, const struct unit *u)
{
    size_t floats = 0;
    for (int i = 0; i < u->n_params; i++) {
        if (is_trained(g, u->params[i])) {
            floats += arena_round(g->params[u->params[i]].count * sizeof(float)) / sizeof(float);
        }
    }
    return floats;
}

size_t plan_gather_bytes(const struct graph *g, const struct unit *u)
{
    return u->op->gather ? arena_round(u->op->gather->part_bytes(&u->attr, u->n_in,
                                                                 g->nodes[u->node].shape.c))
                         : 0;
}

/*
 * Scratch of a level's steps. Parts are shared among threads, each with scratch of its own; where
 * there are fewer parts than threads, all threads work on each part. Either must fit.
 */
static size_t order_scratch(const struct plan *plan, const struct order *o,
                            const struct machine *mc, int batch, bool backward)
{
    size_t most = 0;
    struct machine serial = machine_serial(mc);
    for (int l = 0; l < o->n_levels; l++) {
        int n = order_part_images(&o->levels[l], batch, plan->part_bytes, plan->max_parts);
        for (int i = o->levels[l].first; i < o->levels[l].last; i++) {
            const struct unit *u = &plan->units[o->steps[i].unit];
            bool back = backward && o->steps[i].kind != STEP_REMAKE;
            if (u->op->scratch_bytes) {
                struct shape shapes[OP_MAX_IN], out = plan->graph->nodes[u->node].shape;
                plan_shapes(plan->graph, u, shapes);
                size_t one =
                    u->op->scratch_bytes(&serial, &u->attr, n, shapes, u->n_in, out, back);
                size_t all = u->op->scratch_bytes(mc, &u->attr, n, shapes, u->n_in, out, back);
                most = MAX(most, MAX(all, arena_round(one) * (size_t)mc->n_threads));
            }
        }
    }
    return most;
}

/* What units prepare at most: transformed weights are four times as large as what they are made
 * from. ResNet-20 has 4 MB of them (batch 1: .234 -> .197 ms), all-conv3x3 22 MB: one thread makes
 * the rest anew about as fast as it reads it from L3, two lose half of their time by it, as what
 * one makes lies in its cache alone (2.9 -> 1.4 ms). */
static size_t ready_max(const struct machine *mc)
{
    return (size_t)(mc->n_threads > 1 ? 32 : 8) << 20;
}

/* Units from the first on, as many as fit. */
static void find_ready(struct plan *plan, const struct machine *mc, int batch)
{
    for (; plan->n_ready < plan->n_units; plan->n_ready++) {
        const struct unit *u = &plan->units[plan->n_ready];
        struct shape shapes[OP_MAX_IN];
        plan_shapes(plan->graph, u, shapes);
        size_t bytes =
            u->op->prepare ? u->op->prepare_bytes(mc, &u->attr, batch, shapes, u->n_in) : 0;
        if (plan->ready_bytes + bytes > ready_max(mc)) {
            break;
        }
        plan->ready_bytes += bytes;
    }
}

/*
 * Bytes of the widest tensor of a part, and the most parts. A batch of 128 small images is a tensor
 * of 8 MiB, a step's tensors together come from memory then; parts of a MiB come from the caches.
 * Smaller ones gained nothing, and each has its own gradients of weights (421211, a training step
 * at batch 128: whole 141 ms, 2 MiB 125, 1 MiB 122, 1/2 126, 1/4 122; at batch 32 all within 4 %).
 * Evaluation keeps nothing, so its parts pass through all layers at once (421211, batch 128: 50 ->
 * 27 ms).
 */
enum { TRAIN_PART_BYTES = 1048576, TRAIN_MAX_PARTS = 16 };
enum { EVAL_PART_BYTES = 1048576, EVAL_MAX_PARTS = 1 << 20 };

void plan_init(struct plan *plan, struct arena *keep, const struct machine *mc,
               const struct graph *g, int batch, enum net_mode mode)
{
    ASSERT(g->output > 0 && batch > 0);
    bool train = mode == NET_TRAIN, eval = mode == NET_EVAL;
    *plan = (struct plan){.graph = g,
                          .part_bytes = eval ? EVAL_PART_BYTES : TRAIN_PART_BYTES,
                          .max_parts = eval ? EVAL_MAX_PARTS : TRAIN_MAX_PARTS};
    if (g->part_bytes > 0) {
        plan->part_bytes = g->part_bytes;
    }
    size_t n = (size_t)g->n_nodes;
    struct plan_facts f = {.needs_grad = arena_push_zero(keep, n, sizeof(bool)),
                           .seed = arena_push_zero(keep, n, sizeof(int))};
    lower_graph(plan, keep, g);
    if (!g->keep_values) {
        fuse_units(plan, keep, mode);
    }
    find_seeds(plan, &f);
    find_gradients(plan, &f);
    order_forward(&plan->forward, keep, g, plan->units, plan->n_units);
    if (train) {
        order_backward(&plan->backward, keep, g, plan->units, plan->n_units);
    }
    plan->remade = arena_push_zero(keep, n, sizeof *plan->remade);
    if (train && g->spare_bytes > 0 && !g->keep_values) {
        remake_values(plan, keep, batch, g->spare_bytes, f.seed);
    }
    memory_place(plan, keep, batch, train, f.seed);
    plan->scratch_bytes = MAX(order_scratch(plan, &plan->forward, mc, batch, false),
                              order_scratch(plan, &plan->backward, mc, batch, true));
    if (eval) {
        find_ready(plan, mc, batch);
    }
}
