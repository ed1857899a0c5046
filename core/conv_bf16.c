/*
 * conv_bf16.c: convolution in bf16: inputs are rounded to the nearest (ties to even) on the way in,
 * products of two bf16 are exact in float, sums and results are float. Tensors in memory stay
 * float: rows of the source are rounded into a ring of kernel-height rows with a halo of zeros, as
 * conv_direct.c copies them, and each is rounded once. Two neighbouring channels are a pair, one
 * step of the product over taps; an odd last channel is paired with zero.
 *
 *   forward         pairs of input channels    x[pixel][c/2] . w[tap][c/2][k]
 *   backward data   pairs of output channels  dy[pixel][k/2] . w[tap][k/2][c]
 *   backward weights: conv_bf16_weights.c
 *
 * Against the same sums in double over the rounded inputs: |error| <= (n + 1) u sum|a||b|, n terms
 * with the zero of an odd last pair, u = 2^-24. Against the inputs as they were, rounding both
 * adds (2 v + v^2) sum|a||b|, v = 2^-9 / (1 + 2^-9): about 2^-8.
 */
#include "core/conv_rows.h"
#include "core/conv_room.h"
#include "core/kernel.h"
#include "core/threads.h"

#include <string.h>

/* Pixels of 1x1 convolutions that one item does; floats of them rounded at once, which half fill a
 * small L1 with their results. */
enum { BF16_FLAT_PIXELS = 1024, BF16_FLAT_FLOATS = 8192 };
/* Bands of an image are cut when images alone do not feed the threads, of at least so many rows. */
enum { BF16_MIN_BAND = 4 };

struct bf16_job {
    const struct conv_job *j;
    struct conv_rows m;
    const float *src;  /* [n, src_h, src_w, src_c] */
    int n_pairs;       /* of a source pixel */
    uint32_t *w;       /* [kh][place][n_pairs][dst_c] pairs */
    uint32_t *turned;  /* backward: [n_threads][dst_c][n_pairs], a tap before it is transposed */
    size_t tap_pairs;  /* n_pairs dst_c */
    bool flat;         /* 1x1: all pixels are one row */
    size_t row_pairs;  /* one row of the ring */
    size_t ring_pairs; /* of a thread */
    int n_bands, band; /* bands an image, rows a band */
    struct conv_phase *phases;
    uint32_t *rings;         /* [n_threads][ring_pairs] */
    struct kernel_tap *taps; /* [n_threads][kh] */
};

static struct bf16_job bf16_plan(const struct machine *mc, const struct conv_shape *s,
                                 enum conv_dir dir)
{
    struct bf16_job b = {.m = conv_rows_of(s, dir), .n_bands = 1};
    b.n_pairs = (b.m.src_c + 1) / 2;
    b.tap_pairs = (size_t)b.n_pairs * (size_t)b.m.dst_c;
    b.flat = s->kh == 1 && s->kw == 1 && s->pad == 0 && s->stride == 1;
    b.row_pairs = (size_t)(b.m.left + b.m.src_w + b.m.right) * (size_t)b.n_pairs;
    size_t flat = (size_t)MAX(BF16_FLAT_FLOATS / 2, b.n_pairs);
    b.ring_pairs = arena_round((b.flat ? flat : (size_t)b.m.n_slots * b.row_pairs) * 4) / 4;
    if (mc->n_threads > 1 && s->n < 4 * mc->n_threads) {
        int wanted = DIV_UP(4 * mc->n_threads, s->n);
        b.n_bands = MAX(1, MIN(wanted, b.m.dst_h / BF16_MIN_BAND));
    }
    b.band = DIV_UP(b.m.dst_h, b.n_bands);
    return b;
}

/* The weights of a tap in pairs; in backward transposed, at the place where they meet the source
 * (core/conv_rows.h). */
static void bf16_weights_tap(void *ctx, int tap, int i_thread)
{
    const struct bf16_job *b = ctx;
    const struct conv_shape *s = b->j->s;
    const struct kernels *kernels = b->j->mc->k;
    size_t k = (size_t)s->k;
    const float *w = b->j->w + (size_t)tap * (size_t)s->c * k;
    int place = tap / s->kw * s->kw + conv_rows_place(&b->m, tap % s->kw);
    uint32_t *to = b->w + (size_t)place * b->tap_pairs;
    if (b->m.back) {
        uint32_t *turned = b->turned + (size_t)i_thread * b->tap_pairs;
        kernels->bf16_pack(turned, w, (size_t)s->c, s->k, false);
        kernels->vec_transpose_f32((float *)(void *)to, s->c, (const float *)(void *)turned,
                                   b->n_pairs, s->c, b->n_pairs);
        return;
    }
    for (int i = 0; i < b->n_pairs; i++, w += 2 * k) {
        kernels->bf16_zip(to + (size_t)i * k, w, 2 * i + 1 < s->c ? w + k : NULL, k, false);
    }
}

