/*
 * wino_body.h: the transforms of Winograd's F(4x4, 3x3), a register of channels at a time. A pass
 * over columns and one over rows; input in wino_input_body.h.
 */
#include "core/kernels/post_body.h"
#include "core/kernels/wino_input_body.h"

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
        V_FOR (q, 3) {
            const float *g = w + q * w_step + (ptrdiff_t)i;
            wino_g(v_load_part(g, m), v_load_part(g + 3 * w_step, m),
                   v_load_part(g + 6 * w_step, m), half[q]);
        }
        V_FOR (r, 6) {
            v_f32 o[6];
            wino_g(half[0][r], half[1][r], half[2][r], o);
            V_FOR (q, 6) {
                v_store_part(u + (r * 6 + q) * u_step + (ptrdiff_t)i, m, o[q]);
            }
        }
    }
}

/* ---- output: A^T m A ---- */

/* What becomes of outputs: nothing or, in backward data, a ReLU's mask, alone or on the way into a
 * sum; anything else, and tiles that are not whole, the long way. */
enum { WINO_PLAIN, WINO_MASK, WINO_MASK_INTO, WINO_ANY };

/* One row of outputs from six columns, ten operations:
 *   o0 = m0 + (m1 + m2) + (m3 + m4)       o1 = (m1 - m2) + 2 (m3 - m4)
 *   o3 = (m1 - m2) + 8 (m3 - m4) + m5     o2 = (m1 + m2) + 4 (m3 + m4) */
SIMD_INLINE void wino_at_row(const struct kernel_wino_out *o, const v_f32 d[6], int r, int i,
                             const int way, bool part, v_mask m)
{
    v_f32 a = v_add(d[1], d[2]), b = v_sub(d[1], d[2]), e = v_add(d[3], d[4]);
    v_f32 f = v_sub(d[3], d[4]), out[4];
    out[0] = v_add(v_add(d[0], a), e);
    out[1] = v_fma(v_set1(2), f, b);
    out[2] = v_fma(v_set1(4), e, a);
    out[3] = v_add(v_fma(v_set1(8), f, b), d[5]);
    if (way == WINO_ANY && r >= o->n_rows) {
        return;
    }
    ptrdiff_t at = r * o->y_row + i;
    V_FOR (q, 4) {
        if (way != WINO_ANY) {
            v_f32 v = out[q];
            if (way != WINO_PLAIN) {
                v = v_drop_le(v, v_get(o->post->mask + at, part, m), v_zero());
            }
            if (way == WINO_MASK_INTO) {
                v = v_add(v_get(o->y + at, part, m), v);
            }
            v_put(o->y + at, v, part, m);
        } else if (q < o->n_cols) {
            v_f32 v = o->post ? post_value(o->post, out[q], o->y, at, i, m) : out[q];
            v_put(o->y + at, v, part, m);
        }
        at += o->y_pixel;
        SIMD_OPAQUE(at);
    }
}

SIMD_INLINE void wino_output(const struct kernel_wino_out *o, int i, const int way, const bool part,
                             v_mask m)
{
    /* Plane r * 6 + q: rows are t apart, columns m_step. */
    ptrdiff_t t1 = 6 * o->m_step, t3 = 3 * t1, t5 = 5 * t1;
    const float *p = o->m + i;
    v_f32 s[6], t[6];
    V_FOR (q, 6) {
        v_f32 m3 = v_get(p + t3, part, m), m4 = v_get(p + 4 * t1, part, m);
        v_f32 m1 = v_get(p + t1, part, m), m2 = v_get(p + 2 * t1, part, m);
        v_f32 a = v_add(m1, m2), e = v_add(m3, m4);
        s[q] = v_add(v_add(v_get(p, part, m), a), e);
        t[q] = v_fma(v_set1(4), e, a);
        p += o->m_step;
        SIMD_OPAQUE(p);
    }
    wino_at_row(o, s, 0, i, way, part, m);
    wino_at_row(o, t, 2, i, way, part, m);
    p = o->m + i;
    V_FOR (q, 6) {
        v_f32 m3 = v_get(p + t3, part, m), m4 = v_get(p + 4 * t1, part, m);
        v_f32 m1 = v_get(p + t1, part, m), m2 = v_get(p + 2 * t1, part, m);
        v_f32 b = v_sub(m1, m2), f = v_sub(m3, m4);
        s[q] = v_fma(v_set1(2), f, b);
        t[q] = v_add(v_fma(v_set1(8), f, b), v_get(p + t5, part, m));
        p += o->m_step;
        SIMD_OPAQUE(p);
    }
    wino_at_row(o, s, 1, i, way, part, m);
    wino_at_row(o, t, 3, i, way, part, m);
}

