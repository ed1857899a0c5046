#include "core/simd_avx2.h"

#include "core/kernels/depthwise_body.h"

#include "core/kernels/depthwise_weights_body.h"
