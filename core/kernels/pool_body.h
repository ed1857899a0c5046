/*
 * pool_body.h: a row of an average pool. Columns of the rows are summed first; windows of three at
 * stride 1 slide over those sums, so that each input is loaded once.
 */
#include "core/kernels/declare.h"
#include "core/kernels/pool_window.h"

/* Sum of one column of channels j .. over the rows, times its factor; 0 outside the input. */
SIMD_INLINE v_f32 pool_column(const struct kernel_pool *p, int i, int j, bool part, v_mask m)
{
    if (i < 0 || i >= p->n_in) {
        return v_zero();
    }
    const ptrdiff_t at = (ptrdiff_t)i * p->c + j;
    v_f32 sum = v_zero();
    for (int r = 0; r < p->n_rows; r++) {
        const float *x = p->rows[r] + at;
        sum = v_fma(v_set1(p->row_scale[r]), v_get(x, part, m), sum);
    }
    return p->back ? v_mul(sum, v_set1(pool_share(p, i))) : sum;
}

SIMD_INLINE void pool_put(const struct kernel_pool *p, int o, int j, v_f32 sum, bool part, v_mask m)
{
    float *y = p->y + (ptrdiff_t)o * p->c + j;
    if (!p->back) {
        struct pool_window w = pool_window(p, o);
        sum = v_mul(sum, v_set1(p->share[w.hi - w.lo]));
    }
    if (p->into) {
        sum = v_add(v_get(y, part, m), sum);
    }
    v_put(y, sum, part, m);
}

SIMD_INLINE void pool_columns(const struct kernel_pool *p, int j, const bool part, v_mask m)
{
    if (p->size == 3 && p->stride == 1) {
        int first = p->back ? p->pad - 2 : -p->pad; /* of output 0 */
        v_f32 a = pool_column(p, first, j, part, m), b = pool_column(p, first + 1, j, part, m);
        for (int o = 0; o < p->n_out; o++) {
            v_f32 c = pool_column(p, first + 2 + o, j, part, m);
            pool_put(p, o, j, v_add(v_add(a, b), c), part, m);
            a = b;
            b = c;
        }
        return;
    }
    for (int o = 0; o < p->n_out; o++) {
        struct pool_window w = pool_window(p, o);
        v_f32 sum = v_zero();
        for (int i = w.lo; i < w.hi; i++) {
            sum = v_add(sum, pool_column(p, i, j, part, m));
        }
        pool_put(p, o, j, sum, part, m);
    }
}

void SIMD_NAME(pool_row_f32)(const struct kernel_pool *p)
{
    for (int j = 0; j < p->c; j += VL) {
        if (p->c - j < VL) {
            pool_columns(p, j, true, v_first(p->c - j));
        } else {
            pool_columns(p, j, false, v_first(VL));
        }
    }
}
