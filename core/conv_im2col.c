/*
 * conv_im2col.c: convolution as one matrix product: every output pixel's inputs side by side in a
 * row of `col`, for as many images at once as fit a few MiB. A 1x1 convolution of stride 1 is that
 * product as it stands (the algorithm "gemm"). Not what is fastest here, but what everything else
 * is worth measuring against.
 *
 *   forward          y[pixels, k] = col(x) w[taps c, k]
 *   backward data    col(dx) = dy w^T, its rows added up where they overlap
 *   backward weights dw[taps c, k] = col(x)^T dy, chunk after chunk
 */
#include "core/conv_room.h"
#include "core/gemm.h"
#include "core/kernel.h"
#include "core/threads.h"

#include <string.h>

/* Floats of col at once: 4 MiB, so that the product finds it in L2 and L3. */
enum { IM2COL_FLOATS = 1 << 20 };

struct im2col {
    const struct conv_job *j;
    size_t pixels, row; /* output pixels of an image, floats of a row of col */
    size_t x_floats;    /* of an input image */
    int chunk;          /* images at once: by size alone */
    int first;          /* image of the chunk at hand */
    float *col;         /* [chunk * pixels, row] */
    float *images;      /* backward data: [threads, x_floats] */
};

static struct im2col im2col_plan(const struct conv_shape *s)
{
    struct im2col b = {.pixels = (size_t)s->oh * (size_t)s->ow,
                       .row = (size_t)s->kh * (size_t)s->kw * (size_t)s->c,
                       .x_floats = (size_t)s->h * (size_t)s->w * (size_t)s->c};
    b.chunk = (int)MIN((size_t)s->n, MAX((size_t)1, IM2COL_FLOATS / (b.pixels * b.row)));
    return b;
}

static bool im2col_can(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir)
{
    (void)mc;
    (void)dir;
    return s->groups == 1;
}

static bool im2col_is_product(const struct conv_shape *s)
{
    return s->kh == 1 && s->kw == 1 && s->stride == 1 && s->pad == 0;
}

static bool im2col_gemm_can(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir)
{
    return im2col_can(mc, s, dir) && im2col_is_product(s);
}

static size_t im2col_scratch_bytes(const struct machine *mc, const struct conv_shape *s,
                                   enum conv_dir dir)
{
    struct im2col b = im2col_plan(s);
    size_t n_images = dir == CONV_BWD_DATA ? (size_t)mc->n_threads : 0;
    return arena_round((size_t)b.chunk * b.pixels * b.row * sizeof(float)) +
           arena_round(n_images * b.x_floats * sizeof(float));
}

/* Columns q0 .. q1 - 1 of the kernel that lie inside the image for output column ox. */
static void im2col_inside(const struct conv_shape *s, int ox, int *q0, int *q1)
{
    int left = ox * s->stride - s->pad;
    *q0 = MIN(s->kw, MAX(0, -left));
    *q1 = MAX(*q0, MIN(s->kw, s->w - left));
}

/* One run of neighbouring columns for each output pixel and row of the kernel: where it lies in
 * the image; NULL where the row is outside. */
static const float *im2col_at(const struct conv_shape *s, const float *x, int oy, int ox, int r,
                              int q0)
{
    int iy = oy * s->stride - s->pad + r, ix = ox * s->stride - s->pad + q0;
    return iy < 0 || iy >= s->h ? NULL : x + ((ptrdiff_t)iy * s->w + ix) * (ptrdiff_t)s->c;
}

static void im2col_fill_image(void *ctx, int i, int i_thread)
{
    const struct im2col *b = ctx;
    const struct conv_shape *s = b->j->s;
    const float *x = b->j->x + (size_t)(b->first + i) * b->x_floats;
    float *to = b->col + (size_t)i * b->pixels * b->row;
    size_t c = (size_t)s->c;
    (void)i_thread;
    for (int oy = 0; oy < s->oh; oy++) {
        for (int ox = 0; ox < s->ow; ox++) {
            int q0, q1;
            im2col_inside(s, ox, &q0, &q1);
            for (int r = 0; r < s->kh; r++, to += (size_t)s->kw * c) {
                const float *from = q1 > q0 ? im2col_at(s, x, oy, ox, r, q0) : NULL;
                memset(to, 0, (size_t)s->kw * c * sizeof *to);
                if (from && b->j->relu_in) {
                    b->j->mc->k->vec_act_f32(to + (size_t)q0 * c, from, (size_t)(q1 - q0) * c,
                                             KERNEL_RELU);
                } else if (from) {
                    memcpy(to + (size_t)q0 * c, from, (size_t)(q1 - q0) * c * sizeof *to);
                }
            }
        }
    }
}

