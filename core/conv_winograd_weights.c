/*
 * conv_winograd_weights.c: backward weights of 3x3 convolutions of stride 1 by Winograd, the
 * gradient of the algorithm of conv_winograd.c by its weights:
 *
 *   dw = G^T [ sum over tiles of (B^T d B) . (A dy A^T) ] G
 *
 * 36 products a tile and pair of channels where the definition needs 144. A group of tiles is
 * transformed to v[36][tile][c] and d[36][tile][k], then m[e][c, k] += v[e]^T d[e].
 *
 * Tiles of the batch are cut into parts by their number alone; each part has its own m and is
 * turned back to its own dw, the parts are added in index order. |error| <= CONV_WINOGRAD_FACTOR u
 * max(sum|a||b|), as there.
 */
#include "core/conv_room.h"
#include "core/kernel.h"
#include "core/threads.h"
#include "core/wino_tiles.h"

#include <string.h>

/* A part costs as much as six tiles (its m is turned back and added) and begins a group anew, so it
 * has at least 128. */
enum { WW_PARTS = 8, WW_MIN_TILES = 128, WW_MAX_TILES = 64 };
/* Floats of v and d of a group, 512 KiB: for each group m is read and written once, so larger ones
 * are cheaper until they leave L2 (64 and 32 tiles of 16 channels .292 and .314 ms; 28 and 14 of 64
 * .835 and .907; with 1 MiB .966). */
enum { WW_GROUP_FLOATS = 131072 };
/* Weights turned back or added by one call. */
enum { WW_CHUNK = 4096 };

struct ww_job {
    const struct conv_job *j;
    struct wino_tiles tiles;
    struct wino_source x; /* its zeros stand for rows of dy too */
    int n_tiles, group, n_parts;
    size_t plane;                  /* c k */
    size_t v_step, d_step, m_step; /* floats between planes */
    float *scratch;                /* [n_threads][36 (v_step + d_step + m_step)] */
    float *parts;                  /* [n_parts][9, c, k] */
};

static struct ww_job ww_plan(const struct conv_shape *s, bool one_sum)
{
    struct ww_job w = {.tiles = wino_tiles_of(s->oh, s->ow),
                       .x = {.h = s->h, .w = s->w, .c = s->c, .pad = s->pad},
                       .plane = (size_t)s->c * (size_t)s->k};
    w.n_tiles = w.tiles.in_image * s->n;
    w.n_parts = one_sum ? 1 : MAX(1, MIN(w.n_tiles / WW_MIN_TILES, (int)WW_PARTS));
    w.group = MAX(4, MIN(WW_GROUP_FLOATS / (WINO_E * (s->c + s->k)), (int)WW_MAX_TILES));
    w.v_step = wino_tiles_step((size_t)w.group * (size_t)s->c);
    w.d_step = wino_tiles_step((size_t)w.group * (size_t)s->k);
    w.m_step = wino_tiles_step(w.plane);
    return w;
}

static size_t ww_zeros(const struct ww_job *w, const struct conv_shape *s)
{
    return wino_tiles_zeros(&w->tiles, MAX(s->c, s->k));
}

static size_t ww_thread_floats(const struct ww_job *w)
{
    return WINO_E * (w->v_step + w->d_step + w->m_step);
}

/* Transform dy of the tiles from t on that lie in its row into d, n at most; how many. */
static int ww_gradient(const struct ww_job *w, float *d, int t, int n)
{
    const struct conv_shape *s = w->j->s;
    struct wino_tile at = wino_tiles_at(&w->tiles, t);
    const float *dy = w->j->dy + (size_t)at.image * (size_t)s->oh * (size_t)s->ow * (size_t)s->k;
    const float *rows[4];
    for (int r = 0; r < 4; r++) {
        rows[r] =
            at.y + r < s->oh ? dy + ((ptrdiff_t)(at.y + r) * s->ow + at.x) * s->k : w->x.zeros;
    }
    int n_tiles = MIN(n, w->tiles.in_row - at.x / 4);
    w->j->mc->k->wino_gradient_f32(d, (ptrdiff_t)w->d_step, rows, n_tiles,
                                   MIN(4 * n_tiles, s->ow - at.x), s->k);
    return n_tiles;
}

/* What the group of tiles from `first` on reads of x and of dy: brought near while the group before
 * is multiplied. */
