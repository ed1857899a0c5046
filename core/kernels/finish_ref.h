/* finish_ref.h: struct kernel_post on one sum, in plain C: the definition. */
#ifndef CORE_KERNELS_FINISH_REF_H
#define CORE_KERNELS_FINISH_REF_H

#include "core/kernel.h"

/* What v, bound for y[at] in column col, becomes. */
static inline float finish_ref(const struct kernel_post *p, float v, const float *y, ptrdiff_t at,
                               int col)
{
    v = p->scale ? v * p->scale[col] : v;
    v = p->shift ? v + p->shift[col] : v;
    v = p->add ? v + p->add[at] : v;
    float t = v + 3;
    switch (p->act) {
    case KERNEL_RELU:
        v = v < 0 ? 0 : v;
        break;
    case KERNEL_RELU6:
        v = v < 0 ? 0 : v > 6 ? 6 : v;
        break;
    case KERNEL_HSWISH:
        v = v * (t < 0 ? 0 : t > 6 ? 6 : t) * (1.0f / 6);
        break;
    default:
        break;
    }
    v = p->mask && p->mask[at] <= 0 ? 0 : v;
    return p->into ? y[at] + v : v;
}

#endif
