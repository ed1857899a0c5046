#include "core/simd_avx2.h"

#include "core/kernels/gemm_f32.h"

#include "core/kernels/gemm_body.h"

#include "core/kernels/dots_body.h"
