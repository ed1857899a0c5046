/*
 * order.h: in which order a plan's units are run, and on which part of the batch at a time. Inside
 * nn only.
 *
 * Units that work image by image are gathered in levels: a level is run part after part of the
 * batch, and within a part step after step, so that a step finds near what the one before it has
 * written: a tensor of a batch of 128 small images is larger than the second-level cache, a part is
 * not. Batch statistics end a level: all parts must have been summed before the first is
 * normalised. A unit that needs the whole batch at once is a level by itself.
 */
#ifndef NN_ORDER_H
#define NN_ORDER_H

#include "nn/graph.h"

struct unit;

enum step_kind {
    STEP_RUN,    /* the unit's forward or backward */
    STEP_GATHER, /* its gather_x of input `input`, or gather_dy */
    STEP_REMAKE, /* in backward: its forward, once more (nn/remake.h) */
};

struct step {
    enum step_kind kind;
    int unit, input;
};

struct level {
    int first, last;    /* steps first .. last - 1 */
    bool whole;         /* one step, on the whole batch */
    size_t image_bytes; /* of the widest tensor that its steps touch, one image */
};

struct order {
    struct step *steps;
    int n_steps;
    struct level *levels;
    int n_levels;
};

/* The arrays go to keep. units: n_units of them in topological order. */
void order_forward(struct order *o, struct arena *keep, const struct graph *g,
                   const struct unit *units, int n_units);
void order_backward(struct order *o, struct arena *keep, const struct graph *g,
                    const struct unit *units, int n_units);

/* Into how many parts a level cuts a batch of n images, given how many bytes the widest tensor of a
 * part should have and the most parts allowed; and an upper bound of the images in a part, for any
 * batch up to n. By size alone, never by the number of threads. */
int order_parts(const struct level *level, int n, size_t part_bytes, int max_parts);
int order_part_images(const struct level *level, int n, size_t part_bytes, int max_parts);

#endif
