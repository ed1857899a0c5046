/*
 * depthwise_body.h: depthwise work, a register of channels of up to eight pixels at a time, or two
 * of up to four: a column of the input is loaded once for all the pixels that see it. Pixels at a
 * border, and channels that do not fill a register, read through masks.
 */
#ifndef CORE_KERNELS_DEPTHWISE_BODY_H
#define CORE_KERNELS_DEPTHWISE_BODY_H

#include "core/kernels/ahead_body.h"
#include "core/kernels/post_body.h"

/* Eight sums hide the latency of two units. Where there are thirty-two registers, few pixels are
 * done with two neighbouring registers of channels. */
enum { DEPTH_PIXELS = 8, DEPTH_FEW_PIXELS = 4, DEPTH_VECS = SIMD_ROWS_1 > 16 ? 2 : 1 };

/* Which columns do not exist: none; as many as usual before the first pixel, after the last, or
 * both; any. DEPTH_PART: any, and channels that do not fill a register. */
enum depth_border {
    DEPTH_INNER,
    DEPTH_LEFT,
    DEPTH_RIGHT,
    DEPTH_BOTH,
    DEPTH_ANY,
    DEPTH_PART,
    DEPTH_BORDERS
};

/* How x is read. */
struct depth_read {
    int lo, hi; /* columns that exist */
    enum depth_border border;
    bool part; /* the channels do not fill the register */
    bool relu;
    v_mask m; /* channels */
};

SIMD_INLINE v_f32 depth_x(const struct depth_read *r, const float *x)
{
    v_f32 v = v_get(x, r->part, r->m);
    if (r->relu) {
        v = v_at_least(v, v_zero());
    }
    V_OPAQUE(v); /* else it is loaded again for each of its products */
    return v;
}

/* Of the KW columns that a tap brings, those that are not there at the border of an image with the
 * usual padding: before the first pixel, and after the last. */
SIMD_INLINE int depth_before(const int KW)
{
    return (KW - 1) / 2;
}

SIMD_INLINE int depth_after(const int KW, const int S)
{
    return KW / 2 + 1 - S;
}

/* Column j of those that P pixels see, S apart and KW wide, is column col of the image. */
SIMD_INLINE bool depth_exists(const int P, const int KW, const int S, const int j,
                              const struct depth_read *r, ptrdiff_t col)
{
    const int first = r->border == DEPTH_LEFT || r->border == DEPTH_BOTH ? depth_before(KW) : 0;
    const int after = r->border == DEPTH_RIGHT || r->border == DEPTH_BOTH ? depth_after(KW, S) : 0;
    if (r->border < DEPTH_ANY) {
        return j >= first && j < (P - 1) * S + KW - after;
    }
    return __builtin_expect(col >= r->lo && col < r->hi, 1);
}

/* The sum of nothing, as a product begins it: x + -0 is x, a -0 too. */
SIMD_INLINE v_f32 depth_none(void)
{
    return v_set1(-0.0f);
}

/* Lines of x and y to come, for a tile that asks for them column by column. */
struct depth_lines {
    const float *x, *y;
};

/* Lines that P pixels of V registers have. */
SIMD_INLINE int depth_n_lines(const int P, const int V)
{
    return P * V * VL / AHEAD_LINE;
}

/* acc[p * V + v] += KW places of one kernel row, S columns from pixel to pixel; x is column col.
 * first: acc is made, each sum of its first product. line: NULL, or where S times P pixels' lines
 * are to be asked for, one with each column. */
SIMD_INLINE void depth_run(const int P, const int V, const int KW, const int S, const bool first,
                           v_f32 acc[DEPTH_PIXELS], const struct depth_read *r, const float *x,
                           ptrdiff_t col, ptrdiff_t x_col, const float *w, ptrdiff_t w_col,
                           const float *line)
{
    v_f32 wv[5 * DEPTH_VECS];
    V_FOR (q, KW * V) {
        wv[q] = v_get(w + q / V * w_col + q % V * VL, r->part, r->m);
    }
    V_FOR (j, (P - 1) * S + KW) {
        const bool seen = j % S < KW; /* by some pixel */
        if (line && j < S * depth_n_lines(P, V)) {
            __builtin_prefetch(line + j * AHEAD_LINE, 0, 2);
        }
        if (seen && depth_exists(P, KW, S, j, r, col + j)) {
            V_FOR (v, V) {
                const v_f32 b = depth_x(r, x + v * VL);
                V_FOR (q, KW) {
                    if (j >= q && (j - q) % S == 0 && (j - q) / S < P) {
                        const int sum = (j - q) / S * V + v;
                        const bool begins = q == 0 || !depth_exists(P, KW, S, j - 1, r, 0);
                        acc[sum] = first && begins ? v_mul(b, wv[q * V + v])
                                                   : v_fma(b, wv[q * V + v], acc[sum]);
                    }
                }
            }
        }
        x += x_col;
        SIMD_OPAQUE(x);
    }
}

/* KW: columns of every tap, or 0 where they differ or are unusual. lines: NULL, or what is asked
 * for by the way: x with two taps, y with a third, twice as many lines as this tile writes. */
