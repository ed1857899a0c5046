/* gemm_ref.c: the product over taps in plain C. */
#include "core/simd_ref.h"

#include "core/kernels/declare.h"
#include "core/kernels/finish_ref.h"

/* One row of the product, from x on to y + at. */
static void gemm_row(const struct kernel_gemm *g, const float *x_row, ptrdiff_t at_row)
{
    /* Columns are done sixteen at a time, so that the compiler may use what vectors it has. */
    enum { COLS = 16 };
    for (int j0 = 0; j0 < g->n_cols; j0 += COLS) {
        int cols = MIN(g->n_cols - j0, (int)COLS);
        ptrdiff_t at = at_row + j0;
        float sum[COLS];
        for (int j = 0; j < cols; j++) {
            sum[j] = g->accumulate ? g->y[at + j] : 0;
        }
        for (int t = 0; t < g->n_taps; t++) {
            const float *x = x_row + g->taps[t].x;
            const float *w = g->w + g->taps[t].w + j0;
            for (int i = 0; i < g->taps[t].n; i++, x += g->x_inner, w += g->w_inner) {
                for (int j = 0; j < cols; j++) {
                    sum[j] += *x * w[j];
                }
            }
        }
        for (int j = 0; j < cols; j++) {
            g->y[at + j] = g->post ? finish_ref(g->post, sum[j], g->y, at + j, j0 + j) : sum[j];
        }
    }
}

static void gemm_plane(const struct kernel_gemm *g)
{
    for (int l = 0; l <= g->more.n; l++) {
        for (size_t r = 0; r < g->n_rows; r++) {
            gemm_row(g, g->x + l * g->more.x + (ptrdiff_t)r * g->x_row,
                     l * g->more.y + (ptrdiff_t)r * g->y_row);
        }
    }
}

void gemm_taps_f32__ref(const struct kernel_gemm *g)
{
    struct kernel_gemm plane = *g;
    for (int p = 0; p <= g->planes.n; p++) {
        gemm_plane(&plane);
        plane.x += g->planes.x;
        plane.w += g->planes.w;
        plane.y += g->planes.y;
    }
}

void gemm_dots_f32__ref(double *sums, ptrdiff_t row, const float *a, ptrdiff_t lda, int n_a,
                        const float *b, ptrdiff_t ldb, int n_b, int k)
{
    for (int i = 0; i < n_a; i++) {
        for (int j = 0; j < n_b; j++) {
            float sum = 0;
            for (int p = 0; p < k; p++) {
                sum += a[i * lda + p] * b[j * ldb + p];
            }
            sums[i * row + j] += (double)sum;
        }
    }
}
