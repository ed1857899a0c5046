#include "nn/net_run.h"

#include "core/threads.h"
#include "core/vec.h"

#include <string.h>

float *net_run_value(const struct net *net, int node)
{
    if (node == 0) {
        return (float *)net->x; /* read only: no unit writes the input */
    }
    size_t at = net->plan.value_at[node];
    return at == PLAN_NOWHERE ? NULL : (float *)(net->memory + at);
}

float *net_run_grad(const struct net *net, int node)
{
    size_t at = net->plan.grad_at[node];
    return at == PLAN_NOWHERE ? NULL : (float *)(net->memory + at);
}

struct tensor net_run_tensor(const struct net *net, int node, float *data)
{
    struct shape s = net->graph->nodes[node].shape;
    return (struct tensor){.data = data, .n = net->n, .h = s.h, .w = s.w, .c = s.c};
}

/* Some images of the batch, worked on by one thread with its own memory. */
struct part {
    const struct machine *mc;
    int first, n, i, thread;
    struct arena tmp;
};

static float *at_part(const struct net *net, int node, float *whole, const struct part *p)
{
    size_t image = shape_count(net->graph->nodes[node].shape);
    return whole ? whole + image * (size_t)p->first : NULL;
}

static unsigned char *local_of(const struct net *net, const struct part *p)
{
    return net->locals + (size_t)p->thread * net->plan.local_bytes;
}

/* again: as backward finds it, which may have made it once more. */
static struct tensor part_value(const struct net *net, int node, bool again, const struct part *p)
{
    const struct plan *plan = &net->plan;
    again = again && plan->remade[node];
    size_t at = again ? plan->again_at[node] : plan->value_at[node];
    bool local = again ? plan->again_local[node] : plan->value_local[node];
    float *whole = again ? (float *)(net->memory + at) : net_run_value(net, node);
    float *data =
        node > 0 && local ? (float *)(local_of(net, p) + at) : at_part(net, node, whole, p);
    struct tensor t = net_run_tensor(net, node, data);
    t.n = p->n;
    return t;
}

static struct tensor part_grad(const struct net *net, int node, const struct part *p)
{
    float *data = net->plan.grad_local[node] ? (float *)(local_of(net, p) + net->plan.grad_at[node])
                                             : at_part(net, node, net_run_grad(net, node), p);
    struct tensor t = net_run_tensor(net, node, data);
    t.n = p->n;
    return t;
}

/* What forward and backward have in common. */
static void fill_io(struct op_io *io, const struct net *net, const struct unit *u, bool backward,
                    const struct part *p)
{
    *io = (struct op_io){.mc = p->mc,
                         .attr = &u->attr,
                         .n_in = u->n_in,
                         .train = net->train,
                         .noise_seed = net->noise_seed,
                         .noise_step = net->noise_step,
                         .n_batch = net->n,
                         .i_part = p->i,
                         .tmp = p->tmp};
    io->save = u->save_at == PLAN_NOWHERE ? NULL : net->memory + u->save_at;
    io->y = part_value(net, u->node, backward, p);
    for (int i = 0; i < u->n_in; i++) {
        bool zero = u->in[i] == PLAN_ZERO;
        io->x[i] = part_value(net, zero ? u->node : u->in[i], backward, p);
        io->x[i].data = zero ? NULL : io->x[i].data;
    }
    for (int i = 0; i < u->n_params; i++) {
        io->w[i] = net->params + net->param_at[u->params[i]];
    }
}

/* The images of part i of n_parts. Without a thread's share of scratch it is all of it. */
static struct part part_of(const struct net *net, const struct machine *mc, int i, int n_parts,
                           int thread)
{
    int first = op_part_first(net->n, n_parts, i);
    return (struct part){.mc = mc,
                         .first = first,
                         .n = op_part_first(net->n, n_parts, i + 1) - first,
                         .i = i,
                         .thread = thread,
                         .tmp = net->scratch};
}

/* A level on its way: the steps for one part after the other. */
struct sweep {
    struct net *net;
    struct machine mc;
    const struct level *level;
    int n_parts;
    bool share; /* each thread has parts of its own, and its own scratch */
    void (*step)(struct net *net, int i_step, const struct part *p, int n_parts);
};

static void sweep_part(void *ctx, int i, int i_thread)
{
    const struct sweep *s = ctx;
    struct part p = part_of(s->net, &s->mc, i, s->n_parts, i_thread);
    if (s->share) {
        size_t bytes = p.tmp.cap / (size_t)s->net->n_threads / ARENA_ALIGN * ARENA_ALIGN;
        p.tmp.used = (size_t)i_thread * bytes;
        p.tmp = arena_carve(&p.tmp, bytes);
    }
    for (int k = s->level->first; k < s->level->last; k++) {
        s->step(s->net, k, &p, s->n_parts);
    }
}

