/*
 * wino_body.h: the transforms of Winograd's F(4x4, 3x3), a register of channels at a time. Columns
 * first, into a small buffer (36 registers are more than any machine has), then rows.
 */
#include "core/kernels/post_body.h"

/* o = B^T d, twelve operations:
 *   o0 = 4 d0 - 5 d2 + d4       o1, o2 = (d4 - 4 d2) +- (d3 - 4 d1)
 *   o5 = 4 d1 - 5 d3 + d5       o3, o4 = (d4 - d2) +- 2 (d3 - d1) */
SIMD_INLINE void wino_bt(const v_f32 d[6], v_f32 o[6])
{
    const v_f32 two = v_set1(2), four = v_set1(4), five = v_set1(5);
    v_f32 a = v_fnma(four, d[2], d[4]), b = v_fnma(four, d[1], d[3]);
    v_f32 e = v_sub(d[4], d[2]), f = v_sub(d[3], d[1]);
    o[0] = v_fma(four, d[0], v_fnma(five, d[2], d[4]));
    o[1] = v_add(a, b);
    o[2] = v_sub(a, b);
    o[3] = v_fma(two, f, e);
    o[4] = v_fnma(two, f, e);
    o[5] = v_fma(four, d[1], v_fnma(five, d[3], d[5]));
}

/* o = A^T m, ten operations. */
SIMD_INLINE void wino_at(const v_f32 m[6], v_f32 o[4])
{
    v_f32 a = v_add(m[1], m[2]), b = v_sub(m[1], m[2]);
    v_f32 c = v_add(m[3], m[4]), d = v_sub(m[3], m[4]);
    o[0] = v_add(v_add(m[0], a), c);
    o[1] = v_fma(v_set1(2), d, b);
    o[2] = v_fma(v_set1(4), c, a);
    o[3] = v_add(v_fma(v_set1(8), d, b), m[5]);
}

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

SIMD_INLINE void wino_input(float *v, ptrdiff_t v_step, const float *const *rows, int lo, int hi,
                            int c, const bool relu)
{
    const float *r0 = rows[0], *r1 = rows[1], *r2 = rows[2], *r3 = rows[3], *r4 = rows[4],
                *r5 = rows[5];
    for (int i = 0; i < c; i += VL) {
        const v_mask m = v_first(c - i);
        const bool part = c - i < VL;
        float half[36 * VL]; /* [column][row] */
        for (int q = 0; q < 6; q++) {
            v_f32 d[6], o[6];
            V_FOR(r, 6) {
                d[r] = v_zero();
            }
            if (q >= lo && q < hi) {
                const ptrdiff_t at = (ptrdiff_t)q * c + i;
                const float *p[6] = {r0 + at, r1 + at, r2 + at, r3 + at, r4 + at, r5 + at};
                V_FOR(r, 6) {
                    d[r] = part ? v_load_part(p[r], m) : v_load(p[r]);
                    d[r] = relu ? v_at_least(d[r], v_zero()) : d[r];
                }
            }
            wino_bt(d, o);
            V_FOR(r, 6) {
                v_store(half + (r * 6 + q) * VL, o[r]);
            }
        }
        for (int r = 0; r < 6; r++) {
            v_f32 d[6], o[6];
            V_FOR(q, 6) {
                d[q] = v_load(half + (r * 6 + q) * VL);
            }
            wino_bt(d, o);
            V_FOR(q, 6) {
                float *out = v + (r * 6 + q) * v_step + i;
                if (part) {
                    v_store_part(out, m, o[q]);
                } else {
                    v_store(out, o[q]);
                }
            }
        }
    }
}

