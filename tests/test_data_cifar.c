/*
 * CIFAR's binary files: planes become triples, labels and sizes are checked, any of the five
 * batches will do; cut off at every byte; and on the real images mean and deviation as published,
 * where they are at hand.
 */
#define _GNU_SOURCE
#include "data/dataset.h"
#include "data/summary.h"
#include "tests/scratch.h"

#include <math.h>

enum { RECORD = 3073, RECORD_100 = 3074 };

static unsigned char record[RECORD_100];

/* Pixel k of plane c of image i. */
static unsigned char pixel(int i, int c, int k)
{
    return (unsigned char)(i * 91 + c * 37 + k * 3);
}

static void write_batch(struct scratch *s, const char *name, int first, int n, int n_label_bytes)
{
    FILE *f = fopen(scratch_path(s, name), "wb");
    assert_non_null(f);
    for (int i = first; i < first + n; i++) {
        unsigned char *p = record;
        if (n_label_bytes == 2) {
            *p++ = (unsigned char)(i % 20);
        }
        *p++ = (unsigned char)(i % (n_label_bytes == 2 ? 100 : 10));
        for (int c = 0; c < 3; c++) {
            for (int k = 0; k < 1024; k++) {
                *p++ = pixel(i, c, k);
            }
        }
        assert_int_equal(fwrite(record, 1, (size_t)(p - record), f), (size_t)(p - record));
    }
    fclose(f);
}

static bool open_set(struct scratch *s, struct dataset *ds, const char *format,
                     enum dataset_split split, size_t limit, struct err *e)
{
    char spec[600];
    struct dataset_options options = {.limit = limit};
    snprintf(spec, sizeof spec, "%s:%s", format, s->dir);
    s->arena.used = 0;
    return dataset_open(ds, &s->arena, spec, split, &options, e);
}

static void test_good(void **state)
{
    struct scratch *s = *state;
    struct dataset ds;
    struct err e = {0};
    write_batch(s, "data_batch_2.bin", 0, 3, 1); /* the other batches are not there */
    write_batch(s, "data_batch_5.bin", 3, 9, 1);
    write_batch(s, "test_batch.bin", 50, 2, 1);
    assert_true(open_set(s, &ds, "cifar10", DATASET_TRAIN, 0, &e));
    assert_int_equal(ds.n, 12);
    assert_int_equal(ds.n_classes, 10);
    assert_true(ds.shape.h == 32 && ds.shape.w == 32 && ds.shape.c == 3);
    assert_string_equal(ds.name, "cifar10");
    assert_string_equal(ds.class_names[9], "truck");
    for (int i = 0; i < 12; i++) {
        assert_int_equal(ds.labels[i], i % 10);
        for (int k = 0; k < 1024; k++) {
            for (int c = 0; c < 3; c++) {
                assert_int_equal(ds.pixels[(i * 1024 + k) * 3 + c], pixel(i, c, k));
            }
        }
    }
    char hash[65];
    memcpy(hash, ds.sha256, sizeof hash);
    assert_int_equal(strlen(hash), 64);
    assert_true(
        open_set(s, &ds, "cifar10", DATASET_TRAIN, 5, &e)); /* across the border of the files */
    assert_int_equal(ds.n, 5);
    assert_int_equal(ds.labels[4], 4);
    assert_true(open_set(s, &ds, "cifar10", DATASET_TEST, 0, &e));
    assert_int_equal(ds.n, 2);
    assert_string_not_equal(hash, ds.sha256);
}

static void test_good_100(void **state)
{
    struct scratch *s = *state;
    struct dataset ds;
    struct err e = {0};
    write_batch(s, "train.bin", 95, 7, 2);
    assert_true(open_set(s, &ds, "cifar100", DATASET_TRAIN, 0, &e));
    assert_int_equal(ds.n, 7);
    assert_int_equal(ds.labels[4], 99); /* the fine label, not the coarse one */
    assert_int_equal(ds.labels[6], 1);
    assert_int_equal(ds.pixels[(6 * 1024 + 5) * 3 + 2], pixel(101, 2, 5));
    assert_string_equal(ds.class_names[99], "worm");
    assert_false(open_set(s, &ds, "cifar100", DATASET_TEST, 0, &e));
    scratch_expect(&e, ERR_INPUT, "expected test.bin there, found none");
}

