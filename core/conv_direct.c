/*
 * conv_direct.c: convolution forward and backward data by the product over taps (gemm_taps_f32).
 *
 * A row of output pixels is one call: its taps are the kernel's places, each a run of channels.
 * Rows above and below the image are taps left out. Where nothing is done to the input, it is read
 * in place: pixels of a row that see all columns of the kernel within the image are one call
 * together with those of the rows after it, and pixels at the left and right edge, which see fewer,
 * are calls down their columns:
 *
 *       | edge |      rows       | edge |
 *       |  :   | = = = = = = = = |  :   |
 *       |  :   | = = = = = = = = |  :   |     nothing is copied, no zero multiplied
 *
 * Else the rows of input a call reads are copied through ReLU into a ring of kernel-height rows
 * with a halo of zeros left and right; the ring stays in L1 and each row is copied once. 1x1
 * convolutions of stride 1 are conv_flat.c's.
 *
 * Backward data is the same with weights transposed; conv_rows.h says how strides are met.
 *
 * Each output is one chain of fused multiply-adds in a fixed order: |error| <= n u sum |a||b| with
 * n the number of terms and u = 2^-24.
 */
#include "core/conv_flat.h"
#include "core/conv_room.h"
#include "core/conv_rows.h"
#include "core/kernel.h"
#include "core/threads.h"

#include <string.h>

/* Source channels from which on a strided row out of the ring takes long enough to ask for the next
 * one; writes at stride 1 the processor foresees. */
enum { DIRECT_FAR_CHANNELS = 16 };
/* Bands of an image are cut when images alone do not feed the threads; each at least so many rows.
 */
enum { DIRECT_MIN_BAND = 4 };
/* Pixels of a row from which on it is read in place: parts of fewer are short calls (8 x 8 to 4 x 4
 * of 64 channels: .89 of the ring's speed). */
enum { DIRECT_MIN_PIXELS = 8 };
/* Lines of a block read in place: a call's way is long enough from 8 on, and what is asked ahead
 * gains up to 16; floats of the block, which stays in L2. */
enum { DIRECT_LINES = 16, DIRECT_LINE_FLOATS = 65536 };

/* One direction, seen as a map from source rows to destination rows. */
struct direct_job {
    const struct conv_job *j;
    struct conv_rows m;
    const float *w;            /* [kh, kw, src_c / groups, dst_c] */
    const float *src;          /* [n, src_h, src_w, src_c] */
    bool in_place;             /* rows are read where they are */
    bool far;                  /* what follows is asked for */
    bool any_post;             /* something is done to sums, or they go on from what is there */
    size_t row_floats;         /* one source row, with its halo if it is copied */
    int lines;                 /* rows of a block read in place */
    int n_bands, band;         /* bands an image, rows a band */
    struct conv_phase *parts;  /* [n_parts]: pixels that one call does */
    int n_parts, n_wide;       /* the first n_wide are done row by row, the others down a column */
    float *rings;              /* [n_threads][n_slots * row_floats] */
    struct kernel_tap *taps;   /* [n_threads][kh * kw] */
    struct kernel_gemm *calls; /* [n_threads][n_wide]: what calls for rows have in common */
    ptrdiff_t *rows;           /* [n_threads][kh]: where each kernel row's source row is, or -1 */
};

