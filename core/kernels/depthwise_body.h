/*
 * depthwise_body.h: depthwise work. Forward: one register of channels of up to SIMD_ROWS_DEPTH pixels
 * at a time, each tap's weights are loaded once for all of them. Weights: the sums of up to
 * DEPTH_TAPS taps stay in registers while the row passes by; each pixel's dy is loaded once.
 */
#include "core/kernels/post_body.h"

/* 3x3 in one go, 5x5 in three, and nothing spills from sixteen registers. */
enum { DEPTH_TAPS = 9 };

SIMD_INLINE void depth_tile(const int P, const struct kernel_depth *d, size_t first)
{
    struct simd_rows rows = simd_rows_of(d->x_pixel);
    const float *x = d->x + (ptrdiff_t)first * d->x_pixel;
    const ptrdiff_t y0 = (ptrdiff_t)first * d->y_pixel;
    for (int i = 0; i < d->c; i += VL) {
        const bool part = d->c - i < VL;
        const v_mask m = v_first(d->c - i);
        v_f32 acc[SIMD_ROWS_DEPTH];
        V_FOR(p, P) {
            acc[p] = v_zero();
        }
        if (part) {
            for (int t = 0; t < d->n_taps; t++) {
                const v_f32 w = v_load_part(d->w + d->taps[t].w + i, m);
                simd_rows_at(&rows, (const char *)(x + d->taps[t].x + i), P);
                V_FOR(p, P) {
                    acc[p] = v_fma(v_load_part(simd_row(&rows, p), m), w, acc[p]);
                }
            }
        } else {
            for (int t = 0; t < d->n_taps; t++) {
                const v_f32 w = v_load(d->w + d->taps[t].w + i);
                simd_rows_at(&rows, (const char *)(x + d->taps[t].x + i), P);
                V_FOR(p, P) {
                    acc[p] = v_fma(v_load(simd_row(&rows, p)), w, acc[p]);
                }
            }
        }
        V_FOR(p, P) {
            const ptrdiff_t at = y0 + p * d->y_pixel + i;
            if (d->post) {
                acc[p] = post_value(d->post, acc[p], d->y, at, i, m);
            }
            v_put(d->y + at, acc[p], part, m);
        }
    }
}

typedef void depth_tile_fn(const struct kernel_depth *d, size_t first);

#define DEPTH_TILE(P, col)                                                                         \
    static void depth_tile_##P(const struct kernel_depth *d, size_t first)                         \
    {                                                                                              \
        depth_tile(P, d, first);                                                                   \
    }
SIMD_DEPTH_TILES(DEPTH_TILE)

static depth_tile_fn *const depth_tiles[SIMD_ROWS_DEPTH] = {
#define DEPTH_ROW(P, col) [P - 1] = depth_tile_##P,
    SIMD_DEPTH_TILES(DEPTH_ROW)
#undef DEPTH_ROW
};

void SIMD_NAME(depthwise_row_f32)(const struct kernel_depth *d)
{
    size_t left = d->n_pixels, n_tiles = DIV_UP(left, (size_t)SIMD_ROWS_DEPTH);
    for (size_t first = 0; left > 0; n_tiles--) {
        size_t p = DIV_UP(left, n_tiles);
        depth_tiles[p - 1](d, first);
        first += p;
        left -= p;
    }
}

/* T taps from t0 on, channels i .. i + VL. */
SIMD_INLINE void depth_weights(const int T, const struct kernel_depth *d, int t0, int i, v_mask m)
{
    v_f32 acc[DEPTH_TAPS];
    const float *x[DEPTH_TAPS], *dy = d->y + i;
    V_FOR(t, T) {
        x[t] = d->x + d->taps[t0 + t].x + i;
        acc[t] = v_load_part(d->dw + d->taps[t0 + t].w + i, m);
    }
    if (d->c - i >= VL) {
        for (size_t p = 0; p < d->n_pixels; p++, dy += d->y_pixel) {
            const v_f32 g = v_load(dy);
            V_FOR(t, T) {
                acc[t] = v_fma(v_load(x[t] + (ptrdiff_t)p * d->x_pixel), g, acc[t]);
            }
        }
    } else {
        for (size_t p = 0; p < d->n_pixels; p++, dy += d->y_pixel) {
            const v_f32 g = v_load_part(dy, m);
            V_FOR(t, T) {
                acc[t] = v_fma(v_load_part(x[t] + (ptrdiff_t)p * d->x_pixel, m), g, acc[t]);
            }
        }
    }
    V_FOR(t, T) {
        v_store_part(d->dw + d->taps[t0 + t].w + i, m, acc[t]);
    }
}

void SIMD_NAME(depthwise_weights_f32)(const struct kernel_depth *d)
{
    for (int i = 0; i < d->c; i += VL) {
        const v_mask m = v_first(d->c - i);
        for (int t = 0; t < d->n_taps;) {
            int left = d->n_taps - t;
            if (left >= 9) {
                depth_weights(9, d, t, i, m);
                t += 9;
            } else if (left >= 7) {
                depth_weights(7, d, t, i, m);
                t += 7;
            } else if (left >= 5) {
                depth_weights(5, d, t, i, m);
                t += 5;
            } else if (left >= 3) {
                depth_weights(3, d, t, i, m);
                t += 3;
            } else {
                depth_weights(1, d, t, i, m);
                t += 1;
            }
        }
    }
}
