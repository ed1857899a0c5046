/*
 * conv_bf16_weights.c: backward weights in bf16 (conv_bf16.c says what that means). The sum runs
 * over pixels, so a pair is the same pixel of two neighbouring images, an odd last image is paired
 * with zeros: then any column and row of the kernel meets whole pairs, at any stride. The rest is
 * conv_wgrad.c's way: a few rows of x (with a halo) and dy are rounded into pairs, and all rows of
 * the kernel pass over them while they are near. For each, rows of the product are the input
 * channels of all its columns, columns are output channels.
 *
 * Pairs of images are cut into at most WEIGHTS_PARTS parts, by their number alone, whose sums are
 * added in index order. n terms of a sum: pixels of a batch of even size.
 */
#include "core/conv_room.h"
#include "core/kernel.h"
#include "core/threads.h"

#include <string.h>

/* Pairs of x and dy worked on at once (64 KiB, a sixteenth of L2), and rows of pixels at most. */
enum { WEIGHTS_BLOCK_PAIRS = 16384, WEIGHTS_MAX_ROWS = 64, WEIGHTS_PARTS = 8 };

struct weights_job {
    const struct conv_job *j;
    float *parts;     /* [n_parts, weights] */
    uint32_t *blocks; /* [n_threads][x_pairs + dy_pairs] */
    size_t n_weights, x_pairs, dy_pairs;
    size_t row_pairs;  /* one row of x with its halo */
    int n_images;      /* pairs of them */
    int n_parts, rows; /* rows: output rows of a block */
};

static struct weights_job weights_plan(const struct conv_shape *s)
{
    struct weights_job w = {.n_images = (s->n + 1) / 2};
    int right = MAX(0, (s->ow - 1) * s->stride - s->pad + s->kw - s->w);
    w.n_parts = MIN(w.n_images, (int)WEIGHTS_PARTS);
    w.n_weights = (size_t)s->kh * (size_t)s->kw * (size_t)s->c * (size_t)s->k;
    w.row_pairs = (size_t)(s->pad + s->w + right) * (size_t)s->c;
    size_t row = (size_t)s->ow * (size_t)s->k + (size_t)s->stride * w.row_pairs;
    w.rows = (int)MAX((size_t)1, MIN((size_t)WEIGHTS_MAX_ROWS, WEIGHTS_BLOCK_PAIRS / row));
    w.rows = MIN(w.rows, s->oh);
    int in_rows = MIN(s->h, (w.rows - 1) * s->stride + s->kh);
    w.x_pairs = arena_round((size_t)in_rows * w.row_pairs * 4) / 4;
    w.dy_pairs = arena_round((size_t)w.rows * (size_t)s->ow * (size_t)s->k * 4) / 4;
    return w;
}

/* dw of kernel row r += output rows y0 .. y1 - 1 of a pair of images, or = if fresh; x holds input
 * rows from `first`, dy output rows from y0. */
static void weights_kernel_row(const struct weights_job *w, float *dw, const uint32_t *x, int first,
                               const uint32_t *dy, int r, int y0, int y1, bool fresh)
{
    const struct conv_shape *s = w->j->s;
    struct kernel_tap taps[WEIGHTS_MAX_ROWS];
    int n_taps = 0;
    for (int y = y0; y < y1; y++) {
        int iy = y * s->stride - s->pad + r;
        if (iy >= 0 && iy < s->h) {
            taps[n_taps++] =
                (struct kernel_tap){.x = (ptrdiff_t)(iy - first) * (ptrdiff_t)w->row_pairs,
                                    .w = (ptrdiff_t)(y - y0) * s->ow * s->k,
                                    .n = s->ow};
        }
    }
    if (n_taps == 0 && !fresh) {
        return;
    }
    struct kernel_gemm g = {.x = (const float *)(const void *)x,
                            .w = (const float *)(const void *)dy,
                            .y = dw + (size_t)(r * s->kw) * (size_t)s->c * (size_t)s->k,
                            .taps = taps,
                            .n_taps = n_taps,
                            .x_row = 1,
                            .x_inner = (ptrdiff_t)s->stride * s->c,
                            .w_inner = s->k,
                            .y_row = s->k,
                            .n_rows = (size_t)s->kw * (size_t)s->c,
                            .n_cols = s->k,
                            .accumulate = !fresh};
    w->j->mc->k->bf16_taps(&g);
}

