#include "nn/optim.h"

#include "core/vec.h"

#include <stdio.h>
#include <string.h>

/* A stretch of parameters that lie one after the other in the net's block and are treated alike. */
struct run {
    int first_param; /* of the graph */
    size_t at;       /* offset in the states */
    size_t count;    /* floats, padding (zeros) included */
    bool decayed;
};

struct optim {
    struct optim_config config;
    struct run *runs;
    int n_runs;
    int n_states;     /* arrays of state: momentum; or first and second moment */
    float *states[2]; /* [n_floats] each */
    size_t n_floats;
    int64_t n_steps;
};

static bool is_trained(enum param_kind kind)
{
    return kind != PARAM_RUNNING_MEAN && kind != PARAM_RUNNING_VAR;
}

static bool is_decayed(const struct optim_config *config, enum param_kind kind)
{
    return config->decay_all || kind == PARAM_WEIGHT;
}

/* Floats a parameter takes in the net's block (nn/net.h, net_param). */
static size_t padded(size_t count)
{
    return arena_round(count * sizeof(float)) / sizeof(float);
}

/* Write the runs to `runs` unless NULL; returns how many, and the floats of all. */
static int find_runs(const struct graph *g, const struct optim_config *config, struct run *runs,
                     size_t *n_floats)
{
    int n = 0;
    bool decayed = false;
    *n_floats = 0;
    for (int i = 0; i < g->n_params; i++) {
        const struct param *p = &g->params[i];
        if (!is_trained(p->spec.kind)) {
            continue;
        }
        if (n == 0 || is_decayed(config, p->spec.kind) != decayed) {
            decayed = is_decayed(config, p->spec.kind);
            if (runs) {
                runs[n] = (struct run){.first_param = i, .at = *n_floats, .decayed = decayed};
            }
            n++;
        }
        *n_floats += padded(p->count);
        if (runs) {
            runs[n - 1].count += padded(p->count);
        }
    }
    return n;
}

static int state_count(const struct optim_config *config)
{
    return config->kind == OPTIM_ADAM ? 2 : config->momentum > 0 ? 1 : 0;
}

size_t optim_plan_bytes(const struct graph *g, const struct optim_config *config)
{
    size_t n_floats = 0;
    int n_runs = find_runs(g, config, NULL, &n_floats);
    return arena_round(sizeof(struct optim)) + arena_round((size_t)n_runs * sizeof(struct run)) +
           (size_t)state_count(config) * arena_round(n_floats * sizeof(float));
}

struct optim *optim_new(struct arena *keep, const struct net *net,
                        const struct optim_config *config)
{
    const struct graph *g = net_graph(net);
    struct optim *o = arena_push_zero(keep, 1, sizeof *o);
    o->config = *config;
    o->n_runs = find_runs(g, config, NULL, &o->n_floats);
    o->runs = arena_push_zero(keep, (size_t)o->n_runs, sizeof *o->runs);
    find_runs(g, config, o->runs, &o->n_floats);
    o->n_states = state_count(config);
    for (int i = 0; i < o->n_states; i++) {
        o->states[i] = arena_push_zero(keep, o->n_floats, sizeof(float));
    }
    return o;
}

void optim_reset(struct optim *o)
{
    o->n_steps = 0;
    for (int i = 0; i < o->n_states; i++) {
        memset(o->states[i], 0, o->n_floats * sizeof(float));
    }
}

void optim_step(struct optim *o, struct net *net, const struct machine *mc, float lr)
{
    const struct optim_config *config = &o->config;
    o->n_steps++;
    for (int i = 0; i < o->n_runs; i++) {
        const struct run *run = &o->runs[i];
        float *w = net_param(net, run->first_param);
        const float *grad = net_param_grad(net, run->first_param);
        float decay = run->decayed ? config->decay : 0;
        float *first = o->n_states > 0 ? o->states[0] + run->at : NULL;
        ASSERT(grad != NULL);
        if (config->kind == OPTIM_ADAM) {
            vec_adam(mc, w, first, o->states[1] + run->at, grad, run->count, lr, config->beta1,
                     config->beta2, config->eps, decay, o->n_steps);
        } else {
            vec_sgd(mc, w, first, grad, run->count, lr, config->momentum, decay, config->nesterov);
        }
    }
    net_params_changed(net);
}

int optim_n_states(const struct optim *o)
{
    return o->n_states;
}

float *optim_state(struct optim *o, int i, size_t *count, char *name, size_t name_len)
{
    ASSERT(i >= 0 && i < o->n_states);
    *count = o->n_floats;
    snprintf(name, name_len, "optim.%s",
             o->config.kind == OPTIM_ADAM ? (i == 0 ? "m" : "v") : "momentum");
    return o->states[i];
}

int64_t *optim_step_counter(struct optim *o)
{
    return &o->n_steps;
}
