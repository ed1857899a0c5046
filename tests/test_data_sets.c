/*
 * What all data sets share: the table and how a SPEC is read; and the two that need no file from
 * outside: the built-in sample is balanced and what its name says, the synthetic images can be told
 * apart by their gratings, and at most half of them by a linear classifier.
 */
#define _GNU_SOURCE
#include "core/rng.h"
#include "data/dataset.h"
#include "data/summary.h"
#include "tests/scratch.h"

#include <math.h>

static void test_table(void **state)
{
    (void)state;
    assert_true(dataset_n_formats() >= 7);
    for (int i = 0; i < dataset_n_formats(); i++) {
        const struct dataset_format *f = dataset_format(i);
        assert_true(f->name[0] && f->help[0] && f->open);
        assert_true(strlen(f->name) < sizeof((struct dataset *)0)->name);
        assert_null(strchr(f->help, '\n'));
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(dataset_format(k)->name, f->name);
        }
    }
}

static void test_specs(void **state)
{
    struct scratch *s = *state;
    static char huge[600];
    memset(huge, 'x', sizeof huge - 1);
    const struct {
        const char *spec, *words;
    } bad[] = {
        {"",
         "unknown data set \"\": expected one of builtin, cifar10, cifar100, mnist, fashion-mnist"},
        {"cifar", "unknown data set"},
        {"cifar1000:x", "unknown data set"},
        {":x", "unknown data set"},
        {"builtin:x", "builtin takes nothing after a colon"},
        {"mnist", "mnist:DIR"},
        {"synthetic:0", "expected a number of images"},
        {"synthetic:-5", "expected a number of images"},
        {"synthetic: 5", "expected a number of images"},
        {"synthetic:5x", "expected a number of images"},
        {"synthetic:99999999999999999999", "expected a number of images"},
        {huge, "longer than"},
    };
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        struct dataset ds;
        struct err e = {0};
        assert_false(dataset_open(&ds, &s->arena, bad[i].spec, DATASET_TRAIN, NULL, &e));
        scratch_expect(&e, ERR_USAGE, bad[i].words);
    }
}

/* Found in the source tree, two folders above this program. */
static void test_builtin(void **state)
{
    struct scratch *s = *state;
    static const size_t sizes[2] = {1024, 512};
    char hash[2][65];
    for (int split = 0; split < 2; split++) {
        struct dataset ds;
        struct summary summary;
        struct err e = {0};
        if (!dataset_open(&ds, &s->arena, "builtin", (enum dataset_split)split, NULL, &e)) {
            fail_msg("%s", e.text);
        }
        assert_int_equal(ds.n, sizes[split]);
        assert_true(ds.shape.h == 28 && ds.shape.w == 28 && ds.shape.c == 1 && ds.n_classes == 10);
        assert_true(summary_of(&summary, &s->arena, &ds, &e));
        for (int k = 0; k < 10; k++) {
            assert_in_range(summary.n_of_class[k], sizes[split] / 10, sizes[split] / 10 + 1);
        }
        /* .286 is the mean of all 60,000; a thousand images of spread .15 are within .02 of it. */
        assert_true(fabs(summary.mean[0] - 0.286) < 0.02 && fabs(summary.std[0] - 0.353) < 0.02);
        memcpy(hash[split], ds.sha256, sizeof hash[split]);
    }
    assert_string_not_equal(hash[0], hash[1]);
}

/* Every image of the sample is one of the full set, with its label. */
static void test_builtin_is_a_part(void **state)
{
    struct scratch *s = *state;
    struct dataset part, all;
    struct err e = {0};
    if (access("/usr/share/datasets/fashion-mnist", R_OK) != 0) {
        skip();
    }
    assert_true(dataset_open(&part, &s->arena, "builtin", DATASET_TEST, NULL, &e));
    assert_true(dataset_open(&all, &s->arena, "fashion-mnist", DATASET_TEST, NULL, &e));
    for (size_t i = 0; i < part.n; i++) {
        size_t k = 0;
        while (k < all.n && (all.labels[k] != part.labels[i] ||
                             memcmp(all.pixels + k * 784, part.pixels + i * 784, 784) != 0)) {
            k++;
        }
        assert_true(k < all.n);
    }
}

