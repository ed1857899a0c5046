/*
 * synthetic.c: images that can be learned and need no file: gratings whose direction and width tell
 * the class, at a random place, in a random colour, under noise. Place and colour say nothing, so a
 * linear classifier is right half of the time and a convolution always. Integers only: the same
 * bits on every machine.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/rng.h"
#include "data/dataset.h"
#include "data/source.h"

enum {
    SYNTHETIC_SIDE = 32,
    SYNTHETIC_CLASSES = 10,
    SYNTHETIC_N = 1024,      /* without :N */
    SYNTHETIC_MAX = 1 << 20, /* 3 GiB of pixels */
    SYNTHETIC_NOISE = 96,    /* uniform, +-48 levels of 256 on a grating of +-80: learnable in a
                                minute, not in a step */
};

/* Phase steps per pixel in x and y, in 1/256 of a period: five directions at two widths (periods of
 * about 6 and 11 pixels; neither is a multiple of the other). */
static const int synthetic_step[SYNTHETIC_CLASSES][2] = {
    {43, 0}, {35, 25}, {13, 41}, {-13, 41}, {-35, 25},
    {23, 0}, {19, 14}, {7, 22},  {-7, 22},  {-19, 14},
};

/* A triangle wave of period 256 between -80 and 80. */
static int synthetic_wave(int phase)
{
    int t = phase & 255;
    return (t < 128 ? t : 255 - t) * 160 / 127 - 80;
}

static void synthetic_image(uint8_t *out, int label, struct rng *r)
{
    int phase = (int)rng_below(r, 256);
    int sign[3], base[3];
    for (int c = 0; c < 3; c++) {
        sign[c] = rng_below(r, 2) ? 1 : -1;
        base[c] = 96 + (int)rng_below(r, 65);
    }
    for (int y = 0; y < SYNTHETIC_SIDE; y++) {
        for (int x = 0; x < SYNTHETIC_SIDE; x++) {
            int wave =
                synthetic_wave(phase + x * synthetic_step[label][0] + y * synthetic_step[label][1]);
            uint64_t noise = rng_u64(r);
            for (int c = 0; c < 3; c++) {
                int n = (int)((noise >> (16 * c)) & 0xffff) * SYNTHETIC_NOISE / 0x10000 -
                        SYNTHETIC_NOISE / 2;
                int v = base[c] + sign[c] * wave + n;
                *out++ = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
            }
        }
    }
}

static bool synthetic_count(const char *rest, size_t *n, struct err *e)
{
    *n = SYNTHETIC_N;
    if (!*rest) {
        return true;
    }
    char *end = NULL;
    errno = 0;
    long value = strtol(rest, &end, 10);
    if (errno || *end || value < 1 || value > SYNTHETIC_MAX || rest[0] == '+' || rest[0] == ' ') {
        return err_set(e, ERR_USAGE,
                       "synthetic:N: expected a number of images from 1 to %d, found \"%.60s\"",
                       SYNTHETIC_MAX, rest);
    }
    *n = (size_t)value;
    return true;
}

static bool synthetic_open(struct dataset *ds, struct arena *keep, const char *rest,
                           enum dataset_split split, const struct dataset_options *options,
                           struct err *e)
{
    struct source src;
    size_t image_bytes = SYNTHETIC_SIDE * SYNTHETIC_SIDE * 3;
    if (!synthetic_count(rest, &ds->n, e)) {
        return false;
    }
    ds->n = options->limit ? MIN(ds->n, options->limit) : ds->n;
    ds->shape = (struct shape){SYNTHETIC_SIDE, SYNTHETIC_SIDE, 3};
    ds->n_classes = SYNTHETIC_CLASSES;
    for (int c = 0; c < 3; c++) {
        ds->mean[c] = 0.5f;   /* 128 / 255 */
        ds->std[c] = 0.2236f; /* of 1,024 images, seed 0; others differ in the fourth digit */
    }
    ds->pixels = arena_try(keep, ds->n, image_bytes, e);
    ds->labels = ds->pixels ? arena_try(keep, ds->n, sizeof *ds->labels, e) : NULL;
    if (!ds->labels || !source_init(&src, e)) {
        return false;
    }
    for (size_t i = 0; i < ds->n; i++) {
        struct rng r = rng_key(options->seed, RNG_SYNTH, (uint64_t)split << 32 | i);
        ds->labels[i] = (int32_t)(i % SYNTHETIC_CLASSES);
        synthetic_image(ds->pixels + i * image_bytes, ds->labels[i], &r);
    }
    source_add(&src, ds->pixels, ds->n * image_bytes);
    source_sha256(&src, ds->sha256);
    source_release(&src);
    return true;
}

const struct dataset_format synthetic_format = {
    .name = "synthetic",
    .help = "gratings in noise, made on the spot: N images a split (1024)",
    .open = synthetic_open,
};
