/*
 * conv_wgrad.c: backward weights by the product over taps. For each row of the kernel, rows of the
 * product are the input channels of all its columns, columns are output channels, and the inner
 * dimension runs over the pixels of a few image rows, short enough for x and dy to stay near while
 * all kernel rows pass over them. The input rows are copied (through ReLU if asked) with a halo of
 * zeros, so that all columns of the kernel see the same pixels: a pixel and its neighbours are one
 * run of memory, x_inner apart from the next.
 *
 * Images are cut into at most WGRAD_PARTS parts, by their number alone; each part sums in index
 * order into its own dw, the parts are added in index order. n terms of a sum: pixels of a batch,
 * |error| <= n u sum|a||b| (in practice far less: the chains are as short as the parts).
 */
#include "core/conv_room.h"
#include "core/kernel.h"
#include "core/threads.h"

#include <string.h>

/* Floats of x and dy worked on at once (48 KiB; from 24 to 128 KiB makes no difference beyond 5 %),
 * and rows of pixels in one call. */
enum { WGRAD_BLOCK_FLOATS = 12288, WGRAD_MAX_ROWS = 64, WGRAD_PARTS = 8 };
/* Fewer pixels than this make loading and storing dw too large a share. */
enum { WGRAD_MIN_PIXELS = 64 };
/* 1x1, from so many weights on: a part has so many pixels, else dw of the parts is most of what is
 * moved (1104 -> 184 channels, 32 images of 4x4: 1.24 -> .91 ms), and a block so many. */
enum { WGRAD_MANY_WEIGHTS = 8192, WGRAD_PART_PIXELS = 1024, WGRAD_MANY_PIXELS = 128 };

struct wgrad_job {
    const struct conv_job *j;
    float *parts;  /* [n_parts, weights] */
    float *copies; /* [n_threads, copy_floats + turned_floats]: rows of x with halo, dw turned */
    size_t n_weights, copy_floats, turned_floats, row_floats;
    int n_parts, rows; /* rows: output rows in a block */
    int right;         /* halo columns after a row; before it: pad */
    bool flat;         /* 1 x 1: the images of a part are one row of pixels */
    int pixels;        /* of it in a block */
    bool in_place;     /* rows of x are read where they are */
    bool far;          /* x or dy come from far: what follows is asked for */
    bool flip;         /* 1x1: rows of the product are output channels */
    int n_slices;      /* items of a part: each some kernel rows; 1x1: some rows of the product */
};

