/* post_body.h: what becomes of a register of sums before it is stored (struct kernel_post). */
#ifndef CORE_KERNELS_POST_BODY_H
#define CORE_KERNELS_POST_BODY_H

#include "core/kernels/declare.h"

SIMD_INLINE v_f32 post_act(v_f32 v, enum kernel_act act)
{
    if (act == KERNEL_RELU) {
        return v_at_least(v, v_zero());
    }
    if (act == KERNEL_RELU6) {
        return v_at_most(v_at_least(v, v_zero()), v_set1(6));
    }
    if (act == KERNEL_HSWISH) {
        v_f32 t = v_at_most(v_at_least(v_add(v, v_set1(3)), v_zero()), v_set1(6));
        return v_mul(v_mul(v, t), v_set1(1.0f / 6));
    }
    return v;
}

/* Nothing but a mask, and perhaps a sum going on. */
SIMD_INLINE bool post_is_mask(const struct kernel_post *post)
{
    return post->mask && !post->scale && !post->shift && !post->add && post->act == KERNEL_NO_ACT;
}

/* v under a ReLU's mask at element `at`, then into y where asked: all that backward data wants. */
SIMD_INLINE v_f32 post_masked(v_f32 v, const float *mask, const float *y, const bool into,
                              ptrdiff_t at, v_mask m)
{
    v = v_drop_le(v, v_load_part(mask + at, m), v_zero());
    return into ? v_add(v_load_part(y + at, m), v) : v;
}

/* v, bound for y[at] in column col, becomes what post says. */
SIMD_INLINE v_f32 post_value(const struct kernel_post *post, v_f32 v, const float *y, ptrdiff_t at,
                             int col, v_mask m)
{
    if (post->scale) {
        v = v_mul(v, v_load_part(post->scale + col, m));
    }
    if (post->shift) {
        v = v_add(v, v_load_part(post->shift + col, m));
    }
    if (post->add) {
        v = v_add(v, v_load_part(post->add + at, m));
    }
    v = post_act(v, post->act);
    if (post->mask) {
        return post_masked(v, post->mask, y, post->into, at, m);
    }
    if (post->into) {
        v = v_add(v_load_part(y + at, m), v);
    }
    return v;
}

#endif
