/*
 * Sprites: the grid and its index, images against areas and centres of mass that are known, the
 * split of the grid, nuisances, and words that are refused.
 */
#define _GNU_SOURCE
#include "data/dataset.h"
#include "data/sprites.h"
#include "tests/scratch.h"

#include <math.h>

static void test_grid(void **state)
{
    (void)state;
    int32_t factors[SPRITES_N_FACTORS], product = 1;
    for (int f = 0; f < SPRITES_N_FACTORS; f++) {
        product *= sprites_card((enum sprites_factor)f);
    }
    assert_int_equal(product, SPRITES_N);
    assert_int_equal(SPRITES_N_TRAIN + SPRITES_N_TEST, SPRITES_N);
    for (size_t i = 0; i < SPRITES_N; i += 997) {
        sprites_factors(factors, i);
        for (int f = 0; f < SPRITES_N_FACTORS; f++) {
            assert_in_range(factors[f], 0, sprites_card((enum sprites_factor)f) - 1);
        }
        assert_int_equal(sprites_index(factors), i);
    }
    sprites_factors(factors, 1); /* y is fastest */
    assert_int_equal(factors[SPRITES_Y], 1);
    sprites_factors(factors, SPRITES_N - 1); /* shape slowest */
    assert_int_equal(factors[SPRITES_SHAPE], 2);
}

/* Area in pixels and centre of mass of an image. */
static void moments(const uint8_t *image, int side, double *area, double *x, double *y)
{
    *area = *x = *y = 0;
    for (int i = 0; i < side * side; i++) {
        double v = image[i] / 255.0;
        *area += v;
        *x += v * (i % side + .5);
        *y += v * (i / side + .5);
    }
    *x /= *area;
    *y /= *area;
}

/* Nothing is cut off: all shapes of a scale have one area, 4 (0.15 scale side)^2, at their place,
 * whichever way they are turned. Samples are 1/8 pixel apart: a side that lies along the rows may
 * seem as much longer or shorter, and the centre half of that beside its place. */
static void test_area_and_place(void **state)
{
    (void)state;
    static uint8_t image[64 * 64];
    for (int side = 32; side <= 64; side += 32) {
        for (size_t i = 0; i < SPRITES_N; i += 4993) {
            int32_t f[SPRITES_N_FACTORS];
            double area, x, y, unit;
            sprites_factors(f, i);
            sprites_draw(image, side, f);
            moments(image, side, &area, &x, &y);
            unit = .15 * side * (5 + f[SPRITES_SCALE]) / 10;
            assert_true(fabs(area - 4 * unit * unit) < area / 8 / unit);
            assert_true(fabs(x - side * (31 + 2 * f[SPRITES_X]) / 124.0) <= 1 / 16.0);
            assert_true(fabs(y - side * (31 + 2 * f[SPRITES_Y]) / 124.0) <= 1 / 16.0);
        }
    }
}

/* A square looks the same after a quarter turn, an ellipse after half a turn, a heart never. */
static void test_symmetry(void **state)
{
    (void)state;
    static const int period[3] = {10, 20, 40};
    static uint8_t a[32 * 32], b[32 * 32];
    for (int32_t shape = 0; shape < 3; shape++) {
        for (int32_t k = 1; k < 40; k++) {
            int32_t f[SPRITES_N_FACTORS] = {shape, 5, 0, 15, 16}, turned[SPRITES_N_FACTORS];
            memcpy(turned, f, sizeof f);
            turned[SPRITES_ROTATION] = k;
            sprites_draw(a, 32, f);
            sprites_draw(b, 32, turned);
            int far = 0;
            for (int i = 0; i < 32 * 32; i++) {
                far += abs(a[i] - b[i]) > 255 / 16; /* samples that lie on the border may change */
            }
            assert_true((far == 0) == (k % period[shape] == 0));
        }
    }
}

