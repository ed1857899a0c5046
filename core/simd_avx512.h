/*
 * simd_avx512.h: sixteen floats a register, masks for what is left over. The simd headers offer the
 * same words, so that a kernel's body is written once (core/kernels/<family>_body.h).
 */
#ifndef CORE_SIMD_AVX512_H
#define CORE_SIMD_AVX512_H

#include "core/simd_common.h"

#include <immintrin.h>

#define SIMD_ISA_WORD   "avx512"
#define SIMD_NAME(name) name##__avx512

/* VL: floats in a register. Accumulators of a tile of rows x columns of vectors, with its columns
 * of weights and one broadcast, fill 32 registers: 28 x 1, 14 x 2, 9 x 3, 6 x 4 run at .89 .98 .99
 * .99 of peak on Zen 5. SIMD_ROWS: the most rows of tiles of 1 to 4 columns. SIMD_FEW_ROWS: as many
 * as keep the units busy. The sums of all 32 registers end at once, and then are stored at once; of
 * 16, while the next ones are made (Zen 4: 28 rows of 32 terms, 32 columns .91 -> .95 of peak, 64
 * of 64 .965 -> .98). */
enum { VL = 16, SIMD_ROWS_1 = 28, SIMD_COLS = 4 };
#define SIMD_ROWS     SIMD_ROWS_1, 14, 9, 6
#define SIMD_FEW_ROWS 14, 6, 5, 4

/* T(rows, columns) for every tile there is. */
#define SIMD_TILES_1(T) SIMD_28(T, 1)
#define SIMD_TILES(T)   SIMD_TILES_1(T) SIMD_14(T, 2) SIMD_9(T, 3) SIMD_6(T, 4)
/* Those worth compiling for a last column of half a register as well: on Zen 4, whose units are
 * half as wide, it takes half the time. */
#define SIMD_TILES_HALF(T) SIMD_14(T, 2) SIMD_9(T, 3) SIMD_6(T, 4)

/* Dot products done together: their sums, the b of a column each, one a. */
enum { SIMD_DOTS_A = 4, SIMD_DOTS_B = 6 };

typedef __m512 v_f32;
typedef __mmask16 v_mask;

/* Makes a register look changed, at no cost. */
#define V_OPAQUE(v) __asm__("" : "+v"(v))

/* The first n lanes; all of them where n >= VL, none where n <= 0. */
SIMD_INLINE v_mask v_first(ptrdiff_t n)
{
    return n >= VL ? (v_mask)0xffff : n <= 0 ? (v_mask)0 : (v_mask)((1u << n) - 1);
}

SIMD_INLINE v_f32 v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

/* The lower half of a register; what is in the upper half nobody asks. */
SIMD_INLINE v_f32 v_load_half(const float *p)
{
    return _mm512_castps256_ps512(_mm256_loadu_ps(p));
}

SIMD_INLINE void v_store_half(float *p, v_f32 a)
{
    _mm256_storeu_ps(p, _mm512_castps512_ps256(a));
}

SIMD_INLINE v_f32 v_fma_half(v_f32 a, v_f32 b, v_f32 c)
{
    return _mm512_castps256_ps512(_mm256_fmadd_ps(
        _mm512_castps512_ps256(a), _mm512_castps512_ps256(b), _mm512_castps512_ps256(c)));
}

/* Lanes outside the mask are 0 and their memory is not touched. */
SIMD_INLINE v_f32 v_load_part(const float *p, v_mask m)
{
    return _mm512_maskz_loadu_ps(m, p);
}

SIMD_INLINE void v_store(float *p, v_f32 a)
{
    _mm512_storeu_ps(p, a);
}

SIMD_INLINE void v_store_part(float *p, v_mask m, v_f32 a)
{
    _mm512_mask_storeu_ps(p, m, a);
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
    return _mm512_setzero_ps();
}

SIMD_INLINE v_f32 v_set1(float x)
{
    return _mm512_set1_ps(x);
}

SIMD_INLINE v_f32 v_add(v_f32 a, v_f32 b)
{
    return _mm512_add_ps(a, b);
}

SIMD_INLINE v_f32 v_sub(v_f32 a, v_f32 b)
{
    return _mm512_sub_ps(a, b);
}

SIMD_INLINE v_f32 v_mul(v_f32 a, v_f32 b)
{
    return _mm512_mul_ps(a, b);
}

SIMD_INLINE v_f32 v_div(v_f32 a, v_f32 b)
{
    return _mm512_div_ps(a, b);
}

SIMD_INLINE v_f32 v_sqrt(v_f32 a)
{
    return _mm512_sqrt_ps(a);
}

