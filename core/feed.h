/*
 * feed.h: a source of batches. data/ makes them, nn/ and nas/ use them, and neither knows the
 * other. Filling is a pure function of (feed, epoch, position), so any thread may do it in any
 * order and get the same bits.
 */
#ifndef CORE_FEED_H
#define CORE_FEED_H

#include "core/err.h"
#include "core/tensor.h"

enum { FEED_MAX_CHANNELS = 4 };

struct feed {
    void *ctx;          /* the maker's own */
    size_t n;           /* examples in one epoch */
    struct shape shape; /* of one image */
    int n_classes;
    float
        mean[FEED_MAX_CHANNELS]; /* normalisation applied: (value/255 - mean) / std, per channel */
    float std[FEED_MAX_CHANNELS];
    /* Write x[n, h, w, c] (normalised, augmented) and labels[n] for positions first .. first+n-1 of
     * the epoch's order. May be called from several threads at once. Cannot fail: all files were
     * read and checked before. */
    void (*fill)(const void *ctx, uint64_t epoch, size_t first, int n, float *x, int32_t *labels);
};

static inline void feed_fill(const struct feed *f, uint64_t epoch, size_t first, int n, float *x,
                             int32_t *labels)
{
    ASSERT(n >= 0 && first + (size_t)n <= f->n);
    f->fill(f->ctx, epoch, first, n, x, labels);
}

#endif
