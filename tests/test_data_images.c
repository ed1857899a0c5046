/*
 * Folders of pictures: both layouts, order, split and labels; every kind of picture we promise;
 * truncation at every byte, damage, lies about size; the resampler on cases worked out by hand.
 */
#define _GNU_SOURCE
#include "core/rng.h"
#include "data/dataset.h"
#include "data/decode.h"
#include "data/resample.h"
#include "tests/pictures.h"
#include "tests/scratch.h"

#include <zlib.h>

/* A grey PGM of one value, 4 x 4. */
static void write_grey(struct scratch *s, const char *name, int value)
{
    unsigned char bytes[64];
    int n = snprintf((char *)bytes, sizeof bytes, "P5\n4 4\n255\n");
    memset(bytes + n, value, 16);
    scratch_write(s, name, bytes, (size_t)n + 16);
}

static bool open_set(struct scratch *s, struct dataset *ds, enum dataset_split split, int resize,
                     struct err *e)
{
    char spec[600];
    struct dataset_options options = {.resize = resize};
    snprintf(spec, sizeof spec, "images:%s", s->dir);
    s->arena.used = 0;
    return dataset_open(ds, &s->arena, spec, split, &options, e);
}

static void test_two_folders(void **state)
{
    struct scratch *s = *state;
    struct dataset ds;
    struct err e = {0};
    static const char *const folders[] = {"train",         "train/b", "train/a", "train/Z",
                                          "train/.hidden", "test",    "test/a"};
    for (size_t i = 0; i < N_ELEMS(folders); i++) {
        scratch_mkdir(s, folders[i]);
    }
    write_grey(s, "train/b/2.pgm", 10);
    write_grey(s, "train/b/10.PNM", 20);
    write_grey(s, "train/a/x.pgm", 30);
    write_grey(s, "train/a/.x.pgm", 40);
    scratch_write(s, "train/a/readme.txt", "no picture", 10);
    scratch_write(s, "train/readme.txt", "no folder", 9);
    write_grey(s, "test/a/y.pgm", 50);
    if (!open_set(s, &ds, DATASET_TRAIN, 4, &e)) {
        fail_msg("%s", e.text);
    }
    /* Classes in byte order: Z (empty), a, b; one picture of each in turn: a/x, b/10, b/2. */
    assert_int_equal(ds.n_classes, 3);
    assert_string_equal(ds.class_names[0], "Z");
    assert_string_equal(ds.class_names[2], "b");
    assert_int_equal(ds.n, 3);
    assert_true(ds.labels[0] == 1 && ds.labels[1] == 2 && ds.labels[2] == 2);
    assert_true(ds.shape.h == 4 && ds.shape.w == 4 && ds.shape.c == 3);
    static const int values[] = {30, 20, 10};
    for (int i = 0; i < 3 * 48; i++) {
        assert_int_equal(ds.pixels[i], values[i / 48]);
    }
    char hash[65];
    memcpy(hash, ds.sha256, sizeof hash);
    assert_true(open_set(s, &ds, DATASET_TEST, 4, &e));
    assert_true(ds.n == 1 && ds.labels[0] == 1 && ds.n_classes == 3 && ds.pixels[0] == 50);
    char from[1024];
    snprintf(from, sizeof from, "%s/train/b/2.pgm", s->dir);
    assert_int_equal(rename(from, scratch_path(s, "train/a/2.pgm")), 0);
    assert_true(open_set(s, &ds, DATASET_TRAIN, 4, &e));
    assert_string_not_equal(hash, ds.sha256); /* the same pictures, another class */
    scratch_mkdir(s, "test/c");
    assert_false(open_set(s, &ds, DATASET_TEST, 4, &e));
    scratch_expect(&e, ERR_INPUT, "the class \"c\" has no folder beside it under train");
}

/* Without train and test folders: four fifths and one fifth of each class, nothing in both, the
 * same every time. */
