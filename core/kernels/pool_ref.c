/* pool_ref.c: a row of an average pool in plain C. */
#include "core/simd_ref.h"

#include "core/kernels/declare.h"
#include "core/kernels/pool_window.h"

void pool_row_f32__ref(const struct kernel_pool *p)
{
    for (int o = 0; o < p->n_out; o++) {
        struct pool_window w = pool_window(p, o);
        for (int j = 0; j < p->c; j++) {
            float sum = 0;
            for (int i = w.lo; i < w.hi; i++) {
                float column = 0;
                for (int r = 0; r < p->n_rows; r++) {
                    column += p->row_scale[r] * p->rows[r][i * p->c + j];
                }
                sum += p->back ? column * pool_share(p, i) : column;
            }
            sum = p->back ? sum : sum * p->share[w.hi - w.lo];
            float *y = &p->y[o * p->c + j];
            *y = p->into ? *y + sum : sum;
        }
    }
}
