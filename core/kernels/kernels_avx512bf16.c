#include "core/simd_avx512bf16.h"

#include "core/kernels/table_bf16_body.h"
