#include "core/simd_avx2.h"

#include "core/kernels/wino_body.h"
