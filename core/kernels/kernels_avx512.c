#include "core/simd_avx512.h"

#include "core/kernels/table_body.h"
