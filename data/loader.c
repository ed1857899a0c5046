#include "data/loader.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"

/*
 * Order without a table: a permutation of 0 .. 4^half_bits - 1 by a Feistel network, walked until
 * it lands below n [Black2002, cycle walking: fewer than 4 steps on average]. Any position of any
 * epoch is found alone, so nothing is cached and threads share nothing.
 */
/* Four rounds make a pseudorandom permutation of a large domain [Luby1988]. For 7 examples the
 * pairs of neighbours were uneven at 8 (chi-square 76 at 41 degrees of freedom over 168,000 epochs)
 * and even at 12 (30). */
enum { LOADER_ROUNDS = 12 };

struct loader {
    const struct dataset *ds;
    struct loader_options options;
    struct shape shape; /* of the output */
    int half_bits;
    float lut[FEED_MAX_CHANNELS][256]; /* [channel of the output][pixel]: normalised value */
};

/* What augmentation does to one example: output (y, x) shows source (y + dy, x + dx), mirrored if
 * flip. */
struct loader_view {
    int dy, dx;
    bool flip;
    int cut_y0, cut_y1, cut_x0, cut_x1; /* of the output; empty = no cutout */
};

/* One round's function: a keyed mixer (the finaliser of splitmix64). */
static uint64_t loader_mix(uint64_t x, uint64_t key)
{
    x = (x ^ key) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 30)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static size_t loader_permute(size_t i, size_t n, int half_bits, const uint64_t keys[LOADER_ROUNDS])
{
    uint64_t mask = ((uint64_t)1 << half_bits) - 1;
    do {
        uint64_t left = i >> half_bits, right = i & mask;
        for (int r = 0; r < LOADER_ROUNDS; r++) {
            uint64_t next = left ^ (loader_mix(right, keys[r]) >> 17 &
                                    mask); /* the middle bits are mixed best */
            left = right;
            right = next;
        }
        i = (size_t)(left << half_bits | right);
    } while (i >= n);
    return i;
}

static struct loader_view loader_view(const struct loader *l, uint64_t epoch, size_t example)
{
    const struct loader_options *o = &l->options;
    struct loader_view v = {
        .dy = (l->ds->shape.h - l->shape.h) / 2,
        .dx = (l->ds->shape.w - l->shape.w) / 2,
    };
    if (!o->crop_pad && !o->flip && !o->cutout) {
        return v;
    }
    struct rng r = rng_key(o->seed, RNG_AUGMENT, epoch << 32 | example);
    if (o->crop_pad) {
        v.dy += (int)rng_below(&r, 2 * (uint64_t)o->crop_pad + 1) - o->crop_pad;
        v.dx += (int)rng_below(&r, 2 * (uint64_t)o->crop_pad + 1) - o->crop_pad;
    }
    if (o->flip) {
        v.flip = rng_u64(&r) >> 63;
    }
    if (o->cutout) {
        /* The centre may be any pixel; the square is cut at the border [DeVries2017]. */
        int y = (int)rng_below(&r, (uint64_t)l->shape.h) - o->cutout / 2;
        int x = (int)rng_below(&r, (uint64_t)l->shape.w) - o->cutout / 2;
        v.cut_y0 = MAX(y, 0);
        v.cut_x0 = MAX(x, 0);
        v.cut_y1 = MIN(y + o->cutout, l->shape.h);
        v.cut_x1 = MIN(x + o->cutout, l->shape.w);
    }
    return v;
}

/* n pixels of a row: step is +1 or, mirrored, -1 pixel. */
static void loader_pixels(const struct loader *l, float *out, const uint8_t *src, int n, int step)
{
    int c_in = l->ds->shape.c, c_out = l->shape.c;
    ptrdiff_t stride = (ptrdiff_t)step * c_in;
    if (c_in == c_out && c_out == 3) {
        for (int x = 0; x < n; x++, src += stride, out += 3) {
            out[0] = l->lut[0][src[0]];
            out[1] = l->lut[1][src[1]];
            out[2] = l->lut[2][src[2]];
        }
        return;
    }
    for (int x = 0; x < n; x++, src += stride) {
        for (int c = 0; c < c_out; c++) {
            *out++ = l->lut[c][src[c_in == 1 ? 0 : c]];
        }
    }
}

static void loader_row(const struct loader *l, float *out, const uint8_t *row,
                       const struct loader_view *v)
{
    int w_in = l->ds->shape.w, w = l->shape.w, c_out = l->shape.c;
    /* Output columns first .. last-1 see the source, before mirroring. */
    int first = MIN(MAX(-v->dx, 0), w), last = MAX(MIN(w_in - v->dx, w), first);
    int begin = v->flip ? w - last : first, n = last - first;
    int x_in = v->flip ? last - 1 + v->dx : first + v->dx;
    memset(out, 0, sizeof *out * (size_t)(begin * c_out));
    if (n > 0) {
        loader_pixels(l, out + begin * c_out, row + x_in * l->ds->shape.c, n, v->flip ? -1 : 1);
    }
    memset(out + (begin + n) * c_out, 0, sizeof *out * (size_t)((w - begin - n) * c_out));
}

