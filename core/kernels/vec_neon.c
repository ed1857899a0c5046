#include "core/simd_neon.h"

#include "core/kernels/vec_body.h"
