/*
 * conv_wgrad.c: backward weights by the product over taps. For each kernel place, rows of the
 * product are input channels, columns output channels, and the inner dimension runs over the pixels
 * of a few image rows, short enough for x and dy to stay in L1 while all kernel places pass over
 * them. No halo: each place sees just the pixels whose input lies inside the image.
 *
 * Images are cut into at most CONV_WGRAD_PARTS parts, by their number alone; each part sums in
 * index order into its own dw, the parts are added in index order. n terms of a sum: pixels of a
 * batch, |error| <= n u sum |a||b| (in practice far less: the chains are as short as the parts).
 */
#include "core/conv_room.h"
#include "core/kernel.h"
#include "core/threads.h"

#include <string.h>

/* Floats of x and dy worked on at once (24 KiB), and rows of pixels in one call. */
enum { WGRAD_BLOCK_FLOATS = 6144, WGRAD_MAX_ROWS = 64, WGRAD_PARTS = 8 };

struct wgrad_job {
    const struct conv_job *j;
    float *parts;  /* [n_parts, weights] */
    float *copies; /* [n_threads, copy_floats]: rows of x through ReLU */
    size_t n_weights, copy_floats;
    int n_parts, rows; /* rows: output rows in a block */
};

static struct wgrad_job wgrad_plan(const struct conv_shape *s)
{
    struct wgrad_job g = {.n_parts = MIN(s->n, (int)WGRAD_PARTS)};
    g.n_weights = (size_t)s->kh * (size_t)s->kw * (size_t)(s->c / s->groups) * (size_t)s->k;
    size_t row = (size_t)s->ow * (size_t)s->k + (size_t)s->stride * (size_t)s->w * (size_t)s->c;
    g.rows = (int)MAX((size_t)1, MIN((size_t)WGRAD_MAX_ROWS, WGRAD_BLOCK_FLOATS / row));
    g.rows = MIN(g.rows, s->oh);
    int in_rows = MIN(s->h, (g.rows - 1) * s->stride + s->kh);
    g.copy_floats =
        arena_round((size_t)in_rows * (size_t)s->w * (size_t)s->c * sizeof(float)) / sizeof(float);
    return g;
}

/* Smallest and largest + 1 output position whose input o * stride + off lies in 0 .. n_in - 1. */
static void wgrad_range(int off, int stride, int n_in, int n_out, int *lo, int *hi)
{
    *lo = off >= 0 ? 0 : DIV_UP(-off, stride);
    *hi = n_in - 1 - off < 0 ? 0 : MIN(n_out, (n_in - 1 - off) / stride + 1);
    *hi = MAX(*hi, *lo);
}

/* dw of kernel place (r, q) += output rows y0 .. y1 of one image. x holds input rows from x_first.
 */
static void wgrad_place(const struct wgrad_job *w, float *dw, const float *x, int x_first,
                        const float *dy, int r, int q, int y0, int y1)
{
    const struct conv_shape *s = w->j->s;
    int cg = s->c / s->groups, kg = s->k / s->groups, n_taps = 0, ox0, ox1, oy0, oy1;
    struct kernel_tap taps[WGRAD_MAX_ROWS];
    wgrad_range(q - s->pad, s->stride, s->w, s->ow, &ox0, &ox1);
    wgrad_range(r - s->pad, s->stride, s->h, s->oh, &oy0, &oy1);
    for (int y = MAX(y0, oy0); y < MIN(y1, oy1) && ox1 > ox0; y++) {
        ptrdiff_t iy = y * s->stride - s->pad + r - x_first, ix = ox0 * s->stride - s->pad + q;
        taps[n_taps++] = (struct kernel_tap){
            .x = (iy * s->w + ix) * s->c, .w = ((ptrdiff_t)y * s->ow + ox0) * s->k, .n = ox1 - ox0};
    }
    for (int g = 0; g < s->groups && n_taps > 0; g++) {
        struct kernel_gemm k = {.x = x + g * cg,
                                .w = dy + g * kg,
                                .y = dw + (size_t)(r * s->kw + q) * (size_t)cg * (size_t)s->k +
                                     (size_t)(g * kg),
                                .taps = taps,
                                .n_taps = n_taps,
                                .x_row = 1,
                                .x_inner = (ptrdiff_t)s->stride * s->c,
                                .w_inner = s->k,
                                .y_row = s->k,
                                .n_rows = (size_t)cg,
                                .n_cols = kg,
                                .accumulate = true};
        w->j->mc->k->gemm_taps_f32(&k);
    }
}

