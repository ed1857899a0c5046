/*
 * conv_winograd.c: 3x3 convolutions of stride 1, forward and backward data, by Winograd's F(4x4,
 * 3x3) [Lavin2016]: 36 products a tile of 4x4 outputs where the definition needs 144.
 *
 *   y = A^T [ (G g G^T) . (B^T d B) ] A        d: 6x6 inputs of a tile, g: the 3x3 weights
 *
 * A group of tiles goes through all three stages while it is in L2: input transform to
 * v[36][tile][c], 36 products v[e] u[e] to m[36][tile][k], output transform with the post fused.
 * Tiles are counted over the whole batch, so small images fill the groups too. Tiles at the border
 * read zeros outside the image and write only what exists.
 *
 * Backward data is the same convolution of dy, with weights turned by half and transposed.
 *
 * Error: a tile mixes its 6x6 inputs, so the bound is on the largest sum of a neighbourhood:
 * |error| <= CONV_WINOGRAD_FACTOR u max(sum|a||b|), u = 2^-24. On uniform random data a third of
 * it is seen (46 u, 2.7e-6); tests/test_core_numerics.c holds the bound.
 *
 * conv_winograd_bf16 rounds what is multiplied, v and u, to bf16 (two neighbouring channels are a
 * pair, core/kernel_bf16.def); transforms and sums stay float. The tile mixes its inputs before
 * they are rounded, so what rounding loses is spread over all of them and comes out larger than in
 * conv_bf16.c, which rounds inputs: on normal data 2.4 % of a result's usual size, there .23 %;
 * bound: CONV_WINOGRAD_BF16_FACTOR 2^-9 max(sum|a||b|).
 */
#include "core/conv_room.h"
#include "core/kernel.h"
#include "core/threads.h"
#include "core/wino_tiles.h"

#include <string.h>

/* Floats of v and m of a group of tiles: half of a 1 MiB L2, the weights stream through the rest.
 * At most 28 tiles: with 24, 32, 40 or 56 sixteen channels take 2 to 8 % longer. */
enum { WINO_GROUP_FLOATS = 131072, WINO_MAX_TILES = 28 };
/* Smaller tensors than these two together are near anyway. */
enum { WINO_NEAR_FLOATS = 65536 };
/* Outputs are shared in whole cache lines. */
enum { WINO_LINE = 16 };
/* With fewer tiles a thread, outputs are shared among the threads instead of tiles. */
enum { WINO_FEW_TILES = 8 };
/* Weights transformed by one item. */
enum { WINO_WEIGHTS_CHUNK = 4096 };

struct wino_job {
    const struct conv_job *j;
    struct wino_source src; /* its channels are what is summed over */
    int dst_h, dst_w, k;
    struct wino_tiles tiles;
    int n_tiles, group;            /* in all, in a group */
    int slice, n_slices;           /* outputs an item makes, items a group */
    size_t v_step, m_step, u_step; /* floats between planes */
    bool far;                      /* what tiles read and write is asked for ahead */
    bool bf16;
    uint32_t *pairs; /* bf16: [n_threads][group][c / 2], a plane of v */
    const float *w9; /* [9, c, k], first tap at w9, the next at w9 + w9_step */
    ptrdiff_t w9_step;
    const float *u; /* [36][u_step] */
    float *scratch; /* [n_threads][36 (v_step + m_step)] */
};

static struct wino_job wino_plan(const struct machine *mc, const struct conv_shape *s,
                                 enum conv_dir dir)
{
    bool back = dir == CONV_BWD_DATA;
    struct wino_job w = {.src = {.h = back ? s->oh : s->h,
                                 .w = back ? s->ow : s->w,
                                 .c = back ? s->k : s->c,
                                 .pad = back ? 2 - s->pad : s->pad},
                         .dst_h = back ? s->h : s->oh,
                         .dst_w = back ? s->w : s->ow,
                         .k = back ? s->c : s->k};
    w.tiles = wino_tiles_of(w.dst_h, w.dst_w);
    w.n_tiles = w.tiles.in_image * s->n;
    w.far = (size_t)s->n * ((size_t)s->h * (size_t)s->w * (size_t)s->c +
                            (size_t)s->oh * (size_t)s->ow * (size_t)s->k) >
            WINO_NEAR_FLOATS;
    int fit = WINO_GROUP_FLOATS / (WINO_E * (w.src.c + w.k));
    w.slice = w.k;
    w.n_slices = 1;
    if (w.n_tiles < WINO_FEW_TILES * mc->n_threads) {
        /* The weights are what is read: each thread has its share of them. */
        w.slice = DIV_UP(DIV_UP(w.k, mc->n_threads), WINO_LINE) * WINO_LINE;
        w.n_slices = DIV_UP(w.k, w.slice);
    }
    w.group = MAX(1, MIN(fit, (int)WINO_MAX_TILES));
    /* As many rounds of all threads, and none of them short. */
    int n_at_once = DIV_UP(mc->n_threads, w.n_slices);
    w.group = DIV_UP(w.n_tiles, n_at_once * DIV_UP(w.n_tiles, n_at_once * w.group));
    w.v_step = wino_tiles_step((size_t)w.group * (size_t)w.src.c);
    w.m_step = wino_tiles_step((size_t)w.group * (size_t)w.k);
    w.u_step = wino_tiles_step((size_t)w.src.c * (size_t)w.k);
    return w;
}