static void test_bad(void **state)
{
    struct scratch *s = *state;
    struct dataset ds;
    struct err e = {0};
    assert_false(open_set(s, &ds, "cifar10", DATASET_TRAIN, 0, &e));
    scratch_expect(&e, ERR_INPUT, "found none");
    assert_false(dataset_open(&ds, &s->arena, "cifar10", DATASET_TRAIN, NULL, &e));
    scratch_expect(&e, ERR_USAGE, "cifar10:DIR");
    write_batch(s, "data_batch_1.bin", 0, 2, 1);
    FILE *f = fopen(scratch_path(s, "data_batch_1.bin"), "r+b");
    fseek(f, RECORD, SEEK_SET);
    fputc(10, f);
    fclose(f);
    assert_false(open_set(s, &ds, "cifar10", DATASET_TRAIN, 0, &e));
    scratch_expect(&e, ERR_INPUT,
                   "data_batch_1.bin: byte 3073: expected a label below 10, found 10");
    write_batch(s, "train.bin", 0, 2, 2);
    f = fopen(scratch_path(s, "train.bin"), "r+b");
    fseek(f, RECORD_100, SEEK_SET);
    fputc(20, f);
    fclose(f);
    assert_false(open_set(s, &ds, "cifar100", DATASET_TRAIN, 0, &e));
    scratch_expect(&e, ERR_INPUT, "byte 3074: expected a coarse label below 20, found 20");
    f = fopen(s->path, "r+b");
    fseek(f, RECORD_100, SEEK_SET);
    fputc(2, f);
    fputc(100, f);
    fclose(f);
    assert_false(open_set(s, &ds, "cifar100", DATASET_TRAIN, 0, &e));
    scratch_expect(&e, ERR_INPUT, "byte 3075: expected a label below 100, found 100");
    scratch_mkdir(s, "test.bin");
    assert_false(open_set(s, &ds, "cifar100", DATASET_TEST, 0, &e));
    scratch_expect(&e, ERR_INPUT, "regular file");
}

static void test_cut_off_everywhere(void **state)
{
    struct scratch *s = *state;
    struct dataset ds;
    write_batch(s, "data_batch_1.bin", 0, 2, 1);
    for (long n = 2 * RECORD - 1; n >= 0; n--) {
        struct err e = {0};
        assert_int_equal(truncate(s->path, n), 0);
        bool ok = open_set(s, &ds, "cifar10", DATASET_TRAIN, 0, &e);
        assert_int_equal(ok, n == RECORD);
        if (!ok) {
            scratch_expect(&e, ERR_INPUT, "multiple of 3073 bytes");
        }
    }
}

static void test_memory_runs_out(void **state)
{
    struct scratch *s = *state;
    struct dataset ds;
    write_batch(s, "train.bin", 0, 2, 2);
    int64_t k = 0;
    for (;; k++) {
        struct err e = {0};
        s->arena.n_left = k;
        if (open_set(s, &ds, "cifar100", DATASET_TRAIN, 0, &e)) {
            break;
        }
        scratch_expect(&e, ERR_FAILED, "out of memory");
    }
    assert_int_equal(k, 3); /* pixels, labels, the file */
}

static void check_means(struct scratch *s, const char *format, size_t n, double tolerance)
{
    struct dataset ds;
    struct summary summary;
    struct err e = {0};
    char spec[1100];
    snprintf(spec, sizeof spec, "%s:%s", format, s->path);
    if (!dataset_open(&ds, &s->arena, spec, DATASET_TRAIN, NULL, &e)) {
        fail_msg("%s", e.text);
    }
    assert_int_equal(ds.n, n);
    assert_true(summary_of(&summary, &s->arena, &ds, &e));
    for (int c = 0; c < 3; c++) {
        assert_true(fabs(summary.mean[c] - (double)ds.mean[c]) <= tolerance);
        assert_true(fabs(summary.std[c] - (double)ds.std[c]) <= tolerance);
    }
    for (int k = 0; k < ds.n_classes; k++) {
        assert_int_equal(summary.n_of_class[k], n / (size_t)ds.n_classes);
    }
}

/* The means of 1,000 of the 50,000 images: their deviation is .24 / sqrt(1000) times some
 * correlation within images. */
static void test_real_small(void **state)
{
    struct scratch *s = *state;
    if (!scratch_data(s, "cifar10-small")) {
        skip();
    }
    check_means(s, "cifar10", 1000, 0.01);
}

/* All of them: the published figures to all five digits. */
static void test_real_all(void **state)
{
    struct scratch *s = *state;
    if (!scratch_data(s, "cifar10/data_batch_5.bin")) {
        skip();
    }
    scratch_data(s, "cifar10");
    check_means(s, "cifar10", 50000, 0.0000051);
}

/* A fifth of CIFAR-100: 100 of 500 images of each class. */
static void test_real_100(void **state)
{
    struct scratch *s = *state;
    if (!scratch_data(s, "cifar100/train.bin")) {
        skip();
    }
    scratch_data(s, "cifar100");
    check_means(s, "cifar100", 10000, 0.005);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        T(test_good),
        T(test_good_100),
        T(test_bad),
        T(test_cut_off_everywhere),
        T(test_memory_runs_out),
        T(test_real_small),
        T(test_real_all),
        T(test_real_100),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
