#include "core/simd_avx512.h"

#include "core/kernels/vec_body.h"