/*
 * Parts are shared among the threads if there are enough of them; else every op of every part has
 * all threads. The results are the same: parts are cut by size, and ops do not depend on threads.
 */
static void sweep_level(struct sweep *s, const struct machine *mc)
{
    s->n_parts = plan_parts(&s->net->plan, s->level, s->net->n);
    s->share = mc->n_threads > 1 && s->n_parts >= mc->n_threads;
    s->mc = s->share ? machine_serial(mc) : *mc;
    if (s->share) {
        threads_for(mc, s->n_parts, sweep_part, s);
    } else {
        for (int i = 0; i < s->n_parts; i++) {
            sweep_part(s, i, 0);
        }
    }
}

static int parts_of_maker(const struct net *net, int node)
{
    return plan_parts(&net->plan, &net->plan.forward.levels[net->plan.made_in[node]], net->n);
}

static void fill_parts(struct op_io *io, const struct net *net, const struct unit *u)
{
    size_t bytes = plan_gather_bytes(net->graph, u);
    for (int i = 0; i < u->n_in; i++) {
        io->parts[i] = net->memory + u->parts_at + bytes * (size_t)(net->plan.gather_parts * i);
        io->n_parts[i] = plan_gathers(u, i) && net->train ? parts_of_maker(net, u->in[i]) : 0;
    }
}

static void forward_step(struct net *net, int i_step, const struct part *p, int n_parts)
{
    const struct step *s = &net->plan.forward.steps[i_step];
    const struct unit *u = &net->plan.units[s->unit];
    struct op_io io;
    (void)n_parts;
    if (s->kind == STEP_GATHER && !net->train) {
        return;
    }
    fill_io(&io, net, u, false, p);
    io.prepared = net->prepared[s->unit];
    if (s->kind == STEP_GATHER) {
        fill_parts(&io, net, u);
        u->op->gather->gather_x(&io, s->input);
    } else {
        u->op->forward(&io);
    }
}

/* What units make of the parameters alone, as for the largest batch. */
static void prepare_units(struct net *net, const struct machine *mc)
{
    int n = net->n;
    net->n = net->max_batch;
    net->ready.used = 0;
    struct part whole = part_of(net, mc, 0, 1, 0);
    for (int i = 0; i < net->plan.n_ready; i++) {
        const struct unit *u = &net->plan.units[i];
        if (u->op->prepare) {
            struct op_io io;
            fill_io(&io, net, u, false, &whole);
            net->prepared[i] = u->op->prepare(&io, &net->ready);
        }
    }
    net->n = n;
    net->changed = false;
}

/* What units need of the whole batch before their run in this level. */
static void settle_forward(struct net *net, const struct machine *mc, const struct level *level)
{
    struct part whole = part_of(net, mc, 0, 1, 0);
    for (int i = level->first; i < level->last; i++) {
        const struct step *s = &net->plan.forward.steps[i];
        const struct unit *u = &net->plan.units[s->unit];
        if (s->kind == STEP_RUN && u->op->gather) {
            struct op_io io;
            fill_io(&io, net, u, false, &whole);
            fill_parts(&io, net, u);
            u->op->gather->settle_forward(&io);
        }
    }
}

void net_run_forward(struct net *net, const struct machine *mc)
{
    const struct order *o = &net->plan.forward;
    if (net->mode == NET_EVAL && net->changed) {
        prepare_units(net, mc);
    }
    for (int l = 0; l < o->n_levels; l++) {
        struct sweep s = {.net = net, .level = &o->levels[l], .step = forward_step};
        settle_forward(net, mc, s.level);
        sweep_level(&s, mc);
    }
}

/* dx of input i is written by the unit's gather_dy, or by its run? */
static bool writes_in(const struct unit *u, int i, enum step_kind kind)
{
    bool early = u->op->gather && !plan_gathers(u, i);
    return u->needs_dx[i] && early == (kind == STEP_GATHER);
}

/* The first to write a gradient overwrites, the others add. A seeded node that nobody reads and
 * whose seed was not asked for has gradient zero. */
static void find_adds(struct net *net, const struct level *level, bool *written)
{
    for (int k = level->first; k < level->last; k++) {
        const struct step *s = &net->plan.backward.steps[k];
        const struct unit *u = &net->plan.units[s->unit];
        if (s->kind == STEP_REMAKE) {
            continue;
        }
        if (!written[u->node]) {
            written[u->node] = true;
            memset(net_run_grad(net, u->node), 0,
                   shape_count(net->graph->nodes[u->node].shape) * (size_t)net->n * sizeof(float));
        }
        for (int i = 0; i < u->n_in; i++) {
            if (writes_in(u, i, s->kind)) {
                net->adds[k][i] = written[u->in[i]];
                written[u->in[i]] = true;
            }
        }
    }
}

