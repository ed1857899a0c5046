/* bf16_round.h: rounding floats to bf16 in plain C: the definition (core/kernel_bf16.def). */
#ifndef CORE_KERNELS_BF16_ROUND_H
#define CORE_KERNELS_BF16_ROUND_H

#include "core/base.h"

#include <stdint.h>
#include <string.h>

/* The bf16 next to v, ties to even; NaN stays NaN, what is below the normal floats becomes zero. */
static inline uint32_t bf16_round(float v, bool relu)
{
    uint32_t bits, kept;
    memcpy(&bits, &v, sizeof bits);
    uint32_t magnitude = bits & 0x7fffffffu;
    kept = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    kept = magnitude > 0x7f800000u ? bits >> 16 | 0x40 : kept;
    kept = magnitude < 0x00800000u ? bits >> 16 & 0x8000 : kept;
    return relu && v < 0 ? 0 : kept;
}

static inline uint32_t bf16_pair(float first, float second, bool relu)
{
    return bf16_round(first, relu) | bf16_round(second, relu) << 16;
}

#endif