static void test_divided(void **state)
{
    struct scratch *s = *state;
    struct dataset train, test;
    struct err e = {0};
    char name[64];
    for (int k = 0; k < 2; k++) {
        snprintf(name, sizeof name, "c%d", k);
        scratch_mkdir(s, name);
        for (int i = 0; i < 50; i++) {
            snprintf(name, sizeof name, "c%d/%03d.pgm", k, i);
            write_grey(s, name, 100 * k + i);
        }
    }
    int count[256] = {0};
    assert_true(open_set(s, &test, DATASET_TEST, 4, &e));
    assert_int_equal(test.n, 20);
    for (size_t i = 0; i < test.n; i++) {
        assert_int_equal(test.labels[i], test.pixels[i * 48] / 100);
        count[test.pixels[i * 48]]++;
    }
    int early = 0; /* of the test pictures among the first half of the names: about half */
    for (int i = 0; i < 25; i++) {
        early += count[i] + count[100 + i];
    }
    assert_true(early > 2 && early < 18);
    assert_true(open_set(s, &train, DATASET_TRAIN, 4, &e));
    assert_int_equal(train.n, 80);
    int last[2] = {-1, -1};
    for (size_t i = 0; i < train.n; i++) {
        int value = train.pixels[i * 48], k = train.labels[i];
        count[value]++;
        assert_true(value > last[k]); /* by name within a class */
        last[k] = value;
        assert_int_equal(k, i % 2); /* one of each class in turn */
    }
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 50; i++) {
            assert_int_equal(count[100 * k + i], 1);
        }
    }
    char hash[65];
    memcpy(hash, train.sha256, sizeof hash);
    assert_true(open_set(s, &train, DATASET_TRAIN, 4, &e));
    assert_string_equal(hash, train.sha256);
}

static void test_refuses(void **state)
{
    struct scratch *s = *state;
    struct dataset ds;
    struct err e = {0};
    assert_false(open_set(s, &ds, DATASET_TRAIN, 0, &e));
    scratch_expect(&e, ERR_INPUT, "expected 1 to 10000 folders, one for each class, found 0");
    scratch_mkdir(s, "a");
    assert_false(open_set(s, &ds, DATASET_TRAIN, 0, &e));
    scratch_expect(&e, ERR_INPUT,
                   "expected pictures (png, jpg, bmp, ppm, pgm) for train, found none");
    write_grey(s, "a/1.pgm", 1);
    assert_false(open_set(s, &ds, DATASET_TEST, 0, &e)); /* one picture is too few to divide */
    scratch_expect(&e, ERR_INPUT, "for test, found none");
    assert_false(open_set(s, &ds, DATASET_TRAIN, 5000, &e));
    scratch_expect(&e, ERR_USAGE, "1 to 1024");
    assert_true(open_set(s, &ds, DATASET_TRAIN, 0, &e));
    assert_int_equal(ds.shape.h, 32);
    scratch_write(s, "a/2.png", "no png", 6);
    assert_false(open_set(s, &ds, DATASET_TRAIN, 0, &e));
    scratch_expect(&e, ERR_INPUT, "a/2.png: byte 0: expected a PNG, JPEG, BMP or PNM picture");
    scratch_mkdir(s, "a/3.png");
    unlink(scratch_path(s, "a/2.png"));
    assert_false(open_set(s, &ds, DATASET_TRAIN, 0, &e));
    scratch_expect(&e, ERR_INPUT, "found a folder");
    assert_false(dataset_open(&ds, &s->arena, "images:/no/such/folder", DATASET_TRAIN, NULL, &e));
    scratch_expect(&e, ERR_INPUT, "/no/such/folder");
    assert_false(dataset_open(&ds, &s->arena, "images:", DATASET_TRAIN, NULL, &e));
    scratch_expect(&e, ERR_USAGE, "images:DIR");
}