static struct wgrad_job wgrad_plan(const struct machine *mc, const struct conv_shape *s,
                                   bool relu_in, bool one_sum)
{
    struct wgrad_job g = {.n_parts = one_sum ? 1 : MIN(s->n, (int)WGRAD_PARTS)};
    g.n_weights = (size_t)s->kh * (size_t)s->kw * (size_t)(s->c / s->groups) * (size_t)s->k;
    g.right = MAX(0, (s->ow - 1) * s->stride - s->pad + s->kw - s->w);
    g.in_place = !relu_in && s->pad == 0 && g.right == 0;
    g.row_floats = (size_t)(s->pad + s->w + g.right) * (size_t)s->c;
    size_t row = (size_t)s->ow * (size_t)s->k + (size_t)s->stride * (size_t)s->w * (size_t)s->c;
    g.rows = (int)MAX((size_t)1, MIN((size_t)WGRAD_MAX_ROWS, WGRAD_BLOCK_FLOATS / row));
    g.rows = MIN(g.rows, s->oh);
    int in_rows = MIN(s->h, (g.rows - 1) * s->stride + s->kh);
    g.flat = s->kh == 1 && s->kw == 1 && s->pad == 0 && s->stride == 1;
    g.pixels = MAX(WGRAD_BLOCK_FLOATS / (s->c + s->k), (int)WGRAD_MIN_PIXELS);
    if (g.flat && g.n_weights > WGRAD_MANY_WEIGHTS) {
        int64_t n = (int64_t)s->n * s->h * s->w / WGRAD_PART_PIXELS;
        g.n_parts = (int)MAX(1, MIN(g.n_parts, n));
        g.pixels = MAX(g.pixels, (int)WGRAD_MANY_PIXELS);
    }
    size_t copy = g.flat ? (size_t)g.pixels * (size_t)s->c : (size_t)in_rows * g.row_floats;
    g.copy_floats = arena_round(copy * sizeof(float)) / sizeof(float);
    /* Columns fill registers, and more than one: as on sixteen lanes, whatever the tier. */
    size_t by_k = (size_t)DIV_UP(s->k, 16) * (size_t)s->c;
    size_t by_c = (size_t)DIV_UP(s->c, 16) * (size_t)s->k;
    /* Turning dw back must cost less than what is gained in a part. */
    size_t pixels = (size_t)s->n * (size_t)s->h * (size_t)s->w / (size_t)g.n_parts;
    g.flip =
        g.flat && s->groups == 1 &&
        ((by_c < by_k && (by_k - by_c) * pixels > 8 * g.n_weights) || (s->k <= 16 && s->c >= 32));
    g.turned_floats = g.flip ? arena_round(g.n_weights * sizeof(float)) / sizeof(float) : 0;
    size_t n_x = (size_t)s->n * (size_t)s->h * (size_t)s->w * (size_t)s->c;
    size_t n_dy = (size_t)s->n * (size_t)s->oh * (size_t)s->ow * (size_t)s->k;
    /* Pixels copied under ReLU are waited for while nothing multiplies, so they always are. */
    g.far = (g.flat && relu_in) || (n_x + n_dy > CONV_FAR_FLOATS &&
                                    (g.flat ? MAX(s->c, s->k) > 16 : mc->tier >= CPU_AVX512));
    bool split = mc->n_threads > 1 && g.n_parts < 2 * mc->n_threads && (!g.flat || s->groups == 1);
    g.n_slices = !split ? 1 : g.flat ? DIV_UP(2 * mc->n_threads, g.n_parts) : s->kh;
    return g;
}

/* dw of kernel row r += output rows y0 .. y1 of one image, or = if fresh. x holds input rows from
 * x_first. ahead: what to ask for by the way. */
static void wgrad_kernel_row(const struct wgrad_job *w, float *dw, const float *x, int x_first,
                             const float *dy, int r, int y0, int y1,
                             const struct kernel_ahead ahead[2], bool fresh)
{
    const struct conv_shape *s = w->j->s;
    int cg = s->c / s->groups, kg = s->k / s->groups, n_taps = 0;
    struct kernel_tap taps[WGRAD_MAX_ROWS];
    for (int y = y0; y < y1; y++) {
        int iy = y * s->stride - s->pad + r;
        if (iy >= 0 && iy < s->h) {
            taps[n_taps++] =
                (struct kernel_tap){.x = (ptrdiff_t)(iy - x_first) * (ptrdiff_t)w->row_floats,
                                    .w = (ptrdiff_t)y * s->ow * s->k,
                                    .n = s->ow};
        }
    }
    bool one_run = s->groups == 1;
    for (int i = 0; i < (one_run ? 1 : s->groups * s->kw) && (n_taps > 0 || fresh); i++) {
        int g = i / s->kw, q = i % s->kw;
        struct kernel_gemm k = {.x = x + q * s->c + g * cg,
                                .w = dy + g * kg,
                                .y = dw + (size_t)(r * s->kw + q) * (size_t)cg * (size_t)s->k +
                                     (size_t)(g * kg),
                                .taps = taps,
                                .n_taps = n_taps,
                                .x_row = 1,
                                .x_inner = (ptrdiff_t)s->stride * s->c,
                                .w_inner = s->k,
                                .y_row = s->k,
                                .n_rows = (size_t)(one_run ? s->kw * cg : cg),
                                .n_cols = kg,
                                .accumulate = !fresh};
        if (i == 0) {
            k.ahead[0] = ahead[0];
            k.ahead[1] = ahead[1];
        }
        w->j->mc->k->gemm_taps_f32(&k);
    }
}

/* The rows of x and dy that the block after output row y1 brings, or the first of the next image: a
 * share for kernel row i of n. last: the input row this block ends with. */
