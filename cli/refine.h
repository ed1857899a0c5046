/*
 * refine.h: after a search, a short real training of the networks of its shortlist, and the front
 * by what they get right of images held out. A score only guesses which of two networks will be the
 * better one; where it guesses wrong among few, training them a little is the cheapest judge. No
 * test image is looked at: the held-out fifth is of the training images.
 */
#ifndef CLI_REFINE_H
#define CLI_REFINE_H

#include "cli/session.h"

/* Rows for the table of hdnas search. */
/* clang-format off: one row an option */
#define REFINE_OPTIONS \
    {"refine", OPTION_INT, "N", "0", \
     "train the networks of the shortlist for N epochs, and tell the front by the accuracy " \
     "they reach on images held out; 0 = no", 0, 100000}, \
    {"refine-images", OPTION_INT, "N", "10000", \
     "training images for that, the first ones; a fifth of them is held out; 0 = all", 0, 1e9}
/* clang-format on */

struct refine_result {
    int epochs;             /* 0 = nothing was trained; then the rest is empty */
    size_t n_train, n_held; /* images */
    struct run_member *front; /* [n_front] of the shortlist what no cheaper one beats, ascending
                                 cost */
    double *accuracy;         /* [n_front] percent of the held-out images */
    int n_front;
};

/* Train what RUN/trained.csv does not have yet, one network after the other on all threads; write
 * RUN/refined.csv. ERR_INTERRUPTED after a signal: finished networks are in trained.csv, the one in
 * hand goes on from its last epoch. Same bits however often it was interrupted and on any number of
 * threads. Costs forward and backward of every training image, N times for each network. */
MUST_USE bool refine_run(struct refine_result *out, struct session *s,
                         const struct run_result *result, struct err *e);

#endif
