#include "nn/net.h"

#include "core/vec.h"
#include "nn/net_run.h"

#include <string.h>

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
    net->prepared = arena_push_zero(keep, (size_t)net->plan.n_units + 1, sizeof *net->prepared);
    net->changed = true;
    net->adds = arena_push(keep, (size_t)net->plan.backward.n_steps + 1, sizeof *net->adds);
    net->gathered_parts =
        arena_push_zero(keep, (size_t)net->plan.n_units + 1, sizeof *net->gathered_parts);
    return net;
}

static size_t numbers_bytes(const struct net *net)
{
    size_t grads = net->mode == NET_TRAIN ? net->n_trained : 0;
    return arena_round((net->n_floats + grads) * sizeof(float)) +
           arena_round(net->plan.memory_bytes) +
           arena_round(net->plan.local_bytes * (size_t)net->n_threads) +
           arena_round(net->plan.scratch_bytes) + arena_round(net->plan.ready_bytes);
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
    net->locals = arena_push(keep, net->plan.local_bytes * (size_t)net->n_threads, 1);
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
    net_run_forward(net, mc);
    return net_run_value(net, net->graph->output);
}

struct tensor net_node_value(const struct net *net, int node)
{
    ASSERT(node >= 0 && node < net->graph->n_nodes);
    bool there = net->stage == STAGE_FORWARD && (node == 0 || net->plan.readable[node]);
    return net_run_tensor(net, node, there ? net_run_value(net, node) : NULL);
}

struct tensor net_tap(const struct net *net, int i_tap)
{
    ASSERT(i_tap >= 0 && i_tap < net->graph->n_taps);
    ASSERT(net->stage != STAGE_NEW);
    int node = net->graph->taps[i_tap];
    return net_run_tensor(net, node, net_run_value(net, node));
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
        float *grad = net_run_grad(net, s->node);
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

void net_backward(struct net *net, const struct machine *mc)
{
    ASSERT(net->mode == NET_TRAIN);
    ASSERT(net->stage == STAGE_FORWARD); /* once after each forward: buffers are shared */
    ASSERT(mc->n_threads <= net->n_threads);
    bool written[GRAPH_MAX_NODES] = {false};
    gather_seeds(net, mc, written);
    net_run_backward(net, mc, written);
    float *dx = net_run_grad(net, 0);
    if (dx && !written[0]) { /* nothing depends on the input */
        memset(dx, 0, shape_count(net->graph->nodes[0].shape) * (size_t)net->n * sizeof *dx);
    }
    net->stage = STAGE_BACKWARD;
}

const float *net_input_grad(const struct net *net)
{
    return net->graph->want_input_grad ? net_run_grad(net, 0) : NULL;
}
