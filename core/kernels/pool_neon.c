#include "core/simd_neon.h"

#include "core/kernels/pool_body.h"
