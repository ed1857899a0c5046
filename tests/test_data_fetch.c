/*
 * Downloads against a server of our own on 127.0.0.1: what is right is put in place, all of a set
 * or none of it; a wrong checksum, a missing page, a connection that ends early or says nothing, a
 * full disk and a stop leave no file that could be taken for a good one; what broke off is gone on
 * with.
 */
#define _GNU_SOURCE
#include "core/file.h"
#include "data/fetch.h"
#include "tests/scratch.h"
#include "tests/tarball.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { BODY = 300000 };

struct server {
    pid_t pid;
    char base[64];
    char body_sha256[65], tar_sha256[65];
};

static char body[BODY];
static unsigned char tarball[1 << 16], tar_gz[1 << 16];
static size_t n_tar_gz;

static void say(int fd, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(int fd, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vdprintf(fd, fmt, args);
    va_end(args);
}

static void send_all(int fd, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n > 0) {
        ssize_t put = send(fd, p, n, MSG_NOSIGNAL);
        if (put <= 0) {
            return;
        }
        p += put;
        n -= (size_t)put;
    }
}

/* The body from `from` on; n_sent bytes of it although all are promised. */
static void send_body(int fd, const void *bytes, size_t n, size_t from, size_t n_sent)
{
    if (from > 0) {
        say(fd, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %zu-%zu/%zu\r\n", from, n - 1,
            n);
    } else {
        say(fd, "HTTP/1.1 200 OK\r\n");
    }
    say(fd, "Content-Length: %zu\r\nConnection: close\r\n\r\n", n - from);
    send_all(fd, (const char *)bytes + from, MIN(n_sent, n - from));
}

/* Pages by name: what each does stands here. */
static void answer(int fd, const char *path, size_t from)
{
    if (strcmp(path, "/body.bin") == 0) {
        send_body(fd, body, BODY, 0, BODY); /* knows no ranges */
    } else if (strcmp(path, "/ranges/body.bin") == 0) {
        send_body(fd, body, BODY, from, BODY);
    } else if (strcmp(path, "/short/body.bin") == 0) {
        send_body(fd, body, BODY, from, from ? BODY : BODY / 3); /* breaks off the first time */
    } else if (strcmp(path, "/broken/body.bin") == 0) {
        send_body(fd, body, BODY, 0, BODY / 3); /* breaks off every time */
    } else if (strcmp(path, "/wrong/body.bin") == 0) {
        send_body(fd, body, BODY - 1, 0, BODY);
    } else if (strcmp(path, "/moved/body.bin") == 0) {
        say(fd, "HTTP/1.1 302 Found\r\nLocation: /body.bin\r\nContent-Length: 0\r\nConnection: "
                "close\r\n\r\n");
    } else if (strcmp(path, "/local/body.bin") == 0) {
        say(fd, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: "
                "0\r\nConnection: close\r\n\r\n");
    } else if (strcmp(path, "/round/body.bin") == 0) {
        say(fd, "HTTP/1.1 302 Found\r\nLocation: /round/body.bin\r\nContent-Length: "
                "0\r\nConnection: close\r\n\r\n");
    } else if (strcmp(path, "/huge/body.bin") == 0) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\nConnection: close\r\n\r\n");
    } else if (strcmp(path, "/silent/body.bin") == 0) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx");
        sleep(20);
    } else if (strcmp(path, "/second.bin") == 0) {
        send_body(fd, "second", 6, 0, 6);
    } else if (strcmp(path, "/set.tar.gz") == 0) {
        send_body(fd, tar_gz, n_tar_gz, 0, n_tar_gz);
    } else {
        say(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\nConnection: close\r\n\r\nnothing");
    }
}

static void serve(int listener)
{
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        char request[4096], path[256] = "";
        size_t n = 0, from = 0;
        while (fd >= 0 && n < sizeof request - 1) {
            ssize_t got = read(fd, request + n, sizeof request - 1 - n);
            if (got <= 0) {
                break;
            }
            n += (size_t)got;
            request[n] = 0;
            if (strstr(request, "\r\n\r\n")) {
                const char *range = strcasestr(request, "\r\nRange: bytes=");
                from = range ? strtoul(range + 15, NULL, 10) : 0;
                if (sscanf(request, "GET %255s", path) == 1) {
                    answer(fd, path, from);
                }
                break;
            }
        }
        shutdown(fd, SHUT_WR);
        close(fd);
    }
}