static size_t wino_thread_floats(const struct wino_job *w)
{
    return WINO_E * (w->v_step + w->m_step);
}

static size_t wino_pairs(const struct wino_job *w)
{
    size_t pairs = (size_t)w->group * (size_t)(w->src.c / 2);
    return arena_round(pairs * sizeof *w->pairs) / sizeof *w->pairs;
}

/* Transpose one tap: [c, k] to [k, c]. */
static void wino_transpose_tap(void *ctx, int tap, int i_thread)
{
    const struct wino_job *w = ctx;
    (void)i_thread;
    size_t plane = (size_t)w->src.c * (size_t)w->k;
    const float *from = w->j->w + (size_t)tap * plane; /* [k of the job, c of the job] */
    float *to = (float *)w->w9 + (ptrdiff_t)(8 - tap) * w->w9_step;
    w->j->mc->k->vec_transpose_f32(to, w->k, from, w->src.c, w->k, w->src.c);
}

static void wino_weights_item(void *ctx, int item, int i_thread)
{
    const struct wino_job *w = ctx;
    (void)i_thread;
    size_t at = (size_t)item * WINO_WEIGHTS_CHUNK;
    size_t n = MIN((size_t)WINO_WEIGHTS_CHUNK, (size_t)w->src.c * (size_t)w->k - at);
    w->j->mc->k->wino_weights_f32((float *)w->u + at, (ptrdiff_t)w->u_step, w->w9 + at, w->w9_step,
                                  n);
}

/* The tiles from t on that lie in its row, n at most; outputs k0 on, n_k of them. How many. */
static int wino_output(const struct wino_job *w, const float *m, struct wino_tile t, int n, int k0,
                       int n_k)
{
    static const enum kernel_act acts[] = {[CONV_ACT_NONE] = KERNEL_NO_ACT,
                                           [CONV_ACT_RELU] = KERNEL_RELU,
                                           [CONV_ACT_RELU6] = KERNEL_RELU6,
                                           [CONV_ACT_HSWISH] = KERNEL_HSWISH};
    size_t at =
        (((size_t)t.image * (size_t)w->dst_h + (size_t)t.y) * (size_t)w->dst_w + (size_t)t.x) *
            (size_t)w->k +
        (size_t)k0;
    const struct conv_post *p = w->j->post;
    struct kernel_post post = {.act = p ? acts[p->act] : KERNEL_NO_ACT,
                               .scale = p && p->scale ? p->scale + k0 : NULL,
                               .shift = p && p->shift ? p->shift + k0 : NULL,
                               .add = p && p->add ? p->add + at : NULL,
                               .mask = w->j->mask ? w->j->mask + at : NULL,
                               .into = w->j->add};
    struct kernel_wino_out o = {.m = m,
                                .m_step = (ptrdiff_t)w->m_step,
                                .y = w->j->out + at,
                                .y_pixel = w->k,
                                .y_row = (ptrdiff_t)w->dst_w * w->k,
                                .n_tiles = MIN(n, w->tiles.in_row - t.x / 4),
                                .n_rows = MIN(4, w->dst_h - t.y),
                                .n = n_k,
                                .post = p || w->j->mask || w->j->add ? &post : NULL};
    o.n_cols = MIN(4 * o.n_tiles, w->dst_w - t.x);
    w->j->mc->k->wino_output_f32(&o);
    return o.n_tiles;
}

/* What the group of tiles from `first` on will read, asked for while the group before is
 * multiplied. */
static struct kernel_ahead wino_ahead_in(const struct wino_job *w, int first)
{
    return wino_tiles_ahead(&w->tiles, w->src.data, MIN(first, w->n_tiles),
                            MIN(first + w->group, w->n_tiles), w->src.h,
                            (size_t)w->src.w * (size_t)w->src.c, 2 - w->src.pad);
}

/* What it will write, or the mask of it, asked for within its own products. */
static struct kernel_ahead wino_ahead_out(const struct wino_job *w, const float *p, int first)
{
    return wino_tiles_ahead(&w->tiles, p, first, MIN(first + w->group, w->n_tiles), w->dst_h,
                            (size_t)w->dst_w * (size_t)w->k, 0);
}

