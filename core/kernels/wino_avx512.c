#include "core/simd_avx512.h"

#include "core/kernels/wino_body.h"