static struct server server;

static void sum_of(struct scratch *s, const void *bytes, size_t n, char hex[65])
{
    struct err e;
    scratch_write(s, "sum", bytes, n);
    assert_true(file_sha256(s->path, hex, &e));
    unlink(s->path);
}

static int start(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 16) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return -1;
    }
    for (int i = 0; i < BODY; i++) {
        body[i] = (char)(i * 7 + i / 256);
    }
    size_t n = tarball_add(tarball, "cifar/a.bin", '0', "aaaa", 4);
    n += tarball_add(tarball + n, "cifar/b.bin", '0', "bbbbbb", 6);
    n += tarball_end(tarball + n);
    n_tar_gz = tarball_gzip(tar_gz, sizeof tar_gz, tarball, n);
    setenv("no_proxy", "127.0.0.1", 1); /* whatever the environment says */
    server.pid = fork();
    if (server.pid == 0) {
        serve(fd);
    }
    close(fd);
    snprintf(server.base, sizeof server.base, "http://127.0.0.1:%d/", ntohs(address.sin_port));
    struct scratch *s = NULL;
    if (scratch_setup((void **)&s) != 0) {
        return -1;
    }
    sum_of(s, body, BODY, server.body_sha256);
    sum_of(s, tar_gz, n_tar_gz, server.tar_sha256);
    return scratch_teardown((void **)&s);
}

static int stop(void **state)
{
    (void)state;
    kill(server.pid, SIGKILL);
    return waitpid(server.pid, NULL, 0) == server.pid ? 0 : -1;
}

/* One file, from base + folder. */
static bool fetch(struct scratch *s, const char *folder, const char *checksum, struct err *e)
{
    struct fetch_set set = {.name = "test",
                            .files = {{"body.bin", checksum ? checksum : server.body_sha256}}};
    char base[128];
    snprintf(base, sizeof base, "%s%s", server.base, folder);
    struct fetch_options options = {.dir = s->dir, .base = base, .timeout_s = 1};
    return fetch_run(&set, &options, s->arena, e);
}

static void expect_body(struct scratch *s)
{
    static char got[BODY + 1];
    assert_int_equal(scratch_read(s, "body.bin", got, sizeof got), BODY);
    assert_memory_equal(got, body, BODY);
    assert_int_equal(scratch_count(s), 1);
}

static void test_good(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    static const char *const folders[] = {"", "moved", "moved/"};
    for (size_t i = 0; i < N_ELEMS(folders); i++) {
        if (!fetch(s, folders[i], NULL, &e)) {
            fail_msg("%s", e.text);
        }
        expect_body(s);
        assert_true(fetch(s, "no/such/folder", NULL, &e)); /* it is there: nothing is asked for */
        unlink(scratch_path(s, "body.bin"));
    }
}

static void test_refused(void **state)
{
    struct scratch *s = *state;
    static const struct {
        const char *folder, *checksum;
        enum err_code code;
        const char *words;
    } bad[] = {
        {"none", NULL, ERR_FAILED, "status 404"},
        {"wrong", NULL, ERR_INPUT, "expected the checksum"},
        {"", "00000000000000000000000000000000", ERR_INPUT, "expected the checksum 0000"},
        {"local", NULL, ERR_FAILED, "rotocol"},
        {"round", NULL, ERR_FAILED, "redirects"},
        {"huge", NULL, ERR_FAILED, "body.bin"},
    };
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        struct err e = {0};
        assert_false(fetch(s, bad[i].folder, bad[i].checksum, &e));
        scratch_expect(&e, bad[i].code, bad[i].words);
        assert_false(file_exists(scratch_path(s, "body.bin")));
        if (bad[i].code == ERR_INPUT) {
            assert_int_equal(scratch_count(s), 0); /* bad bytes are not kept for later */
        }
    }
}