static void wgrad_ahead(const struct wgrad_job *w, struct kernel_ahead ahead[2], const float *x,
                        const float *dy, int last, int y1, size_t i, size_t n)
{
    const struct conv_shape *s = w->j->s;
    size_t x_row = (size_t)s->w * (size_t)s->c, dy_row = (size_t)s->ow * (size_t)s->k;
    int x_left = y1 < s->oh ? s->h - 1 - last : s->h, dy_left = y1 < s->oh ? s->oh - y1 : s->oh;
    size_t n_x = (size_t)MIN(w->rows * s->stride, x_left) * x_row;
    size_t n_dy = (size_t)MIN(w->rows, dy_left) * dy_row;
    x += (size_t)(y1 < s->oh ? last + 1 : s->h) * x_row;
    ahead[0] = (struct kernel_ahead){x + n_x * i / n, n_x / n};
    ahead[1] = (struct kernel_ahead){dy + (size_t)y1 * dy_row + n_dy * i / n, n_dy / n};
}

/* Kernel rows r0 .. r1 - 1 of one image; more: another image follows it. */
static void wgrad_image(const struct wgrad_job *w, float *dw, const float *x, const float *dy,
                        int r0, int r1, float *copy, bool fresh, bool more)
{
    const struct conv_shape *s = w->j->s;
    size_t image_row = (size_t)s->w * (size_t)s->c;
    for (int y0 = 0; y0 < s->oh; y0 += w->rows) {
        int y1 = MIN(y0 + w->rows, s->oh);
        int first = MAX(0, y0 * s->stride - s->pad + r0);
        int last = MIN(s->h - 1, (y1 - 1) * s->stride - s->pad + r1 - 1);
        for (int iy = first; iy <= last && !w->in_place; iy++) {
            w->j->mc->k->vec_act_f32(
                copy + (size_t)(iy - first) * w->row_floats + (size_t)(s->pad * s->c),
                x + (size_t)iy * image_row, image_row, w->j->relu_in ? KERNEL_RELU : KERNEL_NO_ACT);
        }
        for (int r = r0; r < r1; r++) {
            struct kernel_ahead ahead[2] = {{0}};
            if (w->far && (y1 < s->oh || more)) {
                wgrad_ahead(w, ahead, x, dy, last, y1, (size_t)(r - r0), (size_t)(r1 - r0));
            }
            wgrad_kernel_row(w, dw, w->in_place ? x : copy, w->in_place ? 0 : first, dy, r, y0, y1,
                             ahead, fresh && y0 == 0);
        }
    }
}

/* n pixels from x and dy on: rows r0 .. r1 - 1 of dw (+)= x^T dy, or dy^T x if flipped. ahead: the
 * pixels that follow. */
static void wgrad_flat_block(const struct wgrad_job *w, float *dw, const float *x, const float *dy,
                             int n, int r0, int r1, const struct kernel_ahead ahead[2], bool fresh)
{
    const struct conv_shape *s = w->j->s;
    int cg = s->c / s->groups, kg = s->k / s->groups;
    ptrdiff_t x_inner = w->flip ? s->k : s->c, w_inner = w->flip ? s->c : s->k;
    struct kernel_tap tap = {.n = n};
    for (int g = 0; g < s->groups; g++) {
        struct kernel_gemm m = {.x = (w->flip ? dy : x) + g * cg + r0,
                                .w = (w->flip ? x : dy) + g * kg,
                                .y = dw + g * kg + (ptrdiff_t)r0 * w_inner,
                                .taps = &tap,
                                .n_taps = 1,
                                .x_row = 1,
                                .x_inner = x_inner,
                                .w_inner = w_inner,
                                .y_row = w_inner,
                                .n_rows = (size_t)(r1 - r0),
                                .n_cols = w->flip ? s->c : kg,
                                .accumulate = !fresh};
        if (w->far && g == 0) {
            m.ahead[0] = ahead[0];
            m.ahead[1] = ahead[1];
        }
        w->j->mc->k->gemm_taps_f32(&m);
    }
}

/* A slice of the rows of dw, by the pixels of images first .. last - 1 of a 1x1 convolution. copy:
 * room for a block of x; turned: for dw with its sides exchanged. */
