#include "nn/net.h"

#include "core/vec.h"
#include "nn/plan.h"

#include <string.h>

/* Where a step stands: backward needs a forward before it, once. */
enum stage { STAGE_NEW, STAGE_FORWARD, STAGE_BACKWARD };

struct net {
    const struct graph *graph;
    enum net_mode mode;
    int max_batch, n_threads;
    struct plan plan;
    size_t *param_at;      /* [n_params] offset of each in params and grads, in floats */
    size_t n_trained;      /* floats of trained parameters, padding included; they come first */
    size_t n_floats;       /* of all parameters */
    float *params;         /* [n_floats] */
    float *grads;          /* [n_trained]; NULL in NET_EVAL */
    unsigned char *memory; /* [plan.memory_bytes] */
    struct arena scratch;
    struct arena ready;    /* NET_EVAL: what units prepare of the parameters */
    const void **prepared; /* [n_units] in ready; NULL = nothing */
    bool changed;          /* the parameters, since they were prepared */
    const float *x; /* of the last forward */
    int n;          /* images of the last forward */
    bool train;     /* its kind */
    uint64_t noise_seed, noise_step;
    enum stage stage;
    bool asked[1 + GRAPH_MAX_TAPS]; /* seeds asked for since the last forward */
};

static bool is_trained(const struct graph *g, int i_param)
{
    enum param_kind kind = g->params[i_param].spec.kind;
    return kind != PARAM_RUNNING_MEAN && kind != PARAM_RUNNING_VAR;
}

/* Offsets in floats: trained parameters first, in the graph's order, each on its own cache line. */
static void place_params(struct net *net, struct arena *keep)
{
    const struct graph *g = net->graph;
    net->param_at = arena_push(keep, (size_t)g->n_params, sizeof *net->param_at);
    size_t at = 0;
    for (int trained = 1; trained >= 0; trained--) {
        for (int i = 0; i < g->n_params; i++) {
            if (is_trained(g, i) == (trained == 1)) {
                net->param_at[i] = at;
                at += arena_round(g->params[i].count * sizeof(float)) / sizeof(float);
            }
        }
        net->n_trained = trained ? at : net->n_trained;
    }
    net->n_floats = at;
}

static struct net *new_structures(struct arena *keep, const struct machine *mc,
                                  const struct graph *g, int max_batch, enum net_mode mode)
{
    struct net *net = arena_push_zero(keep, 1, sizeof *net);
    net->graph = g;
    net->mode = mode;
    net->max_batch = max_batch;
    net->n_threads = mc->n_threads;
    place_params(net, keep);
    plan_init(&net->plan, keep, mc, g, max_batch, mode);
    net->prepared = arena_push_zero(keep, (size_t)net->plan.n_units, sizeof *net->prepared);
    net->changed = true;
    return net;
}

static size_t numbers_bytes(const struct net *net)
{
    size_t grads = net->mode == NET_TRAIN ? net->n_trained : 0;
    return arena_round((net->n_floats + grads) * sizeof(float)) +
           arena_round(net->plan.memory_bytes) + arena_round(net->plan.scratch_bytes) +
           arena_round(net->plan.ready_bytes);
}

/* Address space for the structures of the largest graph; only what is used is ever touched. */
static const size_t structures_max_bytes = (size_t)64 << 20;

size_t net_plan_bytes(const struct machine *mc, const struct graph *g, int max_batch,
                      enum net_mode mode)
{
    struct arena tmp;
    struct err e;
    if (!arena_init(&tmp, structures_max_bytes, &e)) {
        return SIZE_MAX;
    }
    struct net *net = new_structures(&tmp, mc, g, max_batch, mode);
    size_t bytes = tmp.used + numbers_bytes(net);
    arena_release(&tmp);
    return bytes;
}

bool net_new(struct net **out, struct arena *keep, const struct machine *mc, const struct graph *g,
             int max_batch, enum net_mode mode, struct err *e)
{
    ASSERT(out && max_batch > 0);
    size_t needed = net_plan_bytes(mc, g, max_batch, mode);
    size_t left = keep->cap - keep->used;
    if (needed > left) {
        err_set(e, ERR_FAILED, "the network needs %zu MiB of memory, %zu MiB are left",
                needed >> 20, left >> 20);
        return err_hint(e, "a smaller batch needs less, --memory grants more");
    }
    struct net *net = new_structures(keep, mc, g, max_batch, mode);
    net->params = arena_push_zero(keep, net->n_floats + (mode == NET_TRAIN ? net->n_trained : 0),
                                  sizeof(float));
    net->grads = mode == NET_TRAIN ? net->params + net->n_floats : NULL;
    net->memory = arena_push(keep, net->plan.memory_bytes, 1);
    net->scratch = arena_carve(keep, net->plan.scratch_bytes);
    net->ready = arena_carve(keep, net->plan.ready_bytes);
    *out = net;
    return true;
}

