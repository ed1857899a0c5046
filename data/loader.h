/*
 * loader.h: a dataset as a feed: order, normalisation, augmentation. Example i of epoch e gets the same pixels
 * whichever thread asks and in whatever order.
 */
#ifndef DATA_LOADER_H
#define DATA_LOADER_H

#include "data/dataset.h"

struct loader_options {
    bool shuffle;      /* a new order each epoch, keyed (seed, RNG_SHUFFLE, epoch); else file order */
    int crop_pad;      /* random crop after zero padding by this many pixels (of normalised value 0); 0 = none */
    bool flip;         /* horizontal, with probability 1/2 */
    int cutout;        /* side of a square set to 0 after normalisation [DeVries2017]; 0 = none */
    uint64_t seed;
    const float *mean, *std; /* override the data set's (weights know what they were trained with); NULL = its own */
    struct shape shape;      /* zero = as is; else centre-padded or cropped to this, grey repeated to 3 channels */
};

/* Fill feed; the loader's state lives in the arena. */
MUST_USE bool loader_feed(struct feed *feed, struct arena *keep, const struct dataset *ds,
                          const struct loader_options *options, struct err *e);

#endif
