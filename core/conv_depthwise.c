/*
 * conv_depthwise.c: convolutions where every channel is its own group, read in place: the kernels
 * leave out columns beyond the border and take ReLU by the way. A small image is one call, all rows
 * of a register of channels before the next register. In larger ones rows are done in pieces of
 * some pixels, and all rows of a piece before the next piece: the source rows that the next row
 * sees again are still in L1.
 *
 * Backward weights: images are cut into at most DEPTHWISE_PARTS parts by the shape alone; each
 * part sums in index order, the parts are added in index order. |error| <= n u sum|a||b|.
 */
#include "core/conv_room.h"
#include "core/conv_rows.h"
#include "core/kernel.h"
#include "core/threads.h"

#include <string.h>

/* Floats of source rows that a piece sees (64 KiB); channels done together;
 * pixels of a piece are a multiple of what a register tile holds. */
enum {
    DEPTHWISE_FLOATS = 16384,
    DEPTHWISE_CHANNELS = 256,
    DEPTHWISE_PIXELS = 8,
    DEPTHWISE_PARTS = 8
};
/* Pixels of dy that a part of backward weights has at least: fewer, and the sums of the parts are
 * much of what is moved (32 images of 8x8x112, stride 2: 6 %). */
enum { DEPTHWISE_PART_PIXELS = 256 };
/* Floats of x and dy that a call for weights passes over, a register of channels at a time: 128
 * KiB, an eighth of L2. */
enum { DEPTHWISE_BAND_FLOATS = 32768 };
/* Source floats and pixels of a small image: 256 KiB, a quarter of L2; a register of channels in a
 * third of L1. */
enum { DEPTHWISE_IMAGE_FLOATS = 65536, DEPTHWISE_IMAGE_PIXELS = 256 };
/* Floats of source and destination from which on what follows is asked for: 5 MiB, of which L2
 * keeps little for the next call. Below it costs up to 12 %, as the processor foresees enough. */
enum { DEPTHWISE_FAR_FLOATS = 1310720 };
/* The same of x and dy of 3x3 weights, which are passed over once and nearly in order: 8 MiB (Zen
 * 4: 6 MiB of 16x16x96 1.20 without asking, of 8x8x384 1.01 to 1.07, 8 MiB of 16x16x192, stride 2,
 * 1.08, but 11 MiB .86 and less). */
enum { DEPTHWISE_FAR_WEIGHTS_FLOATS = 2097152 };
/* The same of 3x3 weights whose next lines are asked for as they will be read, at stride 1 and 2:
 * 2.5 and 5 MiB. After a large tensor, L3 holds little of them for a while (after 64 MiB of other
 * data: 8x8x192 1.8, 8x8x384 1.8 to 3.1, 16x16x96 2.0, at stride 2 1.5 to 1.6); where it has them
 * they take up to 2 % more time, 4x4 and stride 2 5 %. */
enum { DEPTHWISE_NEXT_FLOATS = 655360, DEPTHWISE_NEXT_FLOATS_2 = 1310720 };

struct depthwise_job {
    const struct conv_job *j;
    struct conv_rows m; /* of backward weights: those of forward */
    const float *src;
    int block, n_blocks; /* channels in a block; blocks */
    bool small;          /* images are done whole */
    bool far;            /* what follows is asked for */
    bool in_order;       /* backward weights: pixels are read as they lie in memory */
    bool next;           /* backward weights: what follows is asked for as it will be read */
    int piece;           /* pixels of a phase in a piece */
    const float *w;      /* [kh, kw by place, c] */
    struct conv_phase *phases;
    struct kernel_tap *taps;       /* [n_phases][dst_h][kh] */
    struct kernel_depth_row *rows; /* [n_phases][dst_h] */
    int n_parts, band;             /* backward weights: parts, output rows in a call */
    float *parts;                  /* [n_parts][kh, kw, c] */
};

