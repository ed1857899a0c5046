/* bf16_plain_body.h: pairs from floats in plain C, which compilers make vectors of: for tiers
 * without an instruction for it. */
#include "core/kernels/bf16_round.h"
#include "core/kernels/declare.h"

void SIMD_NAME(bf16_pack)(uint32_t *to, const float *x, size_t n_rows, int n, bool relu)
{
    size_t whole = (size_t)n / 2;
    for (size_t r = 0; r < n_rows; r++, x += n) {
        for (size_t i = 0; i < whole; i++) {
            to[i] = bf16_pair(x[2 * i], x[2 * i + 1], relu);
        }
        to += whole;
        if (n % 2 != 0) {
            *to++ = bf16_pair(x[n - 1], 0, relu);
        }
    }
}

void SIMD_NAME(bf16_zip)(uint32_t *to, const float *a, const float *b, size_t n, bool relu)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = bf16_pair(a[i], b ? b[i] : 0, relu);
    }
}