/* a b + c */
SIMD_INLINE v_f32 v_fma(v_f32 a, v_f32 b, v_f32 c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* c - a b */
SIMD_INLINE v_f32 v_fnma(v_f32 a, v_f32 b, v_f32 c)
{
    return _mm512_fnmadd_ps(a, b, c);
}

/* x < lo ? lo : x; a NaN in x stays. */
SIMD_INLINE v_f32 v_at_least(v_f32 x, v_f32 lo)
{
    return _mm512_max_ps(lo, x);
}

/* x > hi ? hi : x; a NaN in x stays. */
SIMD_INLINE v_f32 v_at_most(v_f32 x, v_f32 hi)
{
    return _mm512_min_ps(hi, x);
}

/* Where m <= lo: 0, else a; a NaN in m keeps a. */
SIMD_INLINE v_f32 v_drop_le(v_f32 a, v_f32 m, v_f32 lo)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(m, lo, _CMP_NLE_UQ), a);
}

/* Where m >= hi: b, else a; a NaN in m keeps a. */
SIMD_INLINE v_f32 v_swap_ge(v_f32 a, v_f32 b, v_f32 m, v_f32 hi)
{
    return _mm512_mask_mov_ps(b, _mm512_cmp_ps_mask(m, hi, _CMP_NGE_UQ), a);
}

/* To the nearest integer, ties to even. */
SIMD_INLINE v_f32 v_round(v_f32 a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* a 2^n for whole n with a normal result. */
SIMD_INLINE v_f32 v_ldexp(v_f32 a, v_f32 n)
{
    return _mm512_scalef_ps(a, n);
}

/* True if a lane is NaN. */
SIMD_INLINE bool v_any_nan(v_f32 a)
{
    return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q) != 0;
}

/* VL / 2 doubles. */
typedef __m512d v_f64;

SIMD_INLINE v_f64 v_zero64(void)
{
    return _mm512_setzero_pd();
}

SIMD_INLINE v_f64 v_low64(v_f32 a)
{
    return _mm512_cvtps_pd(_mm512_castps512_ps256(a));
}

SIMD_INLINE v_f64 v_high64(v_f32 a)
{
    return _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1));
}

SIMD_INLINE v_f64 v_fma64(v_f64 a, v_f64 b, v_f64 c)
{
    return _mm512_fmadd_pd(a, b, c);
}

SIMD_INLINE v_f64 v_add64(v_f64 a, v_f64 b)
{
    return _mm512_add_pd(a, b);
}

/* The sum of the lanes, in an order that is always the same. */
SIMD_INLINE double v_sum64(v_f64 a)
{
    return _mm512_reduce_add_pd(a);
}

/* One pair of bf16 in all lanes; the first and the second of each lane's pair, as floats. */
SIMD_INLINE v_f32 v_set1_pair(const float *pair)
{
    int bits;
    __builtin_memcpy(&bits, pair, sizeof bits);
    return _mm512_castsi512_ps(_mm512_set1_epi32(bits));
}

SIMD_INLINE v_f32 v_pair_first(v_f32 a)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a), 16));
}

SIMD_INLINE v_f32 v_pair_second(v_f32 a)
{
    const __m512i high = _mm512_set1_epi32((int)0xffff0000u);
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(a), high));
}

/* Rows become columns: lane j of row i goes to lane i of row j. */
SIMD_INLINE void v_transpose(v_f32 r[VL])
{
    v_f32 t[VL];
    V_FOR (i, VL / 2) {
        t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    V_FOR (i, VL / 4) {
        const __m512d a = _mm512_castps_pd(t[4 * i]), b = _mm512_castps_pd(t[4 * i + 1]);
        const __m512d c = _mm512_castps_pd(t[4 * i + 2]), d = _mm512_castps_pd(t[4 * i + 3]);
        r[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
        r[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
        r[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
        r[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
    }
    /* r[4 i + j] holds column 4 q + j of rows 4 i .. 4 i + 3 in its quarter q. */
    V_FOR (j, 4) {
        t[j] = _mm512_shuffle_f32x4(r[j], r[4 + j], 0x88);
        t[4 + j] = _mm512_shuffle_f32x4(r[j], r[4 + j], 0xdd);
        t[8 + j] = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0x88);
        t[12 + j] = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0xdd);
    }
    V_FOR (j, 4) {
        r[j] = _mm512_shuffle_f32x4(t[j], t[8 + j], 0x88);
        r[8 + j] = _mm512_shuffle_f32x4(t[j], t[8 + j], 0xdd);
        r[4 + j] = _mm512_shuffle_f32x4(t[4 + j], t[12 + j], 0x88);
        r[12 + j] = _mm512_shuffle_f32x4(t[4 + j], t[12 + j], 0xdd);
    }
}

#endif
