/*
 * wino_body.h: the transforms of Winograd's F(4x4, 3x3), a register of channels at a time. A pass over
 * columns and one over rows; two rows of the result at a time share their sums and fit the registers,
 * and inputs are loaded again for each pair rather than stored in between. Inputs that need ReLU or
 * zeros at a border go through a patch of 36 registers in L1 first.
 */
#include "core/kernels/post_body.h"

/* ---- input: B^T d B ---- */

/* o = B^T d of a row, twelve operations:
 *   o0 = 4 d0 - 5 d2 + d4       o1, o2 = (d4 - 4 d2) +- (d3 - 4 d1)
 *   o5 = 4 d1 - 5 d3 + d5       o3, o4 = (d4 - d2) +- 2 (d3 - d1) */
SIMD_INLINE void wino_bt_row(float *v, ptrdiff_t v_step, const v_f32 d[6], bool part, v_mask m)
{
    const v_f32 two = v_set1(2), four = v_set1(4), five = v_set1(5);
    v_f32 a = v_fnma(four, d[2], d[4]), b = v_fnma(four, d[1], d[3]);
    v_f32 e = v_sub(d[4], d[2]), f = v_sub(d[3], d[1]);
    v_put(v, v_fma(four, d[0], v_fnma(five, d[2], d[4])), part, m);
    v_put(v + v_step, v_add(a, b), part, m);
    v_put(v + 2 * v_step, v_sub(a, b), part, m);
    v_put(v + 3 * v_step, v_fma(two, f, e), part, m);
    v_put(v + 4 * v_step, v_fnma(two, f, e), part, m);
    v_put(v + 5 * v_step, v_fma(four, d[1], v_fnma(five, d[3], d[5])), part, m);
}

/* p[r]: pixel 0 of row r; the next pixel is `pixel` floats on. */
SIMD_INLINE void wino_bt_both(float *v, ptrdiff_t v_step, const float *const p[6], ptrdiff_t pixel,
                              bool part, v_mask m)
{
    const v_f32 two = v_set1(2), four = v_set1(4), five = v_set1(5);
    v_f32 s[6], t[6];
    V_FOR(q, 6) {
        const ptrdiff_t at = q * pixel;
        s[q] = v_fma(four, v_load(p[0] + at), v_fnma(five, v_load(p[2] + at), v_load(p[4] + at)));
        t[q] = v_fma(four, v_load(p[1] + at), v_fnma(five, v_load(p[3] + at), v_load(p[5] + at)));
    }
    wino_bt_row(v, v_step, s, part, m);
    wino_bt_row(v + 30 * v_step, v_step, t, part, m);
    V_FOR(q, 6) {
        const ptrdiff_t at = q * pixel;
        v_f32 a = v_fnma(four, v_load(p[2] + at), v_load(p[4] + at));
        v_f32 b = v_fnma(four, v_load(p[1] + at), v_load(p[3] + at));
        s[q] = v_add(a, b);
        t[q] = v_sub(a, b);
    }
    wino_bt_row(v + 6 * v_step, v_step, s, part, m);
    wino_bt_row(v + 12 * v_step, v_step, t, part, m);
    V_FOR(q, 6) {
        const ptrdiff_t at = q * pixel;
        v_f32 e = v_sub(v_load(p[4] + at), v_load(p[2] + at));
        v_f32 f = v_sub(v_load(p[3] + at), v_load(p[1] + at));
        s[q] = v_fma(two, f, e);
        t[q] = v_fnma(two, f, e);
    }
    wino_bt_row(v + 18 * v_step, v_step, s, part, m);
    wino_bt_row(v + 24 * v_step, v_step, t, part, m);
}

/* Copy n x n pixels to a patch, zeros outside columns lo .. hi-1, through ReLU if asked. */
SIMD_INLINE void wino_patch(const int n, float *patch, const float *const *rows, int lo, int hi,
                            int c, int i, bool relu, bool part, v_mask m)
{
    for (int q = 0; q < n; q++) {
        const ptrdiff_t at = (ptrdiff_t)q * c + i;
        if (q < lo || q >= hi) {
            V_FOR(r, n) {
                v_store(patch + (r * n + q) * VL, v_zero());
            }
            continue;
        }
        V_FOR(r, n) {
            v_f32 d = v_get(rows[r] + at, part, m);
            v_store(patch + (r * n + q) * VL, relu ? v_at_least(d, v_zero()) : d);
        }
    }
}