/* Everything that follows from the shape. */
static struct direct_job direct_plan(const struct machine *mc, const struct conv_shape *s,
                                     enum conv_dir dir, bool relu_in)
{
    struct direct_job d = {.m = conv_rows_of(s, dir), .n_bands = 1};
    const struct conv_rows *m = &d.m;
    bool halo = m->left + m->right > 0;
    d.in_place = !relu_in && (!halo || (s->groups == 1 && m->dst_w >= DIRECT_MIN_PIXELS * m->step));
    d.row_floats = (size_t)(m->src_w + (d.in_place ? 0 : m->left + m->right)) * (size_t)m->src_c;
    if (mc->n_threads > 1 && s->n < 4 * mc->n_threads) {
        int wanted = DIV_UP(4 * mc->n_threads, s->n);
        d.n_bands = MAX(1, MIN(wanted, d.m.dst_h / DIRECT_MIN_BAND));
    }
    d.band = DIV_UP(d.m.dst_h, d.n_bands);
    size_t src = (size_t)m->src_h * (size_t)m->src_w * (size_t)m->src_c;
    size_t dst = (size_t)m->dst_h * (size_t)m->dst_w * (size_t)m->dst_c,
           all = (size_t)s->n * (src + dst);
    d.far = d.in_place ? all > CONV_FAR_FLOATS
                       : s->stride > 1 && m->src_c >= DIRECT_FAR_CHANNELS &&
                             all > 2 * (size_t)CONV_FAR_FLOATS;
    size_t line = (src + dst) * (size_t)m->step / (size_t)m->dst_h;
    d.lines = (int)MAX((size_t)1, MIN((size_t)DIRECT_LINES, DIRECT_LINE_FLOATS / line));
    return d;
}

static size_t direct_weights(const struct conv_shape *s)
{
    return (size_t)s->kh * (size_t)s->kw * (size_t)(s->c / s->groups) * (size_t)s->k;
}

static size_t direct_ring_floats(const struct direct_job *d)
{
    return arena_round((size_t)d->m.n_slots * d->row_floats * sizeof(float)) / sizeof(float);
}

/* Transpose the weights of a tap within each group, [c/g, k] to [k/g, c]. The columns of a kernel
 * row are laid out phase by phase, the last first: in the order in which they meet source columns.
 */
static void direct_transpose_tap(void *ctx, int tap, int i_thread)
{
    const struct direct_job *d = ctx;
    const struct conv_shape *s = d->j->s;
    (void)i_thread;
    int cg = s->c / s->groups, kg = s->k / s->groups;
    int place = tap / s->kw * s->kw + conv_rows_place(&d->m, tap % s->kw);
    const float *w = d->j->w + (size_t)tap * (size_t)cg * (size_t)s->k;
    float *t = (float *)d->w + (size_t)place * (size_t)kg * (size_t)s->c;
    for (int g = 0; g < s->groups; g++) {
        d->j->mc->k->vec_transpose_f32(t + g * cg, s->c, w + g * kg, s->k, cg, kg);
    }
}

/* What is done to outputs beginning at element `at` and column `col`; false for nothing. */
bool conv_direct_post(const struct conv_job *j, struct kernel_post *post, size_t at, int col)
{
    static const enum kernel_act acts[] = {[CONV_ACT_NONE] = KERNEL_NO_ACT,
                                           [CONV_ACT_RELU] = KERNEL_RELU,
                                           [CONV_ACT_RELU6] = KERNEL_RELU6,
                                           [CONV_ACT_HSWISH] = KERNEL_HSWISH};
    const struct conv_post *p = j->post;
    *post = (struct kernel_post){.act = KERNEL_NO_ACT};
    if (p) {
        post->scale = p->scale ? p->scale + col : NULL;
        post->shift = p->shift ? p->shift + col : NULL;
        post->add = p->add ? p->add + at : NULL;
        post->act = acts[p->act];
    }
    post->mask = j->mask ? j->mask + at : NULL;
    post->into = j->add;
    return p || j->mask || j->add;
}

/* The same for gemm_taps: adding alone is to begin the sums with what is there. */
void conv_direct_gemm_post(const struct conv_job *j, struct kernel_gemm *g,
                           struct kernel_post *post, size_t at, int col)
{
    bool any = conv_direct_post(j, post, at, col);
    g->accumulate = any && !j->post && !j->mask;
    g->post = any && !g->accumulate ? post : NULL;
}

