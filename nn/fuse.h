/* fuse.h: rewriting of units so that fewer passes over memory are made. Inside nn only. */
#ifndef NN_FUSE_H
#define NN_FUSE_H

#include "nn/plan.h"

/*
 * Both modes: bn, sum and relu become one norm_sum where nobody else looks at what lies between; a
 * ReLU that only convolutions read is computed on their way in. NET_EVAL: convolutions with what
 * follows them become conv_bn. Values of taps and of the output are always made. New arrays go to
 * keep.
 */
void fuse_units(struct plan *plan, struct arena *keep, enum net_mode mode);

#endif
