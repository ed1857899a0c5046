/* bf16_pairs_body.h: pairs from floats by the instructions of AVX512-BF16. */
#include "core/kernels/declare.h"

SIMD_INLINE v_f32 bf16_pairs_get(const float *x, v_mask m, bool relu)
{
    v_f32 v = v_load_part(x, m);
    return relu ? v_at_least(v, v_zero()) : v;
}

SIMD_INLINE void bf16_pairs_row(uint32_t *to, const float *x, size_t n, bool relu)
{
    size_t i = 0;
    for (; i + 2 * VL <= n; i += 2 * VL) {
        v_f32 a = bf16_pairs_get(x + i, v_first(VL), relu);
        v_f32 b = bf16_pairs_get(x + i + VL, v_first(VL), relu);
        v_store((float *)(void *)(to + i / 2), v_round_pairs(a, b));
    }
    if (i < n) {
        ptrdiff_t left = (ptrdiff_t)(n - i);
        v_f32 a = bf16_pairs_get(x + i, v_first(left), relu);
        v_f32 b = bf16_pairs_get(x + i + VL, v_first(left - VL), relu);
        v_store_part((float *)(void *)(to + i / 2), v_first((left + 1) / 2), v_round_pairs(a, b));
    }
}

void SIMD_NAME(bf16_pack)(uint32_t *to, const float *x, size_t n_rows, int n, bool relu)
{
    size_t row = (size_t)n;
    if (n % 2 == 0) { /* no gap between rows */
        row *= n_rows;
        n_rows = MIN(n_rows, (size_t)1);
    }
    for (size_t r = 0; r < n_rows; r++, x += row, to += (row + 1) / 2) {
        bf16_pairs_row(to, x, row, relu);
    }
}

void SIMD_NAME(bf16_zip)(uint32_t *to, const float *a, const float *b, size_t n, bool relu)
{
    for (size_t i = 0; i < n; i += VL) {
        v_mask m = v_first((ptrdiff_t)(n - i)), mb = v_first(b ? (ptrdiff_t)(n - i) : 0);
        v_f32 second = bf16_pairs_get(b ? b + i : a + i, mb, relu);
        v_store_part((float *)(void *)(to + i), m,
                     v_round_zip(bf16_pairs_get(a + i, m, relu), second));
    }
}
