#include "core/simd_avx2.h"

#include "core/kernels/peak_body.h"