static void loader_example(const struct loader *l, uint64_t epoch, size_t example, float *x)
{
    struct loader_view v = loader_view(l, epoch, example);
    const struct dataset *ds = l->ds;
    const uint8_t *src = ds->pixels + example * shape_count(ds->shape);
    size_t row = (size_t)l->shape.w * (size_t)l->shape.c;
    for (int y = 0; y < l->shape.h; y++) {
        int y_in = y + v.dy;
        if (y_in < 0 || y_in >= ds->shape.h) {
            memset(x + (size_t)y * row, 0, sizeof *x * row);
        } else {
            loader_row(l, x + (size_t)y * row, src + (size_t)(y_in * ds->shape.w * ds->shape.c),
                       &v);
        }
    }
    for (int y = v.cut_y0; y < v.cut_y1; y++) {
        memset(x + (size_t)y * row + v.cut_x0 * l->shape.c, 0,
               sizeof *x * (size_t)((v.cut_x1 - v.cut_x0) * l->shape.c));
    }
}

static void loader_fill(const void *ctx, uint64_t epoch, size_t first, int n, float *x,
                        int32_t *labels)
{
    const struct loader *l = ctx;
    uint64_t keys[LOADER_ROUNDS];
    struct rng r = rng_key(l->options.seed, RNG_SHUFFLE, epoch);
    for (int i = 0; i < LOADER_ROUNDS; i++) {
        keys[i] = rng_u64(&r);
    }
    for (int i = 0; i < n; i++) {
        size_t at = first + (size_t)i;
        size_t example = l->options.shuffle ? loader_permute(at, l->ds->n, l->half_bits, keys) : at;
        loader_example(l, epoch, example, x + (size_t)i * shape_count(l->shape));
        labels[i] = l->ds->labels[example];
    }
}

static bool loader_check(const struct loader_options *o, const struct dataset *ds, struct shape out,
                         struct err *e)
{
    if (out.h < 1 || out.w < 1 || out.h > 4096 || out.w > 4096) {
        return err_set(e, ERR_USAGE, "cannot bring images to %d x %d pixels", out.h, out.w);
    }
    if (out.c != ds->shape.c && !(ds->shape.c == 1 && out.c == 3)) {
        return err_set(e, ERR_USAGE, "%s has %d colour channels and %d are wanted", ds->spec,
                       ds->shape.c, out.c);
    }
    if (o->crop_pad < 0 || o->cutout < 0 || o->crop_pad > 4096 || o->cutout > 4096) {
        return err_set(e, ERR_USAGE,
                       "crop padding and cutout must lie between 0 and 4096, found %d and %d",
                       o->crop_pad, o->cutout);
    }
    if (ds->n >> 32 != 0) {
        return err_set(e, ERR_USAGE, "%s has more than 2^32 images",
                       ds->spec); /* the key of RNG_AUGMENT */
    }
    return true;
}

bool loader_feed(struct feed *feed, struct arena *keep, const struct dataset *ds,
                 const struct loader_options *options, struct err *e)
{
    ASSERT(feed && keep && ds && options && ds->n > 0);
    struct shape out =
        options->shape.h || options->shape.w || options->shape.c ? options->shape : ds->shape;
    struct loader *l = NULL;
    if (!loader_check(options, ds, out, e) || !(l = arena_try(keep, 1, sizeof *l, e))) {
        return false;
    }
    *l = (struct loader){.ds = ds, .options = *options, .shape = out, .half_bits = 1};
    while ((uint64_t)1 << (2 * l->half_bits) < ds->n) {
        l->half_bits++;
    }
    *feed = (struct feed){
        .ctx = l, .n = ds->n, .shape = out, .n_classes = ds->n_classes, .fill = loader_fill};
    for (int c = 0; c < out.c; c++) {
        int c_in = ds->shape.c == 1 ? 0 : c;
        feed->mean[c] = options->mean ? options->mean[c] : ds->mean[c_in];
        feed->std[c] = options->std ? options->std[c] : ds->std[c_in];
        if (!(feed->std[c] > 0) || !isfinite(feed->std[c]) || !isfinite(feed->mean[c])) {
            return err_set(e, ERR_USAGE,
                           "cannot normalise channel %d with mean %g and deviation %g", c,
                           (double)feed->mean[c], (double)feed->std[c]);
        }
        for (int v = 0; v < 256; v++) {
            l->lut[c][v] = ((float)v / 255.0f - feed->mean[c]) /
                           feed->std[c]; /* in the order PyTorch does it */
        }
    }
    return true;
}