void SIMD_NAME(wino_input_f32)(float *v, ptrdiff_t v_step, const float *const *rows, int lo, int hi,
                               int c, bool relu)
{
    const bool plain = lo <= 0 && hi >= 6 && !relu;
    int i = 0;
    for (; plain && i + VL <= c; i += VL) {
        const float *const p[6] = {rows[0] + i, rows[1] + i, rows[2] + i,
                                   rows[3] + i, rows[4] + i, rows[5] + i};
        wino_bt_both(v + i, v_step, p, c, false, v_first(VL));
    }
    for (; i < c; i += VL) {
        const v_mask m = v_first(c - i);
        float patch[36 * VL];
        const float *const p[6] = {patch,           patch + 6 * VL,  patch + 12 * VL,
                                   patch + 18 * VL, patch + 24 * VL, patch + 30 * VL};
        if (c - i < VL) {
            wino_patch(6, patch, rows, lo, hi, c, i, relu, true, m);
            wino_bt_both(v + i, v_step, p, VL, true, m);
        } else if (relu) {
            wino_patch(6, patch, rows, lo, hi, c, i, true, false, m);
            wino_bt_both(v + i, v_step, p, VL, false, m);
        } else {
            wino_patch(6, patch, rows, lo, hi, c, i, false, false, m);
            wino_bt_both(v + i, v_step, p, VL, false, m);
        }
    }
}

/* ---- weights: G g G^T ---- */

/* o = G g */
SIMD_INLINE void wino_g(v_f32 g0, v_f32 g1, v_f32 g2, v_f32 o[6])
{
    v_f32 even = v_add(g0, g2), outer = v_fma(v_set1(4), g2, g0);
    o[0] = v_mul(v_set1(1.0f / 4), g0);
    o[1] = v_mul(v_set1(-1.0f / 6), v_add(even, g1));
    o[2] = v_mul(v_set1(-1.0f / 6), v_sub(even, g1));
    o[3] = v_mul(v_set1(1.0f / 24), v_fma(v_set1(2), g1, outer));
    o[4] = v_mul(v_set1(1.0f / 24), v_fnma(v_set1(2), g1, outer));
    o[5] = g2;
}

void SIMD_NAME(wino_weights_f32)(float *u, ptrdiff_t u_step, const float *w, ptrdiff_t w_step,
                                 size_t n)
{
    for (size_t i = 0; i < n; i += VL) {
        const v_mask m = v_first((ptrdiff_t)(n - i));
        v_f32 half[3][6];
        V_FOR(q, 3) {
            const float *g = w + q * w_step + (ptrdiff_t)i;
            wino_g(v_load_part(g, m), v_load_part(g + 3 * w_step, m),
                   v_load_part(g + 6 * w_step, m), half[q]);
        }
        V_FOR(r, 6) {
            v_f32 o[6];
            wino_g(half[0][r], half[1][r], half[2][r], o);
            V_FOR(q, 6) {
                v_store_part(u + (r * 6 + q) * u_step + (ptrdiff_t)i, m, o[q]);
            }
        }
    }
}

/* ---- output: A^T m A ---- */

SIMD_INLINE void wino_out_put(const struct kernel_wino_out *o, v_f32 v, int r, int q, int i,
                              bool part, v_mask m)
{
    const ptrdiff_t at = r * o->y_row + q * o->y_pixel + i;
    v_put(o->y + at, o->post ? post_value(o->post, v, o->y, at, i, m) : v, part, m);
}

/* One row of outputs from six columns, ten operations:
 *   o0 = m0 + (m1 + m2) + (m3 + m4)       o1 = (m1 - m2) + 2 (m3 - m4)
 *   o3 = (m1 - m2) + 8 (m3 - m4) + m5     o2 = (m1 + m2) + 4 (m3 + m4) */
