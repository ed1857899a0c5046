#include "core/simd_avx2.h"

#include "core/kernels/norm_body.h"
