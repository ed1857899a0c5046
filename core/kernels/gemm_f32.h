/* gemm_f32.h: what gemm_body.h multiplies: floats. */
#ifndef CORE_KERNELS_GEMM_F32_H
#define CORE_KERNELS_GEMM_F32_H

#define GEMM_NAME                    gemm_taps_f32
#define GEMM_ONE(x)                  v_set1(*(x))
#define GEMM_MULTIPLY_ADD(b, w, acc) v_fma(b, w, acc)
#define GEMM_MULTIPLY(b, w)          v_mul(b, w)
#define GEMM_BEGINS                  true
#define GEMM_HALVES(T)               SIMD_TILES_HALF(T)

/* Floats of sixteen channels. */
enum { GEMM_NEAR = 16 };

#endif
