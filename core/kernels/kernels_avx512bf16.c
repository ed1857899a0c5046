/* kernels_avx512bf16.c: the table of AVX-512 with products of bf16 by AVX512-BF16. */
#include "core/simd_avx512.h"

#include "core/kernels/declare.h"

#define KERNEL(result, name, args) result name##__avx512bf16 args;
#include "core/kernel_bf16.def"
#undef KERNEL

extern const struct kernels kernels_table__avx512bf16;

const struct kernels kernels_table__avx512bf16 = {
    .isa = "avx512bf16",
#define KERNEL(result, name, args) .name = SIMD_NAME(name),
#include "core/kernel.def"
#undef KERNEL
#define KERNEL(result, name, args) .name = name##__avx512bf16,
#include "core/kernel_bf16.def"
#undef KERNEL
};
