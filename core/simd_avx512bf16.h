/* simd_avx512bf16.h: the words of simd_avx512.h, and those of AVX512-BF16. */
#ifndef CORE_SIMD_AVX512BF16_H
#define CORE_SIMD_AVX512BF16_H

#include "core/simd_avx512.h"

#undef SIMD_ISA_WORD
#undef SIMD_NAME
#define SIMD_ISA_WORD   "avx512bf16"
#define SIMD_NAME(name) name##__avx512bf16

/* acc + a0 b0 + a1 b1 in each lane; a and b hold pairs. */
SIMD_INLINE v_f32 v_dot_pair(v_f32 a, v_f32 b, v_f32 acc)
{
    return _mm512_dpbf16_ps(acc, (__m512bh)a, (__m512bh)b);
}

/* 32 floats, first those of a, to 16 pairs of neighbours. */
SIMD_INLINE v_f32 v_round_pairs(v_f32 a, v_f32 b)
{
    return (v_f32)_mm512_cvtne2ps_pbh(b, a);
}

/* Pairs of one float of a and one of b. */
SIMD_INLINE v_f32 v_round_zip(v_f32 a, v_f32 b)
{
    static const short order[2 * VL] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                        21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                        11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return (v_f32)_mm512_permutexvar_epi16(_mm512_loadu_si512(order), (__m512i)v_round_pairs(a, b));
}

#endif