static void test_synthetic(void **state)
{
    struct scratch *s = *state;
    struct dataset a, b, c;
    struct err e = {0};
    struct dataset_options options = {.seed = 3};
    assert_true(dataset_open(&a, &s->arena, "synthetic:100", DATASET_TRAIN, &options, &e));
    assert_true(dataset_open(&b, &s->arena, "synthetic:200", DATASET_TRAIN, &options, &e));
    assert_true(a.n == 100 && b.n == 200 && a.n_classes == 10);
    assert_memory_equal(a.pixels, b.pixels, 100 * 3072); /* image i is image i */
    assert_true(dataset_open(&c, &s->arena, "synthetic:100", DATASET_TEST, &options, &e));
    assert_memory_not_equal(a.pixels, c.pixels, 3072);
    options.seed = 4;
    assert_true(dataset_open(&c, &s->arena, "synthetic:100", DATASET_TRAIN, &options, &e));
    assert_memory_not_equal(a.pixels, c.pixels, 3072);
    options.limit = 7;
    assert_true(dataset_open(&c, &s->arena, "synthetic", DATASET_TRAIN, &options, &e));
    assert_int_equal(c.n, 7);
    /* Recorded runs rely on it: seed 0, first image. */
    assert_true(dataset_open(&c, &s->arena, "synthetic:1", DATASET_TRAIN, NULL, &e));
    assert_string_equal(c.sha256,
                        "d45964a5d57eea70a6f28f5cfb71c0afb077468e22462a149684028301396a5e");
}

/* Strength of the class's grating, whatever its place: |sum of x exp(i phase)|^2. */
static double strength(const uint8_t *image, int label)
{
    static const int step[10][2] = {{43, 0}, {35, 25}, {13, 41}, {-13, 41}, {-35, 25},
                                    {23, 0}, {19, 14}, {7, 22},  {-7, 22},  {-19, 14}};
    double re = 0, im = 0;
    for (int y = 0; y < 32; y++) {
        for (int x = 0; x < 32; x++) {
            double phase = 2 * 3.14159265358979 / 256 * (x * step[label][0] + y * step[label][1]);
            re += (image[(y * 32 + x) * 3] - 128) * cos(phase);
            im += (image[(y * 32 + x) * 3] - 128) * sin(phase);
        }
    }
    return re * re + im * im;
}

static void test_synthetic_can_be_learned(void **state)
{
    struct scratch *s = *state;
    struct dataset ds;
    struct err e = {0};
    enum { N = 300 };
    assert_true(dataset_open(&ds, &s->arena, "synthetic:300", DATASET_TEST, NULL, &e));
    int right = 0;
    for (int i = 0; i < N; i++) {
        int best = 0;
        for (int k = 1; k < 10; k++) {
            best =
                strength(ds.pixels + i * 3072, k) > strength(ds.pixels + i * 3072, best) ? k : best;
        }
        right += best == ds.labels[i];
    }
    assert_true(right >= N * 98 / 100);
    /* The nearest class mean, a linear classifier: what it finds of a grating has either sign, as
     * its place is random, so at best half are right. */
    static double mean[10][3072];
    assert_true(dataset_open(&ds, &s->arena, "synthetic:2000", DATASET_TRAIN, NULL, &e));
    for (int i = 0; i < 2000; i++) {
        for (int k = 0; k < 3072; k++) {
            mean[ds.labels[i]][k] += ds.pixels[i * 3072 + k] / 200.0;
        }
    }
    assert_true(dataset_open(&ds, &s->arena, "synthetic:300", DATASET_TEST, NULL, &e));
    right = 0;
    for (int i = 0; i < N; i++) {
        int best = 0;
        double least = INFINITY;
        for (int label = 0; label < 10; label++) {
            double distance = 0;
            for (int k = 0; k < 3072; k++) {
                distance += pow(ds.pixels[i * 3072 + k] - mean[label][k], 2);
            }
            if (distance < least) {
                least = distance;
                best = label;
            }
        }
        right += best == ds.labels[i];
    }
    assert_true(right < N * 55 / 100);
}

static void test_summary(void **state)
{
    struct scratch *s = *state;
    uint8_t pixels[8] = {0, 255, 255, 255, 0, 51, 255, 51};
    int32_t labels[2] = {2, 2};
    struct dataset ds = {
        .n = 2, .shape = {2, 1, 2}, .n_classes = 3, .pixels = pixels, .labels = labels};
    struct summary summary;
    struct err e = {0};
    assert_true(summary_of(&summary, &s->arena, &ds, &e));
    assert_true(fabs(summary.mean[0] - 0.5) < 1e-15 && fabs(summary.std[0] - 0.5) < 1e-15);
    assert_true(fabs(summary.mean[1] - 0.6) < 1e-15 && fabs(summary.std[1] - 0.4) < 1e-15);
    assert_true(summary.n_of_class[0] == 0 && summary.n_of_class[2] == 2);
    s->arena.n_left = 0;
    assert_false(summary_of(&summary, &s->arena, &ds, &e));
    scratch_expect(&e, ERR_FAILED, "out of memory");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        T(test_table),     T(test_specs),
        T(test_builtin),   T(test_builtin_is_a_part),
        T(test_synthetic), T(test_synthetic_can_be_learned),
        T(test_summary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
