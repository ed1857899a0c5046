/* bf16_body.h: products of bf16 where no instruction knows them: both halves of a pair are made
 * floats, which is exact, and multiplied as such. */
#include "core/kernels/bf16_plain_body.h"
#include "core/kernels/gemm_bf16.h"

SIMD_INLINE v_f32 bf16_multiply_add(v_f32 a, v_f32 b, v_f32 acc)
{
    acc = v_fma(v_pair_second(a), v_pair_second(b), acc);
    return v_fma(v_pair_first(a), v_pair_first(b), acc);
}

#define GEMM_MULTIPLY_ADD(b, w, acc) bf16_multiply_add(b, w, acc)

#include "core/kernels/gemm_body.h"
