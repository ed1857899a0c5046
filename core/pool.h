/* pool.h: pooling of NHWC feature maps. Parallel over images; sums per output in a fixed order. */
#ifndef CORE_POOL_H
#define CORE_POOL_H

#include "core/machine.h"

struct pool_shape {
    int n, h, w, c;
    int size, stride, pad;
    int oh, ow; /* filled by pool_shape_init */
    bool
        count_padding; /* average: divide by size^2 everywhere, else by the number of real pixels */
};

MUST_USE bool pool_shape_init(struct pool_shape *s, struct err *e);

void pool_avg_forward(const struct machine *mc, float *y, const float *x,
                      const struct pool_shape *s);
void pool_avg_backward(const struct machine *mc, float *dx, const float *dy,
                       const struct pool_shape *s, bool add);

/* index[n, oh, ow, c]: the position in the window (0 .. size^2-1) of the first maximum, for the
 * backward pass. */
void pool_max_forward(const struct machine *mc, float *y, uint8_t *index, const float *x,
                      const struct pool_shape *s);
void pool_max_backward(const struct machine *mc, float *dx, const float *dy, const uint8_t *index,
                       const struct pool_shape *s, bool add);

/* y[n, c] = mean over h w. */
void pool_global_forward(const struct machine *mc, float *y, const float *x, int n, size_t hw,
                         int c);
void pool_global_backward(const struct machine *mc, float *dx, const float *dy, int n, size_t hw,
                          int c, bool add);

#endif
