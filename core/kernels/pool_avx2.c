#include "core/simd_avx2.h"

#include "core/kernels/pool_body.h"
