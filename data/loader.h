/*
 * loader.h: a dataset as a feed: order, normalisation, augmentation. Example i of epoch e gets the
 * same pixels whichever thread asks and in whatever order.
 */
#ifndef DATA_LOADER_H
#define DATA_LOADER_H

#include "data/dataset.h"

struct loader_options {
    bool shuffle; /* a new order each epoch, keyed (seed, RNG_SHUFFLE, epoch); else file order */
    int crop_pad; /* 0 = none; else moved by up to so many pixels; what lies outside becomes 0 */
    bool flip;    /* horizontal, with probability 1/2 */
    int cutout;   /* side of a square set to 0 after normalisation [DeVries2017]; 0 = none */
    uint64_t seed;
    const float *mean; /* override the data set's (weights know what they were trained with); */
    const float *std;  /* NULL = its own */
    /* Zero = as is. Else the middle of the image, or the image in the middle of zeros (normalised
     * ones, as everywhere here); grey is repeated to 3 channels. */
    struct shape shape;
};

/* Fill feed; the loader's state lives in the arena. */
MUST_USE bool loader_feed(struct feed *feed, struct arena *keep, const struct dataset *ds,
                          const struct loader_options *options, struct err *e);

#endif
