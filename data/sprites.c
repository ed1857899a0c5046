#include "data/sprites.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "data/dataset.h"
#include "data/source.h"

enum {
    SPRITES_SET = 20000,  /* images of a set without :N */
    SPRITES_SAMPLES = 8,  /* a pixel in each direction */
    SPRITES_PIXEL = 12400 /* units of length a pixel: 16 half sample steps x 31 x 25, so that every
                             sample, centre and size is an integer */
};

static const int32_t sprites_cards[SPRITES_N_FACTORS] = {3, 6, 40, 32, 32};
static const char *const sprites_names[SPRITES_N_FACTORS] = {"shape", "scale", "rotation", "x",
                                                             "y"};
static const char *const sprites_shapes[] = {"square", "ellipse", "heart"};

/* 65536 cos(k / 40 turns) for the first quarter, rounded. */
static const int32_t sprites_cos[11] = {65536, 64729, 62328, 58393, 53020, 46341,
                                        38521, 29753, 20252, 10252, 0};

int sprites_card(enum sprites_factor factor)
{
    ASSERT((int)factor >= 0 && factor < SPRITES_N_FACTORS);
    return sprites_cards[factor];
}

void sprites_factors(int32_t factors[SPRITES_N_FACTORS], size_t index)
{
    ASSERT(index < SPRITES_N);
    for (int f = SPRITES_N_FACTORS - 1; f >= 0; f--) {
        factors[f] = (int32_t)(index % (size_t)sprites_cards[f]);
        index /= (size_t)sprites_cards[f];
    }
}

size_t sprites_index(const int32_t factors[SPRITES_N_FACTORS])
{
    size_t index = 0;
    for (int f = 0; f < SPRITES_N_FACTORS; f++) {
        ASSERT(factors[f] >= 0 && factors[f] < sprites_cards[f]);
        index = index * (size_t)sprites_cards[f] + (size_t)factors[f];
    }
    return index;
}

static int32_t sprites_cosine(int k)
{
    k %= 40;
    k = k > 20 ? 40 - k : k;
    return k <= 10 ? sprites_cos[k] : -sprites_cos[20 - k];
}

/* A shape before it is moved: where it lies, in units of length. */
struct sprites_pose {
    int shape;
    int64_t cos, sin; /* in 1/65536 */
    int64_t x, y;     /* of the centre */
    int64_t unit;     /* half the side of the square; the others have the same area */
    int64_t heart;    /* radius of the heart's two discs: unit sqrt(4 / (4 + pi)) */
};

/* Whether the point at (dx, dy) from the centre belongs to the shape. y points down. */
static inline bool sprites_inside(const struct sprites_pose *p, int64_t dx, int64_t dy)
{
    int64_t u = (dx * p->cos + dy * p->sin) / 65536, v = (dy * p->cos - dx * p->sin) / 65536;
    int64_t one = p->unit, r = p->heart;
    if (p->shape == 0) {
        return u <= one && u >= -one && v <= one && v >= -one;
    }
    if (p->shape == 1) { /* half axes 1.6 and 0.8: the area is 4.02 for the square's 4 */
        return 25 * (u * u + 4 * v * v) <= 64 * one * one;
    }
    /* A square on its corner with a disc on the middle of either upper side, the whole moved so
     * that its centre of mass, 0.443 r above that of the square, is at (0, 0). */
    int64_t up = r * 443 / 1000 - v, side = u < 0 ? -u : u, mid = r * 70711 / 100000;
    if (side + (up < 0 ? -up : up) <= 2 * mid) {
        return true;
    }
    return (side - mid) * (side - mid) + (up - mid) * (up - mid) <= r * r;
}

/* How much of a pixel the shape covers, 0 .. 64 samples. */
static int sprites_cover(const struct sprites_pose *p, int column, int row)
{
    int n = 0;
    for (int i = 0; i < SPRITES_SAMPLES; i++) {
        int64_t dy = (int64_t)row * SPRITES_PIXEL + (2 * i + 1) * (SPRITES_PIXEL / 16) - p->y;
        for (int k = 0; k < SPRITES_SAMPLES; k++) {
            int64_t dx =
                (int64_t)column * SPRITES_PIXEL + (2 * k + 1) * (SPRITES_PIXEL / 16) - p->x;
            n += sprites_inside(p, dx, dy);
        }
    }
    return n;
}

