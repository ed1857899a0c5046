#include "core/simd_avx2.h"

#include "core/kernels/bf16_body.h"