/* A file that was there and is another one stays, if what comes is wrong. */
static void test_old_file_is_kept(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    char got[16] = {0};
    scratch_write(s, "body.bin", "old", 3);
    assert_false(fetch(s, "wrong", NULL, &e));
    scratch_read(s, "body.bin", got, sizeof got);
    assert_string_equal(got, "old");
    assert_true(fetch(s, "", NULL, &e));
    expect_body(s);
}

static void test_goes_on(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    struct stat st;
    assert_false(fetch(s, "short", NULL, &e));
    scratch_expect(&e, ERR_FAILED, "ended early, after 100000 bytes");
    assert_non_null(strstr(e.hint, "goes on after 100000"));
    assert_false(file_exists(scratch_path(s, "body.bin")));
    assert_int_equal(stat(scratch_path(s, "body.bin.part"), &st), 0);
    assert_int_equal(st.st_size, 100000);
    if (!fetch(s, "short", NULL, &e)) {
        fail_msg("%s", e.text);
    }
    expect_body(s);
}

static void test_begins_again(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    scratch_write(s, "body.bin.part", body, 1000);
    assert_true(fetch(s, "", NULL, &e)); /* a server without ranges */
    expect_body(s);
    unlink(scratch_path(s, "body.bin"));
    scratch_write(s, "body.bin.part", "rubbish", 7);
    assert_true(fetch(s, "ranges", NULL, &e)); /* what was there was bad */
    expect_body(s);
    unlink(scratch_path(s, "body.bin"));
    scratch_write(s, "body.bin.part", body, BODY);
    assert_true(fetch(s, "none", NULL, &e)); /* all was there but for the name */
    expect_body(s);
    unlink(scratch_path(s, "body.bin"));
    assert_false(fetch(s, "broken", NULL, &e));
    assert_false(fetch(s, "broken", NULL, &e));
    assert_false(file_exists(scratch_path(s, "body.bin")));
}

static void test_unreachable(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    struct fetch_set set = {.name = "test", .files = {{"body.bin", server.body_sha256}}};
    /* Port 1: nobody listens there. */
    struct fetch_options options = {.dir = s->dir, .base = "http://127.0.0.1:1/", .timeout_s = 1};
    assert_false(fetch_run(&set, &options, s->arena, &e));
    scratch_expect(&e, ERR_FAILED, "127.0.0.1");
    assert_false(file_exists(scratch_path(s, "body.bin")));
    options.base = "ftp://127.0.0.1:1/";
    assert_false(fetch_run(&set, &options, s->arena, &e));
    scratch_expect(&e, ERR_FAILED, "rotocol");
    options.base = "file:///etc/";
    assert_false(fetch_run(&set, &options, s->arena, &e));
    scratch_expect(&e, ERR_FAILED, "rotocol");
}

/* The official addresses are tried in turn. */
static void test_second_address(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    char none[128];
    snprintf(none, sizeof none, "%snone/", server.base);
    struct fetch_set set = {
        .name = "test", .bases = {none, server.base}, .files = {{"body.bin", server.body_sha256}}};
    struct fetch_options options = {.dir = s->dir};
    assert_true(fetch_run(&set, &options, s->arena, &e));
    expect_body(s);
}

/* MD5 of "second" is known; two files come together or not at all. */
static void test_all_or_none(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    struct fetch_set set = {.name = "test",
                            .files = {{"second.bin", "a9f0e61a137d86aa9db53465e0801612"},
                                      {"body.bin", "00000000000000000000000000000000"}}};
    struct fetch_options options = {.dir = s->dir, .base = server.base};
    assert_false(fetch_run(&set, &options, s->arena, &e));
    scratch_expect(&e, ERR_INPUT, "body.bin: expected the checksum");
    assert_false(file_exists(scratch_path(s, "second.bin")));
    set.files[1].checksum = server.body_sha256;
    assert_true(fetch_run(&set, &options, s->arena, &e));
    assert_true(file_exists(scratch_path(s, "second.bin")));
    assert_int_equal(scratch_count(s), 2);
}

