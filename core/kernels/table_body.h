/* table_body.h: the table of one tier; included once by kernels_<isa>.c, after its simd header. */
#include "core/kernels/declare.h"

extern const struct kernels SIMD_NAME(kernels_table);

const struct kernels SIMD_NAME(kernels_table) = {
    .isa = SIMD_ISA_WORD,
#define KERNEL(result, name, args) .name = SIMD_NAME(name),
#include "core/kernel.def"
#include "core/kernel_bf16.def"
#undef KERNEL
};
