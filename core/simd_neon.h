/* simd_neon.h: four floats a register (AArch64); the words of simd_avx512.h. A mask is a count of
 * lanes: NEON has no masked access, so what is left over goes lane by lane. */
#ifndef CORE_SIMD_NEON_H
#define CORE_SIMD_NEON_H

#include "core/simd_common.h"

#include <arm_neon.h>

#define SIMD_ISA_WORD   "neon"
#define SIMD_NAME(name) name##__neon

/* Thirty-two registers, as with AVX-512. */
enum { VL = 4, SIMD_ROWS_1 = 24, SIMD_COLS = 4 };
#define SIMD_ROWS       SIMD_ROWS_1, 12, 9, 6
#define SIMD_FEW_ROWS   SIMD_ROWS
#define SIMD_TILES_1(T) SIMD_24(T, 1)
#define SIMD_TILES(T)   SIMD_TILES_1(T) SIMD_12(T, 2) SIMD_9(T, 3) SIMD_6(T, 4)
#define SIMD_TILES_HALF(T)

/* Dot products done together: their sums, the b of a column each, one a. */
enum { SIMD_DOTS_A = 4, SIMD_DOTS_B = 6 };

typedef float32x4_t v_f32;
typedef int v_mask;

/* Makes a register look changed, at no cost. */
#define V_OPAQUE(v) __asm__("" : "+w"(v))

SIMD_INLINE v_mask v_first(ptrdiff_t n)
{
    return n >= VL ? VL : n <= 0 ? 0 : (int)n;
}

SIMD_INLINE v_f32 v_load(const float *p)
{
    return vld1q_f32(p);
}

SIMD_INLINE v_f32 v_load_half(const float *p)
{
    return vcombine_f32(vld1_f32(p), vdup_n_f32(0));
}

SIMD_INLINE void v_store_half(float *p, v_f32 a)
{
    vst1_f32(p, vget_low_f32(a));
}

SIMD_INLINE v_f32 v_fma_half(v_f32 a, v_f32 b, v_f32 c)
{
    return vfmaq_f32(c, a, b);
}

SIMD_INLINE v_f32 v_load_part(const float *p, v_mask m)
{
    float lanes[VL] = {0, 0, 0, 0};
    if (m == VL) {
        return vld1q_f32(p);
    }
    for (int i = 0; i < m; i++) {
        lanes[i] = p[i];
    }
    return vld1q_f32(lanes);
}

SIMD_INLINE void v_store(float *p, v_f32 a)
{
    vst1q_f32(p, a);
}

SIMD_INLINE void v_store_part(float *p, v_mask m, v_f32 a)
{
    float lanes[VL];
    if (m == VL) {
        vst1q_f32(p, a);
        return;
    }
    vst1q_f32(lanes, a);
    for (int i = 0; i < m; i++) {
        p[i] = lanes[i];
    }
}

/* Where `part` is known to be false the mask costs nothing. */
SIMD_INLINE v_f32 v_get(const float *p, bool part, v_mask m)
{
    return part ? v_load_part(p, m) : v_load(p);
}

SIMD_INLINE void v_put(float *p, v_f32 a, bool part, v_mask m)
{
    if (part) {
        v_store_part(p, m, a);
    } else {
        v_store(p, a);
    }
}

SIMD_INLINE v_f32 v_zero(void)
{
    return vdupq_n_f32(0);
}

SIMD_INLINE v_f32 v_set1(float x)
{
    return vdupq_n_f32(x);
}

SIMD_INLINE v_f32 v_add(v_f32 a, v_f32 b)
{
    return vaddq_f32(a, b);
}

SIMD_INLINE v_f32 v_sub(v_f32 a, v_f32 b)
{
    return vsubq_f32(a, b);
}

SIMD_INLINE v_f32 v_mul(v_f32 a, v_f32 b)
{
    return vmulq_f32(a, b);
}

