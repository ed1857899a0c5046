/* wino_ref.c: the transforms of Winograd's F(4x4, 3x3) in plain C, as matrix products. */
#include "core/simd_ref.h"

#include "core/kernels/declare.h"
#include "core/kernels/finish_ref.h"

static const float wino_bt[6][6] = {{4, 0, -5, 0, 1, 0},  {0, -4, -4, 1, 1, 0},
                                    {0, 4, -4, -1, 1, 0}, {0, -2, -1, 2, 1, 0},
                                    {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1}};
static const float wino_g[6][3] = {{1.0f / 4, 0, 0},
                                   {-1.0f / 6, -1.0f / 6, -1.0f / 6},
                                   {-1.0f / 6, 1.0f / 6, -1.0f / 6},
                                   {1.0f / 24, 1.0f / 12, 1.0f / 6},
                                   {1.0f / 24, -1.0f / 12, 1.0f / 6},
                                   {0, 0, 1}};
static const float wino_at[4][6] = {
    {1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}};

/* out[n, n] = t[n, m] in[m, m] t^T */
static void wino_both_sides(float *out, const float *t, const float *in, int n, int m)
{
    float half[6 * 6];
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < m; j++) {
            half[i * m + j] = 0;
            for (int a = 0; a < m; a++) {
                half[i * m + j] += t[i * m + a] * in[a * m + j];
            }
        }
    }
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            out[i * n + j] = 0;
            for (int a = 0; a < m; a++) {
                out[i * n + j] += half[i * m + a] * t[j * m + a];
            }
        }
    }
}

void wino_input_f32__ref(float *v, ptrdiff_t v_step, const float *const *rows, int lo, int hi,
                         int c, bool relu)
{
    for (int i = 0; i < c; i++) {
        float d[36], out[36];
        for (int r = 0; r < 6; r++) {
            for (int q = 0; q < 6; q++) {
                float x = q >= lo && q < hi ? rows[r][q * c + i] : 0;
                d[r * 6 + q] = relu && x < 0 ? 0 : x;
            }
        }
        wino_both_sides(out, wino_bt[0], d, 6, 6);
        for (int e = 0; e < 36; e++) {
            v[e * v_step + i] = out[e];
        }
    }
}

void wino_weights_f32__ref(float *u, ptrdiff_t u_step, const float *w, ptrdiff_t w_step, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float half[6][3];
        for (int r = 0; r < 6; r++) {
            for (int q = 0; q < 3; q++) {
                half[r][q] = 0;
                for (int a = 0; a < 3; a++) {
                    half[r][q] += wino_g[r][a] * w[(a * 3 + q) * w_step + (ptrdiff_t)i];
                }
            }
        }
        for (int e = 0; e < 36; e++) {
            float sum = 0;
            for (int a = 0; a < 3; a++) {
                sum += half[e / 6][a] * wino_g[e % 6][a];
            }
            u[e * u_step + (ptrdiff_t)i] = sum;
        }
    }
}

void wino_output_f32__ref(const struct kernel_wino_out *o)
{
    for (int i = 0; i < o->n; i++) {
        float m[36], out[16];
        for (int e = 0; e < 36; e++) {
            m[e] = o->m[e * o->m_step + i];
        }
        wino_both_sides(out, wino_at[0], m, 4, 6);
        for (int r = 0; r < o->n_rows; r++) {
            for (int q = 0; q < o->n_cols; q++) {
                ptrdiff_t at = r * o->y_row + q * o->y_pixel + i;
                float v = out[r * 4 + q];
                o->y[at] = o->post ? finish_ref(o->post, v, o->y, at, i) : v;
            }
        }
    }
}