static struct depthwise_job depthwise_plan(const struct machine *mc, const struct conv_shape *s,
                                           enum conv_dir dir)
{
    struct depthwise_job d = {.m = conv_rows_of(s, dir == CONV_BWD_DATA ? dir : CONV_FWD)};
    int64_t full_parts = (int64_t)s->n * s->oh * s->ow / DEPTHWISE_PART_PIXELS;
    d.n_parts = (int)MAX(1, MIN(full_parts, MIN(s->n, (int)DEPTHWISE_PARTS)));
    int pixels = MAX(d.m.src_h * d.m.src_w, d.m.dst_h * d.m.dst_w);
    d.small = pixels <= DEPTHWISE_IMAGE_PIXELS && pixels * s->c <= DEPTHWISE_IMAGE_FLOATS;
    int far =
        dir == CONV_BWD_WEIGHTS && s->kh == 3 ? DEPTHWISE_FAR_WEIGHTS_FLOATS : DEPTHWISE_FAR_FLOATS;
    int64_t floats = (int64_t)s->n * s->c * (s->h * s->w + s->oh * s->ow);
    d.far = floats > far;
    d.next = floats > (s->stride == 1 ? DEPTHWISE_NEXT_FLOATS : DEPTHWISE_NEXT_FLOATS_2) && !d.far;
    /* Channels are cut for L1's sake, or to feed the threads. */
    int n_items = dir == CONV_BWD_WEIGHTS ? d.n_parts : s->n;
    bool fed = mc->n_threads == 1 || n_items >= 2 * mc->n_threads;
    bool near = d.small || dir == CONV_BWD_WEIGHTS;
    d.n_blocks = fed && near ? 1 : DIV_UP(s->c, DEPTHWISE_CHANNELS);
    d.block = DIV_UP(DIV_UP(s->c, d.n_blocks), 16) * 16;
    d.n_blocks = DIV_UP(s->c, d.block);
    int cols = DEPTHWISE_FLOATS / (MIN(d.block, s->c) * d.m.n_slots) - s->kw;
    cols /= d.m.back ? 1 : s->stride;
    d.piece = d.small ? d.m.dst_w : MAX(cols / DEPTHWISE_PIXELS, 1) * DEPTHWISE_PIXELS;
    d.band = MAX(1, DEPTHWISE_BAND_FLOATS / ((s->stride * s->w + s->ow) * MIN(d.block, s->c)));
    d.in_order = d.far && s->stride == 2 && s->kh == 3 && s->c <= DEPTHWISE_CHANNELS;
    d.band = d.small ? s->oh : d.in_order ? MAX(2, d.band / 2 * 2) : d.band;
    return d;
}

/* Rows of every phase and their taps: one tap for each source row that a row sees. */
static void depthwise_rows(const struct depthwise_job *d)
{
    const struct conv_rows *m = &d->m;
    for (int i = 0; i < m->n_phases * m->dst_h; i++) {
        int phase = i / m->dst_h, y = i % m->dst_h, n_taps = 0;
        struct kernel_tap *taps = d->taps + (size_t)i * (size_t)m->kh;
        for (int k = 0; k < m->kh; k++) {
            /* Source rows upwards: the one that is new to this row is waited for last. */
            int r = m->back ? m->kh - 1 - k : k, from = conv_rows_source(m, y, r);
            if (from >= 0) {
                taps[n_taps++] = (struct kernel_tap){.x = (ptrdiff_t)from * m->src_w * m->src_c,
                                                     .w = (ptrdiff_t)r * m->kw * m->dst_c,
                                                     .n = d->phases[phase].n_places};
            }
        }
        d->rows[i] = (struct kernel_depth_row){
            .taps = taps, .n_taps = n_taps, .y = (ptrdiff_t)y * m->dst_w * m->dst_c};
    }
}

/* What is needed after rows y0 .. y0 + n_rows - 1 of image i, all of their channels and pixels: of
 * source and destination as many rows more, or the next image. part of n_parts of it. */
