/*
 * conv_direct.c: convolution forward and backward data by the product over taps (gemm_taps_f32).
 *
 * A row of output pixels is one call: its taps are the kernel's places, each a run of channels. The
 * rows of input a call reads are copied (through ReLU if asked) into a ring of kernel-height rows
 * with a halo of zeros left and right; the ring stays in L1 and each row is copied once. Rows above
 * and below the image are taps left out. 1x1 convolutions of stride 1 are conv_flat.c's.
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

/* Source channels from which on a strided row takes long enough to ask for the next one; writes at
 * stride 1 the processor foresees. */
enum { DIRECT_FAR_CHANNELS = 16 };
/* Bands of an image are cut when images alone do not feed the threads; each at least so many rows.
 */
enum { DIRECT_MIN_BAND = 4 };

/* One direction, seen as a map from source rows to destination rows. */
struct direct_job {
    const struct conv_job *j;
    struct conv_rows m;
    const float *w;    /* [kh, kw, src_c / groups, dst_c] */
    const float *src;  /* [n, src_h, src_w, src_c] */
    bool in_place;     /* rows are read where they are */
    bool far;          /* the next destination row is asked for */
    bool any_post;     /* something is done to sums, or they go on from what is there */
    size_t row_floats; /* one copied row */
    int n_bands, band; /* bands an image, rows a band */
    struct conv_phase *phases;
    float *rings;              /* [n_threads][n_slots * row_floats] */
    struct kernel_tap *taps;   /* [n_threads][kh * kw] */
    struct kernel_gemm *calls; /* [n_threads][n_phases]: what calls for rows have in common */
    ptrdiff_t *rows;           /* [n_threads][kh]: where each kernel row's source row is, or -1 */
};

/* Everything that follows from the shape. */
static struct direct_job direct_plan(const struct machine *mc, const struct conv_shape *s,
                                     enum conv_dir dir, bool relu_in)
{
    struct direct_job d = {.m = conv_rows_of(s, dir), .n_bands = 1};
    d.in_place = !relu_in && d.m.left == 0 && d.m.right == 0;
    d.row_floats = (size_t)(d.m.left + d.m.src_w + d.m.right) * (size_t)d.m.src_c;
    if (mc->n_threads > 1 && s->n < 4 * mc->n_threads) {
        int wanted = DIV_UP(4 * mc->n_threads, s->n);
        d.n_bands = MAX(1, MIN(wanted, d.m.dst_h / DIRECT_MIN_BAND));
    }
    d.band = DIV_UP(d.m.dst_h, d.n_bands);
    size_t src = (size_t)d.m.src_h * (size_t)d.m.src_w * (size_t)d.m.src_c;
    size_t dst = (size_t)d.m.dst_h * (size_t)d.m.dst_w * (size_t)d.m.dst_c;
    d.far = s->stride > 1 && d.m.src_c >= DIRECT_FAR_CHANNELS &&
            (size_t)s->n * (src + dst) > 2 * (size_t)CONV_FAR_FLOATS;
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

/* A phase's share of the row that follows destination row y of image i. */
static struct kernel_ahead direct_next_row(const struct direct_job *d, int i, int y, int phase)
{
    size_t row = (size_t)d->m.dst_w * (size_t)d->m.dst_c, part = row / (size_t)d->m.n_phases;
    size_t next = (size_t)i * (size_t)d->m.dst_h + (size_t)y + 1;
    if (next == (size_t)d->j->s->n * (size_t)d->m.dst_h) {
        return (struct kernel_ahead){0};
    }
    return (struct kernel_ahead){d->j->out + next * row + part * (size_t)phase, part};
}

/* What the calls for rows of one phase have in common. Made once for all rows: a call is short, and
 * whatever it stores waits behind the sums of the call before (16 x 16 of 32 terms: 6 %). */
static struct kernel_gemm direct_call(const struct direct_job *d, const struct conv_phase *f,
                                      const float *ring, const struct kernel_tap *taps)
{
    return (struct kernel_gemm){
        .x = ring,
        .w = d->w,
        .taps = taps,
        .x_row = (ptrdiff_t)d->m.src_c * (d->m.back ? 1 : d->j->s->stride),
        .x_inner = 1,
        .w_inner = d->m.dst_c,
        .y_row = (ptrdiff_t)d->m.dst_c * d->m.step,
        .n_rows = (size_t)f->n_pixels,
        .n_cols = d->m.dst_c / d->j->s->groups,
    };
}

/* One phase of destination row y of image i, with the source rows of x. */
static void direct_row_phase(const struct direct_job *d, struct kernel_gemm *g, const float *x,
                             int i, int y, const struct conv_phase *f, struct kernel_tap *taps,
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
        if (d->far) {
            g->ahead[0] =
                k == 0 ? direct_next_row(d, i, y, (int)(f - d->phases)) : (struct kernel_ahead){0};
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
        conv_room_prefetch(image + (size_t)(*copied + i) * image_row, 1, image_row, 0, false);
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
    struct kernel_gemm *calls = d->calls + (size_t)i_thread * (size_t)d->m.n_phases;
    for (int p = 0; p < d->m.n_phases; p++) {
        calls[p] = direct_call(d, &d->phases[p], ring, taps);
    }
    if (!d->in_place) {
        memset(ring, 0, (size_t)d->m.n_slots * d->row_floats * sizeof *ring);
    }
    int copied = -1;
    for (int y = y0; y < MIN(y0 + d->band, d->m.dst_h); y++) {
        direct_rows(d, rows, ring, image, y, &copied);
        for (int p = 0; p < d->m.n_phases; p++) {
            if (d->phases[p].n_pixels > 0) {
                const float *x = d->in_place ? image : ring;
                direct_row_phase(d, &calls[p], x, i, y, &d->phases[p], taps, rows);
            }
        }
    }
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
    bytes += arena_round((size_t)mc->n_threads * (size_t)d.m.n_phases * sizeof *d.calls);
    bytes += arena_round((size_t)d.m.n_phases * sizeof *d.phases);
    return bytes + direct_prepare_bytes(s, dir);
}

static void direct_run_rows(const struct conv_job *j)
{
    const struct conv_shape *s = j->s;
    struct arena tmp = j->tmp;
    struct direct_job d = direct_plan(j->mc, s, j->dir, j->relu_in);
    size_t n_threads = (size_t)j->mc->n_threads;
    d.j = j;
    d.src = d.m.back ? j->dy : j->x;
    d.w = j->prepared ? j->prepared : j->w;
    if (d.m.back && !j->prepared) {
        float *w = arena_push(&tmp, direct_weights(s), sizeof *w);
        direct_prepare(j, w);
        d.w = w;
    }
    if (conv_flat_is(s)) {
        conv_flat_run(j, d.w, tmp);
        return;
    }
    d.rings = arena_push(&tmp, n_threads * direct_ring_floats(&d), sizeof(float));
    d.taps = arena_push(&tmp, n_threads * (size_t)(s->kh * s->kw), sizeof *d.taps);
    d.rows = arena_push(&tmp, n_threads * (size_t)s->kh, sizeof *d.rows);
    d.calls = arena_push(&tmp, n_threads * (size_t)d.m.n_phases, sizeof *d.calls);
    d.any_post = j->post || j->mask || j->add;
    d.phases = arena_push(&tmp, (size_t)d.m.n_phases, sizeof *d.phases);
    for (int p = 0; p < d.m.n_phases; p++) {
        d.phases[p] = conv_rows_phase(&d.m, p);
    }
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
