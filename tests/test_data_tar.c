/*
 * The tar reader: finds its files by name among folders, links and long names; refuses what is
 * missing, twice, too long, cut off or has a wrong checksum.
 */
#define _GNU_SOURCE
#include "data/tar.h"
#include "tests/scratch.h"
#include "tests/tarball.h"

static unsigned char tarball[1 << 16], packed[1 << 16];

static bool read_tar(struct scratch *s, struct tar_member *members, int n_members,
                     const void *bytes, size_t n, struct err *e)
{
    scratch_write(s, "x.tar.gz", bytes, n);
    s->arena.used = 0;
    return tar_read_gz(s->path, members, n_members, &s->arena, e);
}

static size_t usual(void)
{
    char long_name[300];
    memset(long_name, 'n', sizeof long_name);
    size_t n = tarball_add(tarball, "dir/", '5', "", 0);
    n += tarball_add(tarball + n, "dir/readme.txt", '0', "hello", 5);
    n += tarball_add(tarball + n, "././@LongLink", 'L', long_name, sizeof long_name);
    n += tarball_add(tarball + n, "nnnnn", '0', "long", 4);
    n += tarball_add(tarball + n, "dir/b.bin", '2', "",
                     0); /* a link of that name is no file of that name */
    n += tarball_add(tarball + n, "dir/a.bin", '0', "aaaa", 4);
    char block[512];
    memset(block, 'b', sizeof block);
    n += tarball_add(tarball + n, "other/b.bin", 0, block, sizeof block); /* type 0: before POSIX */
    return n + tarball_end(tarball + n);
}

static void test_good(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    struct tar_member members[] = {{"b.bin", 512, NULL, 0}, {"a.bin", 4, NULL, 0}};
    size_t n = usual();
    for (int gz = 0; gz < 2; gz++) { /* a plain tar is read too */
        size_t n_packed = tarball_gzip(packed, sizeof packed, tarball, n);
        if (!read_tar(s, members, 2, gz ? packed : tarball, gz ? n_packed : n, &e)) {
            fail_msg("%s", e.text);
        }
        assert_int_equal(members[0].n, 512);
        assert_int_equal(members[0].bytes[511], 'b');
        assert_int_equal(members[1].n, 4);
        assert_memory_equal(members[1].bytes, "aaaa", 4);
    }
    /* Without the blocks of zeros at the end. */
    assert_true(read_tar(s, members, 2, tarball, n - 1024, &e));
}

static void test_bad(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    struct tar_member missing = {"c.bin", 9, NULL, 0}, small = {"a.bin", 3, NULL, 0},
                      fine = {"a.bin", 4, NULL, 0};
    size_t n = usual();
    assert_false(read_tar(s, &missing, 1, tarball, n, &e));
    scratch_expect(&e, ERR_INPUT, "expected the file c.bin in it, found none");
    assert_false(read_tar(s, &small, 1, tarball, n, &e));
    scratch_expect(&e, ERR_INPUT, "expected a.bin to be at most 3 bytes long, found 4");
    tarball[0] ^= 1;
    assert_false(read_tar(s, &fine, 1, tarball, n, &e));
    scratch_expect(&e, ERR_INPUT,
                   "byte 0 after decompression: expected a tar header with checksum");
    n = tarball_add(tarball, "a.bin", '0', "aaaa", 4);
    n += tarball_add(tarball + n, "x/a.bin", '0', "aaaa", 4);
    assert_false(read_tar(s, &fine, 1, tarball, n, &e));
    scratch_expect(&e, ERR_INPUT, "a.bin is in it twice");
    assert_false(read_tar(s, &fine, 1, "", 0, &e));
    scratch_expect(&e, ERR_INPUT, "found none");
    assert_false(tar_read_gz(scratch_path(s, "no.tar.gz"), &fine, 1, &s->arena, &e));
    scratch_expect(&e, ERR_INPUT, "cannot open");
}

/* A header that promises more than there is, or than anyone may. */
static void test_sizes(void **state)
{
    struct scratch *s = *state;
    static const struct {
        const char *size, *words;
    } bad[] = {
        {"77777777777", "at most 1 GiB"},
        {"           ", "at most 1 GiB"}, /* no number */
        {"\x80\0\0\0\0\0\0\0\0\0\7", "at most 1 GiB"},
        {"00000100000", "cut off"},
        {"0000000000x", "at most 1 GiB"},
    };
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        struct err e = {0};
        struct tar_member wanted = {"a.bin", (size_t)1 << 40, NULL, 0};
        size_t n = tarball_add(tarball, i == 3 ? "a.bin" : "z.bin", '0', "aaaa", 4);
        memcpy(tarball + 124, bad[i].size, 11);
        unsigned sum = 8 * ' ';
        for (int k = 0; k < 512; k++) {
            sum += k >= 148 && k < 156 ? 0 : tarball[k];
        }
        snprintf((char *)tarball + 148, 8, "%06o", sum);
        assert_false(read_tar(s, &wanted, 1, tarball, n, &e));
        scratch_expect(&e, ERR_INPUT, bad[i].words);
    }
}

static void test_cut_off_everywhere(void **state)
{
    struct scratch *s = *state;
    struct tar_member members[] = {{"b.bin", 512, NULL, 0}, {"a.bin", 4, NULL, 0}};
    size_t n = usual(), n_packed = tarball_gzip(packed, sizeof packed, tarball, n);
    for (size_t k = 0; k < n - 1024; k += k % 512 == 510 ? 1 : 17) {
        struct err e = {0};
        assert_false(read_tar(s, members, 2, tarball, k, &e));
        assert_int_equal(e.code, ERR_INPUT);
    }
    size_t read = 0; /* the end of the gzip stream holds only zeros and the checksum */
    for (size_t k = 0; k < n_packed; k++) {
        struct err e = {0};
        bool ok = read_tar(s, members, 2, packed, k, &e);
        assert_true(ok || e.code == ERR_INPUT);
        read += ok;
        assert_true(!ok ||
                    (members[0].n == 512 && members[1].n == 4 && members[0].bytes[511] == 'b'));
    }
    assert_true(read < 30);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {T(test_good), T(test_bad), T(test_sizes),
                                       T(test_cut_off_everywhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
