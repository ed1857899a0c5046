/*
 * IDX files: plain and gzipped, both spellings, three and four dimensions; hostile headers, lies
 * about sizes, bombs, damage at every byte and truncation at every byte; and the real sets where
 * they are at hand.
 */
#define _GNU_SOURCE
#include "data/idx.h"
#include "data/sample.h"
#include "data/summary.h"
#include "tests/scratch.h"

#include <math.h>
#include <zlib.h>

enum { N = 5, SIDE = 4 };

static const unsigned char labels[8 + N] = {0, 0, 8, 1, 0, 0, 0, N, 3, 1, 4, 1, 9};

static size_t images(unsigned char *out)
{
    static const unsigned char head[16] = {0, 0, 8, 3, 0, 0, 0, N, 0, 0, 0, SIDE, 0, 0, 0, SIDE};
    memcpy(out, head, sizeof head);
    for (int i = 0; i < N * SIDE * SIDE; i++) {
        out[16 + i] = (unsigned char)(i * 7 + i * i);
    }
    return 16 + N * SIDE * SIDE;
}

static size_t gzip(unsigned char *out, size_t max, const void *bytes, size_t n)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)bytes, .avail_in = (unsigned)n};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_out = out;
    z.avail_out = (unsigned)max;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

static bool open_set(struct scratch *s, struct dataset *ds, size_t limit, struct err *e)
{
    char spec[600];
    struct dataset_options options = {.limit = limit};
    snprintf(spec, sizeof spec, "mnist:%s", s->dir);
    s->arena.used = 0;
    return dataset_open(ds, &s->arena, spec, DATASET_TRAIN, &options, e);
}

static bool read_file(struct scratch *s, struct idx *idx, const void *bytes, size_t n,
                      struct err *e)
{
    struct source src;
    scratch_write(s, "x", bytes, n);
    s->arena.used = 0;
    assert_true(source_init(&src, e));
    bool ok = idx_read(idx, &s->arena, &src, s->path, e);
    source_release(&src);
    return ok;
}

static void test_good(void **state)
{
    struct scratch *s = *state;
    static const char *const spellings[][2] = {
        {"train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz"},
        {"train-images.idx3-ubyte.gz", "train-labels.idx1-ubyte"},
    };
    unsigned char raw[16 + N * SIDE * SIDE], gz[2][512];
    size_t n_raw = images(raw);
    size_t n_gz[2] = {gzip(gz[0], sizeof gz[0], raw, n_raw),
                      gzip(gz[1], sizeof gz[1], labels, sizeof labels)};
    for (size_t i = 0; i < N_ELEMS(spellings); i++) {
        struct dataset ds;
        struct err e = {0};
        scratch_write(s, spellings[i][0], i ? gz[0] : raw, i ? n_gz[0] : n_raw);
        scratch_write(s, spellings[i][1], i ? labels : gz[1], i ? sizeof labels : n_gz[1]);
        if (!open_set(s, &ds, 0, &e)) {
            fail_msg("%s", e.text);
        }
        assert_true(ds.n == N && ds.shape.h == SIDE && ds.shape.w == SIDE && ds.shape.c == 1);
        assert_int_equal(ds.n_classes, 10);
        assert_memory_equal(ds.pixels, raw + 16, N * SIDE * SIDE);
        for (int k = 0; k < N; k++) {
            assert_int_equal(ds.labels[k], labels[8 + k]);
        }
        assert_true(open_set(s, &ds, 2, &e));
        assert_int_equal(ds.n, 2);
        unlink(scratch_path(s, spellings[i][0]));
        unlink(scratch_path(s, spellings[i][1]));
    }
}

static void test_bad_headers(void **state)
{
    struct scratch *s = *state;
    static const struct {
        unsigned char bytes[24];
        size_t n;
        const char *words;
    } bad[] = {
        {{0}, 0, "expected 4 more bytes of the IDX magic, found the end"},
        {{0, 0, 8}, 3, "expected 1 more bytes of the IDX magic"},
        {{1, 0, 8, 1, 0, 0, 0, 0}, 8, "expected the IDX magic 00 00 08"},
        {{0, 0, 0x0d, 1, 0, 0, 0, 0}, 8, "found 00 00 0d 01"}, /* floats */
        {{0, 0, 8, 0}, 4, "found 00 00 08 00"},
        {{0, 0, 8, 5, 0, 0, 0, 1}, 8, "found 00 00 08 05"},
        {{0, 0, 8, 2, 0, 0, 0, 1, 0, 0}, 10, "byte 10: expected 2 more bytes of the sizes"},
        {{0, 0, 8, 1, 0, 0, 0, 2, 7},
         9,
         "expected at most 1 bytes of data in a file of 9, found a header that promises 2"},
        {{0, 0, 8, 1, 0, 0, 0, 2, 7, 7, 7},
         11,
         "byte 10: expected the end as the header says, found 1 more bytes"},
        {{0, 0, 8, 1, 255, 255, 255, 255, 7}, 9, "promises 4294967295"},
        {{0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
         16,
         "byte 12: expected a size that memory can hold"},
    };
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        struct idx idx;
        struct err e = {0};
        assert_false(read_file(s, &idx, bad[i].bytes, bad[i].n, &e));
        scratch_expect(&e, ERR_INPUT, bad[i].words);
    }
}

