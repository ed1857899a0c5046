/* bf16_amx.c: products of bf16 by tiles. Compiled, and its loops checked over tiles in plain C
 * (tests/tiles.h); never timed, for want of a machine. */
#include "core/simd_amx.h"

#include "core/kernels/bf16_pairs_body.h"
#include "core/kernels/post_body.h"

/* n sums on their way to g->y + at, the first bound for column col. */
static void bf16_amx_finish(const struct kernel_gemm *g, ptrdiff_t at, int col, const float *sums,
                            int n)
{
    for (int i = 0; i < n; i += VL) {
        v_mask m = v_first(n - i);
        v_f32 v = v_load_part(sums + i, m);
        v_store_part(g->y + at + i, m, post_value(g->post, v, g->y, at + i, col + i, m));
    }
}

#define TILES_FUNCTION void bf16_taps__amx
#define TILES_FINISH   bf16_amx_finish

#include "core/kernels/tiles_body.h"
