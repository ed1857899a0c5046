/* simd_avx2.h: eight floats a register; the words of simd_avx512.h. */
#ifndef CORE_SIMD_AVX2_H
#define CORE_SIMD_AVX2_H

#include "core/simd_common.h"

#include <immintrin.h>
#include <stdint.h>

#define SIMD_ISA_WORD   "avx2"
#define SIMD_NAME(name) name##__avx2

/* Sixteen registers: 12 accumulators, the weights of a column each, one broadcast. */
enum { VL = 8, SIMD_ROWS_1 = 12, SIMD_COLS = 3 };
#define SIMD_ROWS       SIMD_ROWS_1, 6, 4, 3
#define SIMD_FEW_ROWS   SIMD_ROWS
#define SIMD_TILES_1(T) SIMD_12(T, 1)
#define SIMD_TILES(T)   SIMD_TILES_1(T) SIMD_6(T, 2) SIMD_4(T, 3)
#define SIMD_TILES_HALF(T)

/* Dot products done together: their sums, the b of a column each, one a. */
enum { SIMD_DOTS_A = 3, SIMD_DOTS_B = 4 };

typedef __m256 v_f32;
typedef __m256i v_mask;

/* Makes a register look changed, at no cost. */
#define V_OPAQUE(v) __asm__("" : "+x"(v))

SIMD_INLINE v_mask v_first(ptrdiff_t n)
{
    static const int32_t lanes[2 * VL] = {-1, -1, -1, -1, -1, -1, -1, -1};
    ptrdiff_t skip = n >= VL ? 0 : n <= 0 ? VL : VL - n;
    return _mm256_loadu_si256((const __m256i *)(const void *)(lanes + skip));
}

SIMD_INLINE v_f32 v_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

SIMD_INLINE v_f32 v_load_half(const float *p)
{
    return _mm256_castps128_ps256(_mm_loadu_ps(p));
}

SIMD_INLINE void v_store_half(float *p, v_f32 a)
{
    _mm_storeu_ps(p, _mm256_castps256_ps128(a));
}

SIMD_INLINE v_f32 v_fma_half(v_f32 a, v_f32 b, v_f32 c)
{
    return _mm256_fmadd_ps(a, b, c);
}

SIMD_INLINE v_f32 v_load_part(const float *p, v_mask m)
{
    return _mm256_maskload_ps(p, m);
}

SIMD_INLINE void v_store(float *p, v_f32 a)
{
    _mm256_storeu_ps(p, a);
}

SIMD_INLINE void v_store_part(float *p, v_mask m, v_f32 a)
{
    _mm256_maskstore_ps(p, m, a);
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
    return _mm256_setzero_ps();
}

SIMD_INLINE v_f32 v_set1(float x)
{
    return _mm256_set1_ps(x);
}

SIMD_INLINE v_f32 v_add(v_f32 a, v_f32 b)
{
    return _mm256_add_ps(a, b);
}

SIMD_INLINE v_f32 v_sub(v_f32 a, v_f32 b)
{
    return _mm256_sub_ps(a, b);
}

SIMD_INLINE v_f32 v_mul(v_f32 a, v_f32 b)
{
    return _mm256_mul_ps(a, b);
}

SIMD_INLINE v_f32 v_div(v_f32 a, v_f32 b)
{
    return _mm256_div_ps(a, b);
}

SIMD_INLINE v_f32 v_sqrt(v_f32 a)
{
    return _mm256_sqrt_ps(a);
}

SIMD_INLINE v_f32 v_fma(v_f32 a, v_f32 b, v_f32 c)
{
    return _mm256_fmadd_ps(a, b, c);
}

SIMD_INLINE v_f32 v_fnma(v_f32 a, v_f32 b, v_f32 c)
{
    return _mm256_fnmadd_ps(a, b, c);
}

SIMD_INLINE v_f32 v_at_least(v_f32 x, v_f32 lo)
{
    return _mm256_max_ps(lo, x);
}

SIMD_INLINE v_f32 v_at_most(v_f32 x, v_f32 hi)
{
    return _mm256_min_ps(hi, x);
}

SIMD_INLINE v_f32 v_drop_le(v_f32 a, v_f32 m, v_f32 lo)
{
    return _mm256_and_ps(_mm256_cmp_ps(m, lo, _CMP_NLE_UQ), a);
}

SIMD_INLINE v_f32 v_swap_ge(v_f32 a, v_f32 b, v_f32 m, v_f32 hi)
{
    return _mm256_blendv_ps(b, a, _mm256_cmp_ps(m, hi, _CMP_NGE_UQ));
}

SIMD_INLINE v_f32 v_round(v_f32 a)
{
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

SIMD_INLINE v_f32 v_ldexp(v_f32 a, v_f32 n)
{
    __m256i e = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32(e, 23)));
}

SIMD_INLINE bool v_any_nan(v_f32 a)
{
    return _mm256_movemask_ps(_mm256_cmp_ps(a, a, _CMP_UNORD_Q)) != 0;
}

typedef __m256d v_f64;

SIMD_INLINE v_f64 v_zero64(void)
{
    return _mm256_setzero_pd();
}

SIMD_INLINE v_f64 v_low64(v_f32 a)
{
    return _mm256_cvtps_pd(_mm256_castps256_ps128(a));
}

SIMD_INLINE v_f64 v_high64(v_f32 a)
{
    return _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1));
}

SIMD_INLINE v_f64 v_fma64(v_f64 a, v_f64 b, v_f64 c)
{
    return _mm256_fmadd_pd(a, b, c);
}

SIMD_INLINE v_f64 v_add64(v_f64 a, v_f64 b)
{
    return _mm256_add_pd(a, b);
}

SIMD_INLINE double v_sum64(v_f64 a)
{
    __m128d b = _mm_add_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
    return _mm_cvtsd_f64(_mm_add_sd(b, _mm_unpackhi_pd(b, b)));
}

SIMD_INLINE v_f32 v_set1_pair(const float *pair)
{
    int bits;
    __builtin_memcpy(&bits, pair, sizeof bits);
    return _mm256_castsi256_ps(_mm256_set1_epi32(bits));
}

SIMD_INLINE v_f32 v_pair_first(v_f32 a)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a), 16));
}

SIMD_INLINE v_f32 v_pair_second(v_f32 a)
{
    const __m256i high = _mm256_set1_epi32((int)0xffff0000u);
    return _mm256_and_ps(a, _mm256_castsi256_ps(high));
}

SIMD_INLINE void v_transpose(v_f32 r[VL])
{
    v_f32 t[VL];
    V_FOR (i, VL / 2) {
        t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    V_FOR (i, VL / 4) {
        r[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
        r[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
        r[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
        r[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
    }
    V_FOR (j, 4) {
        t[j] = _mm256_permute2f128_ps(r[j], r[4 + j], 0x20);
        t[4 + j] = _mm256_permute2f128_ps(r[j], r[4 + j], 0x31);
    }
    V_FOR (j, VL) {
        r[j] = t[j];
    }
}

#endif