const struct graph *net_graph(const struct net *net)
{
    return net->graph;
}

float *net_param(struct net *net, int i_param)
{
    ASSERT(i_param >= 0 && i_param < net->graph->n_params);
    return net->params + net->param_at[i_param];
}

const float *net_param_const(const struct net *net, int i_param)
{
    ASSERT(i_param >= 0 && i_param < net->graph->n_params);
    return net->params + net->param_at[i_param];
}

float *net_param_grad(struct net *net, int i_param)
{
    ASSERT(i_param >= 0 && i_param < net->graph->n_params);
    return net->grads && is_trained(net->graph, i_param) ? net->grads + net->param_at[i_param]
                                                         : NULL;
}

bool net_param_trained(const struct net *net, int i_param)
{
    ASSERT(i_param >= 0 && i_param < net->graph->n_params);
    return is_trained(net->graph, i_param);
}

void net_params_changed(struct net *net)
{
    net->changed = true;
}

void net_set_noise(struct net *net, uint64_t seed, uint64_t step)
{
    net->noise_seed = seed;
    net->noise_step = step;
}

static float *value_of(const struct net *net, int node)
{
    if (node == 0) {
        return (float *)net->x; /* read only: no unit writes the input */
    }
    size_t at = net->plan.value_at[node];
    return at == PLAN_NOWHERE ? NULL : (float *)(net->memory + at);
}

static float *grad_of(const struct net *net, int node)
{
    size_t at = net->plan.grad_at[node];
    return at == PLAN_NOWHERE ? NULL : (float *)(net->memory + at);
}

static struct tensor tensor_of(const struct net *net, int node, float *data)
{
    struct shape s = net->graph->nodes[node].shape;
    return (struct tensor){.data = data, .n = net->n, .h = s.h, .w = s.w, .c = s.c};
}

/* What forward and backward have in common. */
static void fill_io(struct op_io *io, const struct net *net, const struct machine *mc,
                    const struct unit *u)
{
    *io = (struct op_io){.mc = mc,
                         .attr = &u->attr,
                         .n_in = u->n_in,
                         .train = net->train,
                         .noise_seed = net->noise_seed,
                         .noise_step = net->noise_step,
                         .tmp = net->scratch};
    io->save = u->save_at == PLAN_NOWHERE ? NULL : net->memory + u->save_at;
    io->y = tensor_of(net, u->node, value_of(net, u->node));
    for (int i = 0; i < u->n_in; i++) {
        bool zero = u->in[i] == PLAN_ZERO;
        io->x[i] = tensor_of(net, zero ? u->node : u->in[i], zero ? NULL : value_of(net, u->in[i]));
    }
    for (int i = 0; i < u->n_params; i++) {
        io->w[i] = net->params + net->param_at[u->params[i]];
    }
}

/* What units make of the parameters alone, as for the largest batch. */
static void prepare_units(struct net *net, const struct machine *mc)
{
    struct op_io io;
    int n = net->n;
    net->n = net->max_batch;
    net->ready.used = 0;
    for (int i = 0; i < net->plan.n_ready; i++) {
        const struct unit *u = &net->plan.units[i];
        if (u->op->prepare) {
            fill_io(&io, net, mc, u);
            net->prepared[i] = u->op->prepare(&io, &net->ready);
        }
    }
    net->n = n;
    net->changed = false;
}

const float *net_forward(struct net *net, const struct machine *mc, const float *x, int n,
                         bool train)
{
    ASSERT(x && n > 0 && n <= net->max_batch);
    ASSERT(mc->n_threads <= net->n_threads); /* scratch was planned for so many */
    ASSERT(!train || net->mode != NET_EVAL);
    net->x = x;
    net->n = n;
    net->train = train;
    net->stage = STAGE_FORWARD;
    memset(net->asked, 0, sizeof net->asked);
    if (net->mode == NET_EVAL && net->changed) {
        prepare_units(net, mc);
    }
    struct op_io io;
    for (int i = 0; i < net->plan.n_units; i++) {
        const struct unit *u = &net->plan.units[i];
        fill_io(&io, net, mc, u);
        io.prepared = net->prepared[i];
        u->op->forward(&io);
    }
    return value_of(net, net->graph->output);
}

