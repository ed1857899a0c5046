#include "nas/forest.h"

#include <math.h>

#include "core/rng.h"

/* A tree with n samples at its leaves has at most this many nodes. */
static size_t nodes_of(int n)
{
    return 2 * (size_t)n - 1;
}

size_t forest_bytes(int n, int n_features, int n_trees)
{
    size_t trees = (size_t)n_trees, samples = (size_t)n;
    return arena_round(trees * nodes_of(n) * sizeof(struct forest_node)) +
           arena_round(trees * sizeof(int)) + 2 * arena_round(samples * sizeof(int)) +
           arena_round(samples * 3 * sizeof(int)) + arena_round((size_t)n_features * sizeof(int));
}

/* A tree while it grows. */
struct grower {
    const struct forest_data *d;
    struct forest_node *nodes;
    int n_nodes;
    int *sample;   /* [n] indices into the data, sorted into nodes */
    int *scratch;  /* [n] */
    int *features; /* [n_features] in the order of the last draw */
    struct rng rng;
};

struct split {
    int feature; /* -1 = none splits */
    double gain;
};

static int count_ones(const struct grower *g, int first, int n)
{
    int ones = 0;
    for (int i = first; i < first + n; i++) {
        ones += g->d->y[g->sample[i]];
    }
    return ones;
}

/* The sum over both children of (n_0^2 + n_1^2) / n, which is largest where the impurity is least;
 * -1 if one of them is empty. */
static double purity(const struct grower *g, int first, int n, int feature)
{
    int count[2] = {0, 0}, ones[2] = {0, 0};
    for (int i = first; i < first + n; i++) {
        int side = g->d->x[(size_t)g->sample[i] * (size_t)g->d->n_features + (size_t)feature];
        count[side]++;
        ones[side] += g->d->y[g->sample[i]];
    }
    double sum = 0;
    for (int side = 0; side < 2; side++) {
        double one = ones[side], zero = count[side] - ones[side];
        if (count[side] == 0) {
            return -1;
        }
        sum += (one * one + zero * zero) / count[side];
    }
    return sum;
}

/* The best of sqrt(n_features) features drawn without repeats, the first of equals; more are drawn
 * while none of them splits. */
static struct split find_split(struct grower *g, int first, int n)
{
    struct split best = {.feature = -1};
    int n_features = g->d->n_features, n_tries = MAX(1, (int)sqrt(n_features));
    for (int i = 0; i < n_features && (i < n_tries || best.feature < 0); i++) {
        int at = i + (int)rng_below(&g->rng, (uint64_t)(n_features - i));
        int feature = g->features[at];
        g->features[at] = g->features[i];
        g->features[i] = feature;
        double gain = purity(g, first, n, feature);
        if (gain >= 0 && (best.feature < 0 || gain > best.gain)) {
            best = (struct split){feature, gain};
        }
    }
    return best;
}

/* Samples without the feature first, in their order; returns how many those are. */
static int partition(struct grower *g, int first, int n, int feature)
{
    int n_without = 0, n_with = 0;
    for (int i = first; i < first + n; i++) {
        int s = g->sample[i];
        if (g->d->x[(size_t)s * (size_t)g->d->n_features + (size_t)feature]) {
            g->scratch[n_with++] = s;
        } else {
            g->sample[first + n_without++] = s;
        }
    }
    for (int i = 0; i < n_with; i++) {
        g->sample[first + n_without + i] = g->scratch[i];
    }
    return n_without;
}

static int new_node(struct grower *g, int first, int n)
{
    g->nodes[g->n_nodes] =
        (struct forest_node){.feature = -1, .share = (float)count_ones(g, first, n) / (float)n};
    return g->n_nodes++;
}

/* Nodes that may be split yet wait in a list: a chain of splits could be as deep as there are
 * samples. todo: [n] */
static void grow(struct grower *g, int (*todo)[3])
{
    int n_todo = 1;
    todo[0][0] = new_node(g, 0, g->d->n);
    todo[0][1] = 0;
    todo[0][2] = g->d->n;
    while (n_todo > 0) {
        int node = todo[--n_todo][0], first = todo[n_todo][1], n = todo[n_todo][2];
        if (g->nodes[node].share <= 0 || g->nodes[node].share >= 1) {
            continue;
        }
        struct split s = find_split(g, first, n);
        if (s.feature < 0) {
            continue;
        }
        int n_without = partition(g, first, n, s.feature);
        int part[2][2] = {{first, n_without}, {first + n_without, n - n_without}};
        g->nodes[node].feature = s.feature;
        for (int side = 0; side < 2; side++) {
            int child = new_node(g, part[side][0], part[side][1]);
            g->nodes[node].child[side] = child;
            todo[n_todo][0] = child;
            todo[n_todo][1] = part[side][0];
            todo[n_todo++][2] = part[side][1];
        }
    }
}

void forest_fit(struct forest *f, struct arena *keep, const struct forest_data *d, int n_trees,
                uint64_t seed, uint64_t number, struct arena tmp)
{
    ASSERT(d->n >= 1 && d->n_features >= 1 && n_trees >= 1);
    size_t n = (size_t)d->n;
    *f = (struct forest){.n_trees = n_trees, .n_features = d->n_features};
    f->root = arena_push(keep, (size_t)n_trees, sizeof *f->root);
    f->nodes = arena_push(keep, (size_t)n_trees * nodes_of(d->n), sizeof *f->nodes);
    struct grower g = {
        .d = d,
        .nodes = f->nodes,
        .sample = arena_push(&tmp, n, sizeof *g.sample),
        .scratch = arena_push(&tmp, n, sizeof *g.scratch),
        .features = arena_push(&tmp, (size_t)d->n_features, sizeof *g.features),
    };
    int(*todo)[3] = arena_push(&tmp, n, sizeof *todo);
    for (int tree = 0; tree < n_trees; tree++) {
        g.rng = rng_key(seed, RNG_BOOTSTRAP, number * (uint64_t)n_trees + (uint64_t)tree);
        for (int i = 0; i < d->n_features; i++) {
            g.features[i] = i;
        }
        for (int i = 0; i < d->n; i++) {
            g.sample[i] = (int)rng_below(&g.rng, (uint64_t)d->n);
        }
        f->root[tree] = g.n_nodes;
        grow(&g, todo);
    }
}

double forest_predict(const struct forest *f, const uint8_t *x)
{
    double sum = 0;
    for (int tree = 0; tree < f->n_trees; tree++) {
        const struct forest_node *node = &f->nodes[f->root[tree]];
        while (node->feature >= 0) {
            node = &f->nodes[node->child[x[node->feature] != 0]];
        }
        sum += (double)node->share;
    }
    return sum / f->n_trees;
}
