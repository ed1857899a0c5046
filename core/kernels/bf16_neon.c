#include "core/simd_neon.h"

#include "core/kernels/bf16_body.h"