static void test_memory_runs_out(void **state)
{
    struct scratch *s = *state;
    struct dataset ds;
    scratch_mkdir(s, "a");
    for (int i = 0; i < 6; i++) {
        char name[32];
        snprintf(name, sizeof name, "a/%d.pgm", i);
        write_grey(s, name, i);
    }
    int64_t k = 0;
    for (;; k++) {
        struct err e = {0};
        s->arena.n_left = k;
        if (open_set(s, &ds, DATASET_TRAIN, 3, &e)) {
            break;
        }
        scratch_expect(&e, ERR_FAILED, "out of memory");
    }
    assert_true(k > 10);
}

/* The kinds of picture. Red above, blue below, whatever the compression. */
struct picture {
    const char *name;
    const unsigned char *bytes;
    size_t n;
    int tolerance; /* of a channel: JPEG loses some */
};

static const struct picture pictures[] = {
    {"baseline JPEG", pictures_jpeg_baseline, sizeof pictures_jpeg_baseline, 12},
    {"progressive JPEG", pictures_jpeg_progressive, sizeof pictures_jpeg_progressive, 24},
    {"palette PNG", pictures_png_palette, sizeof pictures_png_palette, 0},
    {"16-bit PNG", pictures_png_16bit, sizeof pictures_png_16bit, 0},
    {"interlaced PNG with alpha", pictures_png_interlaced, sizeof pictures_png_interlaced, 0},
};

static void test_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMS(pictures); i++) {
        const struct picture *p = &pictures[i];
        struct decode d;
        struct err e = {0};
        if (!decode_open(&d, p->name, p->bytes, p->n, &e)) {
            fail_msg("%s", e.text);
        }
        assert_true(d.w == 13 && d.h == 9);
        for (int k = 0; k < 13; k++) {
            const uint8_t *top = d.rgb + 3 * k, *bottom = d.rgb + 3 * (8 * 13 + k);
            assert_true(top[0] >= 255 - p->tolerance && top[1] <= p->tolerance &&
                        top[2] <= p->tolerance);
            assert_true(bottom[2] >= 255 - p->tolerance && bottom[1] <= p->tolerance &&
                        bottom[0] <= p->tolerance);
        }
        decode_close(&d);
        decode_close(&d); /* twice is fine */
    }
}

/* Every prefix of every picture is refused: none is taken for a picture with grey below. */
static void test_cut_off_everywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMS(pictures); i++) {
        const struct picture *p = &pictures[i];
        for (size_t n = 0; n < p->n; n++) {
            struct decode d;
            struct err e = {0};
            /* A copy of just that size, so that a sanitizer sees reads beyond it. */
            unsigned char *copy = malloc(n + (n == 0));
            memcpy(copy, p->bytes, n);
            assert_false(decode_open(&d, p->name, copy, n, &e));
            assert_int_equal(e.code, ERR_INPUT);
            free(copy);
        }
    }
}

/* Bytes changed at random: an answer, a picture of sane size or an error, and nothing read or
 * written outside (run it with a sanitizer to see that). */