static void ww_ahead(const struct ww_job *w, struct kernel_ahead ahead[2], int first)
{
    const struct conv_shape *s = w->j->s;
    int end = MIN(first + w->group, w->n_tiles);
    first = MIN(first, w->n_tiles);
    ahead[0] = wino_tiles_ahead(&w->tiles, w->j->x, first, end, s->h, (size_t)s->w * (size_t)s->c,
                                2 - s->pad);
    ahead[1] =
        wino_tiles_ahead(&w->tiles, w->j->dy, first, end, s->oh, (size_t)s->ow * (size_t)s->k, 0);
}

static void ww_part(void *ctx, int part, int i_thread)
{
    const struct ww_job *w = ctx;
    const struct conv_shape *s = w->j->s;
    const struct kernels *k = w->j->mc->k;
    float *v = w->scratch + (size_t)i_thread * ww_thread_floats(w);
    float *d = v + WINO_E * w->v_step, *m = d + WINO_E * w->d_step;
    int first = (int)((int64_t)w->n_tiles * part / w->n_parts);
    int last = (int)((int64_t)w->n_tiles * (part + 1) / w->n_parts);
    for (int t0 = first; t0 < last; t0 += w->group) {
        int n = MIN(w->group, last - t0);
        for (int t = 0; t < n;) {
            t += wino_tiles_input(k, v + (size_t)t * (size_t)s->c, (ptrdiff_t)w->v_step, &w->tiles,
                                  &w->x, t0 + t, n - t);
        }
        for (int t = 0; t < n;) {
            t += ww_gradient(w, d + (size_t)t * (size_t)s->k, t0 + t, n - t);
        }
        struct kernel_ahead next[2];
        ww_ahead(w, next, t0 + w->group);
        struct kernel_tap tap = {.n = n};
        struct kernel_gemm g = {.taps = &tap,
                                .n_taps = 1,
                                .x_row = 1,
                                .x_inner = s->c,
                                .w_inner = s->k,
                                .y_row = s->k,
                                .n_rows = (size_t)s->c,
                                .n_cols = s->k,
                                .accumulate = t0 > first,
                                .planes = {WINO_PLANES - 1, (ptrdiff_t)w->v_step,
                                           (ptrdiff_t)w->d_step, (ptrdiff_t)w->m_step}};
        for (size_t e = 0; e < WINO_E; e += WINO_PLANES) {
            g.x = v + e * w->v_step;
            g.w = d + e * w->d_step;
            g.y = m + e * w->m_step;
            g.ahead[0] = wino_tiles_turn(next, 2, e / WINO_PLANES, WINO_E / WINO_PLANES);
            k->gemm_taps_f32(&g);
        }
    }
    k->wino_dweights_f32(w->parts + (size_t)part * 9 * w->plane, (ptrdiff_t)w->plane, m,
                         (ptrdiff_t)w->m_step, w->plane);
}

static void ww_sum(void *ctx, int item, int i_thread)
{
    const struct ww_job *w = ctx;
    const float *in[WW_PARTS];
    (void)i_thread;
    size_t at = (size_t)item * WW_CHUNK, n = MIN((size_t)WW_CHUNK, 9 * w->plane - at);
    for (int p = 0; p < w->n_parts; p++) {
        in[p] = w->parts + (size_t)p * 9 * w->plane + at;
    }
    w->j->mc->k->vec_sum_f32(w->j->out + at, in, w->n_parts, n);
}

size_t conv_winograd_weights_bytes(const struct machine *mc, const struct conv_shape *s)
{
    struct ww_job w = ww_plan(s, false);
    return arena_round(ww_zeros(&w, s) * sizeof(float)) +
           arena_round((size_t)mc->n_threads * ww_thread_floats(&w) * sizeof(float)) +
           arena_round((size_t)w.n_parts * 9 * w.plane * sizeof(float));
}

void conv_winograd_weights_run(const struct conv_job *j)
{
    struct arena tmp = j->tmp;
    struct ww_job w = ww_plan(j->s, j->one_sum);
    w.j = j;
    w.x.data = j->x;
    w.x.zeros = arena_push_zero(&tmp, ww_zeros(&w, j->s), sizeof(float));
    w.x.relu = j->relu_in;
    w.scratch = arena_push(&tmp, (size_t)j->mc->n_threads * ww_thread_floats(&w), sizeof(float));
    w.parts = j->out; /* one part needs no sum */
    if (w.n_parts > 1) {
        w.parts = arena_push(&tmp, (size_t)w.n_parts * 9 * w.plane, sizeof(float));
    }
    threads_for(j->mc, w.n_parts, ww_part, &w);
    if (w.n_parts > 1) {
        threads_for(j->mc, (int)DIV_UP(9 * w.plane, (size_t)WW_CHUNK), ww_sum, &w);
    }
}
