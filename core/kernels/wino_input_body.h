/*
 * wino_input_body.h: B^T d B for a run of tiles beside each other. Tiles share two of their six
 * columns, so the pass over columns goes on where it left off: four new columns a tile. The four
 * inner rows of the result are made of the same four rows of pixels and fit the registers of
 * AVX-512 and NEON together, with the two columns that the next tile takes over; a second sweep
 * makes the outer rows. With the sixteen registers of AVX2 some columns wait in memory, which still
 * is less than making them again.
 */
#include "core/kernels/wino_planes.h"

/* o = B^T d of a row, twelve operations:
 *   o0 = 4 d0 - 5 d2 + d4       o1, o2 = (d4 - 4 d2) +- (d3 - 4 d1)
 *   o5 = 4 d1 - 5 d3 + d5       o3, o4 = (d4 - d2) +- 2 (d3 - d1) */
SIMD_INLINE void wino_bt_row(struct wino_planes *v, const v_f32 d[6], const struct wino_read *how)
{
    const v_f32 two = v_set1(2), four = v_set1(4), five = v_set1(5);
    v_f32 a = v_fnma(four, d[2], d[4]), b = v_fnma(four, d[1], d[3]);
    v_f32 e = v_sub(d[4], d[2]), f = v_sub(d[3], d[1]);
    v_put(wino_plane(v, 0), v_fma(four, d[0], v_fnma(five, d[2], d[4])), how->part, how->m);
    v_put(wino_plane(v, 1), v_add(a, b), how->part, how->m);
    v_put(wino_plane(v, 2), v_sub(a, b), how->part, how->m);
    v_put(wino_plane(v, 3), v_fma(two, f, e), how->part, how->m);
    v_put(wino_plane(v, 4), v_fnma(two, f, e), how->part, how->m);
    v_put(wino_plane(v, 5), v_fma(four, d[1], v_fnma(five, d[3], d[5])), how->part, how->m);
}

/* Column x of a sweep: the pass over columns of rows 1 .. 4, or of rows 0 and 5. */
SIMD_INLINE void wino_bt_column(const bool inner, v_f32 s[4][6], const int x,
                                const float *const p[6], ptrdiff_t at, const struct wino_read *how)
{
    const v_f32 two = v_set1(2), four = v_set1(4), five = v_set1(5);
    v_f32 d1 = wino_pixel(how, p[1] + at, x), d2 = wino_pixel(how, p[2] + at, x);
    v_f32 d3 = wino_pixel(how, p[3] + at, x), d4 = wino_pixel(how, p[4] + at, x);
    if (inner) {
        v_f32 a = v_fnma(four, d2, d4), b = v_fnma(four, d1, d3);
        v_f32 e = v_sub(d4, d2), f = v_sub(d3, d1);
        s[0][x] = v_add(a, b);
        s[1][x] = v_sub(a, b);
        s[2][x] = v_fma(two, f, e);
        s[3][x] = v_fnma(two, f, e);
    } else {
        v_f32 d0 = wino_pixel(how, p[0] + at, x), d5 = wino_pixel(how, p[5] + at, x);
        s[0][x] = v_fma(four, d0, v_fnma(five, d2, d4));
        s[1][x] = v_fma(four, d1, v_fnma(five, d3, d5));
    }
}

/* A tile whose columns 0 and 1 are there, from its column 2 at `at` on. `ends`: its last column
 * lies outside. */
SIMD_INLINE void wino_bt_tile(const bool inner, v_f32 s[4][6], const struct kernel_wino_in *in,
                              float *v, const float *const p[6], ptrdiff_t at,
                              const struct wino_read *how, const bool ends)
{
    V_FOR (x, 4) {
        if (x < 3 || !ends) {
            wino_bt_column(inner, s, 2 + x, p, at, how);
        }
        at += in->c;
        SIMD_OPAQUE(at);
    }
    struct wino_planes out = wino_planes(v, in->v_step);
    const int n_rows = inner ? 4 : 2;
    V_FOR (r, n_rows) {
        if (ends) {
            s[r][5] = v_zero();
        }
        wino_bt_row(&out, s[r], how);
        if (inner) {
            wino_next_row(&out);
        } else {
            out = wino_planes(v + 30 * in->v_step, in->v_step);
        }
        s[r][0] = s[r][4];
        s[r][1] = s[r][5];
    }
}

/* Which of the six columns from x on are there. */
SIMD_INLINE void wino_bt_masks(struct wino_read *how, const struct kernel_wino_in *in, int x, int n)
{
    V_FOR (q, 6) {
        how->mask[q] = v_first(x + q >= in->lo && x + q < in->hi ? n : 0);
    }
}

/* n channels from i on of every tile: the inner rows of the results, or the outer ones. */
SIMD_INLINE void wino_bt_sweep(const bool inner, const struct kernel_wino_in *in, int i,
                               const bool relu, const bool part, int n)
{
    const float *const p[6] = {in->rows[0], in->rows[1], in->rows[2],
                               in->rows[3], in->rows[4], in->rows[5]};
    const struct wino_read whole = {.relu = relu};
    struct wino_read some = {.masked = true, .relu = relu, .part = part, .m = v_first(n)};
    float *v = in->v + i + (inner ? 6 * in->v_step : 0);
    ptrdiff_t at = i + 2 * (ptrdiff_t)in->c;
    v_f32 s[4][6];
    int t = 0;
    wino_bt_masks(&some, in, 0, n);
    wino_bt_column(inner, s, 0, p, i, &some);
    wino_bt_column(inner, s, 1, p, i + in->c, &some);
    if (!part && in->lo <= 2) {
        for (; t < in->n_tiles && 4 * t + 6 <= in->hi; t++, v += in->c, at += 4 * in->c) {
            wino_bt_tile(inner, s, in, v, p, at, &whole, false);
        }
        if (t < in->n_tiles && 4 * t + 5 == in->hi) {
            wino_bt_tile(inner, s, in, v, p, at, &whole, true);
            t++, v += in->c, at += 4 * in->c;
        }
    }
    for (; t < in->n_tiles; t++, v += in->c, at += 4 * in->c) {
        wino_bt_masks(&some, in, 4 * t, n);
        wino_bt_tile(inner, s, in, v, p, at, &some, false);
    }
}

SIMD_INLINE void wino_input(const struct kernel_wino_in *in, const bool relu)
{
    int i = in->n_tiles > 0 ? 0 : in->c;
    for (; i + VL <= in->c; i += VL) {
        wino_bt_sweep(true, in, i, relu, false, VL);
        wino_bt_sweep(false, in, i, relu, false, VL);
    }
    if (i < in->c) {
        wino_bt_sweep(true, in, i, relu, true, in->c - i);
        wino_bt_sweep(false, in, i, relu, true, in->c - i);
    }
}

void SIMD_NAME(wino_input_f32)(const struct kernel_wino_in *given)
{
    /* A copy: a store of a register may change any structure, as far as the compiler knows. */
    const struct kernel_wino_in in = *given;
    if (in.relu) {
        wino_input(&in, true);
    } else {
        wino_input(&in, false);
    }
}