/* Copy source row y of the image into its slot. */
static void direct_copy_row(const struct direct_job *d, float *ring, const float *image, int y)
{
    float *to =
        ring + (size_t)(y % d->m.n_slots) * d->row_floats + (size_t)(d->m.left * d->m.src_c);
    const float *from = image + (size_t)y * (size_t)d->m.src_w * (size_t)d->m.src_c;
    size_t n = (size_t)d->m.src_w * (size_t)d->m.src_c;
    if (d->j->relu_in) {
        d->j->mc->k->vec_act_f32(to, from, n, KERNEL_RELU);
    } else {
        memcpy(to, from, n * sizeof *to);
    }
}

/* The taps of one phase, from the source rows of this destination row; returns how many. */
static int direct_taps(const struct direct_job *d, struct kernel_tap *taps, const ptrdiff_t *rows,
                       const struct conv_phase *f)
{
    const struct conv_shape *s = d->j->s;
    int sg = d->m.src_c / s->groups, n = 0;
    ptrdiff_t weights = (ptrdiff_t)sg * d->m.dst_c;
    bool one_run = s->groups == 1;
    for (int r = 0; r < s->kh; r++) {
        if (rows[r] < 0) {
            continue;
        }
        struct kernel_tap t = {.x = rows[r] + (ptrdiff_t)f->col * d->m.src_c,
                               .w = (ptrdiff_t)(r * s->kw + f->place) * weights,
                               .n = one_run ? f->n_places * sg : sg};
        for (int q = 0; q < (one_run ? MIN(1, f->n_places) : f->n_places); q++) {
            taps[n++] = t;
            t.x += d->m.src_c;
            t.w += weights;
        }
    }
    return n;
}

/* A part's share of the row that follows destination row y of image i. */
static struct kernel_ahead direct_next_row(const struct direct_job *d, int i, int y, int i_part)
{
    size_t row = (size_t)d->m.dst_w * (size_t)d->m.dst_c, part = row / (size_t)d->n_wide;
    size_t next = (size_t)i * (size_t)d->m.dst_h + (size_t)y + 1;
    if (next == (size_t)d->j->s->n * (size_t)d->m.dst_h) {
        return (struct kernel_ahead){0};
    }
    return (struct kernel_ahead){d->j->out + next * row + part * (size_t)i_part, part};
}

/* What the calls for rows of one part have in common. Made once for all rows: a call is short, and
 * whatever it stores waits behind the sums of the call before (16 x 16 of 32 terms: 6 %). */
static struct kernel_gemm direct_call(const struct direct_job *d, const struct conv_phase *f,
                                      const float *ring, const struct kernel_tap *taps)
{
    return (struct kernel_gemm){
        .x = ring,
        .w = d->w,
        .taps = taps,
        .x_row = (ptrdiff_t)d->m.src_c * conv_rows_pace(&d->m),
        .x_inner = 1,
        .w_inner = d->m.dst_c,
        .y_row = (ptrdiff_t)d->m.dst_c * d->m.step,
        .n_rows = (size_t)f->n_pixels,
        .n_cols = d->m.dst_c / d->j->s->groups,
    };
}

/* One part of destination row y of image i, and of as many after it as the call says, with the
 * source rows of x. */
static void direct_part(const struct direct_job *d, struct kernel_gemm *g, const float *x, int i,
                        int y, const struct conv_phase *f, struct kernel_tap *taps,
                        const ptrdiff_t *rows)
{
    int groups = d->j->s->groups, sg = d->m.src_c / groups, dg = d->m.dst_c / groups;
    /* No taps where nothing reaches these pixels: they are zeros, or stay as they are. */
    g->n_taps = direct_taps(d, taps, rows, f);
    size_t pixel =
        ((size_t)i * (size_t)d->m.dst_h + (size_t)y) * (size_t)d->m.dst_w + (size_t)f->first;
    struct kernel_post post;
    for (int k = 0; k < groups; k++) {
        size_t at = pixel * (size_t)d->m.dst_c + (size_t)(k * dg);
        g->y = d->j->out + at;
        if (d->in_place || groups > 1) {
            g->x = x + k * sg;
            g->w = d->w + k * dg;
        }
        if (k > 0 && d->far) {
            g->ahead[0] = g->ahead[1] = (struct kernel_ahead){0};
        }
        if (d->any_post) {
            conv_direct_gemm_post(d->j, g, &post, at, k * dg);
        }
        d->j->mc->k->gemm_taps_f32(g);
    }
}