/* All that is asked for within the products of a group; how many runs. */
static size_t wino_ahead(const struct wino_job *w, struct kernel_ahead runs[3], int first)
{
    if (!w->far) {
        return 0;
    }
    runs[0] = wino_ahead_in(w, first + w->group);
    runs[1] = wino_ahead_out(w, w->j->out, first);
    if (!w->j->mask) {
        return 2;
    }
    runs[2] = wino_ahead_out(w, w->j->mask, first);
    return 3;
}

/* All three stages of a group of tiles, for a slice of the outputs. */
static void wino_group(void *ctx, int item, int i_thread)
{
    const struct wino_job *w = ctx;
    int first = item / w->n_slices * w->group, n = MIN(w->group, w->n_tiles - first);
    int k0 = item % w->n_slices * w->slice, n_k = MIN(w->slice, w->k - k0);
    float *v = w->scratch + (size_t)i_thread * wino_thread_floats(w);
    float *m = v + WINO_E * w->v_step;
    int inner = w->bf16 ? w->src.c / 2 : w->src.c;
    for (int t = 0; t < n;) {
        t += wino_tiles_input(w->j->mc->k, v + (size_t)t * (size_t)w->src.c, (ptrdiff_t)w->v_step,
                              &w->tiles, &w->src, first + t, n - t);
    }
    const struct kernels *kernels = w->j->mc->k;
    uint32_t *pairs = w->bf16 ? w->pairs + (size_t)i_thread * wino_pairs(w) : NULL;
    struct kernel_tap tap = {.n = inner};
    struct kernel_gemm g = {.taps = &tap,
                            .n_taps = 1,
                            .x_row = inner,
                            .x_inner = 1,
                            .w_inner = w->k,
                            .y_row = n_k,
                            .n_rows = (size_t)n,
                            .n_cols = n_k};
    struct kernel_ahead runs[3];
    const size_t n_runs = wino_ahead(w, runs, first);
    /* Several planes a call, unless something is done between them. */
    const size_t at_once = w->bf16 || w->n_slices > 1 ? 1 : WINO_PLANES;
    if (at_once > 1) {
        g.planes = (struct kernel_planes){WINO_PLANES - 1, (ptrdiff_t)w->v_step,
                                          (ptrdiff_t)w->u_step, (ptrdiff_t)w->m_step};
    }
    for (size_t e = 0; e < WINO_E; e += at_once) {
        const float *plane = v + e * w->v_step;
        g.x = w->bf16 ? (const float *)(const void *)pairs : plane;
        g.w = w->u + e * w->u_step + k0;
        g.y = m + e * w->m_step;
        if (n_runs > 0) {
            struct kernel_ahead run = wino_tiles_turn(runs, n_runs, e / at_once, WINO_E / at_once);
            if (w->bf16) { /* not all of its kernels ask by the way */
                conv_room_prefetch(run.p, 1, run.n, run.n);
            } else {
                g.ahead[0] = run;
            }
        }
        if (w->n_slices > 1 && e + 1 < WINO_E) { /* lies in pieces, is read once */
            conv_room_prefetch(g.w + w->u_step, inner, (size_t)n_k, (size_t)w->k);
        }
        if (w->bf16) {
            kernels->bf16_pack(pairs, plane, (size_t)n, w->src.c, false);
            kernels->bf16_taps(&g);
        } else {
            kernels->gemm_taps_f32(&g);
        }
    }
    for (int t = 0; t < n;) {
        t += wino_output(w, m + (size_t)t * (size_t)n_k, wino_tiles_at(&w->tiles, first + t), n - t,
                         k0, n_k);
    }
}

static bool wino_can(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir)
{
    (void)mc;
    (void)dir;
    return s->kh == 3 && s->kw == 3 && s->stride == 1 && s->pad <= 2 && s->groups == 1;
}

static size_t wino_prepare_bytes(const struct conv_shape *s, enum conv_dir dir)
{
    (void)dir;
    return arena_round(WINO_E * wino_tiles_step((size_t)s->c * (size_t)s->k) * sizeof(float));
}

/* A plane of u from [c][k] floats to [c / 2][k] pairs, in place: pairs of two rows take the place
 * of one before them, or of themselves. */
static void wino_pairs_plane(void *ctx, int e, int i_thread)
{
    const struct wino_job *w = ctx;
    float *u = (float *)w->u + (size_t)e * w->u_step;
    (void)i_thread;
    for (int c = 0; c < w->src.c; c += 2) {
        const float *row = u + (size_t)c * (size_t)w->k;
        w->j->mc->k->bf16_zip((uint32_t *)(void *)(u + (size_t)(c / 2) * (size_t)w->k), row,
                              row + w->k, (size_t)w->k, false);
    }
}