SIMD_INLINE v_f32 v_div(v_f32 a, v_f32 b)
{
    return vdivq_f32(a, b);
}

SIMD_INLINE v_f32 v_sqrt(v_f32 a)
{
    return vsqrtq_f32(a);
}

SIMD_INLINE v_f32 v_fma(v_f32 a, v_f32 b, v_f32 c)
{
    return vfmaq_f32(c, a, b);
}

SIMD_INLINE v_f32 v_fnma(v_f32 a, v_f32 b, v_f32 c)
{
    return vfmsq_f32(c, a, b);
}

SIMD_INLINE v_f32 v_at_least(v_f32 x, v_f32 lo)
{
    return vbslq_f32(vcltq_f32(x, lo), lo, x);
}

SIMD_INLINE v_f32 v_at_most(v_f32 x, v_f32 hi)
{
    return vbslq_f32(vcgtq_f32(x, hi), hi, x);
}

SIMD_INLINE v_f32 v_drop_le(v_f32 a, v_f32 m, v_f32 lo)
{
    return vbslq_f32(vcleq_f32(m, lo), vdupq_n_f32(0), a);
}

SIMD_INLINE v_f32 v_swap_ge(v_f32 a, v_f32 b, v_f32 m, v_f32 hi)
{
    return vbslq_f32(vcgeq_f32(m, hi), b, a);
}

SIMD_INLINE v_f32 v_round(v_f32 a)
{
    return vrndnq_f32(a);
}

SIMD_INLINE v_f32 v_ldexp(v_f32 a, v_f32 n)
{
    int32x4_t e = vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127));
    return vmulq_f32(a, vreinterpretq_f32_s32(vshlq_n_s32(e, 23)));
}

SIMD_INLINE bool v_any_nan(v_f32 a)
{
    return vminvq_u32(vceqq_f32(a, a)) == 0;
}

typedef float64x2_t v_f64;

SIMD_INLINE v_f64 v_zero64(void)
{
    return vdupq_n_f64(0);
}

SIMD_INLINE v_f64 v_low64(v_f32 a)
{
    return vcvt_f64_f32(vget_low_f32(a));
}

SIMD_INLINE v_f64 v_high64(v_f32 a)
{
    return vcvt_high_f64_f32(a);
}

SIMD_INLINE v_f64 v_fma64(v_f64 a, v_f64 b, v_f64 c)
{
    return vfmaq_f64(c, a, b);
}

SIMD_INLINE v_f64 v_add64(v_f64 a, v_f64 b)
{
    return vaddq_f64(a, b);
}

SIMD_INLINE double v_sum64(v_f64 a)
{
    return vgetq_lane_f64(a, 0) + vgetq_lane_f64(a, 1);
}

SIMD_INLINE v_f32 v_set1_pair(const float *pair)
{
    uint32_t bits;
    __builtin_memcpy(&bits, pair, sizeof bits);
    return vreinterpretq_f32_u32(vdupq_n_u32(bits));
}

SIMD_INLINE v_f32 v_pair_first(v_f32 a)
{
    return vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(a), 16));
}

SIMD_INLINE v_f32 v_pair_second(v_f32 a)
{
    const uint32x4_t high = vdupq_n_u32(0xffff0000u);
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a), high));
}

SIMD_INLINE void v_transpose(v_f32 r[VL])
{
    const float32x4_t a = vtrn1q_f32(r[0], r[1]), b = vtrn2q_f32(r[0], r[1]);
    const float32x4_t c = vtrn1q_f32(r[2], r[3]), d = vtrn2q_f32(r[2], r[3]);
    r[0] = vcombine_f32(vget_low_f32(a), vget_low_f32(c));
    r[1] = vcombine_f32(vget_low_f32(b), vget_low_f32(d));
    r[2] = vcombine_f32(vget_high_f32(a), vget_high_f32(c));
    r[3] = vcombine_f32(vget_high_f32(b), vget_high_f32(d));
}

#endif
