/*
 * prune.h: which weights of a network may go, by a criterion, one at a time or whole channels, and
 * masks that keep them away through training. Prunable are the weights (no biases, no batch norms)
 * of what is deployed: a vae's decoder and variances are passed over. A new criterion is a row of
 * the table in nn/prune.c and a check.
 */
#ifndef NN_PRUNE_H
#define NN_PRUNE_H

#include "nn/net.h"

/* How dear a weight is; the cheapest go first. */
struct prune_criterion {
    const char *name, *help;
    bool needs_gradient; /* of a loss, in the net when scores are asked for */
    bool is_random;      /* scores are draws keyed by (seed, RNG_PRUNE, parameter) */
    /* Of one weight with its gradient; NULL where is_random. Of a channel: the mean over its
     * weights, then finish. */
    double (*score)(double weight, double gradient);
    double (*finish)(double mean); /* NULL = as it is */
};

int prune_n_criteria(void);
const struct prune_criterion *prune_criterion_at(int i);
/* NULL if there is none of this name. */
const struct prune_criterion *prune_criterion_find(const char *name);

struct prune_layer {
    int i_param;
    size_t count;
    uint8_t *kept; /* [count] 1 or 0, in the net's layout */
};

struct prune_mask {
    struct prune_layer *layers;
    int n_layers;
    size_t n_weights, n_kept; /* over all layers */
};

bool prune_is_prunable(const struct graph *g, int i_param);

/* Everything kept. */
void prune_mask_init(struct prune_mask *m, struct arena *keep, const struct graph *g);

/* What decides: criterion, and whether layers compete (global) or each loses its share. */
struct prune_rule {
    const struct prune_criterion *criterion;
    bool by_layer;
    uint64_t seed;
};

/* Take weights away until round(sparsity x weights) are gone, those with the lowest scores; what is
 * gone stays so. Ties: the first goes. Scratch: 16 bytes a weight. ERR_USAGE where sparsity is not
 * within [0, 1] or less than is gone already. */
MUST_USE bool prune_weights(struct prune_mask *m, struct net *net, const struct prune_rule *rule,
                            double sparsity, struct arena tmp, struct err *e);

/* Zero the masked weights; zero their gradients, so that momentum and moments stay zero too. */
void prune_apply(const struct prune_mask *m, struct net *net);
void prune_apply_gradients(const struct prune_mask *m, struct net *net);

/* Copy every parameter of `to` from the one of the same name; sizes must agree. */
void prune_copy_params(struct net *to, const struct net *from);

#endif
