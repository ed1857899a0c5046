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

/* out[n, n] = T in[m, m] T^T, T[i, a] = t[i * row + a * col]. */
static void wino_both_sides(float *out, const float *t, int row, int col, const float *in, int n,
                            int m)
{
    float half[6 * 6];
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < m; j++) {
            half[i * m + j] = 0;
            for (int a = 0; a < m; a++) {
                half[i * m + j] += t[i * row + a * col] * in[a * m + j];
            }
        }
    }
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            out[i * n + j] = 0;
            for (int a = 0; a < m; a++) {
                out[i * n + j] += half[i * m + a] * t[j * row + a * col];
            }
        }
    }
}

static void wino_input_tile(const struct kernel_wino_in *in, int t, int i)
{
    float d[36], out[36];
    for (int r = 0; r < 6; r++) {
        for (int q = 0; q < 6; q++) {
            int x = 4 * t + q;
            float value = x >= in->lo && x < in->hi ? in->rows[r][x * in->c + i] : 0;
            d[r * 6 + q] = in->relu && value < 0 ? 0 : value;
        }
    }
    wino_both_sides(out, wino_bt[0], 6, 1, d, 6, 6);
    for (int e = 0; e < 36; e++) {
        in->v[e * in->v_step + t * in->c + i] = out[e];
    }
}

void wino_input_f32__ref(const struct kernel_wino_in *in)
{
    for (int t = 0; t < in->n_tiles; t++) {
        for (int i = 0; i < in->c; i++) {
            wino_input_tile(in, t, i);
        }
    }
}

void wino_weights_f32__ref(float *u, ptrdiff_t u_step, const float *w, ptrdiff_t w_step, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float g[9], out[36];
        for (int t = 0; t < 9; t++) {
            g[t] = w[t * w_step + (ptrdiff_t)i];
        }
        wino_both_sides(out, wino_g[0], 3, 1, g, 6, 3);
        for (int e = 0; e < 36; e++) {
            u[e * u_step + (ptrdiff_t)i] = out[e];
        }
    }
}

void wino_gradient_f32__ref(float *v, ptrdiff_t v_step, const float *const *rows, int n_tiles,
                            int n_cols, int c)
{
    for (int i = 0; i < n_tiles * c; i++) {
        float d[16], out[36];
        for (int p = 0; p < 16; p++) {
            int x = i / c * 4 + p % 4;
            d[p] = x < n_cols ? rows[p / 4][x * c + i % c] : 0;
        }
        wino_both_sides(out, wino_at[0], 1, 6, d, 6, 4);
        for (int e = 0; e < 36; e++) {
            v[e * v_step + i] = out[e];
        }
    }
}

void wino_dweights_f32__ref(float *dw, ptrdiff_t w_step, const float *m, ptrdiff_t m_step, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float all[36], out[9];
        for (int e = 0; e < 36; e++) {
            all[e] = m[e * m_step + (ptrdiff_t)i];
        }
        wino_both_sides(out, wino_g[0], 1, 3, all, 3, 6);
        for (int t = 0; t < 9; t++) {
            dw[t * w_step + (ptrdiff_t)i] = out[t];
        }
    }
}

static void wino_output_tile(const struct kernel_wino_out *o, int t, int i)
{
    float m[36], out[16];
    for (int e = 0; e < 36; e++) {
        m[e] = o->m[e * o->m_step + t * o->n + i];
    }
    wino_both_sides(out, wino_at[0], 6, 1, m, 4, 6);
    for (int r = 0; r < o->n_rows; r++) {
        for (int q = 0; q < 4 && 4 * t + q < o->n_cols; q++) {
            ptrdiff_t at = r * o->y_row + (4 * t + q) * o->y_pixel + i;
            float v = out[r * 4 + q];
            o->y[at] = o->post ? finish_ref(o->post, v, o->y, at, i) : v;
        }
    }
}

void wino_output_f32__ref(const struct kernel_wino_out *o)
{
    for (int t = 0; t < o->n_tiles; t++) {
        for (int i = 0; i < o->n; i++) {
            wino_output_tile(o, t, i);
        }
    }
}
