#include "core/simd_avx2.h"

#include "core/kernels/vec_body.h"
