/* gemm_bf16.h: what gemm_body.h multiplies: pairs of bf16 in the place of floats. Who includes it
 * defines GEMM_MULTIPLY_ADD. */
#ifndef CORE_KERNELS_GEMM_BF16_H
#define CORE_KERNELS_GEMM_BF16_H

#define GEMM_NAME   bf16_taps
#define GEMM_ONE(x) v_set1_pair(x)
#define GEMM_HALVES(T)

/* Pairs are never multiplied alone. */
#define GEMM_BEGINS         false
#define GEMM_MULTIPLY(b, w) v_zero()

/* Pairs of sixteen channels. */
enum { GEMM_NEAR = 8 };

#endif