SIMD_INLINE void depth_tile(const int P, const int V, const int KW, const int S,
                            const struct kernel_depth *d, const struct kernel_depth_row *row,
                            const struct depth_read *r, const float *x, const float *w,
                            ptrdiff_t col, ptrdiff_t at, int i, const struct depth_lines *lines)
{
    const ptrdiff_t x_col = d->x_col, w_col = d->w_col;
    const struct kernel_tap *tap = row->taps, *end = tap + row->n_taps;
    const float *line = lines ? lines->x : NULL;
    v_f32 acc[DEPTH_PIXELS];
    if (r->border < DEPTH_ANY && tap < end) {
        depth_run(P, V, KW, S, true, acc, r, x + tap->x, col, x_col, w + tap->w, w_col, line);
        line = lines ? line + S * depth_n_lines(P, V) * AHEAD_LINE : NULL;
        tap++;
    } else {
        V_FOR (p, P * V) {
            acc[p] = depth_none();
        }
    }
    for (; tap < end; tap++) {
        if (KW > 0) {
            depth_run(P, V, KW, S, false, acc, r, x + tap->x, col, x_col, w + tap->w, w_col, line);
            line = lines ? lines->y : NULL;
        } else {
            for (int q = 0; q < tap->n; q++) {
                depth_run(P, V, 1, S, false, acc, r, x + tap->x + q * x_col, col + q, x_col,
                          w + tap->w + q * w_col, w_col, NULL);
            }
        }
    }
    /* Copies: a store of a register may change any structure, as far as the compiler knows. */
    const struct kernel_post *post = d->post;
    float *y = d->y;
    at += row->y;
    const ptrdiff_t y_pixel = d->y_pixel;
    if (post) {
        V_FOR (p, P) {
            V_FOR (v, V) {
                v_f32 sum = post_value(post, acc[p * V + v], y, at + v * VL, i + v * VL, r->m);
                v_put(y + at + v * VL, sum, r->part, r->m);
            }
            at += y_pixel;
        }
        return;
    }
    y += at;
    V_FOR (p, P) {
        V_FOR (v, V) {
            v_put(y + v * VL, acc[p * V + v], r->part, r->m);
        }
        y += y_pixel;
        SIMD_OPAQUE(y);
    }
}

/* From channel i on, V registers of channels at a time as long as there are as many, or at last
 * what does not fill one, of P pixels of all rows: what one row has read is near for the next.
 * Returns the first channel that is left. */
SIMD_INLINE int depth_channels(const int P, const int KW, const int S,
                               const enum depth_border border, const struct kernel_depth *d,
                               struct ahead *ahead, size_t first, int i)
{
    /* 3x3 at stride 2 reads most anew: asked for column by column, not before each tile (32x32 of
     * 72 channels 1.08, from memory 1.15; of 144 1.06, 1.12 to 1.18). */
    const bool by_columns = S == 2 && KW == 3 && P == DEPTH_PIXELS && border < DEPTH_ANY;
    const bool part = border == DEPTH_PART;
    const int V = P <= DEPTH_FEW_PIXELS && !part ? (int)DEPTH_VECS : 1;
    const ptrdiff_t col = (ptrdiff_t)first * d->stride, at = (ptrdiff_t)first * d->y_pixel;
    const float *x = d->x + col * d->x_col;
    for (; part ? i < d->c : i + V * VL <= d->c; i += V * VL) {
        const struct depth_read r = {.lo = d->lo,
                                     .hi = d->hi,
                                     .border = border,
                                     .part = part,
                                     .relu = border >= DEPTH_ANY && d->relu,
                                     .m = v_first(part ? d->c - i : VL)};
        for (int k = 0; k < d->n_rows; k++) {
            if (by_columns && ahead->lines > 0) {
                const size_t n = (size_t)depth_n_lines(P, V) * AHEAD_LINE;
                const struct depth_lines lines = {ahead_next(&ahead->left[0], 2 * S * n, d->y),
                                                  ahead_next(&ahead->left[1], n, d->y)};
                depth_tile(P, V, KW, S, d, &d->rows[k], &r, x + i, d->w + i, col, at + i, i,
                           &lines);
                continue;
            }
            if (ahead->lines > 0) {
                ahead_ask(ahead);
            }
            depth_tile(P, V, KW, S, d, &d->rows[k], &r, x + i, d->w + i, col, at + i, i, NULL);
        }
    }
    return i;
}

/* A function for each case, as gcc 12 keeps addresses in registers of floats where one function has
 * all of them: by border, pixels and SK, 10 S + KW (S columns from pixel to pixel, KW of them in
 * each tap, or 0: any number). */
typedef int depth_channels_fn(const struct kernel_depth *d, struct ahead *ahead, size_t first,
                              int i);

#define DEPTH_FN(P, SK, border)                                                                    \
    static int depth_##border##_##P##_##SK(const struct kernel_depth *d, struct ahead *ahead,      \
                                           size_t first, int i)                                    \
    {                                                                                              \
        return depth_channels(P, SK % 10, SK / 10, border, d, ahead, first, i);                    \
    }