/* The gradient of an image from its rows of col, and what becomes of it. */
static void im2col_add_image(void *ctx, int i, int i_thread)
{
    const struct im2col *b = ctx;
    const struct conv_job *j = b->j;
    const struct conv_shape *s = j->s;
    const float *from = b->col + (size_t)i * b->pixels * b->row;
    float *image = b->images + (size_t)i_thread * b->x_floats;
    size_t c = (size_t)s->c, at = (size_t)(b->first + i) * b->x_floats;
    memset(image, 0, b->x_floats * sizeof *image);
    for (int oy = 0; oy < s->oh; oy++) {
        for (int ox = 0; ox < s->ow; ox++) {
            int q0, q1;
            im2col_inside(s, ox, &q0, &q1);
            for (int r = 0; r < s->kh; r++, from += (size_t)s->kw * c) {
                const float *to = q1 > q0 ? im2col_at(s, image, oy, ox, r, q0) : NULL;
                if (to) {
                    j->mc->k->vec_axpy_f32(image + (to - image), 1, from + (size_t)q0 * c,
                                           (size_t)(q1 - q0) * c);
                }
            }
        }
    }
    for (size_t k = 0; k < b->x_floats; k++) {
        float d = j->mask && j->mask[at + k] <= 0 ? 0 : image[k];
        j->out[at + k] = j->add ? j->out[at + k] + d : d;
    }
}

static void im2col_finish_image(void *ctx, int i, int i_thread)
{
    const struct im2col *b = ctx;
    size_t n = b->pixels * (size_t)b->j->s->k, at = (size_t)(b->first + i) * n;
    (void)i_thread;
    for (size_t k = 0; k < n; k++) {
        b->j->out[at + k] =
            conv_ref_finish(b->j->post, b->j->out[at + k], at + k, (int)(k % (size_t)b->j->s->k));
    }
}

/* Images first .. first + n - 1. The product itself reads x or writes dx where nothing else is to
 * be done to them. */
static void im2col_chunk(struct im2col *b, int n)
{
    const struct conv_job *j = b->j;
    const struct conv_shape *s = j->s;
    int rows = (int)((size_t)n * b->pixels), row = (int)b->row, k = s->k;
    size_t y_at = (size_t)b->first * b->pixels * (size_t)k;
    bool plain = im2col_is_product(s) && !j->relu_in && !j->mask;
    const float *x = j->x ? j->x + (size_t)b->first * b->x_floats : NULL, *col = plain ? x : b->col;
    if (j->dir == CONV_BWD_DATA) {
        float *to = plain ? j->out + (size_t)b->first * b->x_floats : b->col;
        gemm(j->mc, false, true, rows, row, k, 1, j->dy + y_at, k, j->w, k, plain && j->add ? 1 : 0,
             to, row);
        if (!plain) {
            threads_for(j->mc, n, im2col_add_image, b);
        }
        return;
    }
    if (!plain) {
        threads_for(j->mc, n, im2col_fill_image, b);
    }
    if (j->dir == CONV_BWD_WEIGHTS) {
        gemm(j->mc, true, false, row, k, rows, 1, col, row, j->dy + y_at, k, b->first > 0 ? 1 : 0,
             j->out, k);
        return;
    }
    gemm(j->mc, false, false, rows, k, row, 1, col, row, j->w, k, 0, j->out + y_at, k);
    if (j->post) {
        threads_for(j->mc, n, im2col_finish_image, b);
    }
}

static void im2col_run(const struct conv_job *j)
{
    struct arena tmp = j->tmp;
    struct im2col b = im2col_plan(j->s);
    b.j = j;
    b.col = arena_push(&tmp, (size_t)b.chunk * b.pixels * b.row, sizeof *b.col);
    if (j->dir == CONV_BWD_DATA) {
        b.images = arena_push(&tmp, (size_t)j->mc->n_threads * b.x_floats, sizeof *b.images);
    }
    for (; b.first < j->s->n; b.first += b.chunk) {
        im2col_chunk(&b, MIN(b.chunk, j->s->n - b.first));
    }
}

const struct conv_room conv_im2col = {
    .name = "im2col", .can = im2col_can, .scratch_bytes = im2col_scratch_bytes, .run = im2col_run};

const struct conv_room conv_im2col_gemm = {.name = "gemm",
                                           .can = im2col_gemm_can,
                                           .scratch_bytes = im2col_scratch_bytes,
                                           .run = im2col_run};
