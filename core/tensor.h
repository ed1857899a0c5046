/* tensor.h: a view of float32 numbers in NHWC order. It owns nothing. */
#ifndef CORE_TENSOR_H
#define CORE_TENSOR_H

#include "core/base.h"

/* The shape of one image or feature map; a flat vector of c features is 1 x 1 x c. */
struct shape {
    int h, w, c;
};

struct tensor {
    float *data; /* [n, h, w, c], contiguous */
    int n, h, w, c;
};

static inline size_t shape_count(struct shape s)
{
    return (size_t)s.h * (size_t)s.w * (size_t)s.c;
}

static inline size_t tensor_count(const struct tensor *t)
{
    return (size_t)t->n * (size_t)t->h * (size_t)t->w * (size_t)t->c;
}

#endif
