#include "core/simd_avx512bf16.h"

#include "core/kernels/bf16_pairs_body.h"
#include "core/kernels/gemm_bf16.h"

#define GEMM_MULTIPLY_ADD(b, w, acc) v_dot_pair(b, w, acc)

#include "core/kernels/gemm_body.h"
