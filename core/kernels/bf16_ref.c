/* bf16_ref.c: products of bf16 in plain C: the definition. */
#include "core/simd_ref.h"

#include "core/kernels/bf16_plain_body.h"
#include "core/kernels/finish_ref.h"

static float bf16_float(uint32_t high)
{
    float v;
    memcpy(&v, &high, sizeof v);
    return v;
}

static uint32_t bf16_at(const float *p)
{
    uint32_t pair;
    memcpy(&pair, p, sizeof pair);
    return pair;
}

void bf16_taps__ref(const struct kernel_gemm *g)
{
    /* Columns are done sixteen at a time, so that the compiler may use what vectors it has. */
    enum { COLS = 16 };
    for (size_t r = 0; r < g->n_rows; r++) {
        for (int j0 = 0; j0 < g->n_cols; j0 += COLS) {
            int cols = MIN(g->n_cols - j0, (int)COLS);
            ptrdiff_t at = (ptrdiff_t)r * g->y_row + j0;
            float sum[COLS];
            for (int j = 0; j < cols; j++) {
                sum[j] = g->accumulate ? g->y[at + j] : 0;
            }
            for (int t = 0; t < g->n_taps; t++) {
                const float *x = g->x + g->taps[t].x + (ptrdiff_t)r * g->x_row;
                const float *w = g->w + g->taps[t].w + j0;
                for (int i = 0; i < g->taps[t].n; i++, x += g->x_inner, w += g->w_inner) {
                    uint32_t a = bf16_at(x);
                    float first = bf16_float(a << 16), second = bf16_float(a & 0xffff0000u);
                    for (int j = 0; j < cols; j++) {
                        uint32_t b = bf16_at(w + j);
                        sum[j] += second * bf16_float(b & 0xffff0000u);
                        sum[j] += first * bf16_float(b << 16);
                    }
                }
            }
            for (int j = 0; j < cols; j++) {
                g->y[at + j] = g->post ? finish_ref(g->post, sum[j], g->y, at + j, j0 + j) : sum[j];
            }
        }
    }
}
