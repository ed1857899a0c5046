/* pool_window.h: which inputs an output of a pool sees, for every tier. */
#ifndef CORE_KERNELS_POOL_WINDOW_H
#define CORE_KERNELS_POOL_WINDOW_H

#include "core/kernel.h"

struct pool_window {
    int lo, hi; /* first input and last + 1 */
};

static inline struct pool_window pool_window(const struct kernel_pool *p, int o)
{
    struct pool_window w;
    if (p->back) {
        int first = o + p->pad - p->size + 1;
        w.lo = first <= 0 ? 0 : (first + p->stride - 1) / p->stride;
        w.hi = (o + p->pad) / p->stride + 1;
    } else {
        int first = o * p->stride - p->pad;
        w.lo = first < 0 ? 0 : first;
        w.hi = first + p->size;
    }
    w.hi = w.hi > p->n_in ? p->n_in : w.hi;
    return w;
}

/* The factor of input i of a gradient. */
static inline float pool_share(const struct kernel_pool *p, int i)
{
    int first = i * p->stride - p->pad, last = first + p->size;
    first = first < 0 ? 0 : first;
    last = last > p->n_out ? p->n_out : last;
    return p->share[last - first];
}

#endif