/* The product for n_rows pixels from output element `at` on, y_step pixels apart. */
static void bf16_product(const struct bf16_job *b, const uint32_t *x, const struct kernel_tap *taps,
                         int n_taps, size_t at, size_t n_rows, int x_step, int y_step)
{
    struct kernel_post post;
    bool any = conv_direct_post(b->j, &post, at, 0);
    bool accumulate = any && !b->j->post && !b->j->mask; /* adding alone */
    struct kernel_gemm g = {.x = (const float *)(const void *)x,
                            .w = (const float *)(const void *)b->w,
                            .y = b->j->out + at,
                            .taps = taps,
                            .n_taps = n_taps,
                            .x_row = (ptrdiff_t)b->n_pairs * x_step,
                            .x_inner = 1,
                            .w_inner = b->m.dst_c,
                            .y_row = (ptrdiff_t)b->m.dst_c * y_step,
                            .n_rows = n_rows,
                            .n_cols = b->m.dst_c,
                            .accumulate = accumulate,
                            .post = any && !accumulate ? &post : NULL};
    b->j->mc->k->bf16_taps(&g);
}

static void bf16_flat_item(void *ctx, int item, int i_thread)
{
    const struct bf16_job *b = ctx;
    size_t n = (size_t)b->j->s->n * (size_t)b->m.src_h * (size_t)b->m.src_w;
    size_t p = (size_t)item * BF16_FLAT_PIXELS, end = MIN(p + BF16_FLAT_PIXELS, n);
    size_t step = b->ring_pairs / (size_t)b->n_pairs;
    uint32_t *x = b->rings + (size_t)i_thread * b->ring_pairs;
    const struct kernel_tap tap = {.n = b->n_pairs};
    for (; p < end; p += step) {
        size_t rows = MIN(step, end - p);
        b->j->mc->k->bf16_pack(x, b->src + p * (size_t)b->m.src_c, rows, b->m.src_c, b->j->relu_in);
        bf16_product(b, x, &tap, 1, p * (size_t)b->m.dst_c, rows, 1, 1);
    }
}

/* Round the source rows of destination row y that are not in the ring yet; copied: the last that
 * is. Fills where each kernel row's source row is, -1 for none. */
static void bf16_rows(const struct bf16_job *b, ptrdiff_t *rows, uint32_t *ring, const float *image,
                      int y, int *copied)
{
    int kh = b->j->s->kh;
    size_t image_row = (size_t)b->m.src_w * (size_t)b->m.src_c;
    for (int i = 0; i < kh; i++) {
        /* Kernel rows meet source rows upwards in forward, downwards in backward. */
        int r = b->m.back ? kh - 1 - i : i, from = conv_rows_source(&b->m, y, r);
        rows[r] = from < 0 ? -1 : (ptrdiff_t)(from % b->m.n_slots) * (ptrdiff_t)b->row_pairs;
        if (from > *copied) {
            b->j->mc->k->bf16_pack(ring + rows[r] + b->m.left * b->n_pairs,
                                   image + (size_t)from * image_row, (size_t)b->m.src_w, b->m.src_c,
                                   b->j->relu_in);
            *copied = from;
        }
    }
}

/* The taps of one phase: a run of neighbouring pixels for each kernel row. Returns how many; none
 * where nothing reaches these pixels. */
static int bf16_taps(const struct bf16_job *b, struct kernel_tap *taps, const ptrdiff_t *rows,
                     const struct conv_phase *f)
{
    const struct conv_shape *s = b->j->s;
    int n = 0;
    for (int r = 0; r < s->kh; r++) {
        if (rows[r] >= 0 && f->n_places > 0) {
            taps[n++] = (struct kernel_tap){.x = rows[r] + (ptrdiff_t)f->col * b->n_pairs,
                                            .w = (ptrdiff_t)(r * s->kw + f->place) *
                                                 (ptrdiff_t)b->tap_pairs,
                                            .n = f->n_places * b->n_pairs};
        }
    }
    return n;
}

/* Kernels are at most so high: a row's place waits on the stack. */
enum { BF16_MAX_KH = 16 };