static void test_damage(void **state)
{
    (void)state;
    unsigned char copy[1024];
    int refused = 0;
    for (int round = 0; round < 20000; round++) {
        struct rng r = rng_key(1, RNG_TEST, (uint64_t)round);
        const struct picture *p = &pictures[round % (int)N_ELEMS(pictures)];
        memcpy(copy, p->bytes, p->n);
        for (uint64_t k = rng_below(&r, 4) + 1; k > 0; k--) {
            copy[rng_below(&r, p->n)] = (unsigned char)rng_below(&r, 256);
        }
        struct decode d;
        struct err e = {0};
        if (decode_open(&d, p->name, copy, p->n, &e)) {
            assert_true(d.w > 0 && d.h > 0 && (int64_t)d.w * d.h <= 1 << 26);
            decode_close(&d);
        } else {
            assert_int_equal(e.code, ERR_INPUT);
            refused++;
        }
    }
    assert_true(refused > 1000);
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"P5\n20000 1\n255\n", "byte 3: expected a width from 1 to 16384"},
        {"P5\n99999999999 1\n255\n", "byte 3: expected a width"},
        {"P5\n0 4\n255\n", "byte 3: expected a width"},
        {"P5\n4 x\n255\n", "byte 5: expected a height"},
        {"P5\n1 1\n65536\n  ", "byte 7: expected a maximum from 1 to 65535"},
        {"P5\n1 1\n255", "cut off"},
        {"P5\n1 1\n255\n", "expected a white space and 1 bytes of samples from byte 10, found 1"},
        {"P5 # 1 1 255 x", "expected a width"},
        {"P5\n16384 16384\n255\n", "cut off"},
        {"P6\n8000 8000\n255\nabc", "cut off"},
        {"P4\n1 1\n1", "expected the PNM magic P5 or P6"},
        {"GIF89a\1", "byte 0: expected a PNG, JPEG, BMP or PNM picture, found byte 0x47"},
        {"BM no bitmap", "expected a PNG, JPEG, BMP or PNM picture"},
        {"\x89PNG\r\n\x1a\n", "cut off"},
        {"\x89PNX", "expected the PNG magic"},
        {"\xff\xd7", "expected the JPEG magic"},
    };
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        struct decode d;
        struct err e = {0};
        const unsigned char *bytes = (const unsigned char *)bad[i].text;
        assert_false(decode_open(&d, "x", bytes, strlen(bad[i].text), &e));
        scratch_expect(&e, ERR_INPUT, bad[i].words);
    }
    /* A BMP that says 16000 x 16000: refused before memory is asked for. */
    unsigned char bmp[54] = {'B', 'M', 54, 0,    0,    0, 0, 0,    0,    0, 54, 0, 0, 0, 40,
                             0,   0,   0,  0x80, 0x3e, 0, 0, 0x80, 0x3e, 0, 0,  1, 0, 24};
    struct decode d;
    struct err e = {0};
    assert_false(decode_open(&d, "x", bmp, sizeof bmp, &e));
    scratch_expect(&e, ERR_INPUT, "67108864 pixels, found 16000 x 16000");
    bmp[19] = bmp[23] = 0;
    bmp[18] = bmp[22] = 2;
    assert_false(decode_open(&d, "x", bmp, sizeof bmp, &e));
    scratch_expect(&e, ERR_INPUT, "cut off");
}

static void expect_rgb(const char *bytes, size_t n, const uint8_t *want, size_t n_want)
{
    struct decode d;
    struct err e = {0};
    if (!decode_open(&d, "x", (const unsigned char *)bytes, n, &e)) {
        fail_msg("%s", e.text);
    }
    assert_int_equal(3 * d.w * d.h, n_want);
    assert_memory_equal(d.rgb, want, n_want);
    decode_close(&d);
}

/* Comments, maxima, two bytes a sample, samples above the maximum. */
static void test_pnm(void **state)
{
    (void)state;
    static const char grey[] = "P5#c\n 2 # c\n1\n200 \x64\xff";
    expect_rgb(grey, sizeof grey - 1, (const uint8_t[]){128, 128, 128, 255, 255, 255}, 6);
    static const char deep[] = "P6 1 1 65535\n\xff\xff\x80\x80\0\x80";
    expect_rgb(deep, sizeof deep - 1, (const uint8_t[]){255, 128, 0}, 3);
    static const char half[] = "P5 1 1 256\n\0\x80";
    expect_rgb(half, sizeof half - 1, (const uint8_t[]){128, 128, 128}, 3);
}

/* stb_image 2.27 writes beyond its table where the counts of a Huffman table add up to more than
 * 256. */
