#include "core/simd_avx512.h"

#include "core/kernels/pool_body.h"