/* One pair of images; x1 and dy1 NULL where there is no second. */
static void weights_images(const struct weights_job *w, float *dw, const float *x0, const float *x1,
                           const float *dy0, const float *dy1, uint32_t *block, bool fresh)
{
    const struct conv_shape *s = w->j->s;
    const struct kernels *kernels = w->j->mc->k;
    size_t image_row = (size_t)s->w * (size_t)s->c, dy_row = (size_t)s->ow * (size_t)s->k;
    uint32_t *x = block, *dy = block + w->x_pairs;
    for (int y0 = 0; y0 < s->oh; y0 += w->rows) {
        int y1 = MIN(y0 + w->rows, s->oh);
        int first = MAX(0, y0 * s->stride - s->pad);
        int last = MIN(s->h - 1, (y1 - 1) * s->stride - s->pad + s->kh - 1);
        for (int iy = first; iy <= last; iy++) {
            size_t at = (size_t)iy * image_row;
            kernels->bf16_zip(x + (size_t)(iy - first) * w->row_pairs + (size_t)(s->pad * s->c),
                              x0 + at, x1 ? x1 + at : NULL, image_row, w->j->relu_in);
        }
        size_t at = (size_t)y0 * dy_row;
        kernels->bf16_zip(dy, dy0 + at, dy1 ? dy1 + at : NULL, (size_t)(y1 - y0) * dy_row, false);
        for (int r = 0; r < s->kh; r++) {
            weights_kernel_row(w, dw, x, first, dy, r, y0, y1, fresh && y0 == 0);
        }
    }
}

static void weights_item(void *ctx, int part, int i_thread)
{
    const struct weights_job *w = ctx;
    const struct conv_shape *s = w->j->s;
    size_t image = (size_t)s->h * (size_t)s->w * (size_t)s->c;
    size_t dy_image = (size_t)s->oh * (size_t)s->ow * (size_t)s->k;
    float *dw = w->parts + (size_t)part * w->n_weights;
    uint32_t *block = w->blocks + (size_t)i_thread * (w->x_pairs + w->dy_pairs);
    memset(block, 0, w->x_pairs * sizeof *block); /* the halo */
    int begin = (int)((int64_t)w->n_images * part / w->n_parts);
    int end = (int)((int64_t)w->n_images * (part + 1) / w->n_parts);
    for (int i = begin; i < end; i++) {
        const float *x = w->j->x + (size_t)(2 * i) * image;
        const float *dy = w->j->dy + (size_t)(2 * i) * dy_image;
        bool two = 2 * i + 1 < s->n;
        weights_images(w, dw, x, two ? x + image : NULL, dy, two ? dy + dy_image : NULL, block,
                       i == begin);
    }
}

size_t conv_bf16_weights_bytes(const struct machine *mc, const struct conv_shape *s)
{
    struct weights_job w = weights_plan(s);
    return arena_round((size_t)w.n_parts * w.n_weights * sizeof *w.parts) +
           arena_round((size_t)mc->n_threads * (w.x_pairs + w.dy_pairs) * sizeof *w.blocks);
}

void conv_bf16_weights_run(const struct conv_job *j)
{
    struct arena tmp = j->tmp;
    struct weights_job w = weights_plan(j->s);
    w.j = j;
    w.parts = arena_push(&tmp, (size_t)w.n_parts * w.n_weights, sizeof *w.parts);
    w.blocks =
        arena_push(&tmp, (size_t)j->mc->n_threads * (w.x_pairs + w.dy_pairs), sizeof *w.blocks);
    threads_for(j->mc, w.n_parts, weights_item, &w);
    const float *in[WEIGHTS_PARTS];
    for (int p = 0; p < w.n_parts; p++) {
        in[p] = w.parts + (size_t)p * w.n_weights;
    }
    j->mc->k->vec_sum_f32(j->out, in, w.n_parts, w.n_weights);
}
