#include "core/simd_neon.h"

#include "core/kernels/table_body.h"