void SIMD_NAME(wino_input_f32)(float *v, ptrdiff_t v_step, const float *const *rows, int lo, int hi,
                               int c, bool relu)
{
    if (relu) {
        wino_input(v, v_step, rows, lo, hi, c, true);
    } else {
        wino_input(v, v_step, rows, lo, hi, c, false);
    }
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

/* Columns of m, then rows; the outputs of row r go to out[r * 4 ..]. */
SIMD_INLINE void wino_output_tile(float *out, const float *m, ptrdiff_t m_step, bool part,
                                  v_mask mask)
{
    float half[24 * VL];
    for (int q = 0; q < 6; q++) {
        v_f32 d[6], o[4];
        V_FOR(r, 6) {
            const float *p = m + (r * 6 + q) * m_step;
            d[r] = part ? v_load_part(p, mask) : v_load(p);
        }
        wino_at(d, o);
        V_FOR(r, 4) {
            v_store(half + (r * 6 + q) * VL, o[r]);
        }
    }
    for (int r = 0; r < 4; r++) {
        v_f32 d[6], o[4];
        V_FOR(q, 6) {
            d[q] = v_load(half + (r * 6 + q) * VL);
        }
        wino_at(d, o);
        V_FOR(q, 4) {
            v_store(out + (r * 4 + q) * VL, o[q]);
        }
    }
}

void SIMD_NAME(wino_output_f32)(const struct kernel_wino_out *o)
{
    for (int i = 0; i < o->n; i += VL) {
        const v_mask m = v_first(o->n - i);
        const bool part = o->n - i < VL;
        float out[16 * VL];
        wino_output_tile(out, o->m + i, o->m_step, part, m);
        for (int r = 0; r < o->n_rows; r++) {
            for (int q = 0; q < o->n_cols; q++) {
                const ptrdiff_t at = r * o->y_row + q * o->y_pixel + i;
                v_f32 v = v_load(out + (r * 4 + q) * VL);
                v = o->post ? post_value(o->post, v, o->y, at, i, m) : v;
                if (part) {
                    v_store_part(o->y + at, m, v);
                } else {
                    v_store(o->y + at, v);
                }
            }
        }
    }
}

/* o = A d */
SIMD_INLINE void wino_a(const v_f32 d[4], v_f32 o[6])
{
    const v_f32 two = v_set1(2), four = v_set1(4);
    v_f32 even = v_add(d[0], d[2]), odd = v_add(d[1], d[3]);
    v_f32 far_even = v_fma(four, d[2], d[0]), far_odd = v_fma(four, d[3], d[1]);
    o[0] = d[0];
    o[1] = v_add(even, odd);
    o[2] = v_sub(even, odd);
    o[3] = v_fma(two, far_odd, far_even);
    o[4] = v_fnma(two, far_odd, far_even);
    o[5] = d[3];
}

/* o = G^T m */
SIMD_INLINE void wino_gt(const v_f32 m[6], v_f32 o[3])
{
    const v_f32 sixth = v_set1(1.0f / 6);
    v_f32 near_sum = v_add(m[1], m[2]), near_diff = v_sub(m[2], m[1]);
    v_f32 far_sum = v_add(m[3], m[4]), far_diff = v_sub(m[3], m[4]);
    o[0] = v_fma(v_set1(1.0f / 4), m[0],
                 v_mul(sixth, v_fma(v_set1(1.0f / 4), far_sum, v_sub(v_zero(), near_sum))));
    o[1] = v_mul(sixth, v_fma(v_set1(0.5f), far_diff, near_diff));
    o[2] = v_fma(sixth, v_sub(far_sum, near_sum), m[5]);
}

void SIMD_NAME(wino_gradient_f32)(float *v, ptrdiff_t v_step, const float *const *rows, int lo,
                                  int hi, int c)
{
    const float *r0 = rows[0], *r1 = rows[1], *r2 = rows[2], *r3 = rows[3];
    for (int i = 0; i < c; i += VL) {
        const v_mask m = v_first(c - i);
        const bool part = c - i < VL;
        float half[24 * VL]; /* [row][column] */
        for (int q = 0; q < 4; q++) {
            v_f32 d[4], o[6];
            V_FOR(r, 4) {
                d[r] = v_zero();
            }
            if (q >= lo && q < hi) {
                const ptrdiff_t at = (ptrdiff_t)q * c + i;
                const float *p[4] = {r0 + at, r1 + at, r2 + at, r3 + at};
                V_FOR(r, 4) {
                    d[r] = part ? v_load_part(p[r], m) : v_load(p[r]);
                }
            }
            wino_a(d, o);
            V_FOR(r, 6) {
                v_store(half + (r * 4 + q) * VL, o[r]);
            }
        }
        for (int r = 0; r < 6; r++) {
            v_f32 d[4], o[6];
            V_FOR(q, 4) {
                d[q] = v_load(half + (r * 4 + q) * VL);
            }
            wino_a(d, o);
            V_FOR(q, 6) {
                float *out = v + (r * 6 + q) * v_step + i;
                if (part) {
                    v_store_part(out, m, o[q]);
                } else {
                    v_store(out, o[q]);
                }
            }
        }
    }
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
