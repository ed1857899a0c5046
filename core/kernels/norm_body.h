/*
 * norm_body.h: batch norm over rows of c channels. Columns of up to four registers are done
 * together, several rows at a time, so that enough sums are in flight; the sums of the rows are
 * added in a fixed order at the end.
 */
#include "core/kernels/declare.h"

enum { NORM_MAX_ACC = 8, NORM_MAX_KB = 4 };

/* One column of KB registers; `last` are the lanes of the last, all of them unless tail. */
#define NORM_PART(k) (tail && (k) == KB - 1)

/* Of rows x: their sum; sums of d = x - mean and of d d; sums of dy and of dy d, or of what of dy
 * passes ReLU. */
enum norm_sums { NORM_ROWS, NORM_MOMENTS, NORM_GRAD, NORM_GRAD_RELU };

/* The same columns of everything that the sums are made of. */
struct norm_columns {
    const float *x, *dy, *mean, *scale, *shift;
    size_t n_rows, c;
    v_mask last;
};

/* What a register of x, `at` floats from the first, adds to the sums sa and sb. */
SIMD_INLINE void norm_add(const enum norm_sums what, const struct norm_columns *n, size_t at,
                          const bool part, v_f32 mu, v_f32 scale, v_f32 shift, v_f32 *sa, v_f32 *sb)
{
    v_f32 v = v_get(n->x + at, part, n->last), d = what == NORM_ROWS ? v : v_sub(v, mu), f = d;
    if (what == NORM_GRAD || what == NORM_GRAD_RELU) {
        f = v_get(n->dy + at, part, n->last);
    }
    if (what == NORM_GRAD_RELU) {
        f = v_drop_le(f, v_fma(v, scale, shift), v_zero());
    }
    *sa = v_add(*sa, f);
    if (what != NORM_ROWS) {
        *sb = v_fma(f, d, *sb);
    }
}

SIMD_INLINE void norm_sums(const int KB, const bool tail, const enum norm_sums what, float *a,
                           float *b, const struct norm_columns *n)
{
    const bool two = what != NORM_ROWS, relu = what == NORM_GRAD_RELU;
    const int U = NORM_MAX_ACC / KB > 4 && two ? 4 : NORM_MAX_ACC / KB;
    v_f32 sa[NORM_MAX_ACC], sb[NORM_MAX_ACC];
    v_f32 mu[NORM_MAX_KB], scale[NORM_MAX_KB], shift[NORM_MAX_KB];
    V_FOR (i, NORM_MAX_ACC) {
        sa[i] = sb[i] = v_zero();
    }
    V_FOR (k, KB) {
        mu[k] = two ? v_get(n->mean + k * VL, NORM_PART(k), n->last) : v_zero();
        scale[k] = relu ? v_get(n->scale + k * VL, NORM_PART(k), n->last) : v_zero();
        shift[k] = relu ? v_get(n->shift + k * VL, NORM_PART(k), n->last) : v_zero();
    }
    size_t r = 0;
    for (; r + (size_t)U <= n->n_rows; r += (size_t)U) {
        V_FOR (u, U) {
            V_FOR (k, KB) {
                norm_add(what, n, (r + (size_t)u) * n->c + (size_t)k * VL, NORM_PART(k), mu[k],
                         scale[k], shift[k], &sa[u * KB + k], &sb[u * KB + k]);
            }
        }
    }
    for (; r < n->n_rows; r++) {
        V_FOR (k, KB) {
            norm_add(what, n, r * n->c + (size_t)k * VL, NORM_PART(k), mu[k], scale[k], shift[k],
                     &sa[k], &sb[k]);
        }
    }
    V_FOR (k, KB) {
        V_FOR (u, U - 1) {
            sa[k] = v_add(sa[k], sa[(u + 1) * KB + k]);
            sb[k] = v_add(sb[k], sb[(u + 1) * KB + k]);
        }
        v_put(a + k * VL, sa[k], NORM_PART(k), n->last);
        if (two) {
            v_put(b + k * VL, sb[k], NORM_PART(k), n->last);
        }
    }
}

/* CALL(KB, tail) for each group of columns from `j`; `last` is set for it. */
#define NORM_CASE(kb, KB, tail, CALL)                                                              \
    case kb: {                                                                                     \
        CALL(KB, tail);                                                                            \
        break;                                                                                     \
    }