/* Whole registers of channels; where the rest begins. */
SIMD_INLINE int wino_outputs(const struct kernel_wino_out *o, const int way)
{
    int i = 0;
    for (; i + VL <= o->n; i += VL) {
        wino_output(o, i, way, false, v_first(VL));
    }
    return i;
}

/* One tile; whole: all of its pixels exist. */
SIMD_INLINE void wino_output_tile(const struct kernel_wino_out *o, bool whole)
{
    int i;
    if (whole && !o->post) {
        i = wino_outputs(o, WINO_PLAIN);
    } else if (whole && post_is_mask(o->post)) {
        i = o->post->into ? wino_outputs(o, WINO_MASK_INTO) : wino_outputs(o, WINO_MASK);
    } else {
        i = wino_outputs(o, WINO_ANY);
    }
    for (; i < o->n; i += VL) {
        wino_output(o, i, WINO_ANY, true, v_first(o->n - i));
    }
}

void SIMD_NAME(wino_output_f32)(const struct kernel_wino_out *given)
{
    /* Copies: a store of a register may change any structure, as far as the compiler knows. */
    struct kernel_wino_out o = *given;
    struct kernel_post post;
    if (o.post) {
        post = *o.post;
        o.post = &post;
    }
    for (; o.n_tiles > 0; o.n_tiles--, o.n_cols -= 4) {
        const ptrdiff_t next = 4 * o.y_pixel;
        wino_output_tile(&o, o.n_rows == 4 && o.n_cols >= 4);
        o.m += o.n;
        o.y += next;
        if (o.post) {
            post.add = post.add ? post.add + next : NULL;
            post.mask = post.mask ? post.mask + next : NULL;
        }
    }
}

/* ---- gradient by weights: A dy A^T, and G^T m G ---- */

/* o = A d of a row, eight operations. */
SIMD_INLINE void wino_a_row(struct wino_planes *v, const v_f32 d[4], const struct wino_read *how)
{
    const v_f32 two = v_set1(2), four = v_set1(4);
    v_f32 even = v_add(d[0], d[2]), odd = v_add(d[1], d[3]);
    v_f32 far_even = v_fma(four, d[2], d[0]), far_odd = v_fma(four, d[3], d[1]);
    v_put(wino_plane(v, 0), d[0], how->part, how->m);
    v_put(wino_plane(v, 1), v_add(even, odd), how->part, how->m);
    v_put(wino_plane(v, 2), v_sub(even, odd), how->part, how->m);
    v_put(wino_plane(v, 3), v_fma(two, far_odd, far_even), how->part, how->m);
    v_put(wino_plane(v, 4), v_fnma(two, far_odd, far_even), how->part, how->m);
    v_put(wino_plane(v, 5), d[3], how->part, how->m);
}

/* All sixteen pixels stay in registers where there are thirty-two. */
SIMD_INLINE void wino_a_both(float *v, ptrdiff_t v_step, const float *const p[4], ptrdiff_t pixel,
                             const struct wino_read *how)
{
    const v_f32 two = v_set1(2), four = v_set1(4);
    struct wino_planes out = wino_planes(v, v_step);
    v_f32 d[4][4], s[4];
    ptrdiff_t at = 0;
    V_FOR (q, 4) {
        V_FOR (r, 4) {
            d[r][q] = wino_pixel(how, p[r] + at, q);
        }
        at += pixel;
        SIMD_OPAQUE(at);
    }
    wino_a_row(&out, d[0], how);
    wino_next_row(&out);
    V_FOR (q, 4) {
        s[q] = v_add(v_add(d[0][q], d[2][q]), v_add(d[1][q], d[3][q]));
    }
    wino_a_row(&out, s, how);
    wino_next_row(&out);
    V_FOR (q, 4) {
        s[q] = v_sub(v_add(d[0][q], d[2][q]), v_add(d[1][q], d[3][q]));
    }
    wino_a_row(&out, s, how);
    wino_next_row(&out);
    V_FOR (q, 4) {
        d[0][q] = v_fma(four, d[2][q], d[0][q]);
        d[1][q] = v_fma(four, d[3][q], d[1][q]);
        s[q] = v_fma(two, d[1][q], d[0][q]);
    }
    wino_a_row(&out, s, how);
    wino_next_row(&out);
    V_FOR (q, 4) {
        s[q] = v_fnma(two, d[1][q], d[0][q]);
    }
    wino_a_row(&out, s, how);
    wino_next_row(&out);
    wino_a_row(&out, d[3], how);
}

