/*
 * Whole files and atomic writes: what is refused, and what is left where the disk says no in the
 * middle (a limit on file size stands for a full disk). Readers beside a writer never see half a
 * file. Checksums are FIPS 180-4's examples.
 */
#define _GNU_SOURCE
#include "core/file.h"
#include "tests/scratch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void test_read(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    unsigned char *bytes = NULL;
    size_t n = 99;
    scratch_write(s, "a", "hello\0there", 11);
    assert_true(file_read(&s->arena, scratch_path(s, "a"), 11, &bytes, &n, &e));
    assert_int_equal(n, 11);
    assert_memory_equal(bytes, "hello\0there", 12); /* the zero after it too */
    scratch_write(s, "empty", "", 0);
    assert_true(file_read(&s->arena, scratch_path(s, "empty"), 0, &bytes, &n, &e));
    assert_int_equal(n, 0);
    assert_int_equal(bytes[0], 0);
}

static void test_read_refuses(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    unsigned char *bytes = NULL;
    size_t n = 0;
    scratch_write(s, "a", "hello", 5);
    assert_false(file_read(&s->arena, scratch_path(s, "a"), 4, &bytes, &n, &e));
    scratch_expect(&e, ERR_INPUT, "expected at most 4 bytes, found 5");
    assert_false(file_read(&s->arena, scratch_path(s, "no"), 4, &bytes, &n, &e));
    scratch_expect(&e, ERR_INPUT, "No such file");
    assert_false(file_read(&s->arena, s->dir, 4, &bytes, &n, &e));
    scratch_expect(&e, ERR_INPUT, "found a folder");
    assert_int_equal(mkfifo(scratch_path(s, "pipe"), 0666), 0);
    assert_false(
        file_read(&s->arena, s->path, 4, &bytes, &n, &e)); /* and does not wait for a writer */
    scratch_expect(&e, ERR_INPUT, "pipe");
    s->arena.n_left = 0;
    assert_false(file_read(&s->arena, scratch_path(s, "a"), 5, &bytes, &n, &e));
    scratch_expect(&e, ERR_FAILED, "out of memory");
}

