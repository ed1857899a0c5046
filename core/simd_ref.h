/* simd_ref.h: no registers at all: names for the plain C kernels that define what the others
 * compute. */
#ifndef CORE_SIMD_REF_H
#define CORE_SIMD_REF_H

#define SIMD_ISA_WORD   "ref"
#define SIMD_NAME(name) name##__ref

#endif
