#include "core/simd_neon.h"

#include "core/kernels/peak_body.h"