/* A well-formed file that is no data set. */
static void test_bad_sets(void **state)
{
    struct scratch *s = *state;
    static const struct {
        unsigned char images[24];
        size_t n_images;
        unsigned char labels[12];
        size_t n_labels;
        const char *words;
    } bad[] = {
        {{0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 4},
         16,
         {0, 0, 8, 1, 0, 0, 0, 0},
         8,
         "at least one image, found 0"},
        {{0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4},
         16,
         {0},
         0,
         "1 to 4096 pixels a side, found 0 x 4"},
        {{0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 1, 9},
         13,
         {0},
         0,
         "images of 3 or 4 dimensions, found 2"},
        {{0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 9, 9},
         22,
         {0},
         0,
         "1 or 3 channels, found 2"},
        {{0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9},
         17,
         {0, 0, 8, 1, 0, 0, 0, 2, 1, 1},
         10,
         "expected 1 labels, one for each image, found 2"},
        {{0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9},
         17,
         {0, 0, 8, 1, 0, 0, 0, 1, 10},
         9,
         "byte 8: expected a label below 10, found 10"},
        {{0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9},
         17,
         {0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 0},
         12,
         "labels of 1 dimension, found 2"},
    };
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        struct dataset ds;
        struct err e = {0};
        scratch_write(s, "train-images-idx3-ubyte", bad[i].images, bad[i].n_images);
        scratch_write(s, "train-labels-idx1-ubyte", bad[i].labels, bad[i].n_labels);
        assert_false(open_set(s, &ds, 0, &e));
        scratch_expect(&e, ERR_INPUT, bad[i].words);
    }
    struct dataset ds;
    struct err e = {0};
    unlink(scratch_path(s, "train-labels-idx1-ubyte"));
    assert_false(open_set(s, &ds, 0, &e));
    scratch_expect(&e, ERR_INPUT, "expected the file train-labels-idx1-ubyte");
}

static void test_cut_off_everywhere(void **state)
{
    struct scratch *s = *state;
    unsigned char raw[16 + N * SIDE * SIDE], gz[512];
    size_t n_raw = images(raw), n_gz = gzip(gz, sizeof gz, raw, n_raw);
    struct idx idx;
    struct err e = {0};
    assert_true(read_file(s, &idx, raw, n_raw, &e));
    assert_true(read_file(s, &idx, gz, n_gz, &e));
    for (size_t n = 0; n < n_raw; n++) {
        assert_false(read_file(s, &idx, raw, n, &e));
        assert_int_equal(e.code, ERR_INPUT);
    }
    for (size_t n = 0; n < n_gz; n++) {
        assert_false(read_file(s, &idx, gz, n, &e));
        assert_int_equal(e.code, ERR_INPUT);
    }
}

/* Each byte of the gzip stream changed in turn: the checksum finds it, unless it is in a part of
 * the header that says nothing of the content (flags that are ignored, time, system: bytes 4 to 9).
 */
static void test_damage_everywhere(void **state)
{
    struct scratch *s = *state;
    unsigned char raw[16 + N * SIDE * SIDE], gz[600];
    size_t n_raw = images(raw), n_gz = gzip(gz, 512, raw, n_raw);
    for (size_t i = 0; i < n_gz; i++) {
        struct idx idx;
        struct err e = {0};
        gz[i] ^= 0x41;
        bool ok = read_file(s, &idx, gz, n_gz, &e);
        assert_int_equal(ok, i >= 4 && i <= 9);
        gz[i] ^= 0x41;
    }
    struct idx idx;
    struct err e = {0};
    memcpy(gz + n_gz, "more", 4);
    assert_false(read_file(s, &idx, gz, n_gz + 4, &e));
    scratch_expect(&e, ERR_INPUT,
                   "expected the end of the file after the gzip stream, found 4 more bytes");
}

static void test_bombs(void **state)
{
    struct scratch *s = *state;
    static unsigned char zeros[1 << 22], gz[1 << 16];
    static const unsigned char head[8] = {0, 0, 8, 1, 0, 0, 0, 1};
    struct idx idx;
    struct err e = {0};
    memcpy(zeros, head, sizeof head); /* says one byte, unpacks to four million */
    size_t n = gzip(gz, sizeof gz, zeros, sizeof zeros);
    assert_false(read_file(s, &idx, gz, n, &e));
    scratch_expect(&e, ERR_INPUT, "expected the end as the header says, found more");
    assert_true(s->arena.used < 1 << 20); /* nothing was unpacked */
    static const unsigned char liar[8] = {0, 0, 8, 1, 127, 255, 255, 255};
    n = gzip(gz, sizeof gz, liar, sizeof liar);
    assert_false(read_file(s, &idx, gz, n, &e));
    scratch_expect(&e, ERR_INPUT, "a header that promises 2147483647");
}

