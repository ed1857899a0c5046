/*
 * squares_body.h: the product of gemm_body.h where sixteen channels meet sixteen. With thirty-two
 * registers all weights stay in them, and tiles of eight rows let the loads of the next ones run
 * ahead of products that wait for memory (1x1 16 -> 16 of 131072 pixels: .60 -> .32 to .38 ms).
 */
#include "core/kernels/ahead_body.h"
#include "core/kernels/post_body.h"

enum { SQUARES = VL == 16, SQUARE_ROWS = 8 };

static bool squares_can(const struct kernel_gemm *g)
{
    return SQUARES && g->n_cols == VL && g->n_rows > SQUARE_ROWS && g->n_taps == 1 &&
           g->taps[0].n == GEMM_NEAR && g->x_row == GEMM_NEAR && g->x_inner == 1 &&
           g->y_row == VL && !g->accumulate && g->more.n == 0 &&
           (!g->post || post_is_mask(g->post));
}

/* What is left to be done of a plane. */
struct squares {
    const float *x;
    float *y;
    const float *mask; /* NULL, or what post->mask is */
    bool into;         /* masked, added to y */
    size_t n_rows;
};

/* P rows. n_lines from `line` on, at most one a step, are asked for. */
SIMD_INLINE void square(const int P, const struct squares *s, const v_f32 w[GEMM_NEAR],
                        const float *line, int n_lines)
{
    v_f32 acc[SQUARE_ROWS];
    V_FOR (p, P) {
        acc[p] = v_zero();
    }
    V_FOR (i, GEMM_NEAR) {
        if (i < n_lines) {
            __builtin_prefetch(line + i * AHEAD_LINE, 0, 2);
        }
        V_FOR (p, P) {
            v_f32 b = GEMM_ONE(s->x + p * GEMM_NEAR + i);
            acc[p] =
                GEMM_BEGINS && i == 0 ? GEMM_MULTIPLY(b, w[i]) : GEMM_MULTIPLY_ADD(b, w[i], acc[p]);
        }
    }
    V_FOR (p, P) {
        v_f32 v = acc[p];
        v = s->mask ? post_masked(v, s->mask, s->y, s->into, p * VL, v_first(VL)) : v;
        v_store(s->y + p * VL, v);
    }
}

/* P rows at a time as long as there are as many; ahead: NULL, or what is asked for. */
SIMD_INLINE void squares_of(const int P, struct squares *s, const v_f32 w[GEMM_NEAR],
                            struct ahead *ahead)
{
    struct kernel_ahead run = {NULL, 0};
    for (; s->n_rows >= (size_t)P; s->n_rows -= (size_t)P) {
        if (ahead) {
            run = ahead_take(ahead);
        }
        square(P, s, w, run.p, (int)(run.n / AHEAD_LINE));
        s->x += P * GEMM_NEAR;
        s->y += P * VL;
        s->mask = s->mask ? s->mask + P * VL : NULL;
    }
}

SIMD_INLINE void squares_planes(const struct kernel_gemm *g, const float *mask, const bool into,
                                struct ahead *ahead)
{
    const float *x = g->x + g->taps[0].x, *from = g->w + g->taps[0].w;
    float *y = g->y;
    for (int i = g->planes.n; i >= 0; i--) {
        v_f32 w[GEMM_NEAR];
        V_FOR (k, GEMM_NEAR) {
            w[k] = v_load(from + k * g->w_inner);
        }
        struct squares s = {.x = x, .y = y, .mask = mask, .into = into, .n_rows = g->n_rows};
        squares_of(SQUARE_ROWS, &s, w, ahead);
        squares_of(SQUARE_ROWS / 2, &s, w, ahead);
        squares_of(1, &s, w, NULL);
        x += g->planes.x;
        from += g->planes.w;
        y += g->planes.y;
    }
}

static __attribute__((noinline)) void squares_plain(const struct kernel_gemm *g)
{
    squares_planes(g, NULL, false, NULL);
}

static __attribute__((noinline)) void squares_far(const struct kernel_gemm *g)
{
    const size_t n = (g->n_rows + SQUARE_ROWS - 1) / SQUARE_ROWS;
    struct ahead ahead = ahead_of(g->ahead, n * (1 + (size_t)g->planes.n));
    squares_planes(g, NULL, false, &ahead);
}

static __attribute__((noinline)) void squares_mask(const struct kernel_gemm *g)
{
    squares_planes(g, g->post->mask, false, NULL);
}

static __attribute__((noinline)) void squares_mask_into(const struct kernel_gemm *g)
{
    squares_planes(g, g->post->mask, true, NULL);
}

static void squares(const struct kernel_gemm *g)
{
    if (g->post) {
        (g->post->into ? squares_mask_into : squares_mask)(g);
    } else {
        (ahead_any(g->ahead) ? squares_far : squares_plain)(g);
    }
}
