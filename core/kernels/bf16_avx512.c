#include "core/simd_avx512.h"

#include "core/kernels/bf16_body.h"