static void test_memory_runs_out(void **state)
{
    struct scratch *s = *state;
    unsigned char raw[16 + N * SIDE * SIDE], gz[512];
    size_t n_gz = gzip(gz, sizeof gz, raw, images(raw));
    int64_t k = 0;
    for (;; k++) {
        struct idx idx;
        struct err e = {0};
        s->arena.n_left = k;
        if (read_file(s, &idx, gz, n_gz, &e)) {
            break;
        }
        scratch_expect(&e, ERR_FAILED, "out of memory");
    }
    assert_true(k >= 3);
}

/* What sample_write writes is balanced, read again unchanged, and the same every time. */
static void test_sample(void **state)
{
    struct scratch *s = *state;
    struct dataset ds, back;
    struct err e = {0};
    char spec[600];
    static unsigned char first[1 << 20], second[1 << 20];
    assert_true(dataset_open(&ds, &s->arena, "synthetic:200", DATASET_TRAIN, NULL, &e));
    assert_true(sample_write(&ds, DATASET_TRAIN, 53, 7, s->dir, s->arena, &e));
    size_t n = scratch_read(s, "train-images-idx3-ubyte.gz", first, sizeof first);
    assert_true(sample_write(&ds, DATASET_TRAIN, 53, 7, s->dir, s->arena, &e));
    assert_int_equal(scratch_read(s, "train-images-idx3-ubyte.gz", second, sizeof second), n);
    assert_memory_equal(first, second, n);
    snprintf(spec, sizeof spec, "mnist:%s", s->dir);
    assert_true(dataset_open(&back, &s->arena, spec, DATASET_TRAIN, NULL, &e));
    assert_true(back.n == 53 && back.shape.h == 32 && back.shape.c == 3);
    int count[10] = {0};
    for (size_t i = 0; i < back.n; i++) {
        count[back.labels[i]]++;
        bool found = false;
        for (size_t k = 0; k < ds.n && !found; k++) {
            found = ds.labels[k] == back.labels[i] &&
                    memcmp(ds.pixels + k * 3072, back.pixels + i * 3072, 3072) == 0;
        }
        assert_true(found);
    }
    for (int k = 0; k < 10; k++) {
        assert_int_equal(count[k], k < 3 ? 6 : 5);
    }
    assert_false(sample_write(&ds, DATASET_TRAIN, 201, 7, s->dir, s->arena, &e));
    scratch_expect(&e, ERR_INPUT, "found only 200");
}

static void check_real(struct scratch *s, const char *spec, double mean, double std)
{
    struct dataset ds;
    struct summary summary;
    struct err e = {0};
    if (!dataset_open(&ds, &s->arena, spec, DATASET_TRAIN, NULL, &e)) {
        fail_msg("%s", e.text);
    }
    assert_true(ds.n == 60000 && ds.shape.h == 28 && ds.shape.w == 28 && ds.shape.c == 1);
    assert_true(summary_of(&summary, &s->arena, &ds, &e));
    assert_true(fabs(summary.mean[0] - mean) < 0.0001 && fabs(summary.std[0] - std) < 0.0001);
    assert_true(fabs((double)ds.mean[0] - mean) < 0.0001 && fabs((double)ds.std[0] - std) < 0.0001);
    assert_true(dataset_open(&ds, &s->arena, spec, DATASET_TEST, NULL, &e));
    assert_int_equal(ds.n, 10000);
}

/* Customary figures: 0.1307 / 0.3081, as in PyTorch's MNIST example. */
static void test_mnist(void **state)
{
    struct scratch *s = *state;
    char spec[1100];
    if (!scratch_data(s, "mnist/train-images-idx3-ubyte.gz")) {
        skip();
    }
    snprintf(spec, sizeof spec, "mnist:%s", scratch_data(s, "mnist"));
    check_real(s, spec, 0.1307, 0.3081);
}

static void test_fashion(void **state)
{
    struct scratch *s = *state;
    if (access("/usr/share/datasets/fashion-mnist", R_OK) != 0) {
        skip();
    }
    check_real(s, "fashion-mnist", 0.2860, 0.3530);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        T(test_good),
        T(test_bad_headers),
        T(test_bad_sets),
        T(test_cut_off_everywhere),
        T(test_damage_everywhere),
        T(test_bombs),
        T(test_memory_runs_out),
        T(test_sample),
        T(test_mnist),
        T(test_fashion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
