#include "core/simd_neon.h"

#include "core/kernels/norm_body.h"