static void depthwise_ahead(const struct depthwise_job *d, struct kernel_ahead ahead[2], int i,
                            int y0, int n_rows, int part, int n_parts)
{
    const struct conv_rows *m = &d->m;
    size_t n = (size_t)d->j->s->n, src_row = (size_t)m->src_w * (size_t)m->src_c;
    size_t dst_row = (size_t)m->dst_w * (size_t)m->dst_c;
    size_t image = (size_t)i, dst = image * (size_t)m->dst_h + (size_t)(y0 + n_rows);
    size_t src_end = n * (size_t)m->src_h, dst_end = n * (size_t)m->dst_h;
    size_t src = (image + 1) * (size_t)m->src_h, src_rows = (size_t)m->src_h;
    if (n_rows < m->dst_h) {
        int from = m->back ? (y0 + m->pad) / m->stride + 1 : (y0 + 1) * m->stride - m->pad + m->kh;
        src_rows = m->back ? 1 : (size_t)m->stride;
        src = image * (size_t)m->src_h + (size_t)MAX(0, from - (m->back ? 0 : m->stride));
    }
    size_t p = (size_t)part, q = (size_t)n_parts;
    src_rows = src < src_end ? MIN(src_rows, src_end - src) * src_row : 0;
    size_t dst_rows = dst < dst_end ? MIN((size_t)n_rows, dst_end - dst) * dst_row : 0;
    ahead[0] = (struct kernel_ahead){d->src + src * src_row + src_rows * p / q, src_rows / q};
    ahead[1] = (struct kernel_ahead){d->j->out + dst * dst_row + dst_rows * p / q, dst_rows / q};
}

/* Source columns of a piece of n pixels that the row after next brings. */
static void depthwise_prefetch(const struct depthwise_job *d, const float *x, int y, int col, int n,
                               int c)
{
    const struct conv_rows *m = &d->m;
    int from = m->back ? (y + m->pad) / m->stride + 1 : (y + 1) * m->stride - m->pad + m->kh - 1;
    int first = MAX(0, col), last = MIN(m->src_w, col + n);
    for (int r = 0; r < (m->back ? 1 : m->stride); r++) {
        int row = from - r;
        if (row >= 0 && row < m->src_h && last > first) {
            size_t at = ((size_t)row * (size_t)m->src_w + (size_t)first) * (size_t)m->src_c;
            if (c == m->src_c) {
                conv_room_prefetch(x + at, 1, (size_t)((last - first) * c), 0);
            } else {
                conv_room_prefetch(x + at, last - first, (size_t)c, (size_t)m->src_c);
            }
        }
    }
}

/* Pixels p0 .. p0 + n of a phase in n_rows rows from y on of image i, channels c0 .. c0 + c. */
static void depthwise_pixels(const struct depthwise_job *d, int i, int y, int n_rows, int phase,
                             int p0, int n, int c0, int c)
{
    const struct conv_rows *m = &d->m;
    const struct conv_phase *f = &d->phases[phase];
    int stride = m->back ? 1 : m->stride;
    int col = f->col - m->left + p0 * stride; /* source column of the first place and pixel */
    size_t image = (size_t)m->src_h * (size_t)m->src_w * (size_t)m->src_c;
    size_t pixel =
        (size_t)i * (size_t)m->dst_h * (size_t)m->dst_w + (size_t)(f->first + p0 * m->step);
    size_t at = pixel * (size_t)m->dst_c + (size_t)c0;
    struct kernel_post post;
    struct kernel_depth g = {.x = d->src + (size_t)i * image + (ptrdiff_t)col * m->src_c + c0,
                             .w = d->w + (size_t)f->place * (size_t)m->dst_c + (size_t)c0,
                             .y = d->j->out + at,
                             .rows = d->rows + phase * m->dst_h + y,
                             .n_rows = n_rows,
                             .stride = stride,
                             .lo = -col,
                             .hi = m->src_w - col,
                             .relu = d->j->relu_in,
                             .x_col = m->src_c,
                             .w_col = m->dst_c,
                             .y_pixel = (ptrdiff_t)m->dst_c * m->step,
                             .n_pixels = (size_t)n,
                             .c = c};
    g.post = conv_direct_post(d->j, &post, at, c0) ? &post : NULL;
    if (d->far && c == m->src_c && n == f->n_pixels) {
        depthwise_ahead(d, g.ahead, i, y, n_rows, phase, m->n_phases);
    } else if (n_rows == 1) {
        depthwise_prefetch(d, d->src + (size_t)i * image + c0, y, col, n * stride + m->kw, c);
    }
    d->j->mc->k->depthwise_rows_f32(&g);
}

