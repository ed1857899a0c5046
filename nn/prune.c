#include "nn/prune.h"

#include "core/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double score_l1(double weight, double gradient)
{
    (void)gradient;
    return fabs(weight);
}

static double score_l2(double weight, double gradient)
{
    (void)gradient;
    return weight * weight;
}

/* How much the loss would change to first order were the weight not there [Lee2019]. */
static double score_gradient(double weight, double gradient)
{
    return fabs(weight * gradient);
}

static const struct prune_criterion criteria[] = {
    {"l1", "magnitude; of channels the mean magnitude [Han2015, Li2017]", .score = score_l1},
    {"l2", "magnitude; of channels the root of the mean square", .score = score_l2, .finish = sqrt},
    {"random", "any", .is_random = true},
    {"gradient", "magnitude x gradient of the cross-entropy, as SNIP [Lee2019]",
     .needs_gradient = true, .score = score_gradient},
};

int prune_n_criteria(void)
{
    return (int)N_ELEMS(criteria);
}

const struct prune_criterion *prune_criterion_at(int i)
{
    ASSERT(i >= 0 && i < prune_n_criteria());
    return &criteria[i];
}

const struct prune_criterion *prune_criterion_find(const char *name)
{
    for (size_t i = 0; i < N_ELEMS(criteria); i++) {
        if (strcmp(criteria[i].name, name) == 0) {
            return &criteria[i];
        }
    }
    return NULL;
}

bool prune_is_prunable(const struct graph *g, int i_param)
{
    ASSERT(i_param >= 0 && i_param < g->n_params);
    const struct param *p = &g->params[i_param];
    return p->spec.kind == PARAM_WEIGHT && strncmp(p->name, "decoder.", 8) != 0 &&
           strncmp(p->name, "logvar.", 7) != 0;
}

void prune_mask_init(struct prune_mask *m, struct arena *keep, const struct graph *g)
{
    *m = (struct prune_mask){0};
    m->layers = arena_push(keep, (size_t)g->n_params, sizeof *m->layers);
    for (int i = 0; i < g->n_params; i++) {
        if (prune_is_prunable(g, i)) {
            struct prune_layer *l = &m->layers[m->n_layers++];
            *l = (struct prune_layer){.i_param = i, .count = g->params[i].count};
            l->kept = arena_push(keep, l->count, 1);
            memset(l->kept, 1, l->count);
            m->n_weights += l->count;
        }
    }
    m->n_kept = m->n_weights;
}

struct scored {
    double score;
    uint32_t layer, i;
};

static int by_score(const void *a, const void *b)
{
    const struct scored *p = a, *q = b;
    if (p->score != q->score) {
        return p->score < q->score ? -1 : 1;
    }
    if (p->layer != q->layer) {
        return p->layer < q->layer ? -1 : 1;
    }
    return (p->i > q->i) - (p->i < q->i);
}

/* What is gone already comes first. */
static void score_layer(struct scored *out, const struct prune_mask *m, int i_layer,
                        struct net *net, const struct prune_rule *rule)
{
    const struct prune_layer *l = &m->layers[i_layer];
    const float *w = net_param_const(net, l->i_param);
    const float *g = rule->criterion->needs_gradient ? net_param_grad(net, l->i_param) : NULL;
    ASSERT(g || !rule->criterion->needs_gradient);
    struct rng r = rng_key(rule->seed, RNG_PRUNE, (uint64_t)l->i_param);
    for (size_t i = 0; i < l->count; i++) {
        double score = rule->criterion->is_random
                           ? rng_f64(&r)
                           : rule->criterion->score((double)w[i], g ? (double)g[i] : 0);
        out[i] = (struct scored){l->kept[i] ? score : -1, (uint32_t)i_layer, (uint32_t)i};
    }
}

/* The n_gone cheapest of n go; fewer than are gone already cannot be. */
static void take(struct prune_mask *m, struct scored *s, size_t n, size_t n_gone)
{
    qsort(s, n, sizeof *s, by_score);
    for (size_t i = 0; i < n_gone; i++) {
        uint8_t *kept = &m->layers[s[i].layer].kept[s[i].i];
        m->n_kept -= *kept;
        *kept = 0;
    }
}

bool prune_weights(struct prune_mask *m, struct net *net, const struct prune_rule *rule,
                   double sparsity, struct arena tmp, struct err *e)
{
    if (!(sparsity >= 0 && sparsity <= 1)) {
        return err_set(e, ERR_USAGE, "a sparsity of %g is not within 0 and 1", sparsity);
    }
    /* Half to even, as PyTorch's round() of the amount. */
    size_t n_gone = (size_t)rint(sparsity * (double)m->n_weights);
    if (!rule->by_layer && n_gone < m->n_weights - m->n_kept) {
        return err_set(e, ERR_USAGE, "sparsity %g is less than what is pruned already (%g)",
                       sparsity, 1 - (double)m->n_kept / (double)m->n_weights);
    }
    struct scored *s = arena_try(&tmp, m->n_weights + 1, sizeof *s, e);
    if (!s) {
        return false;
    }
    size_t at = 0;
    for (int i = 0; i < m->n_layers; i++) {
        size_t count = m->layers[i].count;
        score_layer(s + at, m, i, net, rule);
        if (rule->by_layer) {
            take(m, s + at, count, (size_t)rint(sparsity * (double)count));
        }
        at += count;
    }
    if (!rule->by_layer) {
        take(m, s, at, n_gone);
    }
    prune_apply(m, net);
    return true;
}

static void zero_masked(const struct prune_layer *l, float *values)
{
    for (size_t i = 0; i < l->count; i++) {
        values[i] = l->kept[i] ? values[i] : 0;
    }
}

void prune_apply(const struct prune_mask *m, struct net *net)
{
    for (int i = 0; i < m->n_layers; i++) {
        zero_masked(&m->layers[i], net_param(net, m->layers[i].i_param));
    }
    net_params_changed(net);
}

void prune_apply_gradients(const struct prune_mask *m, struct net *net)
{
    for (int i = 0; i < m->n_layers; i++) {
        zero_masked(&m->layers[i], net_param_grad(net, m->layers[i].i_param));
    }
}

void prune_copy_params(struct net *to, const struct net *from)
{
    const struct graph *a = net_graph(to), *b = net_graph(from);
    for (int i = 0; i < a->n_params; i++) {
        int j = 0;
        while (j < b->n_params && strcmp(a->params[i].name, b->params[j].name) != 0) {
            j++;
        }
        ASSERT(j < b->n_params);
        ASSERT(a->params[i].count == b->params[j].count);
        memcpy(net_param(to, i), net_param_const(from, j), a->params[i].count * sizeof(float));
    }
    net_params_changed(to);
}