static void test_split(void **state)
{
    struct scratch *s = *state;
    struct dataset train, test, again;
    struct err e = {0};
    struct dataset_options options = {.seed = 5};
    static uint8_t seen[SPRITES_N], image[8 * 8];
    memset(seen, 0, sizeof seen);
    if (!dataset_open(&train, &s->arena, "sprites:663552,side=8", DATASET_TRAIN, &options, &e) ||
        !dataset_open(&test, &s->arena, "sprites:663552,side=8", DATASET_TEST, &options, &e)) {
        fail_msg("%s", e.text);
    }
    assert_int_equal(train.n, SPRITES_N_TRAIN);
    assert_int_equal(test.n, SPRITES_N_TEST);
    for (int split = 0; split < 2; split++) { /* together they are the grid, each image once */
        const struct dataset *ds = split ? &test : &train;
        assert_int_equal(ds->factors.n, SPRITES_N_FACTORS);
        for (size_t i = 0; i < ds->n; i++) {
            const int32_t *f = ds->factors.values + i * SPRITES_N_FACTORS;
            assert_int_equal(seen[sprites_index(f)]++, 0);
            assert_int_equal(ds->labels[i], f[SPRITES_SHAPE]);
            if (i % 1000 == 0) {
                sprites_draw(image, 8, f);
                assert_memory_equal(image, ds->pixels + i * 64, 64);
            }
        }
    }
    assert_true(dataset_open(&again, &s->arena, "sprites:500,side=8", DATASET_TRAIN, &options, &e));
    assert_memory_equal(again.pixels, train.pixels, 500 * 64); /* the first of the same order */
    options.seed = 6;
    assert_true(dataset_open(&again, &s->arena, "sprites:500,side=8", DATASET_TRAIN, &options, &e));
    assert_memory_not_equal(again.pixels, train.pixels, 500 * 64);
    options.limit = 60;
    assert_true(dataset_open(&again, &s->arena, "sprites", DATASET_TEST, &options, &e));
    assert_true(again.n == 60 && again.shape.h == 32 && again.shape.c == 1 && again.n_classes == 3);
    assert_string_equal(again.class_names[2], "heart");
    assert_string_equal(again.factors.names[SPRITES_ROTATION], "rotation");
    /* Recorded runs rely on it: seed 0, the first 100. */
    assert_true(dataset_open(&again, &s->arena, "sprites:100", DATASET_TRAIN, NULL, &e));
    assert_string_equal(again.sha256,
                        "91d5f624a98bee97e909f2ec95f7f674a7c228b4c34ed1fac0bc048c2b4d6c59");
}

/* Noise and colour: same factors, the shape still the brightest; in every channel. */
static void test_nuisance(void **state)
{
    struct scratch *s = *state;
    static const struct {
        const char *spec;
        int n_channels;
        bool noise;
    } cases[] = {{"sprites:50,noise", 1, true},
                 {"sprites:50,colour", 3, false},
                 {"sprites:colour,50,noise", 3, true}};
    struct dataset plain, ds;
    struct err e = {0};
    assert_true(dataset_open(&plain, &s->arena, "sprites:50", DATASET_TRAIN, NULL, &e));
    for (size_t k = 0; k < N_ELEMS(cases); k++) {
        assert_true(dataset_open(&ds, &s->arena, cases[k].spec, DATASET_TRAIN, NULL, &e));
        int n_channels = cases[k].n_channels;
        assert_int_equal(ds.shape.c, n_channels);
        assert_memory_equal(ds.factors.values, plain.factors.values,
                            50 * SPRITES_N_FACTORS * sizeof(int32_t));
        double sum = 0;
        for (size_t i = 0; i < 50 * 1024; i++) {
            for (int c = 0; c < n_channels; c++) {
                int v = ds.pixels[i * (size_t)n_channels + (size_t)c], was = plain.pixels[i];
                assert_true(was < 255 || v >= 128); /* a colour is at least half bright */
                assert_true(cases[k].noise || v <= was);
                sum += was == 0 ? v : 0;
            }
        }
        double mean = sum / (50 * 1024) / n_channels; /* of the background, nine tenths black */
        assert_true(cases[k].noise ? fabs(mean - 120) < 5 : mean <= 0);
    }
}

static void test_words(void **state)
{
    struct scratch *s = *state;
    static const struct {
        const char *spec, *words;
    } bad[] = {
        {"sprites:0", "expected a number of images from 1 to 663552"},
        {"sprites:-1", "expected a number of images"},
        {"sprites:663553", "expected a number of images"},
        {"sprites:99999999999999999999999999999", "expected a number of images"},
        {"sprites:5x", "expected a number of images"},
        {"sprites:,", "expected a number of images"},
        {"sprites:noise,", "after the last comma"},
        {"sprites:noisy", "noise or colour, found \"noisy\""},
        {"sprites:side=7", "expected side=8 to side=256"},
        {"sprites:side=", "expected side=8 to side=256"},
        {"sprites:side=+9", "expected side=8 to side=256"},
    };
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        struct dataset ds;
        struct err e = {0};
        assert_false(dataset_open(&ds, &s->arena, bad[i].spec, DATASET_TRAIN, NULL, &e));
        scratch_expect(&e, ERR_USAGE, bad[i].words);
    }
}

/* Memory that runs out at any request is an error, never a crash. */
static void test_no_memory(void **state)
{
    struct scratch *s = *state;
    int64_t n = 0;
    struct err e = {0};
    struct dataset ds;
    do {
        struct arena arena = arena_carve(&s->arena, 8 << 20);
        arena.n_left = n++;
        e = (struct err){0};
        if (dataset_open(&ds, &arena, "sprites:20", DATASET_TRAIN, NULL, &e)) {
            break;
        }
        assert_int_equal(e.code, ERR_FAILED);
    } while (n < 20);
    assert_in_range(n, 4, 19);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        T(test_grid),     T(test_area_and_place), T(test_symmetry),  T(test_split),
        T(test_nuisance), T(test_words),          T(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
