/*
 * conv_flat.h: 1x1 convolutions of stride 1 by the product over taps; the part of conv_direct that
 * has no rows and no halo.
 */
#ifndef CORE_CONV_FLAT_H
#define CORE_CONV_FLAT_H

#include "core/conv_room.h"

bool conv_flat_is(const struct conv_shape *s);

size_t conv_flat_scratch_bytes(const struct machine *mc, const struct conv_shape *s,
                               enum conv_dir dir);

/* w[src channels / groups, dst channels]: transposed already for backward data. */
void conv_flat_run(const struct conv_job *j, const float *w, struct arena tmp);

#endif
