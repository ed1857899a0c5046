/*
 * norm_sum.h: a sum of batch-normalised and plain feature maps, then ReLU, as one pass over memory:
 * y = relu?(sum_i (x_i scale_i + shift_i)). The work is done block by block, so that what the terms
 * share stays in the nearest cache. Results do not depend on the number of threads.
 */
#ifndef CORE_NORM_SUM_H
#define CORE_NORM_SUM_H

#include "core/arena.h"
#include "core/machine.h"

enum { NORM_SUM_MAX = 8, NORM_SUM_MAX_CHANNELS = 4096 };

struct norm_sum_term {
    const float *x;     /* [n_pixels, c]; NULL = zeros */
    const float *scale; /* [c]; NULL = the term is plain: added as it is */
    /* Backward of a normalised term: */
    const float *mean, *rstd, *gamma; /* [c] */
    float *dgamma, *dbeta;            /* [c], overwritten; both NULL = not wanted */
    float *slopes; /* [3, c] left by norm_sum_settle: dx = a dy + b (x - mean) + d */
    /* Backward of any term: */
    float *dx; /* [n_pixels, c] or NULL; may be dy where the term is plain or the only one */
    bool add;  /* add to dx */
};

/* Some rows of a batch, or all of them. */
struct norm_sum {
    struct norm_sum_term terms[NORM_SUM_MAX];
    int n_terms;
    const float *shift; /* [c] of all terms together */
    bool relu;
    size_t n_pixels;
    int c;
};

void norm_sum_forward(const struct machine *mc, float *y, const struct norm_sum *s);

/*
 * Backward, for a batch that may come in parts. First, for each part: sum[norm_sum_part_doubles]
 * takes what the whole batch must be summed over; dy is overwritten by what ReLU lets through; dx
 * of plain terms is written. y: the output of forward, read only with ReLU and more than one term.
 */
void norm_sum_gather(const struct machine *mc, double *sum, float *dy, const float *y,
                     const struct norm_sum *s, struct arena tmp);

/* Then once: the sums of all parts, in index order, give dgamma, dbeta and slopes. n_pixels: of the
 * whole batch. train: the statistics depend on x (see core/norm.h), else they are constants. */
void norm_sum_settle(const struct norm_sum *s, const double *sums, int n_parts, size_t n_pixels,
                     bool train);

/* Last, for each part: dx of normalised terms. dy as norm_sum_gather left it. */
void norm_sum_gradients(const struct machine *mc, const float *dy, const struct norm_sum *s);

size_t norm_sum_part_doubles(int n_terms, int c);

/* Bytes of tmp. */
size_t norm_sum_scratch_bytes(const struct machine *mc, size_t n_pixels, int c);

#endif