struct tensor net_node_value(const struct net *net, int node)
{
    ASSERT(node >= 0 && node < net->graph->n_nodes);
    bool there = net->stage == STAGE_FORWARD && (node == 0 || net->plan.readable[node]);
    return tensor_of(net, node, there ? value_of(net, node) : NULL);
}

struct tensor net_tap(const struct net *net, int i_tap)
{
    ASSERT(i_tap >= 0 && i_tap < net->graph->n_taps);
    ASSERT(net->stage != STAGE_NEW);
    int node = net->graph->taps[i_tap];
    return tensor_of(net, node, value_of(net, node));
}

static float *ask_seed(struct net *net, int i_seed)
{
    ASSERT(net->mode == NET_TRAIN);
    net->asked[i_seed] = true;
    return (float *)(net->memory + net->plan.seeds[i_seed].at);
}

float *net_output_seed(struct net *net)
{
    return ask_seed(net, 0);
}

float *net_tap_seed(struct net *net, int i_tap)
{
    ASSERT(i_tap >= 0 && i_tap < net->graph->n_taps);
    return ask_seed(net, 1 + i_tap);
}

/* Seeds become gradients; seeded[node] tells the first writer to add. */
static void gather_seeds(struct net *net, const struct machine *mc, bool *seeded)
{
    for (int i = 0; i < net->plan.n_seeds; i++) {
        const struct plan_seed *s = &net->plan.seeds[i];
        float *grad = grad_of(net, s->node);
        if (!net->asked[i] || !grad) {
            continue;
        }
        size_t count = shape_count(net->graph->nodes[s->node].shape) * (size_t)net->n;
        const float *seed = (const float *)(net->memory + s->at);
        if (!s->is_grad && seeded[s->node]) {
            vec_axpy(mc, grad, 1, seed, count);
        } else if (!s->is_grad) {
            memcpy(grad, seed, count * sizeof *grad);
        }
        seeded[s->node] = true;
    }
}

/* A seeded node that nobody reads and whose seed was not asked for has gradient zero. */
static void clear_if_unwritten(struct net *net, const struct unit *u, const bool *written)
{
    float *grad = grad_of(net, u->node);
    if (!written[u->node]) {
        memset(grad, 0,
               shape_count(net->graph->nodes[u->node].shape) * (size_t)net->n * sizeof *grad);
    }
}

static void run_backward(struct net *net, const struct machine *mc, const struct unit *u,
                         bool *written)
{
    struct op_io io;
    fill_io(&io, net, mc, u);
    clear_if_unwritten(net, u, written);
    io.dy = tensor_of(net, u->node, grad_of(net, u->node));
    for (int i = 0; i < u->n_in; i++) {
        bool wanted = u->needs_dx[i];
        io.dx[i] =
            tensor_of(net, wanted ? u->in[i] : u->node, wanted ? grad_of(net, u->in[i]) : NULL);
        if (wanted) {
            io.dx_add[i] = written[u->in[i]];
            written[u->in[i]] = true;
        }
    }
    for (int i = 0; i < u->n_params; i++) {
        io.dw[i] = net_param_grad(net, u->params[i]);
    }
    u->op->backward(&io);
}

void net_backward(struct net *net, const struct machine *mc)
{
    ASSERT(net->mode == NET_TRAIN);
    ASSERT(net->stage == STAGE_FORWARD); /* once after each forward: buffers are shared */
    ASSERT(mc->n_threads <= net->n_threads);
    bool written[GRAPH_MAX_NODES] = {false};
    gather_seeds(net, mc, written);
    for (int i = net->plan.n_units - 1; i >= 0; i--) {
        if (net->plan.units[i].backward) {
            run_backward(net, mc, &net->plan.units[i], written);
        }
    }
    float *dx = grad_of(net, 0);
    if (dx && !written[0]) { /* nothing depends on the input */
        memset(dx, 0, shape_count(net->graph->nodes[0].shape) * (size_t)net->n * sizeof *dx);
    }
    net->stage = STAGE_BACKWARD;
}

const float *net_input_grad(const struct net *net)
{
    return net->graph->want_input_grad ? grad_of(net, 0) : NULL;
}
