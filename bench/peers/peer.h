/*
 * peer.h: the contract of a convolution library that hdnas is measured against. One program per
 * library: conv_peers.c and one room conv_NAME.c, which defines `peer`. A library may offer several
 * variants (algorithms, layouts); each is timed by itself and the best counts.
 */
#ifndef BENCH_PEERS_PEER_H
#define BENCH_PEERS_PEER_H

#include "core/conv.h"

/* A convolution and its tensors in the layouts of core/conv.h. The peer converts them to its own
 * outside of the timed part. */
struct peer_problem {
    struct conv_shape s;
    enum conv_dir dir;
    int n_threads;
    const float *x, *w, *y; /* y: the gradient of the output in the backward directions */
    size_t n_x, n_w, n_y;
    struct arena *keep;
};

struct peer_variant {
    const char *name; /* "direct": in rows as PEER-NAME */
    /* Everything that can be done beforehand: layouts, code, scratch. NULL where the library cannot
     * do this problem. */
    void *(*open)(const struct peer_problem *p);
    void (*run)(void *state);
    /* The result in hdnas's layout: y, x or w, by direction. */
    void (*result)(void *state, float *out);
    void (*close)(void *state);
};

struct peer {
    const char *name;
    const char *(*version)(void);
    const struct peer_variant *variants;
    int n_variants;
};

extern const struct peer peer;

#endif
