/* declare.h: prototypes of every kernel of one tier; a simd header that defines SIMD_NAME comes
 * first. */
#ifndef CORE_KERNELS_DECLARE_H
#define CORE_KERNELS_DECLARE_H

#include "core/kernel.h"

#define KERNEL(result, name, args) result SIMD_NAME(name) args;
#include "core/kernel.def"
#include "core/kernel_bf16.def"
#undef KERNEL

#endif