static void test_archive(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    char got[16] = {0};
    struct fetch_set set = {.name = "test",
                            .files = {{"set.tar.gz", server.tar_sha256}},
                            .members = {{"b.bin", 6, NULL}, {"a.bin", 4, NULL}}};
    struct fetch_options options = {.dir = s->dir, .base = server.base};
    if (!fetch_run(&set, &options, s->arena, &e)) {
        fail_msg("%s", e.text);
    }
    assert_int_equal(scratch_read(s, "b.bin", got, sizeof got), 6);
    assert_string_equal(got, "bbbbbb");
    assert_int_equal(scratch_count(s), 2); /* the archive itself is not kept */
    unlink(scratch_path(s, "a.bin"));
    unlink(scratch_path(s, "b.bin"));
    set.members[0].max_bytes = 5;
    assert_false(fetch_run(&set, &options, s->arena, &e));
    scratch_expect(&e, ERR_INPUT, "b.bin");
    assert_false(file_exists(scratch_path(s, "a.bin")) || file_exists(scratch_path(s, "b.bin")));
}

static bool count_calls(void *ctx, const char *file, size_t n_done, size_t n_total)
{
    int *left = ctx;
    assert_string_equal(file, "body.bin");
    assert_true(n_done <= BODY && n_total <= BODY);
    return (*left)-- > 0;
}

static void test_stopped(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    int left = 0;
    struct fetch_set set = {.name = "test", .files = {{"body.bin", server.body_sha256}}};
    struct fetch_options options = {
        .dir = s->dir, .base = server.base, .progress = count_calls, .ctx = &left};
    assert_false(fetch_run(&set, &options, s->arena, &e));
    scratch_expect(&e, ERR_INTERRUPTED, "stopped");
    assert_false(file_exists(scratch_path(s, "body.bin")));
    left = 1000000;
    assert_true(fetch_run(&set, &options, s->arena, &e));
    assert_true(left < 1000000);
}

static void test_full_disk(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_IGN);
    limit.rlim_cur = 50000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    bool ok = fetch(s, "", NULL, &e);
    limit.rlim_cur = RLIM_INFINITY;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_false(ok);
    scratch_expect(&e, ERR_FAILED, "cannot write");
    assert_int_equal(scratch_count(s), 0);
}

/* Last: the server sleeps. */
static void test_silent(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    assert_false(fetch(s, "silent", NULL, &e));
    scratch_expect(&e, ERR_FAILED, "body.bin");
    assert_false(file_exists(scratch_path(s, "body.bin")));
}

/* The table of official sets: every row complete, every checksum 32 or 64 hex digits, every address
 * http(s). */
static void test_sets(void **state)
{
    (void)state;
    const struct fetch_set *set = NULL;
    struct err e = {0};
    assert_int_equal(fetch_sets_count(), 4);
    for (int i = 0; i < fetch_sets_count(); i++) {
        set = fetch_sets_at(i);
        const struct fetch_set *found = NULL;
        assert_true(fetch_sets_find(&found, set->name, &e) && found == set);
        assert_non_null(set->files[0].name);
        for (int k = 0; k < 3 && set->bases[k]; k++) {
            assert_true(strncmp(set->bases[k], "http", 4) == 0);
            assert_int_equal(set->bases[k][strlen(set->bases[k]) - 1], '/');
        }
        assert_non_null(set->bases[0]);
        for (int k = 0; k < FETCH_MAX_FILES && set->files[k].name; k++) {
            size_t len = strlen(set->files[k].checksum);
            assert_true(len == 32 || len == 64);
            assert_int_equal(strspn(set->files[k].checksum, "0123456789abcdef"), len);
        }
    }
    assert_false(fetch_sets_find(&set, "imagenet", &e));
    scratch_expect(&e, ERR_USAGE, "expected one of cifar10, cifar100, mnist, fashion-mnist");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        T(test_good),         T(test_refused),     T(test_old_file_is_kept), T(test_goes_on),
        T(test_begins_again), T(test_unreachable), T(test_second_address),   T(test_all_or_none),
        T(test_archive),      T(test_stopped),     T(test_full_disk),        T(test_sets),
        T(test_silent),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