static void test_huffman_tables(void **state)
{
    (void)state;
    unsigned char bytes[1200] = {0xff, 0xd8, 0xff, 0xc4, 3, 0, 0};
    struct decode d;
    struct err e = {0};
    bytes[2 + 2 + 2 + 1] = 3; /* three codes of one bit */
    assert_false(decode_open(&d, "x", bytes, sizeof bytes, &e));
    scratch_expect(&e, ERR_INPUT, "byte 7: expected at most 2 Huffman codes of 1 bits, found 3");
    bytes[7] = 0;
    bytes[7 + 13] = bytes[7 + 14] = bytes[7 + 15] = 255; /* possible lengths, too many codes */
    assert_false(decode_open(&d, "x", bytes, sizeof bytes, &e));
    scratch_expect(&e, ERR_INPUT, "byte 6: expected a Huffman table of at most 256 codes");
    /* The same where only a decoder that lost its way would see it. */
    unsigned char hidden[sizeof pictures_jpeg_baseline + 64] = {0xff, 0xd8, 0xff, 0xdb, 0, 42};
    memcpy(hidden + 6, bytes + 2, 40);
    memcpy(hidden + 46, pictures_jpeg_baseline + 2, sizeof pictures_jpeg_baseline - 2);
    assert_false(decode_open(&d, "x", hidden, 44 + sizeof pictures_jpeg_baseline, &e));
    scratch_expect(&e, ERR_INPUT, "Huffman");
    /* In a comment it is no table and no harm. */
    hidden[3] = 0xfe;
    assert_true(decode_open(&d, "x", hidden, 44 + sizeof pictures_jpeg_baseline, &e));
    decode_close(&d);
    /* Nor behind the end, where telephones put films. */
    memcpy(hidden, pictures_jpeg_baseline, sizeof pictures_jpeg_baseline);
    memcpy(hidden + sizeof pictures_jpeg_baseline, bytes + 2, 40);
    assert_true(decode_open(&d, "x", hidden, 40 + sizeof pictures_jpeg_baseline, &e));
    decode_close(&d);
}

/* Ten thousand empty scans could cost a pass over all coefficients each. */
static void test_scans(void **state)
{
    (void)state;
    static unsigned char bytes[sizeof pictures_jpeg_progressive + 6 * 250];
    size_t n = sizeof pictures_jpeg_progressive - 2; /* without the end */
    memcpy(bytes, pictures_jpeg_progressive, n);
    for (int i = 0; i < 250; i++, n += 4) {
        memcpy(bytes + n, "\xff\xda\0\2", 4);
    }
    memcpy(bytes + n, "\xff\xd9", 2);
    struct decode d;
    struct err e = {0};
    assert_false(decode_open(&d, "x", bytes, n + 2, &e));
    scratch_expect(&e, ERR_INPUT, "at most 200 scans");
}

static void test_png_chunks(void **state)
{
    (void)state;
    unsigned char bytes[sizeof pictures_png_palette + 32];
    struct decode d;
    struct err e = {0};
    memcpy(bytes, pictures_png_palette, sizeof pictures_png_palette);
    bytes[20] ^= 1; /* the width */
    assert_false(decode_open(&d, "x", bytes, sizeof pictures_png_palette, &e));
    scratch_expect(&e, ERR_INPUT, "the chunk at byte 8 is damaged: expected CRC");
    memcpy(bytes + sizeof pictures_png_palette, "rubbish behind the end", 22);
    bytes[20] ^= 1;
    assert_true(decode_open(&d, "x", bytes, sizeof pictures_png_palette + 22, &e));
    decode_close(&d);
    /* An unknown chunk: passed over if its first letter is small, refused if it is a capital. */
    static const unsigned char chunk[2][12] = {{0, 0, 0, 0, 'x', 'Y', 'Z', 'z'},
                                               {0, 0, 0, 0, 'X', 'Y', 'Z', 'z'}};
    for (int i = 0; i < 2; i++) {
        memcpy(bytes, pictures_png_palette, 33); /* magic and header */
        memcpy(bytes + 33, chunk[i], 12);
        memcpy(bytes + 45, pictures_png_palette + 33, sizeof pictures_png_palette - 33);
        uint32_t crc = (uint32_t)crc32(0, bytes + 37, 4);
        for (int k = 0; k < 4; k++) {
            bytes[41 + k] = (unsigned char)(crc >> (24 - 8 * k));
        }
        bool ok = decode_open(&d, "x", bytes, sizeof pictures_png_palette + 12, &e);
        assert_int_equal(ok, i == 0);
        decode_close(&d);
    }
    scratch_expect(&e, ERR_INPUT, "byte 37: expected a PNG chunk that is known, found 58 59 5a 7a");
    memcpy(bytes + 33, pictures_png_palette + 8, 25); /* a second header */
    assert_false(decode_open(&d, "x", bytes, sizeof bytes, &e));
    scratch_expect(&e, ERR_INPUT, "expected one PNG header");
}