#define DEPTH_ROW(P, SK, border) [P - 1][border] = depth_##border##_##P##_##SK,

/* The borders that there are; a tap of one column is inside or not needed. */
#define DEPTH_CASES_10(T, P, SK) T(P, SK, DEPTH_ANY) T(P, SK, DEPTH_PART)
#define DEPTH_CASES_11(T, P, SK) DEPTH_CASES_10(T, P, SK) T(P, SK, DEPTH_INNER)
#define DEPTH_CASES_12(T, P, SK) DEPTH_CASES_11(T, P, SK) T(P, SK, DEPTH_RIGHT)
#define DEPTH_CASES_13(T, P, SK) DEPTH_CASES_12(T, P, SK) T(P, SK, DEPTH_LEFT) T(P, SK, DEPTH_BOTH)
#define DEPTH_CASES_15(T, P, SK) DEPTH_CASES_13(T, P, SK)
#define DEPTH_CASES_20(T, P, SK) DEPTH_CASES_10(T, P, SK)
#define DEPTH_CASES_23(T, P, SK) DEPTH_CASES_11(T, P, SK) T(P, SK, DEPTH_LEFT)
#define DEPTH_CASES_25(T, P, SK) DEPTH_CASES_13(T, P, SK)

#define DEPTH_FNS(P, SK)  DEPTH_CASES_##SK(DEPTH_FN, P, SK)
#define DEPTH_ROWS(P, SK) DEPTH_CASES_##SK(DEPTH_ROW, P, SK)
#define DEPTH_TABLE(SK)                                                                            \
    SIMD_8(DEPTH_FNS, SK)                                                                          \
    static depth_channels_fn *const depth_##SK[DEPTH_PIXELS][DEPTH_BORDERS] = {                    \
        SIMD_8(DEPTH_ROWS, SK)};

DEPTH_TABLE(10)
DEPTH_TABLE(11)
DEPTH_TABLE(12)
DEPTH_TABLE(13)
DEPTH_TABLE(15)
DEPTH_TABLE(20)
DEPTH_TABLE(23)
DEPTH_TABLE(25)

typedef depth_channels_fn *const (*depth_table)[DEPTH_BORDERS];

/* Columns of every tap, or 0 where they differ. */
static int depth_columns(const struct kernel_depth *d)
{
    const int n = d->n_rows > 0 && d->rows[0].n_taps > 0 ? d->rows[0].taps[0].n : 0;
    for (int k = 0; k < d->n_rows; k++) {
        for (int t = 0; t < d->rows[k].n_taps; t++) {
            if (d->rows[k].taps[t].n != n) {
                return 0;
            }
        }
    }
    return n;
}

static depth_table depth_table_of(int stride, int columns)
{
    if (stride == 2) {
        return columns == 3 ? depth_23 : columns == 5 ? depth_25 : depth_20;
    }
    switch (columns) {
    case 1:
        return depth_11;
    case 2:
        return depth_12;
    case 3:
        return depth_13;
    case 5:
        return depth_15;
    default:
        return depth_10;
    }
}

/* What lacks of pixels that see columns col .. end - 1. */
static enum depth_border depth_border_of(const struct kernel_depth *d, int columns, ptrdiff_t col,
                                         ptrdiff_t end)
{
    const ptrdiff_t before = d->lo - col, after = end - d->hi;
    const bool left = before > 0, right = after > 0;
    if (d->relu || (left && before != depth_before(columns)) ||
        (right && after != depth_after(columns, d->stride == 2 ? 2 : 1))) {
        return DEPTH_ANY;
    }
    return left && right ? DEPTH_BOTH : left ? DEPTH_LEFT : right ? DEPTH_RIGHT : DEPTH_INNER;
}

void SIMD_NAME(depthwise_rows_f32)(const struct kernel_depth *d)
{
    /* Pixels three or more columns apart share nothing: one at a time. */
    const size_t most = d->stride <= 2 ? DEPTH_PIXELS : 1;
    const int columns = depth_columns(d);
    const depth_table table = depth_table_of(d->stride, columns);
    size_t left = d->n_pixels, n_tiles = (left + most - 1) / most;
    const int together = VL * (left <= DEPTH_FEW_PIXELS ? (int)DEPTH_VECS : 1);
    const size_t pieces = (size_t)d->n_rows * (size_t)((d->c + together - 1) / together);
    struct ahead ahead = ahead_of(d->ahead, n_tiles * pieces);
    for (size_t first = 0; left > 0; n_tiles--) {
        const size_t p = (left + n_tiles - 1) / n_tiles;
        const ptrdiff_t col = (ptrdiff_t)first * d->stride;
        const ptrdiff_t end = col + (ptrdiff_t)(p - 1) * d->stride + columns;
        depth_channels_fn *const *fns = table[p - 1];
        depth_channels_fn *const fn = fns[depth_border_of(d, columns, col, end)];
        const int i = (fn ? fn : fns[DEPTH_ANY])(d, &ahead, first, 0);
        if (i < d->c) {
            fns[DEPTH_PART](d, &ahead, first, i);
        }
        first += p;
        left -= p;
    }
}

#endif
