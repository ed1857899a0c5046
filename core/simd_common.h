/* simd_common.h: what the simd headers share: words for the compiler. */
#ifndef CORE_SIMD_COMMON_H
#define CORE_SIMD_COMMON_H

#include <stdbool.h>
#include <stddef.h>

#define SIMD_INLINE static inline __attribute__((always_inline))

/* for (i = 0 .. n-1) where n is known once the function is inlined: the loop disappears, which
 * arrays of registers need. */
#if defined(__clang__)
#define V_FOR(i, n) _Pragma("clang loop unroll(full)") for (int i = 0; i < (n); i++)
#else
#define V_FOR(i, n) _Pragma("GCC unroll 36") for (int i = 0; i < (n); i++)
#endif

/* Makes an integer or pointer look changed, at no cost: see simd_rows. */
#define SIMD_OPAQUE(x) __asm__("" : "+r"(x))

/*
 * Addresses of up to 28 rows that lie one stride apart. Inside a loop a compiler hoists one address
 * a row, which needs more registers than there are. With four strides it takes on trust, made
 * afresh in each step by simd_rows_at, every address is base + stride * {1, 2, 4}, which the
 * processor adds for nothing. Found by reading what gcc 12 made; 16 rows x 1 register went from .73
 * to .85 of peak.
 */
struct simd_rows {
    const char *x0, *x8, *x16, *x24;
    ptrdiff_t s1, s3, s5, s7; /* bytes */
};

SIMD_INLINE struct simd_rows simd_rows_of(ptrdiff_t stride)
{
    ptrdiff_t s = stride * (ptrdiff_t)sizeof(float);
    return (struct simd_rows){.s1 = s, .s3 = 3 * s, .s5 = 5 * s, .s7 = 7 * s};
}

/* The first n rows from x on. */
SIMD_INLINE void simd_rows_at(struct simd_rows *r, const char *x, const int n)
{
    SIMD_OPAQUE(r->s1);
    if (n > 3) {
        SIMD_OPAQUE(r->s3);
    }
    if (n > 5) {
        SIMD_OPAQUE(r->s5);
    }
    if (n > 7) {
        SIMD_OPAQUE(r->s7);
    }
    r->x0 = x;
    if (n > 8) {
        r->x8 = x + 8 * r->s1;
        SIMD_OPAQUE(r->x8);
    }
    if (n > 16) {
        r->x16 = r->x8 + 8 * r->s1;
        SIMD_OPAQUE(r->x16);
    }
    if (n > 24) {
        r->x24 = r->x16 + 8 * r->s1;
        SIMD_OPAQUE(r->x24);
    }
}

SIMD_INLINE const float *simd_row(const struct simd_rows *r, const int i)
{
    const char *base = i < 8 ? r->x0 : i < 16 ? r->x8 : i < 24 ? r->x16 : r->x24;
    const ptrdiff_t steps[8] = {0, r->s1, 2 * r->s1, r->s3, 4 * r->s1, r->s5, 2 * r->s3, r->s7};
    return (const float *)(const void *)(base + steps[i % 8]);
}

/* T(1, col) .. T(n, col): lists of tiles by their rows. */
#define SIMD_3(T, col)  T(1, col) T(2, col) T(3, col)
#define SIMD_4(T, col)  SIMD_3(T, col) T(4, col)
#define SIMD_6(T, col)  SIMD_4(T, col) T(5, col) T(6, col)
#define SIMD_8(T, col)  SIMD_6(T, col) T(7, col) T(8, col)
#define SIMD_9(T, col)  SIMD_8(T, col) T(9, col)
#define SIMD_12(T, col) SIMD_9(T, col) T(10, col) T(11, col) T(12, col)
#define SIMD_14(T, col) SIMD_12(T, col) T(13, col) T(14, col)
#define SIMD_19(T, col) SIMD_14(T, col) T(15, col) T(16, col) T(17, col) T(18, col) T(19, col)
#define SIMD_24(T, col) SIMD_19(T, col) T(20, col) T(21, col) T(22, col) T(23, col) T(24, col)
#define SIMD_28(T, col) SIMD_24(T, col) T(25, col) T(26, col) T(27, col) T(28, col)

#endif
