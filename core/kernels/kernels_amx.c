#include "core/simd_amx.h"

#include "core/kernels/table_bf16_body.h"