/* Where the source rows of destination row y are; copies those that are not in the ring yet and
 * asks for the ones after them. copied: the last source row in the ring. */
static void direct_rows(const struct direct_job *d, ptrdiff_t *rows, float *ring,
                        const float *image, int y, int *copied)
{
    const struct conv_shape *s = d->j->s;
    size_t image_row = (size_t)d->m.src_w * (size_t)d->m.src_c;
    int before = *copied;
    for (int i = 0; i < s->kh; i++) {
        /* Kernel rows meet source rows upwards in forward, downwards in backward. */
        int r = d->m.back ? s->kh - 1 - i : i, from = conv_rows_source(&d->m, y, r);
        rows[r] = -1;
        if (from >= 0) {
            int slot = d->in_place ? from : from % d->m.n_slots;
            rows[r] = (ptrdiff_t)slot * (ptrdiff_t)d->row_floats;
        }
        if (!d->in_place && from > *copied) {
            direct_copy_row(d, ring, image, from);
            *copied = from;
        }
    }
    for (int i = 1; i <= *copied - before && *copied + i < d->m.src_h; i++) {
        conv_room_prefetch(image + (size_t)(*copied + i) * image_row, 1, image_row, 0);
    }
}

/* Parts of one pixel in destination rows y0 .. y1 - 1: down their column. */
static void direct_columns(const struct direct_job *d, const float *image, int i, int y0, int y1,
                           struct kernel_tap *taps, ptrdiff_t *rows)
{
    const int step = d->m.step;
    for (const struct conv_phase *f = d->parts + d->n_wide; f < d->parts + d->n_parts; f++) {
        struct kernel_gemm g = direct_call(d, f, image, taps);
        g.x_row = (ptrdiff_t)d->row_floats * conv_rows_pace(&d->m);
        g.y_row = (ptrdiff_t)step * d->m.dst_w * d->m.dst_c;
        for (int s = y0; s < MIN(y0 + step, y1); s++) {
            for (int y = s; y < y1; y += (int)g.n_rows * step) {
                direct_rows(d, rows, NULL, image, y, &(int){-1});
                g.n_rows = (size_t)MIN(conv_rows_alike(&d->m, y), DIV_UP(y1 - y, step));
                direct_part(d, &g, image, i, y, f, taps, rows);
            }
        }
    }
}

/* Floats at .. at + len of `all` from p on: the share of n of total lines, from `done` on. */
static struct kernel_ahead direct_share(const float *p, size_t at, size_t len, size_t all,
                                        size_t done, size_t n, size_t total)
{
    size_t first = at + len * done / total, end = MIN(all, at + len * (done + n) / total);
    return first < end ? (struct kernel_ahead){p + first, end - first} : (struct kernel_ahead){0};
}

/* What as many rows as y0 .. y1 - 1 of image i, those after them, will read and write: the share of
 * n of their lines, from `done` on. */
static void direct_ahead(const struct direct_job *d, struct kernel_gemm *g, int i, int y0, int y1,
                         size_t done, size_t n)
{
    size_t images = (size_t)d->j->s->n, h = (size_t)d->m.dst_h, len = (size_t)(y1 - y0);
    size_t dst = h * (size_t)d->m.dst_w * (size_t)d->m.dst_c;
    size_t src = (size_t)d->m.src_h * d->row_floats;
    size_t rows = (size_t)i * h + (size_t)y1, total = len * (size_t)d->n_wide;
    g->ahead[0] =
        direct_share(d->j->out, rows * dst / h, len * dst / h, images * dst, done, n, total);
    g->ahead[1] = direct_share(d->src, rows * src / h + d->row_floats, len * src / h, images * src,
                               done, n, total);
}