static void wgrad_flat(const struct wgrad_job *w, float *dw, int first, int last, int slice,
                       float *copy, float *turned)
{
    const struct conv_shape *s = w->j->s;
    const struct kernels *kernels = w->j->mc->k;
    int n_rows = w->flip ? s->k : s->c / s->groups;
    int r0 = n_rows * slice / w->n_slices, r1 = n_rows * (slice + 1) / w->n_slices;
    size_t image = (size_t)s->h * (size_t)s->w, c = (size_t)s->c, k = (size_t)s->k;
    size_t begin = (size_t)first * image, end = (size_t)last * image, step = (size_t)w->pixels;
    for (size_t p = begin; p < end; p += step) {
        size_t n = MIN(step, end - p), next = p + n, ahead = MIN(step, end - next);
        const float *x = w->j->x + p * c, *dy = w->j->dy + p * k;
        const struct kernel_ahead far[2] = {{w->j->x + next * c, ahead * c},
                                            {w->j->dy + next * k, ahead * k}};
        if (w->j->relu_in) {
            kernels->vec_act_f32(copy, x, n * c, KERNEL_RELU);
            x = copy;
        }
        wgrad_flat_block(w, w->flip ? turned : dw, x, dy, (int)n, r0, r1, far, p == begin);
    }
    if (w->flip) {
        kernels->vec_transpose_f32(dw + r0, s->k, turned + (ptrdiff_t)r0 * s->c, s->c, r1 - r0,
                                   s->c);
    }
}

static void wgrad_item(void *ctx, int item, int i_thread)
{
    const struct wgrad_job *w = ctx;
    const struct conv_shape *s = w->j->s;
    int part = item / w->n_slices, slice = item % w->n_slices;
    int r0 = w->n_slices > 1 ? slice : 0, r1 = w->n_slices > 1 ? r0 + 1 : s->kh;
    float *dw = w->parts + (size_t)part * w->n_weights;
    float *copy = w->copies + (size_t)i_thread * (w->copy_floats + w->turned_floats);
    int first = (int)((int64_t)s->n * part / w->n_parts);
    int last = (int)((int64_t)s->n * (part + 1) / w->n_parts);
    if (w->flat) {
        wgrad_flat(w, dw, first, last, slice, copy, copy + w->copy_floats);
        return;
    }
    memset(copy, 0, w->copy_floats * sizeof *copy);
    for (int i = first; i < last; i++) {
        wgrad_image(w, dw, w->j->x + (size_t)i * (size_t)s->h * (size_t)s->w * (size_t)s->c,
                    w->j->dy + (size_t)i * (size_t)s->oh * (size_t)s->ow * (size_t)s->k, r0, r1,
                    copy, i == first, i + 1 < last);
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
    /* Whether dw is turned depends on the pixels of a part, so on there being parts. */
    size_t most = 0;
    for (int one_sum = 0; one_sum < 2; one_sum++) {
        struct wgrad_job w = wgrad_plan(mc, s, true, one_sum != 0);
        size_t n_copied = (size_t)mc->n_threads * (w.copy_floats + w.turned_floats);
        size_t bytes = arena_round((size_t)w.n_parts * w.n_weights * sizeof(float)) +
                       arena_round(n_copied * sizeof(float));
        most = MAX(most, bytes);
    }
    return most;
}

void conv_wgrad_run(const struct conv_job *j)
{
    struct arena tmp = j->tmp;
    struct wgrad_job w = wgrad_plan(j->mc, j->s, j->relu_in, j->one_sum);
    w.j = j;
    w.parts = j->out; /* one part needs no sum */
    if (w.n_parts > 1) {
        w.parts = arena_push(&tmp, (size_t)w.n_parts * w.n_weights, sizeof(float));
    }
    w.copies = arena_push(&tmp, (size_t)j->mc->n_threads * (w.copy_floats + w.turned_floats),
                          sizeof(float));
    threads_for(j->mc, w.n_parts * w.n_slices, wgrad_item, &w);
    if (w.n_parts == 1) {
        return;
    }
    struct wgrad_sum sum = {.mc = j->mc,
                            .dw = j->out,
                            .parts = w.parts,
                            .n_weights = w.n_weights,
                            .n_parts = w.n_parts};
    threads_for(j->mc, (int)DIV_UP(w.n_weights, (size_t)WGRAD_SUM_CHUNK), wgrad_sum_item, &sum);
}
