/*
 * wino_planes.h: what the transforms of Winograd's F(4x4, 3x3) read and write: pixels, and planes a
 * step apart. SIMD_OPAQUE keeps addresses out of registers (simd_common.h).
 */
#ifndef CORE_KERNELS_WINO_PLANES_H
#define CORE_KERNELS_WINO_PLANES_H

#include "core/kernels/declare.h"

/* Six planes from p on, a step apart, addressed without a register for each. */
struct wino_planes {
    float *p;
    ptrdiff_t s1, s3, s5; /* floats */
};

SIMD_INLINE struct wino_planes wino_planes(float *p, ptrdiff_t step)
{
    return (struct wino_planes){p, step, 3 * step, 5 * step};
}

/* The planes 6 r .. 6 r + 5. */
SIMD_INLINE float *wino_plane(struct wino_planes *w, const int i)
{
    const ptrdiff_t steps[6] = {0, w->s1, 2 * w->s1, w->s3, 4 * w->s1, w->s5};
    SIMD_OPAQUE(w->p);
    return w->p + steps[i];
}

SIMD_INLINE void wino_next_row(struct wino_planes *w)
{
    w->p += 2 * w->s3;
    SIMD_OPAQUE(w->p);
}

/* How pixels are read: mask[q] of column q where `masked`, through ReLU where `relu`. */
struct wino_read {
    bool masked, relu, part; /* part: the channels do not fill the register */
    v_mask mask[6], m;       /* m: the channels */
};

SIMD_INLINE v_f32 wino_pixel(const struct wino_read *how, const float *p, int q)
{
    v_f32 d = v_get(p, how->masked, how->mask[q]);
    return how->relu ? v_at_least(d, v_zero()) : d;
}

#endif
