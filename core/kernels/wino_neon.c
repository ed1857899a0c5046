#include "core/simd_neon.h"

#include "core/kernels/wino_body.h"
