#include "nas/relu_code.h"

#include <string.h>

#include "core/rng.h"

int relu_code_times(const struct graph *g, int node)
{
    const struct node *relu = &g->nodes[node];
    if (!relu->op || strncmp(relu->op->name, "relu", 4) != 0) {
        return 0;
    }
    int times = 0;
    for (int i = node + 1; i < g->n_nodes; i++) {
        const struct node *reader = &g->nodes[i];
        times += reader->op && strcmp(reader->op->name, "conv") == 0 && reader->in[0] == node;
    }
    return MAX(times, 1);
}

size_t relu_code_units(const struct graph *g)
{
    size_t units = 0;
    for (int i = 1; i < g->n_nodes; i++) {
        units += (size_t)relu_code_times(g, i) * shape_count(g->nodes[i].shape);
    }
    return units;
}

static size_t relu_code_words(size_t units)
{
    return DIV_UP(units, 64);
}

size_t relu_code_agree_bytes(const struct graph *g, int n)
{
    size_t most = 0;
    for (int i = 1; i < g->n_nodes; i++) {
        most = MAX(most, relu_code_words(shape_count(g->nodes[i].shape)));
    }
    return arena_round((size_t)n * most * sizeof(uint64_t));
}

/* bits[words] of one image: on where the activation is positive. */
static void relu_code_pack(uint64_t *bits, const float *x, size_t units)
{
    for (size_t w = 0; w < relu_code_words(units); w++) {
        uint64_t word = 0;
        size_t end = MIN((size_t)64, units - 64 * w);
        for (size_t b = 0; b < end; b++) {
            word |= (uint64_t)(x[64 * w + b] > 0) << b;
        }
        bits[w] = word;
    }
}

/* Bits in which a and b differ. Sums of two, four and eight bits side by side. */
static size_t relu_code_distance(const uint64_t *a, const uint64_t *b, size_t words)
{
    uint64_t count = 0;
    for (size_t i = 0; i < words; i++) {
        uint64_t x = a[i] ^ b[i];
        x -= x >> 1 & 0x5555555555555555u;
        x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
        x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
        count += x * 0x0101010101010101u >> 56;
    }
    return (size_t)count;
}

void relu_code_agree(double *agree, const struct trial *t, int n, struct arena tmp)
{
    const struct graph *g = t->graph;
    memset(agree, 0, (size_t)n * (size_t)n * sizeof *agree);
    for (int node = 1; node < g->n_nodes; node++) {
        int times = relu_code_times(g, node);
        struct tensor y = times ? net_node_value(t->net, node) : (struct tensor){0};
        if (!y.data) {
            continue;
        }
        struct arena scratch = tmp;
        size_t units = shape_count(g->nodes[node].shape), words = relu_code_words(units);
        uint64_t *bits = arena_push(&scratch, (size_t)n * words, sizeof *bits);
        for (int i = 0; i < n; i++) {
            relu_code_pack(bits + (size_t)i * words, y.data + (size_t)i * units, units);
            for (int j = 0; j <= i; j++) {
                size_t differ =
                    relu_code_distance(bits + (size_t)i * words, bits + (size_t)j * words, words);
                agree[i * n + j] += (double)times * (double)(units - differ);
            }
        }
    }
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < i; j++) {
            agree[j * n + i] = agree[i * n + j];
        }
    }
}

/* Places of the set of patterns: a power of two, half of them stay free. */
static size_t relu_code_places(const struct graph *g)
{
    size_t units = 0, places = 2;
    for (int i = 1; i < g->n_nodes; i++) {
        units += relu_code_times(g, i) > 0 ? shape_count(g->nodes[i].shape) : 0;
    }
    while (places < 2 * units) {
        places *= 2;
    }
    return places;
}

size_t relu_code_patterns_bytes(const struct graph *g)
{
    size_t most = 0;
    for (int i = 1; i < g->n_nodes; i++) {
        most = MAX(most, shape_count(g->nodes[i].shape));
    }
    return arena_round(relu_code_places(g) * sizeof(uint64_t)) +
           arena_round(most * sizeof(uint64_t));
}

/* patterns[units] over n images; those beyond the 64th are mixed in, 64 at a time. */
static void relu_code_columns(uint64_t *patterns, const float *x, size_t units, int n)
{
    memset(patterns, 0, units * sizeof *patterns);
    for (int i = 0; i < n; i++) {
        for (size_t u = 0; i > 0 && i % 64 == 0 && u < units; u++) {
            patterns[u] = rng_mix(patterns[u]);
        }
        const float *row = x + (size_t)i * units;
        for (size_t u = 0; u < units; u++) {
            patterns[u] ^= (uint64_t)(row[u] > 0) << i % 64;
        }
    }
}

/* Is the pattern new to the set? 0 marks a free place, so it is no member. */
static bool relu_code_enter(uint64_t *set, size_t places, uint64_t pattern)
{
    size_t at = (size_t)rng_mix(pattern) & (places - 1);
    while (set[at] != 0 && set[at] != pattern) {
        at = (at + 1) & (places - 1);
    }
    bool is_new = set[at] == 0;
    set[at] = pattern;
    return is_new;
}

int64_t relu_code_patterns(const struct trial *t, int n, struct arena tmp)
{
    const struct graph *g = t->graph;
    size_t places = relu_code_places(g);
    uint64_t *set = arena_push(&tmp, places, sizeof *set);
    memset(set, 0, places * sizeof *set);
    int64_t different = 0;
    bool dead = false; /* a unit that is off on every image */
    for (int node = 1; node < g->n_nodes; node++) {
        struct tensor y =
            relu_code_times(g, node) ? net_node_value(t->net, node) : (struct tensor){0};
        if (!y.data) {
            continue;
        }
        struct arena here = tmp;
        size_t units = shape_count(g->nodes[node].shape);
        uint64_t *patterns = arena_push(&here, units, sizeof *patterns);
        relu_code_columns(patterns, y.data, units, n);
        for (size_t u = 0; u < units; u++) {
            dead |= patterns[u] == 0;
            different += patterns[u] != 0 && relu_code_enter(set, places, patterns[u]);
        }
    }
    return different + dead;
}