static void bf16_band_item(void *ctx, int item, int i_thread)
{
    const struct bf16_job *b = ctx;
    const struct conv_shape *s = b->j->s;
    int i = item / b->n_bands, y0 = item % b->n_bands * b->band, copied = -1;
    size_t image = (size_t)b->m.src_h * (size_t)b->m.src_w * (size_t)b->m.src_c;
    uint32_t *ring = b->rings + (size_t)i_thread * b->ring_pairs;
    struct kernel_tap taps[BF16_MAX_KH];
    ptrdiff_t rows[BF16_MAX_KH];
    memset(ring, 0, b->ring_pairs * sizeof *ring); /* the halo */
    for (int y = y0; y < MIN(y0 + b->band, b->m.dst_h); y++) {
        bf16_rows(b, rows, ring, b->src + (size_t)i * image, y, &copied);
        for (int p = 0; p < b->m.n_phases; p++) {
            const struct conv_phase *f = &b->phases[p];
            size_t pixel = ((size_t)i * (size_t)b->m.dst_h + (size_t)y) * (size_t)b->m.dst_w +
                           (size_t)f->first;
            if (f->n_pixels > 0) {
                bf16_product(b, ring, taps, bf16_taps(b, taps, rows, f), pixel * (size_t)b->m.dst_c,
                             (size_t)f->n_pixels, b->m.back ? 1 : s->stride, b->m.step);
            }
        }
    }
}

static bool bf16_can(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir)
{
    (void)dir;
    return mc->bf16 && s->groups == 1 && s->kh <= BF16_MAX_KH;
}

/* Tiles are far ahead of everything. VDPBF16PS does two products where fp32 does one, Winograd one
 * where the definition wants four: on Zen 5 bf16 is at .6 to 1.07 of Winograd's speed, at 1.15 to
 * 2.1 of the direct one's, and behind it only where rounding the inputs is the larger part. Without
 * either (plain C, AVX2, NEON) it is never ahead: who asks for it there wants its results. */
bool conv_bf16_pays(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir,
                    enum conv_algo fp32)
{
    if (mc->tier != CPU_AVX512BF16) {
        return true;
    }
    bool thin = s->kh * s->kw == 1 && dir == CONV_BWD_WEIGHTS && s->c * s->k < 2048;
    return fp32 != CONV_WINOGRAD && !thin;
}

static size_t bf16_scratch_bytes(const struct machine *mc, const struct conv_shape *s,
                                 enum conv_dir dir)
{
    if (dir == CONV_BWD_WEIGHTS) {
        return conv_bf16_weights_bytes(mc, s);
    }
    struct bf16_job b = bf16_plan(mc, s, dir);
    size_t n_threads = (size_t)mc->n_threads;
    return arena_round((size_t)(s->kh * s->kw) * b.tap_pairs * sizeof *b.w) +
           (b.m.back ? arena_round(n_threads * b.tap_pairs * sizeof *b.turned) : 0) +
           arena_round(n_threads * b.ring_pairs * sizeof *b.rings) +
           arena_round((size_t)b.m.n_phases * sizeof *b.phases);
}

static void bf16_run(const struct conv_job *j)
{
    if (j->dir == CONV_BWD_WEIGHTS) {
        conv_bf16_weights_run(j);
        return;
    }
    const struct conv_shape *s = j->s;
    struct arena tmp = j->tmp;
    struct bf16_job b = bf16_plan(j->mc, s, j->dir);
    size_t n_threads = (size_t)j->mc->n_threads;
    b.j = j;
    b.src = b.m.back ? j->dy : j->x;
    b.w = arena_push(&tmp, (size_t)(s->kh * s->kw) * b.tap_pairs, sizeof *b.w);
    if (b.m.back) {
        b.turned = arena_push(&tmp, n_threads * b.tap_pairs, sizeof *b.turned);
    }
    b.rings = arena_push(&tmp, n_threads * b.ring_pairs, sizeof *b.rings);
    b.phases = arena_push(&tmp, (size_t)b.m.n_phases, sizeof *b.phases);
    for (int p = 0; p < b.m.n_phases; p++) {
        b.phases[p] = conv_rows_phase(&b.m, p);
    }
    threads_for(j->mc, s->kh * s->kw, bf16_weights_tap, &b);
    if (b.flat) {
        size_t pixels = (size_t)s->n * (size_t)b.m.src_h * (size_t)b.m.src_w;
        threads_for(j->mc, (int)DIV_UP(pixels, (size_t)BF16_FLAT_PIXELS), bf16_flat_item, &b);
    } else {
        threads_for(j->mc, s->n * b.n_bands, bf16_band_item, &b);
    }
}

const struct conv_room conv_bf16 = {
    .name = "bf16", .can = bf16_can, .scratch_bytes = bf16_scratch_bytes, .run = bf16_run};
