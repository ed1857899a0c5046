#include "core/simd_avx512.h"

#include "core/kernels/norm_body.h"
