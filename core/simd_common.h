/* simd_common.h: what the simd headers share: words for the compiler. */
#ifndef CORE_SIMD_COMMON_H
#define CORE_SIMD_COMMON_H

#include <stdbool.h>
#include <stddef.h>

#define SIMD_INLINE static inline __attribute__((always_inline))

/* for (i = 0 .. n-1) where n is known once the function is inlined: the loop disappears, which arrays
 * of registers need. */
#if defined(__clang__)
#define V_FOR(i, n) _Pragma("clang loop unroll(full)") for (int i = 0; i < (n); i++)
#else
#define V_FOR(i, n) _Pragma("GCC unroll 36") for (int i = 0; i < (n); i++)
#endif

/* Makes an integer or pointer look changed, at no cost. Inside a loop it keeps the compiler from
 * hoisting one address a pixel out of it, which needs more registers than there are: with a few
 * such strides each address is base + stride * {1, 2, 4}, which the processor adds for nothing.
 * Found by reading the code gcc 12 made; 16 pixels x 1 vector went from .73 to .85 of peak. */
#define SIMD_OPAQUE(x) __asm__("" : "+r"(x))

/* T(1, col) .. T(n, col): lists of tiles by their rows. */
#define SIMD_3(T, col)  T(1, col) T(2, col) T(3, col)
#define SIMD_4(T, col)  SIMD_3(T, col) T(4, col)
#define SIMD_6(T, col)  SIMD_4(T, col) T(5, col) T(6, col)
#define SIMD_9(T, col)  SIMD_6(T, col) T(7, col) T(8, col) T(9, col)
#define SIMD_12(T, col) SIMD_9(T, col) T(10, col) T(11, col) T(12, col)
#define SIMD_14(T, col) SIMD_12(T, col) T(13, col) T(14, col)
#define SIMD_19(T, col) SIMD_14(T, col) T(15, col) T(16, col) T(17, col) T(18, col) T(19, col)
#define SIMD_24(T, col) SIMD_19(T, col) T(20, col) T(21, col) T(22, col) T(23, col) T(24, col)
#define SIMD_28(T, col) SIMD_24(T, col) T(25, col) T(26, col) T(27, col) T(28, col)

#endif