SIMD_INLINE void wino_at_row(const struct kernel_wino_out *o, const v_f32 d[6], int r, int i,
                             bool part, v_mask m)
{
    v_f32 a = v_add(d[1], d[2]), b = v_sub(d[1], d[2]), e = v_add(d[3], d[4]);
    v_f32 f = v_sub(d[3], d[4]);
    if (r >= o->n_rows) {
        return;
    }
    wino_out_put(o, v_add(v_add(d[0], a), e), r, 0, i, part, m);
    if (o->n_cols > 1) {
        wino_out_put(o, v_fma(v_set1(2), f, b), r, 1, i, part, m);
    }
    if (o->n_cols > 2) {
        wino_out_put(o, v_fma(v_set1(4), e, a), r, 2, i, part, m);
    }
    if (o->n_cols > 3) {
        wino_out_put(o, v_add(v_fma(v_set1(8), f, b), d[5]), r, 3, i, part, m);
    }
}

SIMD_INLINE void wino_output(const struct kernel_wino_out *o, int i, const bool part, v_mask m)
{
    const ptrdiff_t step = o->m_step;
    v_f32 s[6], t[6];
    V_FOR(q, 6) {
        const float *p = o->m + q * step + i;
        v_f32 m3 = v_get(p + 18 * step, part, m), m4 = v_get(p + 24 * step, part, m);
        v_f32 m1 = v_get(p + 6 * step, part, m), m2 = v_get(p + 12 * step, part, m);
        v_f32 a = v_add(m1, m2), e = v_add(m3, m4);
        s[q] = v_add(v_add(v_get(p, part, m), a), e);
        t[q] = v_fma(v_set1(4), e, a);
    }
    wino_at_row(o, s, 0, i, part, m);
    wino_at_row(o, t, 2, i, part, m);
    V_FOR(q, 6) {
        const float *p = o->m + q * step + i;
        v_f32 m3 = v_get(p + 18 * step, part, m), m4 = v_get(p + 24 * step, part, m);
        v_f32 m1 = v_get(p + 6 * step, part, m), m2 = v_get(p + 12 * step, part, m);
        v_f32 b = v_sub(m1, m2), f = v_sub(m3, m4);
        s[q] = v_fma(v_set1(2), f, b);
        t[q] = v_add(v_fma(v_set1(8), f, b), v_get(p + 30 * step, part, m));
    }
    wino_at_row(o, s, 1, i, part, m);
    wino_at_row(o, t, 3, i, part, m);
}

void SIMD_NAME(wino_output_f32)(const struct kernel_wino_out *given)
{
    struct kernel_wino_out o = *given;
    int i = 0;
    if (!o.post && o.n_rows == 4 && o.n_cols == 4) {
        o.post = NULL; /* said again, so that the compiler knows it in the loop */
        o.n_rows = o.n_cols = 4;
        for (; i + VL <= o.n; i += VL) {
            wino_output(&o, i, false, v_first(VL));
        }
    }
    for (; i + VL <= o.n; i += VL) {
        wino_output(given, i, false, v_first(VL));
    }
    if (i < o.n) {
        wino_output(given, i, true, v_first(o.n - i));
    }
}

/* ---- gradient by weights: A dy A^T, and G^T m G ---- */

/* o = A d of a row, eight operations. */
SIMD_INLINE void wino_a_row(float *v, ptrdiff_t v_step, const v_f32 d[4], bool part, v_mask m)
{
    const v_f32 two = v_set1(2), four = v_set1(4);
    v_f32 even = v_add(d[0], d[2]), odd = v_add(d[1], d[3]);
    v_f32 far_even = v_fma(four, d[2], d[0]), far_odd = v_fma(four, d[3], d[1]);
    v_put(v, d[0], part, m);
    v_put(v + v_step, v_add(even, odd), part, m);
    v_put(v + 2 * v_step, v_sub(even, odd), part, m);
    v_put(v + 3 * v_step, v_fma(two, far_odd, far_even), part, m);
    v_put(v + 4 * v_step, v_fnma(two, far_odd, far_even), part, m);
    v_put(v + 5 * v_step, d[3], part, m);
}

