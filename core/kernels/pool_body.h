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

/* What a window of three at stride 1, of padding 1 needs again and again. */
struct pool_near {
    const float *x[3]; /* the rows, at their first column and channel */
    v_f32 scale[3];
    v_f32 edge, inside; /* shares of two and three columns */
};

SIMD_INLINE v_f32 pool_near_column(const struct pool_near *n, const int n_rows, const bool back,
                                   ptrdiff_t at, v_f32 share)
{
    v_f32 sum = v_zero();
    V_FOR (r, n_rows) {
        sum = v_fma(n->scale[r], v_load(n->x[r] + at), sum);
    }
    return back ? v_mul(sum, share) : sum;
}

SIMD_INLINE void pool_near_put(float *y, v_f32 sum, const bool back, v_f32 share, bool into)
{
    sum = back ? sum : v_mul(sum, share);
    v_store(y, into ? v_add(v_load(y), sum) : sum);
}

/* One register of channels from j on. The same sums in the same order as pool_columns. */
SIMD_INLINE void pool_near(const struct kernel_pool *p, int j, const int n_rows, const bool back)
{
    struct pool_near n = {.edge = v_set1(p->share[2]), .inside = v_set1(p->share[3])};
    V_FOR (r, n_rows) {
        n.x[r] = p->rows[r] + j;
        n.scale[r] = v_set1(p->row_scale[r]);
    }
    const ptrdiff_t c = p->c;
    const bool into = p->into;
    const int last = p->n_out - 1;
    float *y = p->y + j;
    v_f32 a = pool_near_column(&n, n_rows, back, 0, n.edge);
    v_f32 b = pool_near_column(&n, n_rows, back, c, n.inside);
    pool_near_put(y, v_add(v_add(v_zero(), a), b), back, n.edge, into);
    for (int o = 1; o < last; o++) {
        v_f32 share = o + 1 < last ? n.inside : n.edge;
        v_f32 next = pool_near_column(&n, n_rows, back, (o + 1) * c, share);
        pool_near_put(y + o * c, v_add(v_add(a, b), next), back, n.inside, into);
        a = b;
        b = next;
    }
    pool_near_put(y + last * c, v_add(v_add(a, b), v_zero()), back, n.edge, into);
}

/* The pools of NAS-Bench-201 and their gradients, compiled for themselves; false: not one. */
static bool pool_near_row(const struct kernel_pool *p)
{
    if (p->size != 3 || p->stride != 1 || p->pad != 1 || p->n_in < 3 || p->c % VL != 0 ||
        (p->n_rows != 2 && p->n_rows != 3)) {
        return false;
    }
    for (int j = 0; j < p->c; j += VL) {
        if (p->n_rows == 3 && p->back) {
            pool_near(p, j, 3, true);
        } else if (p->n_rows == 3) {
            pool_near(p, j, 3, false);
        } else if (p->back) {
            pool_near(p, j, 2, true);
        } else {
            pool_near(p, j, 2, false);
        }
    }
    return true;
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
    if (pool_near_row(p)) {
        return;
    }
    for (int j = 0; j < p->c; j += VL) {
        if (p->c - j < VL) {
            pool_columns(p, j, true, v_first(p->c - j));
        } else {
            pool_columns(p, j, false, v_first(VL));
        }
    }
}
