/* vec_body.h: element-wise kernels. The same code runs on whole registers and on the masked rest.
 */
#include "core/kernels/declare.h"

/* Whole registers, then one masked: BODY sees `i`, V_GET(p) and V_PUT(p, v). */
#define VEC_LOOP(n, ...)                                                                           \
    {                                                                                              \
        size_t i = 0, vec_n = (n);                                                                 \
        for (; i + VL <= vec_n; i += VL) {                                                         \
            const bool part = false;                                                               \
            const v_mask m = v_first(VL);                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
        if (i < vec_n) {                                                                           \
            const bool part = true;                                                                \
            const v_mask m = v_first((ptrdiff_t)(vec_n - i));                                      \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define V_GET(p)    (part ? v_load_part((p) + i, m) : v_load((p) + i))
#define V_PUT(p, v) (part ? v_store_part((p) + i, m, (v)) : (void)(v_store((p) + i, (v)), (void)m))

/* exp x within 2 ulp for |x| < 87; beyond, the value at +-87. x = n ln 2 + r with |r| <= ln 2 / 2,
 * and the Taylor series of degree 7 of exp r, whose rest is below 6e-9. */
SIMD_INLINE v_f32 vec_exp(v_f32 x)
{
    x = v_at_most(v_at_least(x, v_set1(-87)), v_set1(87));
    v_f32 n = v_round(v_mul(x, v_set1(1.44269504f)));
    v_f32 r =
        v_fnma(n, v_set1(0.693359375f), x); /* ln 2 in two parts: n times the first is exact */
    r = v_fnma(n, v_set1(-2.12194440e-4f), r);
    v_f32 p = v_set1(1.0f / 5040);
    p = v_fma(p, r, v_set1(1.0f / 720));
    p = v_fma(p, r, v_set1(1.0f / 120));
    p = v_fma(p, r, v_set1(1.0f / 24));
    p = v_fma(p, r, v_set1(1.0f / 6));
    p = v_fma(p, r, v_set1(0.5f));
    p = v_fma(p, r, v_set1(1));
    p = v_fma(p, r, v_set1(1));
    return v_ldexp(p, n);
}

SIMD_INLINE v_f32 vec_act1(v_f32 x, enum kernel_act act)
{
    v_f32 t;
    switch (act) {
    case KERNEL_RELU:
        return v_at_least(x, v_zero());
    case KERNEL_RELU6:
        return v_at_most(v_at_least(x, v_zero()), v_set1(6));
    case KERNEL_HSWISH:
        t = v_at_most(v_at_least(v_add(x, v_set1(3)), v_zero()), v_set1(6));
        return v_mul(v_mul(x, t), v_set1(1.0f / 6));
    case KERNEL_SIGMOID:
        return v_div(v_set1(1), v_add(v_set1(1), vec_exp(v_sub(v_zero(), x))));
    case KERNEL_TANH:
        t = vec_exp(v_add(x, x));
        return v_sub(v_set1(1), v_div(v_set1(2), v_add(v_set1(1), t)));
    default:
        return x;
    }
}

/* act'(x) d; where the slope is 0 the result is 0, whatever d is. */
SIMD_INLINE v_f32 vec_grad1(v_f32 x, v_f32 d, enum kernel_act act)
{
    v_f32 s;
    switch (act) {
    case KERNEL_RELU:
        return v_drop_le(d, x, v_zero());
    case KERNEL_RELU6:
        return v_swap_ge(v_drop_le(d, x, v_zero()), v_zero(), x, v_set1(6));
    case KERNEL_HSWISH:
        s = v_mul(v_add(v_add(x, x), v_set1(3)), v_set1(1.0f / 6));
        return v_drop_le(v_swap_ge(v_mul(s, d), d, x, v_set1(3)), x, v_set1(-3));
    case KERNEL_SIGMOID:
        s = vec_act1(x, act);
        return v_mul(v_mul(s, v_sub(v_set1(1), s)), d);
    case KERNEL_TANH:
        s = vec_act1(x, act);
        return v_mul(v_fnma(s, s, v_set1(1)), d);
    default:
        return d;
    }
}

SIMD_INLINE void vec_act_loop(float *y, const float *x, size_t n, enum kernel_act act)
{
    VEC_LOOP(n, { V_PUT(y, vec_act1(V_GET(x), act)); })
}

void SIMD_NAME(vec_act_f32)(float *y, const float *x, size_t n, enum kernel_act act)
{
    switch (act) {
    case KERNEL_RELU:
        vec_act_loop(y, x, n, KERNEL_RELU);
        break;
    case KERNEL_RELU6:
        vec_act_loop(y, x, n, KERNEL_RELU6);
        break;
    case KERNEL_HSWISH:
        vec_act_loop(y, x, n, KERNEL_HSWISH);
        break;
    case KERNEL_SIGMOID:
        vec_act_loop(y, x, n, KERNEL_SIGMOID);
        break;
    case KERNEL_TANH:
        vec_act_loop(y, x, n, KERNEL_TANH);
        break;
    default:
        vec_act_loop(y, x, n, KERNEL_NO_ACT);
        break;
    }
}

SIMD_INLINE void vec_grad_loop(float *dx, const float *x, const float *dy, size_t n,
                               enum kernel_act act, bool add)
{
    if (add) {
        VEC_LOOP(n, { V_PUT(dx, v_add(V_GET(dx), vec_grad1(V_GET(x), V_GET(dy), act))); })
    } else {
        VEC_LOOP(n, { V_PUT(dx, vec_grad1(V_GET(x), V_GET(dy), act)); })
    }
}

void SIMD_NAME(vec_act_grad_f32)(float *dx, const float *x, const float *dy, size_t n,
                                 enum kernel_act act, bool add)
{
    switch (act) {
    case KERNEL_RELU:
        vec_grad_loop(dx, x, dy, n, KERNEL_RELU, add);
        break;
    case KERNEL_RELU6:
        vec_grad_loop(dx, x, dy, n, KERNEL_RELU6, add);
        break;
    case KERNEL_HSWISH:
        vec_grad_loop(dx, x, dy, n, KERNEL_HSWISH, add);
        break;
    case KERNEL_SIGMOID:
        vec_grad_loop(dx, x, dy, n, KERNEL_SIGMOID, add);
        break;
    case KERNEL_TANH:
        vec_grad_loop(dx, x, dy, n, KERNEL_TANH, add);
        break;
    default:
        vec_grad_loop(dx, x, dy, n, KERNEL_NO_ACT, add);
        break;
    }
}

void SIMD_NAME(vec_sum_f32)(float *y, const float *const *x, int n_in,
                            size_t n){VEC_LOOP(n,
                                               {
                                                   v_f32 sum = V_GET(x[0]);
                                                   for (int j = 1; j < n_in; j++) {
                                                       sum = v_add(sum, V_GET(x[j]));
                                                   }
                                                   V_PUT(y, sum);
                                               })}

SIMD_INLINE void vec_rows(float *to, ptrdiff_t to_row, const float *from, ptrdiff_t from_row,
                          size_t n_rows, int n, const bool relu)
{
    const v_mask m = v_first(n % VL);
    for (size_t r = 0; r < n_rows; r++, to += to_row, from += from_row) {
        int i = 0;
        for (; i + VL <= n; i += VL) {
            v_f32 v = v_load(from + i);
            v_store(to + i, relu ? v_at_least(v, v_zero()) : v);
        }
        if (i < n) {
            v_f32 v = v_load_part(from + i, m);
            v_store_part(to + i, m, relu ? v_at_least(v, v_zero()) : v);
        }
    }
}

void SIMD_NAME(vec_rows_f32)(float *to, ptrdiff_t to_row, const float *from, ptrdiff_t from_row,
                             size_t n_rows, int n, bool relu)
{
    if (relu) {
        vec_rows(to, to_row, from, from_row, n_rows, n, true);
    } else {
        vec_rows(to, to_row, from, from_row, n_rows, n, false);
    }
}

/* Squares of VL x VL; those at the edges through masks. */
void SIMD_NAME(vec_transpose_f32)(float *to, ptrdiff_t to_row, const float *from,
                                  ptrdiff_t from_row, int n_rows, int n_cols)
{
    for (int i = 0; i < n_rows; i += VL) {
        const v_mask rows = v_first(n_rows - i);
        for (int j = 0; j < n_cols; j += VL) {
            const float *p = from + i * from_row + j;
            float *q = to + j * to_row + i;
            v_f32 square[VL];
            if (n_rows - i >= VL && n_cols - j >= VL) {
                V_FOR (k, VL) {
                    square[k] = v_load(p + k * from_row);
                }
                v_transpose(square);
                V_FOR (k, VL) {
                    v_store(q + k * to_row, square[k]);
                }
                continue;
            }
            const v_mask cols = v_first(n_cols - j), none = v_first(0);
            V_FOR (k, VL) {
                square[k] = v_load_part(p + k * from_row, k < n_rows - i ? cols : none);
            }
            v_transpose(square);
            V_FOR (k, VL) {
                v_store_part(q + k * to_row, k < n_cols - j ? rows : none, square[k]);
            }
        }
    }
}

void SIMD_NAME(vec_axpy_f32)(float *y, float a, const float *x, size_t n)
{
    v_f32 va = v_set1(a);
    VEC_LOOP(n, { V_PUT(y, v_fma(va, V_GET(x), V_GET(y))); })
}

void SIMD_NAME(vec_scale_f32)(float *y, float a, const float *x, size_t n)
{
    v_f32 va = v_set1(a);
    VEC_LOOP(n, { V_PUT(y, v_mul(va, V_GET(x))); })
}

double SIMD_NAME(vec_dot_f32)(const float *x, const float *y, size_t n)
{
    v_f64 low = v_zero64(), high = v_zero64();
    VEC_LOOP(n, {
        v_f32 a = V_GET(x), b = V_GET(y);
        low = v_fma64(v_low64(a), v_low64(b), low);
        high = v_fma64(v_high64(a), v_high64(b), high);
    })
    return v_sum64(v_add64(low, high));
}

void SIMD_NAME(vec_sgd_f32)(float *w, float *v, const float *grad, size_t n,
                            const struct kernel_sgd *s)
{
    v_f32 minus_lr = v_set1(-s->lr), momentum = v_set1(s->momentum), decay = v_set1(s->decay);
    if (!v) {
        VEC_LOOP(n, {
            v_f32 vw = V_GET(w);
            V_PUT(w, v_fma(minus_lr, v_fma(decay, vw, V_GET(grad)), vw));
        })
        return;
    }
    VEC_LOOP(n, {
        v_f32 vw = V_GET(w);
        v_f32 g = v_fma(decay, vw, V_GET(grad));
        v_f32 next = v_fma(momentum, V_GET(v), g);
        V_PUT(v, next);
        g = s->nesterov ? v_fma(momentum, next, g) : next;
        V_PUT(w, v_fma(minus_lr, g, vw));
    })
}

void SIMD_NAME(vec_adam_f32)(float *w, float *m_1, float *m_2, const float *grad, size_t n,
                             const struct kernel_adam *s)
{
    v_f32 beta1 = v_set1(s->beta1), beta2 = v_set1(s->beta2), decay = v_set1(s->decay);
    v_f32 rest1 = v_set1(1 - s->beta1), rest2 = v_set1(1 - s->beta2), eps = v_set1(s->eps);
    v_f32 step = v_set1(s->step_size), correction = v_set1(s->root_correction);
    VEC_LOOP(n, {
        v_f32 vw = V_GET(w);
        v_f32 g = v_fma(decay, vw, V_GET(grad));
        v_f32 a = v_fma(beta1, V_GET(m_1), v_mul(rest1, g));
        v_f32 b = v_fma(beta2, V_GET(m_2), v_mul(v_mul(rest2, g), g));
        V_PUT(m_1, a);
        V_PUT(m_2, b);
        v_f32 root = v_fma(v_sqrt(b), correction, eps);
        V_PUT(w, v_sub(vw, v_div(v_mul(step, a), root)));
    })
}

/* 0 x is NaN for infinities and NaN, else 0: one sum tells. */
bool SIMD_NAME(vec_finite_f32)(const float *x, size_t n)
{
    v_f32 sum = v_zero();
    VEC_LOOP(n, { sum = v_fma(V_GET(x), v_zero(), sum); })
    return !v_any_nan(sum);
}