void sprites_draw(uint8_t *out, int side, const int32_t factors[SPRITES_N_FACTORS])
{
    ASSERT(side >= SPRITES_MIN_SIDE && side <= SPRITES_MAX_SIDE);
    (void)sprites_index(factors); /* in range */
    /* Centres at side (31 + 2 k) / 124, units of scale (5 + k) / 10 x 0.15 side: the ellipse, which
     * reaches farthest, to 1.6 x 0.15 = 0.24 of the side from its centre. */
    struct sprites_pose p = {
        .shape = factors[SPRITES_SHAPE],
        .cos = sprites_cosine(factors[SPRITES_ROTATION]),
        .sin = sprites_cosine(factors[SPRITES_ROTATION] + 30),
        .x = (int64_t)side * 100 * (31 + 2 * factors[SPRITES_X]),
        .y = (int64_t)side * 100 * (31 + 2 * factors[SPRITES_Y]),
        .unit = (int64_t)side * 186 * (5 + factors[SPRITES_SCALE]),
    };
    p.heart = p.unit * 7484 / 10000;
    int64_t reach = p.unit * 8 / 5 + SPRITES_PIXEL;
    memset(out, 0, (size_t)side * (size_t)side);
    int first = (int)((p.y - reach) / SPRITES_PIXEL), last = (int)((p.y + reach) / SPRITES_PIXEL);
    int left = (int)((p.x - reach) / SPRITES_PIXEL), right = (int)((p.x + reach) / SPRITES_PIXEL);
    for (int row = MAX(first, 0); row <= MIN(last, side - 1); row++) {
        for (int column = MAX(left, 0); column <= MIN(right, side - 1); column++) {
            out[row * side + column] = (uint8_t)((sprites_cover(&p, column, row) * 255 + 32) / 64);
        }
    }
}

/* What stands after "sprites:". */
struct sprites_set {
    size_t n;
    int side;
    bool noise, colour;
};

static bool sprites_number(const char *word, size_t len, long low, long high, long *value)
{
    char digits[24], *end = NULL;
    if (len == 0 || len >= sizeof digits || word[0] < '0' || word[0] > '9') {
        return false;
    }
    memcpy(digits, word, len);
    digits[len] = 0;
    errno = 0;
    *value = strtol(digits, &end, 10);
    return !errno && !*end && *value >= low && *value <= high;
}

static bool sprites_word(struct sprites_set *set, const char *word, size_t len,
                         enum dataset_split split, struct err *e)
{
    long most = split == DATASET_TRAIN ? SPRITES_N_TRAIN : SPRITES_N_TEST, value = 0;
    if (len == 5 && memcmp(word, "noise", len) == 0) {
        set->noise = true;
        return true;
    }
    if (len == 6 && memcmp(word, "colour", len) == 0) {
        set->colour = true;
        return true;
    }
    if (len >= 5 && memcmp(word, "side=", 5) == 0) {
        if (!sprites_number(word + 5, len - 5, SPRITES_MIN_SIDE, SPRITES_MAX_SIDE, &value)) {
            return err_set(e, ERR_USAGE, "sprites: expected side=%d to side=%d, found \"%.*s\"",
                           SPRITES_MIN_SIDE, SPRITES_MAX_SIDE, (int)MIN(len, (size_t)60), word);
        }
        set->side = (int)value;
        return true;
    }
    if (!sprites_number(word, len, 1, SPRITES_N_TRAIN, &value)) {
        err_set(e, ERR_USAGE,
                "sprites: expected a number of images from 1 to %d, side=S, noise or colour, found "
                "\"%.*s\"",
                SPRITES_N_TRAIN, (int)MIN(len, (size_t)60), word);
        return err_hint(e, "for example sprites:20000,side=64,noise");
    }
    set->n = (size_t)MIN(value, most);
    return true;
}

static bool sprites_parse(struct sprites_set *set, const char *rest, enum dataset_split split,
                          struct err *e)
{
    *set = (struct sprites_set){.n = SPRITES_SET, .side = SPRITES_SIDE};
    while (*rest) {
        size_t len = strcspn(rest, ",");
        if (!sprites_word(set, rest, len, split, e)) {
            return false;
        }
        rest += len;
        if (*rest && !*++rest) {
            return err_set(e, ERR_USAGE, "sprites: expected a word after the last comma");
        }
    }
    return true;
}

/* Nuisances say nothing about the factors: a colour of at least half brightness a channel, and
 * noise as in the noisy dSprites of [Locatello2019]: uniform, added to every pixel, white where it
 * overflows. In place; grey[side^2] lies at the end of out[side^2, channels]. */