SIMD_INLINE void wino_a_both(float *v, ptrdiff_t v_step, const float *const p[4], ptrdiff_t pixel,
                             bool part, v_mask m)
{
    const v_f32 two = v_set1(2), four = v_set1(4);
    v_f32 s[4], t[4];
    V_FOR(q, 4) {
        s[q] = v_load(p[0] + q * pixel);
        t[q] = v_load(p[3] + q * pixel);
    }
    wino_a_row(v, v_step, s, part, m);
    wino_a_row(v + 30 * v_step, v_step, t, part, m);
    V_FOR(q, 4) {
        const ptrdiff_t at = q * pixel;
        v_f32 even = v_add(v_load(p[0] + at), v_load(p[2] + at));
        v_f32 odd = v_add(v_load(p[1] + at), v_load(p[3] + at));
        s[q] = v_add(even, odd);
        t[q] = v_sub(even, odd);
    }
    wino_a_row(v + 6 * v_step, v_step, s, part, m);
    wino_a_row(v + 12 * v_step, v_step, t, part, m);
    V_FOR(q, 4) {
        const ptrdiff_t at = q * pixel;
        v_f32 even = v_fma(four, v_load(p[2] + at), v_load(p[0] + at));
        v_f32 odd = v_fma(four, v_load(p[3] + at), v_load(p[1] + at));
        s[q] = v_fma(two, odd, even);
        t[q] = v_fnma(two, odd, even);
    }
    wino_a_row(v + 18 * v_step, v_step, s, part, m);
    wino_a_row(v + 24 * v_step, v_step, t, part, m);
}

void SIMD_NAME(wino_gradient_f32)(float *v, ptrdiff_t v_step, const float *const *rows, int lo,
                                  int hi, int c)
{
    int i = 0;
    for (; lo <= 0 && hi >= 4 && i + VL <= c; i += VL) {
        const float *const p[4] = {rows[0] + i, rows[1] + i, rows[2] + i, rows[3] + i};
        wino_a_both(v + i, v_step, p, c, false, v_first(VL));
    }
    for (; i < c; i += VL) {
        const v_mask m = v_first(c - i);
        float patch[16 * VL];
        const float *const p[4] = {patch, patch + 4 * VL, patch + 8 * VL, patch + 12 * VL};
        wino_patch(4, patch, rows, lo, hi, c, i, false, true, m);
        wino_a_both(v + i, v_step, p, VL, true, m);
    }
}

/* o = G^T m */
SIMD_INLINE void wino_gt(const v_f32 m[6], v_f32 o[3])
{
    const v_f32 sixth = v_set1(1.0f / 6), fourth = v_set1(1.0f / 4);
    v_f32 near_sum = v_add(m[1], m[2]), near_diff = v_sub(m[2], m[1]);
    v_f32 far_sum = v_add(m[3], m[4]), far_diff = v_sub(m[3], m[4]);
    o[0] = v_fma(fourth, m[0],
                 v_mul(sixth, v_fma(fourth, far_sum, v_sub(v_zero(), near_sum))));
    o[1] = v_mul(sixth, v_fma(v_set1(0.5f), far_diff, near_diff));
    o[2] = v_fma(sixth, v_sub(far_sum, near_sum), m[5]);
}

void SIMD_NAME(wino_dweights_f32)(float *dw, ptrdiff_t w_step, const float *m, ptrdiff_t m_step,
                                  size_t n)
{
    for (size_t i = 0; i < n; i += VL) {
        const v_mask mask = v_first((ptrdiff_t)(n - i));
        v_f32 half[6][3];
        V_FOR(q, 6) {
            v_f32 d[6];
            V_FOR(r, 6) {
                d[r] = v_load_part(m + (r * 6 + q) * m_step + (ptrdiff_t)i, mask);
            }
            wino_gt(d, half[q]);
        }
        V_FOR(r, 3) {
            v_f32 d[6], o[3];
            V_FOR(q, 6) {
                d[q] = half[q][r];
            }
            wino_gt(d, o);
            V_FOR(q, 3) {
                v_store_part(dw + (r * 3 + q) * w_step + (ptrdiff_t)i, mask, o[q]);
            }
        }
    }
}