/* Parts of rows y0 .. y1 - 1, read in place: rows that see the same kernel rows at once. */
static void direct_lines(const struct direct_job *d, const float *image, int i, int y0, int y1,
                         struct kernel_gemm *calls, struct kernel_tap *taps, ptrdiff_t *rows)
{
    const int step = d->m.step;
    size_t done = 0;
    for (int s = y0; s < MIN(y0 + step, y1); s++) {
        for (int y = s, n; y < y1; y += n * step) {
            n = MIN(conv_rows_alike(&d->m, y), DIV_UP(y1 - y, step));
            direct_rows(d, rows, NULL, image, y, &(int){-1});
            for (int p = 0; p < d->n_wide; p++) {
                calls[p].more =
                    (struct kernel_lines){n - 1, (ptrdiff_t)d->row_floats * conv_rows_pace(&d->m),
                                          (ptrdiff_t)step * d->m.dst_w * d->m.dst_c};
                if (d->far) {
                    direct_ahead(d, &calls[p], i, y0, y1, done, (size_t)n);
                    done += (size_t)n;
                }
                direct_part(d, &calls[p], image, i, y, &d->parts[p], taps, rows);
            }
        }
    }
}

static void direct_band_item(void *ctx, int item, int i_thread)
{
    const struct direct_job *d = ctx;
    const struct conv_shape *s = d->j->s;
    int i = item / d->n_bands, y0 = item % d->n_bands * d->band;
    const float *image =
        d->src + (size_t)i * (size_t)d->m.src_h * (size_t)d->m.src_w * (size_t)d->m.src_c;
    float *ring = d->rings + (size_t)i_thread * direct_ring_floats(d);
    struct kernel_tap *taps = d->taps + (size_t)i_thread * (size_t)(s->kh * s->kw);
    ptrdiff_t *rows = d->rows + (size_t)i_thread * (size_t)s->kh;
    struct kernel_gemm *calls = d->calls + (size_t)i_thread * (size_t)d->n_wide;
    for (int p = 0; p < d->n_wide; p++) {
        calls[p] = direct_call(d, &d->parts[p], ring, taps);
    }
    if (!d->in_place) {
        memset(ring, 0, (size_t)d->m.n_slots * d->row_floats * sizeof *ring);
    }
    int copied = -1, y1 = MIN(y0 + d->band, d->m.dst_h);
    for (int y = y0; d->in_place && y < y1; y += d->lines * d->m.step) {
        direct_lines(d, image, i, y, MIN(y1, y + d->lines * d->m.step), calls, taps, rows);
    }
    for (int y = y0; !d->in_place && y < y1; y++) {
        direct_rows(d, rows, ring, image, y, &copied);
        for (int p = 0; p < d->n_wide; p++) {
            if (d->far) {
                calls[p].ahead[0] = direct_next_row(d, i, y, p);
            }
            direct_part(d, &calls[p], ring, i, y, &d->parts[p], taps, rows);
        }
    }
    direct_columns(d, image, i, y0, y1, taps, rows);
}

static bool direct_can(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir)
{
    (void)mc;
    (void)s;
    (void)dir;
    return true;
}

static size_t direct_prepare_bytes(const struct conv_shape *s, enum conv_dir dir)
{
    return dir == CONV_BWD_DATA ? arena_round(direct_weights(s) * sizeof(float)) : 0;
}

/* The transposed weights of backward data. */
static void direct_prepare(const struct conv_job *j, float *w)
{
    struct direct_job d = {.j = j, .m = conv_rows_of(j->s, j->dir), .w = w};
    threads_for(j->mc, j->s->kh * j->s->kw, direct_transpose_tap, &d);
}

