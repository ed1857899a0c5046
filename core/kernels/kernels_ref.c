#include "core/simd_ref.h"

#include "core/kernels/table_body.h"