static void wgrad_image(const struct wgrad_job *w, float *dw, const float *x, const float *dy,
                        int r, float *copy)
{
    const struct conv_shape *s = w->j->s;
    for (int y0 = 0; y0 < s->oh; y0 += w->rows) {
        int y1 = MIN(y0 + w->rows, s->oh);
        int first = MAX(0, y0 * s->stride - s->pad + r);
        int last = MIN(s->h - 1, (y1 - 1) * s->stride - s->pad + r);
        const float *from = x;
        int x_first = 0;
        if (w->j->relu_in && last >= first) {
            size_t row = (size_t)s->w * (size_t)s->c;
            w->j->mc->k->vec_act_f32(copy, x + (size_t)first * row,
                                     (size_t)(last - first + 1) * row, KERNEL_RELU);
            from = copy;
            x_first = first;
        }
        for (int q = 0; q < s->kw; q++) {
            wgrad_place(w, dw, from, x_first, dy, r, q, y0, y1);
        }
    }
}

/* An item is one part of the images and one row of the kernel. */
static void wgrad_item(void *ctx, int item, int i_thread)
{
    const struct wgrad_job *w = ctx;
    const struct conv_shape *s = w->j->s;
    int part = item / s->kh, r = item % s->kh;
    size_t row_weights = w->n_weights / (size_t)s->kh;
    float *dw = w->parts + (size_t)part * w->n_weights;
    memset(dw + (size_t)r * row_weights, 0, row_weights * sizeof *dw);
    int first = (int)((int64_t)s->n * part / w->n_parts);
    int last = (int)((int64_t)s->n * (part + 1) / w->n_parts);
    for (int i = first; i < last; i++) {
        wgrad_image(w, dw, w->j->x + (size_t)i * (size_t)s->h * (size_t)s->w * (size_t)s->c,
                    w->j->dy + (size_t)i * (size_t)s->oh * (size_t)s->ow * (size_t)s->k, r,
                    w->copies + (size_t)i_thread * w->copy_floats);
    }
}

struct wgrad_sum {
    const struct machine *mc;
    float *dw;
    const float *parts;
    size_t n_weights;
    int n_parts;
};

/* Weights that one item adds up. */
enum { WGRAD_SUM_CHUNK = 4096 };

static void wgrad_sum_item(void *ctx, int item, int i_thread)
{
    const struct wgrad_sum *s = ctx;
    const float *in[WGRAD_PARTS];
    (void)i_thread;
    size_t at = (size_t)item * WGRAD_SUM_CHUNK, n = MIN((size_t)WGRAD_SUM_CHUNK, s->n_weights - at);
    for (int p = 0; p < s->n_parts; p++) {
        in[p] = s->parts + (size_t)p * s->n_weights + at;
    }
    s->mc->k->vec_sum_f32(s->dw + at, in, s->n_parts, n);
}

size_t conv_wgrad_scratch_bytes(const struct machine *mc, const struct conv_shape *s)
{
    struct wgrad_job w = wgrad_plan(s);
    return arena_round((size_t)w.n_parts * w.n_weights * sizeof(float)) +
           arena_round((size_t)mc->n_threads * w.copy_floats * sizeof(float));
}

void conv_wgrad_run(const struct conv_job *j)
{
    struct arena tmp = j->tmp;
    struct wgrad_job w = wgrad_plan(j->s);
    w.j = j;
    w.parts = arena_push(&tmp, (size_t)w.n_parts * w.n_weights, sizeof(float));
    w.copies = arena_push(&tmp, (size_t)j->mc->n_threads * w.copy_floats, sizeof(float));
    threads_for(j->mc, w.n_parts * j->s->kh, wgrad_item, &w);
    struct wgrad_sum sum = {.mc = j->mc,
                            .dw = j->out,
                            .parts = w.parts,
                            .n_weights = w.n_weights,
                            .n_parts = w.n_parts};
    threads_for(j->mc, (int)DIV_UP(w.n_weights, (size_t)WGRAD_SUM_CHUNK), wgrad_sum_item, &sum);
}