static void resample(struct scratch *s, uint8_t *out, int side, const uint8_t *grey, int w, int h)
{
    struct err e = {0};
    uint8_t rgb[3 * 64];
    uint8_t big[3 * 64];
    for (int i = 0; i < 3 * w * h; i++) {
        rgb[i] =
            (uint8_t)(i % 3 == 1 ? 255 - grey[i / 3] : grey[i / 3]); /* green is turned round */
    }
    assert_true(resample_square(big, side, rgb, w, h, s->arena, &e));
    for (int i = 0; i < side * side; i++) {
        out[i] = big[3 * i];
        assert_int_equal(big[3 * i + 2], big[3 * i]);
        assert_in_range(big[3 * i + 1], 254 - big[3 * i], 256 - big[3 * i]); /* rounding */
    }
}

static void test_resample(void **state)
{
    struct scratch *s = *state;
    uint8_t out[64];
    static const uint8_t square[4] = {0, 100, 100, 200};
    resample(s, out, 2, square, 2, 2);
    assert_memory_equal(out, square, 4);
    /* 2 -> 1: the centre is as far from both: their mean. */
    resample(s, out, 1, square, 2, 2);
    assert_int_equal(out[0], 100);
    /* 2 -> 4: centres at -.25, .25, .75, 1.25 of pixels 0 and 1: weights 1, 3/4, 1/4, 0 of the
     * first. */
    resample(s, out, 4, square, 2, 2);
    static const uint8_t grown[4] = {0, 25, 75, 100};
    assert_memory_equal(out, grown, 4);
    assert_int_equal(out[15], 200);
    /* The central square of a wide and of a high picture. */
    static const uint8_t wide[8] = {9, 1, 2, 9, 9, 3, 4, 9}, high[8] = {9, 9, 1, 2, 3, 4, 9, 9};
    static const uint8_t centre[4] = {1, 2, 3, 4};
    resample(s, out, 2, wide, 4, 2);
    assert_memory_equal(out, centre, 4);
    resample(s, out, 2, high, 2, 4);
    assert_memory_equal(out, centre, 4);
    /* 4 -> 2: triangle of radius 2 round .5 and 2.5: distances 1/4, 1/4, 3/4 (, 5/4): weights 3, 3,
     * 1 of 7, mirrored. */
    static const uint8_t ramp[16] = {0, 70, 140, 210, 0, 70, 140, 210,
                                     0, 70, 140, 210, 0, 70, 140, 210};
    resample(s, out, 2, ramp, 4, 4);
    assert_int_equal(out[0], 50);  /* (3 * 0 + 3 * 70 + 140) / 7 */
    assert_int_equal(out[1], 160); /* (70 + 3 * 140 + 3 * 210) / 7 */
    /* One colour stays that colour at any size. */
    for (int side = 1; side <= 8; side++) {
        for (int n = 1; n <= 8; n++) {
            uint8_t flat[64];
            memset(flat, 37, sizeof flat);
            resample(s, out, side, flat, n, n);
            for (int i = 0; i < side * side; i++) {
                assert_int_equal(out[i], 37);
            }
        }
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        T(test_two_folders),    T(test_divided),
        T(test_refuses),        T(test_memory_runs_out),
        T(test_kinds),          T(test_cut_off_everywhere),
        T(test_damage),         T(test_sizes),
        T(test_scans),          T(test_pnm),
        T(test_huffman_tables), T(test_png_chunks),
        T(test_resample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