static void sprites_nuisance(uint8_t *out, const uint8_t *grey, const struct sprites_set *set,
                             struct rng r)
{
    int n_channels = set->colour ? 3 : 1, colour[3] = {255, 255, 255};
    for (int c = 0; set->colour && c < 3; c++) {
        colour[c] = 128 + (int)rng_below(&r, 128);
    }
    for (int i = 0; i < set->side * set->side; i++) {
        int value = grey[i];
        uint64_t noise = set->noise ? rng_u64(&r) : 0;
        for (int c = 0; c < n_channels; c++) {
            int v = (value * colour[c] + 127) / 255 + (int)(noise >> (8 * c) & 255);
            *out++ = (uint8_t)MIN(v, 255);
        }
    }
}

/* Draw the set's images, the first n of its split of the grid: order[SPRITES_N] is its permutation,
 * training images first. */
static void sprites_fill(struct dataset *ds, const struct sprites_set *set, const uint32_t *order,
                         enum dataset_split split, uint64_t seed)
{
    size_t image_bytes = shape_count(ds->shape), n_pixels = (size_t)set->side * (size_t)set->side;
    order += split == DATASET_TRAIN ? 0 : SPRITES_N_TRAIN;
    for (size_t i = 0; i < ds->n; i++) {
        int32_t *factors = ds->factors.values + i * SPRITES_N_FACTORS;
        uint8_t *image = ds->pixels + i * image_bytes, *grey = image + image_bytes - n_pixels;
        sprites_factors(factors, order[i]);
        ds->labels[i] = factors[SPRITES_SHAPE];
        sprites_draw(grey, set->side, factors);
        if (set->noise || set->colour) {
            sprites_nuisance(image, grey, set, rng_key(seed, RNG_SYNTH, order[i]));
        }
    }
}

/* Mean and deviation of value/255 over 20,000 images at side 32, seed 0, as hdnas data info prints
 * them; [noise][colour]. Another seed moves the fourth digit, side=64 the deviation by 0.005. */
static const float sprites_mean[2][2] = {{0.0534f, 0.0401f}, {0.5288f, 0.5257f}};
static const float sprites_std[2][2] = {{0.2146f, 0.1645f}, {0.3032f, 0.3004f}};

static bool sprites_open(struct dataset *ds, struct arena *keep, const char *rest,
                         enum dataset_split split, const struct dataset_options *options,
                         struct err *e)
{
    struct sprites_set set;
    struct source src;
    if (!sprites_parse(&set, rest, split, e)) {
        return false;
    }
    ds->n = options->limit ? MIN(set.n, options->limit) : set.n;
    ds->shape = (struct shape){set.side, set.side, set.colour ? 3 : 1};
    ds->n_classes = sprites_cards[SPRITES_SHAPE];
    ds->class_names = sprites_shapes;
    for (int c = 0; c < ds->shape.c; c++) {
        ds->mean[c] = sprites_mean[set.noise][set.colour];
        ds->std[c] = sprites_std[set.noise][set.colour];
    }
    ds->pixels = arena_try(keep, ds->n, shape_count(ds->shape), e);
    ds->labels = ds->pixels ? arena_try(keep, ds->n, sizeof *ds->labels, e) : NULL;
    ds->factors = (struct dataset_factors){
        .n = SPRITES_N_FACTORS,
        .names = sprites_names,
        .cards = sprites_cards,
        .values = ds->labels
                      ? arena_try(keep, ds->n, SPRITES_N_FACTORS * sizeof *ds->factors.values, e)
                      : NULL,
    };
    size_t mark = keep->used;
    uint32_t *order = ds->factors.values ? arena_try(keep, SPRITES_N, sizeof *order, e) : NULL;
    if (!order || !source_init(&src, e)) {
        return false;
    }
    struct rng r = rng_key(options->seed, RNG_SPLIT, 0);
    rng_permutation(&r, order, SPRITES_N);
    sprites_fill(ds, &set, order, split, options->seed);
    keep->used = mark;
    source_add(&src, ds->pixels, ds->n * shape_count(ds->shape));
    source_sha256(&src, ds->sha256);
    source_release(&src);
    return true;
}

const struct dataset_format sprites_format = {
    .name = "sprites",
    .help = "shapes with known factors, made on the spot: N images a split (20000), side=S (32), "
            "noise, colour",
    .open = sprites_open,
};