static void fill_backward(struct op_io *io, struct net *net, int i_step, const struct part *p)
{
    const struct step *s = &net->plan.backward.steps[i_step];
    const struct unit *u = &net->plan.units[s->unit];
    fill_io(io, net, u, true, p);
    io->dy = part_grad(net, u->node, p);
    for (int i = 0; i < u->n_in; i++) {
        bool wanted = writes_in(u, i, s->kind);
        io->dx[i] = part_grad(net, wanted ? u->in[i] : u->node, p);
        io->dx[i].data = wanted ? io->dx[i].data : NULL;
        io->dx_add[i] = wanted && net->adds[i_step][i];
    }
    io->parts[0] = net->memory + u->dy_parts_at;
    for (int i = 0; i < u->n_params; i++) {
        io->dw[i] = net_param_grad(net, u->params[i]);
    }
}

/* Where part i of several leaves the gradients of the unit's parameters. */
static float *dw_part(const struct net *net, const struct unit *u, int i)
{
    return (float *)(net->memory + u->dw_at) + (size_t)i * plan_dw_floats(net->graph, u);
}

static size_t param_floats(const struct net *net, int i_param)
{
    return arena_round(net->graph->params[i_param].count * sizeof(float)) / sizeof(float);
}

static void backward_step(struct net *net, int i_step, const struct part *p, int n_parts)
{
    const struct step *s = &net->plan.backward.steps[i_step];
    const struct unit *u = &net->plan.units[s->unit];
    struct op_io io;
    if (s->kind == STEP_REMAKE) {
        fill_io(&io, net, u, true, p);
        u->op->forward(&io);
        return;
    }
    fill_backward(&io, net, i_step, p);
    if (s->kind == STEP_GATHER) {
        u->op->gather->gather_dy(&io);
        return;
    }
    io.one_of_parts = n_parts > 1;
    float *dw = n_parts > 1 && !u->op->gather ? dw_part(net, u, p->i) : NULL;
    for (int i = 0; dw && i < u->n_params; i++) {
        if (io.dw[i]) {
            io.dw[i] = dw;
            dw += param_floats(net, u->params[i]);
        }
    }
    u->op->backward(&io);
}

static void settle_backward(struct net *net, const struct machine *mc, const struct level *level)
{
    struct part whole = part_of(net, mc, 0, 1, 0);
    for (int k = level->first; k < level->last; k++) {
        const struct step *s = &net->plan.backward.steps[k];
        const struct unit *u = &net->plan.units[s->unit];
        if (s->kind == STEP_RUN && u->op->gather) {
            struct op_io io;
            fill_backward(&io, net, k, &whole);
            io.n_parts[0] = net->gathered_parts[s->unit];
            u->op->gather->settle_backward(&io);
        }
    }
}

/* dw = the sum of its parts, in index order. */
static void sum_parts(struct net *net, const struct machine *mc, const struct unit *u, int n_parts)
{
    enum { AT_ONCE = 8 };
    const float *in[AT_ONCE];
    size_t at = 0;
    for (int i = 0; i < u->n_params; i++) {
        float *dw = net_param_grad(net, u->params[i]);
        if (!dw) {
            continue;
        }
        for (int p = 0; p < n_parts;) {
            int n = 0;
            if (p > 0) {
                in[n++] = dw;
            }
            while (n < AT_ONCE && p < n_parts) {
                in[n++] = dw_part(net, u, p++) + at;
            }
            vec_sum(mc, dw, in, n, net->graph->params[u->params[i]].count);
        }
        at += param_floats(net, u->params[i]);
    }
}

static void backward_level(struct net *net, const struct machine *mc, const struct level *level,
                           bool *written)
{
    struct sweep sweep = {.net = net, .level = level, .step = backward_step};
    settle_backward(net, mc, level);
    find_adds(net, level, written);
    sweep_level(&sweep, mc);
    for (int k = level->first; k < level->last; k++) {
        const struct step *s = &net->plan.backward.steps[k];
        const struct unit *u = &net->plan.units[s->unit];
        if (s->kind == STEP_GATHER) {
            net->gathered_parts[s->unit] = sweep.n_parts;
        } else if (s->kind == STEP_RUN && sweep.n_parts > 1 && !u->op->gather) {
            sum_parts(net, mc, u, sweep.n_parts);
        }
    }
}

void net_run_backward(struct net *net, const struct machine *mc, bool *written)
{
    for (int l = 0; l < net->plan.backward.n_levels; l++) {
        backward_level(net, mc, &net->plan.backward.levels[l], written);
    }
}
