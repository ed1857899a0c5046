#include "nn/net.h"

#include "core/rng.h"

#include <math.h>

static void init_uniform(float *w, size_t count, double bound, struct rng *r)
{
    for (size_t i = 0; i < count; i++) {
        w[i] = (float)((2 * rng_f64(r) - 1) * bound);
    }
}

static void init_normal(float *w, size_t count, double std, struct rng *r)
{
    for (size_t i = 0; i < count; i++) {
        w[i] = (float)(rng_normal(r) * std);
    }
}

static void init_constant(float *w, size_t count, float value)
{
    for (size_t i = 0; i < count; i++) {
        w[i] = value;
    }
}

/* kaiming-uniform with a = sqrt(5) is U(+-sqrt(6 / ((1 + 5) fan_in))) = U(+-1 / sqrt(fan_in)), the
 * bias's bound too. */
void net_init_params(struct net *net, enum net_init how, uint64_t seed)
{
    const struct graph *g = net_graph(net);
    for (int i = 0; i < g->n_params; i++) {
        const struct param *p = &g->params[i];
        struct rng r = rng_key(seed, RNG_INIT, (uint64_t)i);
        float *w = net_param(net, i);
        double fan_in = p->spec.fan_in;
        switch (p->spec.kind) {
        case PARAM_WEIGHT:
            if (how == NET_INIT_PYTORCH) {
                init_uniform(w, p->count, 1 / sqrt(fan_in), &r);
            } else {
                init_normal(w, p->count, sqrt(2 / fan_in), &r);
            }
            break;
        case PARAM_BIAS:
            init_uniform(w, p->count, how == NET_INIT_PYTORCH ? 1 / sqrt(fan_in) : 0, &r);
            break;
        case PARAM_SCALE:
        case PARAM_RUNNING_VAR:
            init_constant(w, p->count, 1);
            break;
        case PARAM_SHIFT:
        case PARAM_RUNNING_MEAN:
            init_constant(w, p->count, 0);
            break;
        }
    }
    net_params_changed(net);
}