static void test_write(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    char got[16] = {0};
    assert_true(file_write(scratch_path(s, "a"), "one", 3, &e));
    assert_int_equal(chmod(s->path, 0640), 0);
    assert_true(file_write(s->path, "second", 6, &e));
    assert_int_equal(scratch_read(s, "a", got, sizeof got), 6);
    assert_string_equal(got, "second");
    struct stat st;
    assert_int_equal(stat(s->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_true(file_write(s->path, NULL, 0, &e));
    assert_int_equal(scratch_read(s, "a", got, sizeof got), 0);
    assert_int_equal(scratch_count(s), 1); /* no temporary file is left */
    assert_true(file_write("/dev/null", "x", 1, &e));
    assert_true(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
}

static void test_write_refuses(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    assert_false(file_write(scratch_path(s, "no/a"), "x", 1, &e));
    scratch_expect(&e, ERR_FAILED, "No such file");
    assert_false(file_write(s->dir, "x", 1, &e));
    scratch_expect(&e, ERR_FAILED, "Is a directory");
    assert_false(file_write("/dev/full", "x", 1, &e));
    scratch_expect(&e, ERR_FAILED, "No space left");
    struct stat st;
    assert_true(stat("/dev/full", &st) == 0 && S_ISCHR(st.st_mode));
    char deep[5000];
    memset(deep, 'a', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    assert_false(file_write(deep, "x", 1, &e));
    scratch_expect(&e, ERR_FAILED, "too long");
}

/* As if the disk were full after so many bytes of a file. */
static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_IGN);
}

static void test_full_disk_keeps_the_old_file(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    static const char large[100000] = {1};
    char got[16] = {0};
    scratch_write(s, "a", "old", 3);
    scratch_path(s, "a");
    limit_file_size(50000);
    bool ok = file_write(s->path, large, sizeof large, &e);
    limit_file_size(RLIM_INFINITY);
    assert_false(ok);
    scratch_expect(&e, ERR_FAILED, "cannot write");
    assert_int_equal(scratch_read(s, "a", got, sizeof got), 3);
    assert_string_equal(got, "old");
    assert_int_equal(scratch_count(s), 1);
}

static void test_log(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    struct file_log log;
    char got[64] = {0};
    scratch_write(s, "log", "head\n", 5);
    scratch_path(s, "log");
    assert_true(file_log_open(&log, s->path, false, &e));
    assert_true(file_log_write(&log, "one\n", 4, &e));
    assert_int_equal(scratch_read(s, "log", got, sizeof got), 9); /* there before it is closed */
    limit_file_size(11);
    bool ok = file_log_write(&log, "second\n", 7, &e); /* two bytes fit */
    limit_file_size(RLIM_INFINITY);
    assert_false(ok);
    scratch_expect(&e, ERR_FAILED, "cannot write");
    assert_true(file_log_write(&log, "third\n", 6, &e)); /* there is space again */
    file_log_close(&log);
    memset(got, 0, sizeof got);
    scratch_read(s, "log", got, sizeof got);
    assert_string_equal(got, "head\none\nthird\n"); /* the half line was taken back */
    assert_true(file_log_open(&log, s->path, true, &e));
    file_log_close(&log);
    file_log_close(&log); /* twice is fine */
    assert_int_equal(scratch_read(s, "log", got, sizeof got), 0);
    assert_false(file_log_open(&log, scratch_path(s, "no/log"), false, &e));
    scratch_expect(&e, ERR_FAILED, "No such file");
    assert_true(file_log_open(&log, "/dev/full", false, &e));
    assert_false(file_log_write(&log, "x\n", 2, &e));
    scratch_expect(&e, ERR_FAILED, "No space left");
    file_log_close(&log);
}

/* A child replaces the file again and again, and is killed in the end: every read is one of the
 * two, whole. */
static void test_readers_never_see_half(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    enum { N = 30000 };
    static char a[N], b[2 * N];
    memset(a, 'a', sizeof a);
    memset(b, 'b', sizeof b);
    scratch_path(s, "x");
    assert_true(file_write(s->path, a, sizeof a, &e));
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0;; i++) {
            if (!file_write(s->path, i % 2 ? a : b, i % 2 ? sizeof a : sizeof b, &e)) {
                _exit(1);
            }
        }
    }
    int seen[2] = {0, 0};
    for (int i = 0; i < 2000; i++) {
        unsigned char *bytes = NULL;
        size_t n = 0;
        s->arena.used = 0;
        assert_true(file_read(&s->arena, s->path, 4 * N, &bytes, &n, &e));
        assert_true(n == sizeof a || n == sizeof b);
        assert_memory_equal(bytes, n == sizeof a ? a : b, n);
        seen[n == sizeof b]++;
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_true(seen[0] > 0 && seen[1] > 0);
    unsigned char *bytes = NULL;
    size_t n = 0;
    assert_true(
        file_read(&s->arena, s->path, 4 * N, &bytes, &n, &e)); /* killed at any moment: whole */
    assert_true(n == sizeof a || n == sizeof b);
}

static void test_mkdirs(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    assert_true(file_mkdirs(scratch_path(s, "a/b//c/"), &e));
    assert_true(file_exists(scratch_path(s, "a/b/c")));
    assert_true(file_mkdirs(s->path, &e)); /* again */
    assert_true(file_mkdirs("/", &e));
    scratch_write(s, "file", "", 0);
    assert_false(file_mkdirs(scratch_path(s, "file/d"), &e));
    scratch_expect(&e, ERR_FAILED, "Not a directory");
    assert_false(file_mkdirs(scratch_path(s, "file"), &e));
    scratch_expect(&e, ERR_FAILED, "Not a directory");
    assert_false(file_mkdirs("", &e));
    scratch_expect(&e, ERR_FAILED, "empty");
}

static void test_sha256(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    char hex[65];
    scratch_write(s, "a", "abc", 3);
    assert_true(file_sha256(scratch_path(s, "a"), hex, &e));
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    scratch_write(s, "a", "", 0);
    assert_true(file_sha256(s->path, hex, &e));
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    char *million = malloc(1000000);
    memset(million, 'a', 1000000);
    scratch_write(s, "a", million, 1000000);
    free(million);
    assert_true(file_sha256(s->path, hex, &e));
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_false(file_sha256(s->dir, hex, &e));
    scratch_expect(&e, ERR_INPUT, "found a folder");
}

static void test_share_path(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    char *path = NULL;
    scratch_write(s, "shared.bin", "x", 1);
    setenv("HDNAS_SHARE", s->dir, 1);
    assert_true(file_share_path(&s->arena, "shared.bin", &path, &e));
    assert_true(file_exists(path));
    assert_false(file_share_path(&s->arena, "no.bin", &path, &e));
    scratch_expect(&e, ERR_INPUT, "HDNAS_SHARE");
    unsetenv("HDNAS_SHARE");
    assert_false(file_share_path(&s->arena, "no.bin", &path, &e));
    scratch_expect(&e, ERR_INPUT, "no.bin: not found");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        T(test_read),   T(test_read_refuses),
        T(test_write),  T(test_write_refuses),
        T(test_log),    T(test_full_disk_keeps_the_old_file),
        T(test_mkdirs), T(test_readers_never_see_half),
        T(test_sha256), T(test_share_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