/* The transformed weights; those of backward data turned and transposed before. */
static void wino_make_weights(const struct conv_job *j, float *u, bool bf16)
{
    struct arena tmp = j->tmp;
    struct wino_job w = wino_plan(j->mc, j->s, j->dir);
    size_t plane = (size_t)w.src.c * (size_t)w.k;
    w.j = j;
    w.u = u;
    w.w9 = j->w;
    w.w9_step = (ptrdiff_t)plane;
    if (j->dir == CONV_BWD_DATA) {
        w.w9 = arena_push(&tmp, 9 * plane, sizeof(float));
        threads_for(j->mc, 9, wino_transpose_tap, &w);
    }
    threads_for(j->mc, (int)DIV_UP(plane, (size_t)WINO_WEIGHTS_CHUNK), wino_weights_item, &w);
    if (bf16) {
        threads_for(j->mc, WINO_E, wino_pairs_plane, &w);
    }
}

static void wino_prepare(const struct conv_job *j, float *u)
{
    wino_make_weights(j, u, false);
}

static size_t wino_scratch_bytes(const struct machine *mc, const struct conv_shape *s,
                                 enum conv_dir dir)
{
    if (dir == CONV_BWD_WEIGHTS) {
        return conv_winograd_weights_bytes(mc, s);
    }
    struct wino_job w = wino_plan(mc, s, dir);
    size_t plane = (size_t)w.src.c * (size_t)w.k * sizeof(float);
    return wino_prepare_bytes(s, dir) +
           arena_round(wino_tiles_zeros(&w.tiles, w.src.c) * sizeof(float)) +
           arena_round((size_t)mc->n_threads * wino_thread_floats(&w) * sizeof(float)) +
           (dir == CONV_BWD_DATA ? arena_round(9 * plane) : 0);
}

static void wino_run_tiles(const struct conv_job *j, bool bf16)
{
    struct arena tmp = j->tmp;
    struct wino_job w = wino_plan(j->mc, j->s, j->dir);
    w.j = j;
    w.src.data = j->dir == CONV_BWD_DATA ? j->dy : j->x;
    w.src.relu = j->relu_in;
    w.u = j->prepared;
    w.bf16 = bf16;
    w.src.zeros = arena_push_zero(&tmp, wino_tiles_zeros(&w.tiles, w.src.c), sizeof(float));
    w.scratch = arena_push(&tmp, (size_t)j->mc->n_threads * wino_thread_floats(&w), sizeof(float));
    if (bf16) {
        w.pairs = arena_push(&tmp, (size_t)j->mc->n_threads * wino_pairs(&w), sizeof *w.pairs);
    }
    if (w.far) {
        struct kernel_ahead first = wino_ahead_in(&w, 0);
        conv_room_prefetch(first.p, 1, first.n, first.n);
    }
    if (!w.u) {
        struct conv_job prepare = *j;
        float *u = arena_push(&tmp, WINO_E * w.u_step, sizeof *u);
        prepare.tmp = tmp;
        wino_make_weights(&prepare, u, bf16);
        w.u = u;
    }
    threads_for(j->mc, DIV_UP(w.n_tiles, w.group) * w.n_slices, wino_group, &w);
}

static void wino_run(const struct conv_job *j)
{
    if (j->dir == CONV_BWD_WEIGHTS) {
        conv_winograd_weights_run(j);
    } else {
        wino_run_tiles(j, false);
    }
}

const struct conv_room conv_winograd = {.name = "winograd",
                                        .can = wino_can,
                                        .scratch_bytes = wino_scratch_bytes,
                                        .run = wino_run,
                                        .prepare_bytes = wino_prepare_bytes,
                                        .prepare = wino_prepare};

static bool wino_bf16_can(const struct machine *mc, const struct conv_shape *s, enum conv_dir dir)
{
    return mc->bf16 && dir != CONV_BWD_WEIGHTS && wino_can(mc, s, dir) &&
           (dir == CONV_FWD ? s->c : s->k) % 2 == 0;
}

static size_t wino_bf16_scratch_bytes(const struct machine *mc, const struct conv_shape *s,
                                      enum conv_dir dir)
{
    struct wino_job w = wino_plan(mc, s, dir);
    return wino_scratch_bytes(mc, s, dir) +
           arena_round((size_t)mc->n_threads * wino_pairs(&w) * sizeof *w.pairs);
}

static void wino_bf16_prepare(const struct conv_job *j, float *u)
{
    wino_make_weights(j, u, true);
}

static void wino_bf16_run(const struct conv_job *j)
{
    wino_run_tiles(j, true);
}

const struct conv_room conv_winograd_bf16 = {.name = "winograd_bf16",
                                             .can = wino_bf16_can,
                                             .scratch_bytes = wino_bf16_scratch_bytes,
                                             .run = wino_bf16_run,
                                             .prepare_bytes = wino_prepare_bytes,
                                             .prepare = wino_bf16_prepare};
