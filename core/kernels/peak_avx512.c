#include "core/simd_avx512.h"

#include "core/kernels/peak_body.h"
