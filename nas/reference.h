/*
 * reference.h: from a reference network and a feed to the fixed batch of a search [Zheng2022]: draw
 * images, keep those the reference finds easiest, take the Gram matrices of its taps.
 */
#ifndef NAS_REFERENCE_H
#define NAS_REFERENCE_H

#include "core/feed.h"
#include "nas/score.h"

struct reference_options {
    int n_draw; /* images drawn (512) */
    int n_keep; /* lowest cross-entropy kept (32) */
};

/* Images to choose from. */
struct reference_drawn {
    int n;
    struct shape shape;
    int n_classes;
    float *x;        /* [n, h, w, c] */
    int32_t *labels; /* [n] */
};

/* The first images of the feed's order, in the arena: the data set is not needed after that. */
MUST_USE bool reference_draw(struct reference_drawn *d, struct arena *keep,
                             const struct feed *feed, const struct reference_options *o,
                             struct err *e);

/* Fill batch in the arena with the n_keep easiest of d. reference: a NET_STATS or NET_TRAIN net
 * with loaded weights; its running statistics are left as they were. */
MUST_USE bool reference_batch(struct score_batch *batch, struct arena *keep,
                              const struct machine *mc, struct net *reference,
                              const struct reference_drawn *d, int n_keep, struct arena tmp,
                              struct err *e);

/* The reference's Gram matrices for a batch that is already there (read from a file). */
MUST_USE bool reference_grams(struct score_batch *batch, struct arena *keep,
                              const struct machine *mc, struct net *reference, struct arena tmp,
                              struct err *e);

#endif