/* One tile of n_cols columns that exist. */
SIMD_INLINE void wino_gradient_tile(float *v, ptrdiff_t v_step, const float *const rows[4],
                                    int n_cols, int c)
{
    struct wino_read how = {.masked = false};
    int i = 0;
    for (; n_cols >= 4 && i + VL <= c; i += VL) {
        const float *const p[4] = {rows[0] + i, rows[1] + i, rows[2] + i, rows[3] + i};
        wino_a_both(v + i, v_step, p, c, &how);
    }
    for (; i < c; i += VL) {
        const float *const p[4] = {rows[0] + i, rows[1] + i, rows[2] + i, rows[3] + i};
        how.masked = how.part = true;
        how.m = v_first(c - i);
        V_FOR (q, 4) {
            how.mask[q] = v_first(q < n_cols ? c - i : 0);
        }
        wino_a_both(v + i, v_step, p, c, &how);
    }
}

void SIMD_NAME(wino_gradient_f32)(float *v, ptrdiff_t v_step, const float *const *rows, int n_tiles,
                                  int n_cols, int c)
{
    const float *r0 = rows[0], *r1 = rows[1], *r2 = rows[2], *r3 = rows[3];
    const ptrdiff_t next = 4 * (ptrdiff_t)c;
    for (; n_tiles > 0; n_tiles--, n_cols -= 4, v += c) {
        const float *const p[4] = {r0, r1, r2, r3};
        wino_gradient_tile(v, v_step, p, n_cols, c);
        r0 += next;
        r1 += next;
        r2 += next;
        r3 += next;
    }
}

/* o = G^T m */
SIMD_INLINE void wino_gt(const v_f32 m[6], v_f32 o[3])
{
    const v_f32 sixth = v_set1(1.0f / 6), fourth = v_set1(1.0f / 4);
    v_f32 near_sum = v_add(m[1], m[2]), near_diff = v_sub(m[2], m[1]);
    v_f32 far_sum = v_add(m[3], m[4]), far_diff = v_sub(m[3], m[4]);
    o[0] = v_fma(fourth, m[0], v_mul(sixth, v_fma(fourth, far_sum, v_sub(v_zero(), near_sum))));
    o[1] = v_mul(sixth, v_fma(v_set1(0.5f), far_diff, near_diff));
    o[2] = v_fma(sixth, v_sub(far_sum, near_sum), m[5]);
}

void SIMD_NAME(wino_dweights_f32)(float *dw, ptrdiff_t w_step, const float *m, ptrdiff_t m_step,
                                  size_t n)
{
    for (size_t i = 0; i < n; i += VL) {
        const v_mask mask = v_first((ptrdiff_t)(n - i));
        v_f32 half[6][3];
        V_FOR (q, 6) {
            v_f32 d[6];
            V_FOR (r, 6) {
                d[r] = v_load_part(m + (r * 6 + q) * m_step + (ptrdiff_t)i, mask);
            }
            wino_gt(d, half[q]);
        }
        V_FOR (r, 3) {
            v_f32 d[6], o[3];
            V_FOR (q, 6) {
                d[q] = half[q][r];
            }
            wino_gt(d, o);
            V_FOR (q, 3) {
                v_store_part(dw + (r * 3 + q) * w_step + (ptrdiff_t)i, mask, o[q]);
            }
        }
    }
}