#define NORM_COLUMNS(c, CALL)                                                                      \
    for (int j = 0; j < (c); j += NORM_MAX_KB * VL) {                                              \
        const int left = (c)-j, kb = left >= NORM_MAX_KB * VL ? NORM_MAX_KB : DIV_UP(left, VL);    \
        const v_mask last = v_first(left - (kb - 1) * VL);                                         \
        const bool whole = left >= NORM_MAX_KB * VL || left % VL == 0;                             \
        switch (whole ? kb : -kb) {                                                                \
            NORM_CASE(1, 1, false, CALL)                                                           \
            NORM_CASE(2, 2, false, CALL)                                                           \
            NORM_CASE(3, 3, false, CALL)                                                           \
            NORM_CASE(4, 4, false, CALL)                                                           \
            NORM_CASE(-1, 1, true, CALL)                                                           \
            NORM_CASE(-2, 2, true, CALL)                                                           \
            NORM_CASE(-3, 3, true, CALL)                                                           \
            NORM_CASE(-4, 4, true, CALL)                                                           \
        }                                                                                          \
    }

void SIMD_NAME(norm_row_sum_f32)(float *sum, const float *x, size_t n_rows, int c)
{
    float part_sum[NORM_MAX_KB * VL];
#define CALL(KB, tail)                                                                             \
    const struct norm_columns n = {.x = x + j, .n_rows = n_rows, .c = (size_t)c, .last = last};    \
    norm_sums(KB, tail, NORM_ROWS, part_sum, NULL, &n);                                            \
    for (int i = 0; i < MIN(left, NORM_MAX_KB * VL); i++) {                                        \
        sum[j + i] += part_sum[i];                                                                 \
    }
    NORM_COLUMNS(c, CALL)
#undef CALL
}

void SIMD_NAME(norm_moments_f32)(float *sum, float *sum2, const float *mean, const float *x,
                                 size_t n_rows, int c)
{
#define CALL(KB, tail)                                                                             \
    const struct norm_columns n = {                                                                \
        .x = x + j, .mean = mean + j, .n_rows = n_rows, .c = (size_t)c, .last = last};             \
    norm_sums(KB, tail, NORM_MOMENTS, sum + j, sum2 + j, &n)
    NORM_COLUMNS(c, CALL)
#undef CALL
}

/* The columns of g from j on. */
SIMD_INLINE struct norm_columns norm_columns(const struct kernel_norm_grad *g, int j, v_mask last)
{
    return (struct norm_columns){.x = g->x + j,
                                 .dy = g->dy + j,
                                 .mean = g->mean + j,
                                 .scale = g->scale ? g->scale + j : NULL,
                                 .shift = g->scale ? g->shift + j : NULL,
                                 .n_rows = g->n_rows,
                                 .c = (size_t)g->c,
                                 .last = last};
}

void SIMD_NAME(norm_grad_sums_f32)(float *sum_dy, float *sum_dyx, const struct kernel_norm_grad *g)
{
#define CALL(KB, tail)                                                                             \
    const struct norm_columns n = norm_columns(g, j, last);                                        \
    if (n.scale) {                                                                                 \
        norm_sums(KB, tail, NORM_GRAD_RELU, sum_dy + j, sum_dyx + j, &n);                          \
    } else {                                                                                       \
        norm_sums(KB, tail, NORM_GRAD, sum_dy + j, sum_dyx + j, &n);                               \
    }
    NORM_COLUMNS(g->c, CALL)
#undef CALL
}

SIMD_INLINE
void norm_apply(const int KB, const bool tail, float *y, const float *x, const float *scale,
                const float *shift, size_t n_rows, size_t c, bool relu, bool add, v_mask last)
{
    v_f32 a[NORM_MAX_KB], b[NORM_MAX_KB];
    V_FOR (k, KB) {
        a[k] = v_get(scale + k * VL, NORM_PART(k), last);
        b[k] = v_get(shift + k * VL, NORM_PART(k), last);
    }
    for (size_t r = 0; r < n_rows; r++, x += c, y += c) {
        V_FOR (k, KB) {
            v_f32 v = v_fma(v_get(x + k * VL, NORM_PART(k), last), a[k], b[k]);
            v = relu ? v_at_least(v, v_zero()) : v;
            v = add ? v_add(v_get(y + k * VL, NORM_PART(k), last), v) : v;
            v_put(y + k * VL, v, NORM_PART(k), last);
        }
    }
}

void SIMD_NAME(norm_apply_f32)(float *y, const float *x, const float *scale, const float *shift,
                               size_t n_rows, int c, bool relu, bool add){
#define CALL(KB, tail)                                                                             \
    norm_apply(KB, tail, y + j, x + j, scale + j, shift + j, n_rows, (size_t)c, relu, add, last)
    NORM_COLUMNS(c, CALL)
#undef CALL
}