/* One block of channels of one image. */
static void depthwise_item(void *ctx, int item, int i_thread)
{
    const struct depthwise_job *d = ctx;
    const struct conv_rows *m = &d->m;
    int i = item / d->n_blocks, c0 = item % d->n_blocks * d->block;
    int c = MIN(d->block, m->dst_c - c0), most = DIV_UP(m->dst_w, m->step);
    int n_rows = d->small ? m->dst_h : 1;
    (void)i_thread;
    for (int p0 = 0; p0 < most; p0 += d->piece) {
        for (int y = 0; y < m->dst_h; y += n_rows) {
            for (int p = 0; p < m->n_phases; p++) {
                int n = MIN(d->piece, d->phases[p].n_pixels - p0);
                if (n > 0) {
                    depthwise_pixels(d, i, y, n_rows, p, p0, n, c0, c);
                }
            }
        }
    }
}

/* The rows of x and dy that output rows from y0 on bring, at most n of them; y0 may be oh of image
 * i: the first rows of the next image. */
static void depthwise_weights_ahead(const struct depthwise_job *d, struct kernel_ahead ahead[2],
                                    int i, int y0, int n)
{
    const struct conv_shape *s = d->j->s;
    size_t row = (size_t)s->w * (size_t)s->c, dy_row = (size_t)s->ow * (size_t)s->c;
    if (y0 == s->oh) {
        i++;
        y0 = 0;
    }
    if (i == s->n) {
        return;
    }
    int y1 = MIN(s->oh, y0 + n);
    int first = y0 == 0 ? 0 : MAX(0, y0 * s->stride - s->pad + s->kh - s->stride);
    int last = MIN(s->h, (y1 - 1) * s->stride - s->pad + s->kh);
    size_t x_at = (size_t)i * (size_t)s->h + (size_t)first;
    size_t dy_at = (size_t)i * (size_t)s->oh + (size_t)y0;
    ahead[0] = (struct kernel_ahead){d->src + x_at * row, (size_t)MAX(0, last - first) * row};
    ahead[1] = (struct kernel_ahead){d->j->dy + dy_at * dy_row, (size_t)(y1 - y0) * dy_row};
}

/* Channels c0 .. c0 + c of one image, added to dw. */
static void depthwise_weights_image(const struct depthwise_job *d, float *dw, int i, int c0, int c)
{
    const struct conv_shape *s = d->j->s;
    struct kernel_depth_weights g = {
        .x = d->src + (size_t)i * (size_t)s->h * (size_t)s->w * (size_t)s->c + c0,
        .dy = d->j->dy + (size_t)i * (size_t)s->oh * (size_t)s->ow * (size_t)s->c + c0,
        .dw = dw + c0,
        .h = s->h,
        .w = s->w,
        .ow = s->ow,
        .kh = s->kh,
        .kw = s->kw,
        .stride = s->stride,
        .pad = s->pad,
        .relu = d->j->relu_in,
        .in_order = d->in_order,
        .step = s->c,
        .c = c};
    for (g.y0 = 0; g.y0 < s->oh; g.y0 = g.y1) {
        g.y1 = MIN(s->oh, g.y0 + d->band);
        g.next = d->next && (g.y1 < s->oh || i + 1 < s->n);
        if (d->far && c == s->c) {
            depthwise_weights_ahead(d, g.ahead, i, g.y1, d->band);
        }
        d->j->mc->k->depthwise_weights_f32(&g);
    }
}

