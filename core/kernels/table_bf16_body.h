/* table_bf16_body.h: the table of a tier that has the kernels of AVX-512 but for those of bf16;
 * included once by kernels_<isa>.c, after its simd header. */
#include "core/kernels/declare.h"

#define KERNEL(result, name, args) result name##__avx512 args;
#include "core/kernel.def"
#undef KERNEL

extern const struct kernels SIMD_NAME(kernels_table);

const struct kernels SIMD_NAME(kernels_table) = {
    .isa = SIMD_ISA_WORD,
#define KERNEL(result, name, args) .name = name##__avx512,
#include "core/kernel.def"
#undef KERNEL
#define KERNEL(result, name, args) .name = SIMD_NAME(name),
#include "core/kernel_bf16.def"
#undef KERNEL
};
