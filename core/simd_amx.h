/*
 * simd_amx.h: the words of simd_avx512bf16.h, and those of AMX: eight tiles of at most 16 rows of
 * 64 bytes. A tile's number must be a constant: it is part of the instruction. tests/tiles.h has
 * the same words in plain C, so that the loops around them run where there are no tiles.
 */
#ifndef CORE_SIMD_AMX_H
#define CORE_SIMD_AMX_H

#include "core/simd_avx512bf16.h"

#include <stdint.h>

#undef SIMD_ISA_WORD
#undef SIMD_NAME
#define SIMD_ISA_WORD   "amx"
#define SIMD_NAME(name) name##__amx

/* What LDTILECFG reads: rows and bytes a row of each tile; tiles of zero rows are not used. */
struct tile_config {
    uint8_t palette, start_row, zero[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

/* The tiles are the processor's: nothing to keep here. */
struct tiles {
    int none;
};

/* gcc 12 does not know that these instructions read memory: without this it may leave out or put
 * off what is written before them. */
#define TILE_BARRIER() __asm__ volatile("" ::: "memory")

/* All tiles become zero. */
#define TILE_CONFIG(t, config)                                                                     \
    do {                                                                                           \
        (void)(t);                                                                                 \
        TILE_BARRIER();                                                                            \
        _tile_loadconfig(config);                                                                  \
    } while (0)
#define TILE_RELEASE(t)                                                                            \
    do {                                                                                           \
        (void)(t);                                                                                 \
        _tile_release();                                                                           \
    } while (0)
/* Rows from p on, step bytes apart. */
#define TILE_LOAD(t, i, p, step)                                                                   \
    do {                                                                                           \
        (void)(t);                                                                                 \
        TILE_BARRIER();                                                                            \
        _tile_loadd(i, p, step);                                                                   \
    } while (0)
#define TILE_STORE(t, i, p, step)                                                                  \
    do {                                                                                           \
        (void)(t);                                                                                 \
        _tile_stored(i, p, step);                                                                  \
        TILE_BARRIER();                                                                            \
    } while (0)
/* c[m, n] += the sum over pairs q of a[m, q] . b[q, n]. */
#define TILE_DOT(t, c, a, b)                                                                       \
    do {                                                                                           \
        (void)(t);                                                                                 \
        _tile_dpbf16ps(c, a, b);                                                                   \
    } while (0)

#endif
