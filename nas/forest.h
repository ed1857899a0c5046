/*
 * forest.h: a random forest that tells two classes apart [Breiman2001], for binary features such as
 * one-hot codes of architectures. Trees grow until their leaves are pure or cannot be split, by
 * Gini impurity, each from a bootstrap sample of its own and at each node from sqrt(n_features)
 * features drawn anew (more, until one of them splits). Same data and key, same forest.
 */
#ifndef NAS_FOREST_H
#define NAS_FOREST_H

#include "core/arena.h"

struct forest_data {
    const uint8_t *x;  /* [n, n_features] 0 or 1 */
    const uint8_t *y;  /* [n] 0 or 1 */
    int n, n_features; /* n >= 1 */
};

struct forest_node {
    int feature;  /* -1 = leaf */
    int child[2]; /* by the feature's value */
    float share;  /* of class 1 among the samples here */
};

struct forest {
    int n_trees, n_features;
    int *root;                 /* [n_trees] */
    struct forest_node *nodes; /* of all trees */
};

/* The forest lives in keep. seed and number are the key of its draws. O(trees n sqrt(features)
 * depth). */
void forest_fit(struct forest *f, struct arena *keep, const struct forest_data *d, int n_trees,
                uint64_t seed, uint64_t number, struct arena tmp);

/* Probability of class 1: the mean over the trees of the share in x's leaf. x[n_features]. */
double forest_predict(const struct forest *f, const uint8_t *x);

/* Memory for both arenas of forest_fit. */
size_t forest_bytes(int n, int n_features, int n_trees);

#endif
