#include "core/simd_avx2.h"

#include "core/kernels/table_body.h"
