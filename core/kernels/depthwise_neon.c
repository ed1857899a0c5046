#include "core/simd_neon.h"

#include "core/kernels/depthwise_body.h"

#include "core/kernels/depthwise_weights_body.h"