/* U rows of a group of columns from row r on: every term is read once, sums stay in registers. */
SIMD_INLINE void norm_sum_rows(const int KB, const int U, const bool tail,
                               const struct kernel_norm_sum *s, size_t r, int j, v_mask last)
{
    const size_t c = (size_t)s->c, at = r * c + (size_t)j;
    v_f32 v[NORM_MAX_KB], p[NORM_MAX_KB];
    V_FOR (i, U * KB) {
        v[i] = v_get(s->shift + j + i % KB * VL, NORM_PART(i % KB), last);
        p[i] = v_zero();
    }
    for (int n = 0; n < s->n_scaled; n++) {
        V_FOR (i, U * KB) {
            const int k = i % KB;
            v_f32 x = v_get(s->x[n] + at + (size_t)(i / KB) * c + k * VL, NORM_PART(k), last);
            v_f32 a = v_get(s->scale[n] + j + k * VL, NORM_PART(k), last);
            v[i] = n == 0 ? v_fma(x, a, v[i]) : v_add(v[i], v_fma(x, a, v_zero()));
        }
    }
    for (int n = 0; n < s->n_plain; n++) {
        V_FOR (i, U * KB) {
            const int k = i % KB;
            const float *x = s->x[s->n_scaled + n] + at + (size_t)(i / KB) * c + k * VL;
            v_f32 next = v_get(x, NORM_PART(k), last);
            p[i] = n == 0 ? next : v_add(p[i], next);
        }
    }
    V_FOR (i, U * KB) {
        const int k = i % KB;
        v[i] = s->n_plain > 0 ? v_add(p[i], v[i]) : v[i];
        v[i] = s->relu ? v_at_least(v[i], v_zero()) : v[i];
        v_put(s->y + at + (size_t)(i / KB) * c + k * VL, v[i], NORM_PART(k), last);
    }
}

SIMD_INLINE void norm_sum(const int KB, const bool tail, const struct kernel_norm_sum *s, int j,
                          v_mask last)
{
    const int U = NORM_MAX_KB / KB;
    size_t r = 0;
    for (; r + (size_t)U <= s->n_rows; r += (size_t)U) {
        norm_sum_rows(KB, U, tail, s, r, j, last);
    }
    for (; r < s->n_rows; r++) {
        norm_sum_rows(KB, 1, tail, s, r, j, last);
    }
}

void SIMD_NAME(norm_sum_f32)(const struct kernel_norm_sum *given)
{
    /* A copy: a store of a register may change any structure, as far as the compiler knows. */
    const struct kernel_norm_sum s = *given;
#define CALL(KB, tail) norm_sum(KB, tail, &s, j, last)
    NORM_COLUMNS(s.c, CALL)
#undef CALL
}

SIMD_INLINE void norm_grad(const int KB, const bool tail, const bool relu, float *dx,
                           const struct norm_columns *n, const float *a, const float *b,
                           const float *d, bool add)
{
    v_f32 va[NORM_MAX_KB], vb[NORM_MAX_KB], vd[NORM_MAX_KB], mu[NORM_MAX_KB];
    v_f32 scale[NORM_MAX_KB], shift[NORM_MAX_KB];
    const v_mask last = n->last;
    V_FOR (k, KB) {
        va[k] = v_get(a + k * VL, NORM_PART(k), last);
        vb[k] = v_get(b + k * VL, NORM_PART(k), last);
        vd[k] = v_get(d + k * VL, NORM_PART(k), last);
        mu[k] = v_get(n->mean + k * VL, NORM_PART(k), last);
        scale[k] = relu ? v_get(n->scale + k * VL, NORM_PART(k), last) : v_zero();
        shift[k] = relu ? v_get(n->shift + k * VL, NORM_PART(k), last) : v_zero();
    }
    const float *x = n->x, *dy = n->dy;
    const size_t c = n->c;
    for (size_t r = n->n_rows; r > 0; r--, x += c, dy += c, dx += c) {
        V_FOR (k, KB) {
            v_f32 xk = v_get(x + k * VL, NORM_PART(k), last), xm = v_sub(xk, mu[k]);
            v_f32 g = v_get(dy + k * VL, NORM_PART(k), last);
            g = relu ? v_drop_le(g, v_fma(xk, scale[k], shift[k]), v_zero()) : g;
            v_f32 v = v_fma(va[k], g, v_fma(vb[k], xm, vd[k]));
            v = add ? v_add(v_get(dx + k * VL, NORM_PART(k), last), v) : v;
            v_put(dx + k * VL, v, NORM_PART(k), last);
        }
    }
}

void SIMD_NAME(norm_grad_f32)(float *dx, const struct kernel_norm_grad *g, const float *a,
                              const float *b, const float *d, bool add)
{
#define CALL(KB, tail)                                                                             \
    const struct norm_columns n = norm_columns(g, j, last);                                        \
    if (n.scale) {                                                                                 \
        norm_grad(KB, tail, true, dx + j, &n, a + j, b + j, d + j, add);                           \
    } else {                                                                                       \
        norm_grad(KB, tail, false, dx + j, &n, a + j, b + j, d + j, add);                          \
    }
    NORM_COLUMNS(g->c, CALL)
#undef CALL
}