static size_t direct_scratch_bytes(const struct machine *mc, const struct conv_shape *s,
                                   enum conv_dir dir)
{
    if (dir == CONV_BWD_WEIGHTS) {
        return conv_wgrad_scratch_bytes(mc, s);
    }
    if (conv_flat_is(s)) {
        return conv_flat_scratch_bytes(mc, s, dir) + direct_prepare_bytes(s, dir);
    }
    struct direct_job d = direct_plan(mc, s, dir, true);
    size_t bytes = arena_round((size_t)mc->n_threads * direct_ring_floats(&d) * sizeof(float));
    bytes += arena_round((size_t)mc->n_threads * (size_t)(s->kh * s->kw) * sizeof *d.taps);
    bytes += arena_round((size_t)mc->n_threads * (size_t)s->kh * sizeof *d.rows);
    bytes += arena_round((size_t)mc->n_threads * (size_t)d.m.dst_w * sizeof *d.calls);
    bytes += arena_round((size_t)d.m.dst_w * sizeof *d.parts);
    return bytes + direct_prepare_bytes(s, dir);
}

/* Cut destination columns into parts; keeps those of more than one pixel, or the others. */
static void direct_cut(struct direct_job *d, bool wide)
{
    for (int p = 0; p < d->m.n_phases; p++) {
        const struct conv_phase f = conv_rows_phase(&d->m, p);
        struct conv_phase part;
        for (int i = 0; i < f.n_pixels; i += part.n_pixels) {
            part = d->in_place ? conv_rows_part(&d->m, &f, i) : f;
            if ((!d->in_place || part.n_pixels > 1) == wide) {
                d->parts[d->n_parts++] = part;
            }
        }
    }
}

static void direct_run_rows(const struct conv_job *j)
{
    const struct conv_shape *s = j->s;
    struct arena tmp = j->tmp;
    const float *w = j->prepared ? j->prepared : j->w;
    if (j->dir == CONV_BWD_DATA && !j->prepared) {
        float *by_place = arena_push(&tmp, direct_weights(s), sizeof *by_place);
        direct_prepare(j, by_place);
        w = by_place;
    }
    if (conv_flat_is(s)) {
        conv_flat_run(j, w, tmp);
        return;
    }
    struct direct_job d = direct_plan(j->mc, s, j->dir, j->relu_in);
    size_t n_threads = (size_t)j->mc->n_threads;
    d.j = j;
    d.src = d.m.back ? j->dy : j->x;
    d.w = w;
    d.rings = arena_push(&tmp, n_threads * direct_ring_floats(&d), sizeof(float));
    d.taps = arena_push(&tmp, n_threads * (size_t)(s->kh * s->kw), sizeof *d.taps);
    d.rows = arena_push(&tmp, n_threads * (size_t)s->kh, sizeof *d.rows);
    d.calls = arena_push(&tmp, n_threads * (size_t)d.m.dst_w, sizeof *d.calls);
    d.any_post = j->post || j->mask || j->add;
    d.parts = arena_push(&tmp, (size_t)d.m.dst_w, sizeof *d.parts);
    direct_cut(&d, true);
    d.n_wide = d.n_parts;
    direct_cut(&d, false);
    threads_for(j->mc, s->n * d.n_bands, direct_band_item, &d);
}

static void direct_run(const struct conv_job *j)
{
    if (j->dir == CONV_BWD_WEIGHTS) {
        conv_wgrad_run(j);
    } else {
        direct_run_rows(j);
    }
}

const struct conv_room conv_direct = {.name = "direct",
                                      .can = direct_can,
                                      .scratch_bytes = direct_scratch_bytes,
                                      .run = direct_run,
                                      .prepare_bytes = direct_prepare_bytes,
                                      .prepare = direct_prepare};
