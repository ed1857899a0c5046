/* summary.h: what a data set looks like in numbers. */
#ifndef DATA_SUMMARY_H
#define DATA_SUMMARY_H

#include "data/dataset.h"

struct summary {
    double mean[FEED_MAX_CHANNELS]; /* of value/255, over all pixels */
    double std[FEED_MAX_CHANNELS];  /* population deviation of the same */
    size_t *n_of_class;             /* [n_classes] images of each */
};

/* O(pixels); exact: sums are kept in integers. */
MUST_USE bool summary_of(struct summary *s, struct arena *keep, const struct dataset *ds,
                         struct err *e);

#endif