/* One block of channels of one part of the images. */
static void depthwise_weights_item(void *ctx, int item, int i_thread)
{
    const struct depthwise_job *d = ctx;
    const struct conv_shape *s = d->j->s;
    int part = item / d->n_blocks, c0 = item % d->n_blocks * d->block;
    int c = MIN(d->block, s->c - c0), places = s->kh * s->kw;
    float *dw = d->parts + (size_t)part * (size_t)places * (size_t)s->c;
    (void)i_thread;
    for (int t = 0; t < places; t++) {
        memset(dw + (size_t)t * (size_t)s->c + (size_t)c0, 0, (size_t)c * sizeof *dw);
    }
    int first = (int)((int64_t)s->n * part / d->n_parts);
    int last = (int)((int64_t)s->n * (part + 1) / d->n_parts);
    for (int i = first; i < last; i++) {
        depthwise_weights_image(d, dw, i, c0, c);
    }
}

static bool depthwise_can(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir)
{
    (void)mc;
    (void)dir;
    return s->groups == s->c && s->groups == s->k;
}

static size_t depthwise_scratch_bytes(const struct machine *mc, const struct conv_shape *s,
                                      enum conv_dir dir)
{
    struct depthwise_job d = depthwise_plan(mc, s, dir);
    size_t n_rows = (size_t)d.m.n_phases * (size_t)d.m.dst_h;
    size_t weights = (size_t)s->kh * (size_t)s->kw * (size_t)s->c;
    size_t n_copies = dir == CONV_FWD ? 0 : dir == CONV_BWD_DATA ? 1 : (size_t)d.n_parts;
    return arena_round(n_rows * (size_t)s->kh * sizeof *d.taps) +
           arena_round(n_rows * sizeof *d.rows) +
           arena_round((size_t)d.m.n_phases * sizeof *d.phases) +
           arena_round(n_copies * weights * sizeof(float));
}

/* The weights of backward data, each kernel row by place. */
static const float *depthwise_by_place(const struct depthwise_job *d, struct arena *tmp)
{
    size_t c = (size_t)d->m.dst_c;
    float *w = arena_push(tmp, (size_t)d->m.kh * (size_t)d->m.kw * c, sizeof *w);
    for (int r = 0; r < d->m.kh; r++) {
        for (int q = 0; q < d->m.kw; q++) {
            memcpy(w + (size_t)(r * d->m.kw + conv_rows_place(&d->m, q)) * c,
                   d->j->w + (size_t)(r * d->m.kw + q) * c, c * sizeof *w);
        }
    }
    return w;
}

static void depthwise_run(const struct conv_job *j)
{
    struct arena tmp = j->tmp;
    const struct conv_shape *s = j->s;
    struct depthwise_job d = depthwise_plan(j->mc, s, j->dir);
    size_t n_rows = (size_t)d.m.n_phases * (size_t)d.m.dst_h;
    size_t weights = (size_t)s->kh * (size_t)s->kw * (size_t)s->c;
    d.j = j;
    d.src = j->dir == CONV_BWD_DATA ? j->dy : j->x;
    d.w = j->w;
    d.taps = arena_push(&tmp, n_rows * (size_t)s->kh, sizeof *d.taps);
    d.rows = arena_push(&tmp, n_rows, sizeof *d.rows);
    d.phases = arena_push(&tmp, (size_t)d.m.n_phases, sizeof *d.phases);
    for (int p = 0; p < d.m.n_phases; p++) {
        d.phases[p] = conv_rows_phase(&d.m, p);
    }
    depthwise_rows(&d);
    if (j->dir != CONV_BWD_WEIGHTS) {
        d.w = j->dir == CONV_BWD_DATA ? depthwise_by_place(&d, &tmp) : j->w;
        threads_for(j->mc, s->n * d.n_blocks, depthwise_item, &d);
        return;
    }
    const float *in[DEPTHWISE_PARTS];
    d.parts = arena_push(&tmp, (size_t)d.n_parts * weights, sizeof(float));
    threads_for(j->mc, d.n_parts * d.n_blocks, depthwise_weights_item, &d);
    for (int p = 0; p < d.n_parts; p++) {
        in[p] = d.parts + (size_t)p * weights;
    }
    j->mc->k->vec_sum_f32(j->out, in, d.n_parts, weights);
}

const struct conv_room conv_depthwise = {.name = "depthwise",
                                         .can = depthwise_can,
                                         .scratch_bytes = depthwise_scratch_bytes,
                                         .run = depthwise_run};
