/*
 * Scores shared by runs: what is written is read back to the bit, another setting is refused with
 * its line, so is every kind of bad line; a line cut by a crash goes, at every byte; several
 * processes that write at once leave one whole file.
 */
#define _GNU_SOURCE
#include "nas/pool.h"
#include "tests/nb201.h"
#include "tests/scratch.h"

#include <math.h>
#include <sys/wait.h>

static const struct pool_setting settings[] = {{"score", "rmi"}, {"steps", "50"}, {"batch", "a b"}};
enum { N_SETTINGS = 3 };
static const char head[] =
    "hdnas pool 1\nscore rmi\nsteps 50\nbatch a b\narch,score,seconds\n";

static struct arch arch_at(int64_t index)
{
    struct arch a;
    assert_true(nb201()->from_index(&a, index));
    return a;
}

static bool open_pool(struct pool *p, const char *path, struct err *e)
{
    *e = (struct err){0};
    return pool_open(p, nb201(), path, settings, N_SETTINGS, e);
}

static void add(struct pool *p, int64_t index, double score)
{
    struct arch a = arch_at(index);
    struct err e = {0};
    assert_true(pool_add(p, &a, score, 1.5, &e));
}

static double get(const struct pool *p, int64_t index)
{
    struct arch a = arch_at(index);
    double value;
    return pool_get(p, &a, &value) ? value : -1;
}

static void reads_back(void **state)
{
    struct scratch *s = *state;
    const char *path = scratch_path(s, "pool");
    struct pool p;
    struct err e;
    assert_true(open_pool(&p, path, &e));
    add(&p, 7, 1. / 3);
    add(&p, 8, NAN);
    add(&p, 9, -0.0);
    add(&p, 7, 1. / 3); /* known: no second line */
    pool_close(&p);
    assert_true(open_pool(&p, path, &e));
    assert_true(get(&p, 7) == 1. / 3);
    assert_true(isnan(get(&p, 8)));
    assert_true(get(&p, 9) == 0);
    assert_true(get(&p, 10) == -1);
    assert_int_equal(p.n_lines, N_SETTINGS + 2 + 3);
    pool_close(&p);
}

static void another_setting(void **state)
{
    struct scratch *s = *state;
    const char *path = scratch_path(s, "pool");
    struct pool_setting other[] = {{"score", "rmi"}, {"steps", "51"}, {"batch", "a b"}};
    struct pool p;
    struct err e;
    assert_true(open_pool(&p, path, &e));
    pool_close(&p);
    assert_false(pool_open(&p, nb201(), path, other, N_SETTINGS, &e));
    scratch_expect(&e, ERR_USAGE, "line 3: its scores were made with steps 50, not 51");
    pool_close(&p);
    other[1].name = "stride";
    assert_false(pool_open(&p, nb201(), path, other, N_SETTINGS, &e));
    scratch_expect(&e, ERR_INPUT, "line 3: expected the setting 'stride'");
    pool_close(&p);
}

static void hostile_lines(void **state)
{
    struct scratch *s = *state;
    static const struct {
        const char *line, *words;
    } bad[] = {
        {"7\n", "line 6: expected arch,score,seconds"},
        {"7,1\n", "line 6: expected arch,score,seconds"},
        {"7,1,1,1\n", "line 6: expected arch,score,seconds"},
        {"7,x,1\n", "line 6: expected two numbers"},
        {"7,1,\n", "line 6: expected two numbers"},
        {"7,nan,1\n", "line 6: expected two numbers"},
        {"7,1e999,1\n", "line 6: expected two numbers"},
        {"15625,1,1\n", "line 6: architecture index 15625"},
        {"|what,1,1\n", "line 6: architecture"},
        {"7,1,1\n7,2,1\n", "line 7: 7 had another score before"},
        {"7,1,1\n\n", "line 7: expected arch,score,seconds"},
    };
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        char text[400];
        struct pool p;
        struct err e;
        snprintf(text, sizeof text, "%s%s", head, bad[i].line);
        scratch_write(s, "bad", text, strlen(text));
        assert_false(open_pool(&p, scratch_path(s, "bad"), &e));
        scratch_expect(&e, ERR_INPUT, bad[i].words);
        pool_close(&p);
        char after[400];
        size_t n = scratch_read(s, "bad", after, sizeof after);
        assert_int_equal(n, strlen(text)); /* what is no pool is left alone */
    }
}

static void foreign_files(void **state)
{
    struct scratch *s = *state;
    static const char *const files[] = {"x", "index,cost\n1,2\n", "hdnas pool 2\n", "\n",
                                        "hdnas pool 1", "hdnas pool 1\nscore rmi\n"};
    for (size_t i = 0; i < N_ELEMS(files); i++) {
        struct pool p;
        struct err e;
        scratch_write(s, "file", files[i], strlen(files[i]));
        assert_false(open_pool(&p, scratch_path(s, "file"), &e));
        assert_int_equal(e.code, ERR_INPUT);
        assert_non_null(strstr(e.text, ": line "));
        pool_close(&p);
    }
    char zero[sizeof head + 8];
    struct pool p;
    struct err e;
    memcpy(zero, head, sizeof head);
    memcpy(zero + sizeof head - 1, "7\0,1,1\n", 7);
    scratch_write(s, "file", zero, sizeof head - 1 + 7);
    assert_false(open_pool(&p, scratch_path(s, "file"), &e));
    scratch_expect(&e, ERR_INPUT, "a zero byte");
    pool_close(&p);
    assert_false(open_pool(&p, s->dir, &e));
    pool_close(&p);
}

/* Cut after any byte of its lines the file loses the last of them at most, and goes on. */
static void cut_anywhere(void **state)
{
    struct scratch *s = *state;
    char text[600];
    int n = snprintf(text, sizeof text, "%s7,1,0.5\n8,,0.5\n9,3,0.5\n", head);
    for (int cut = (int)sizeof head - 1; cut <= n; cut++) {
        struct pool p;
        struct err e;
        scratch_write(s, "cut", text, (size_t)cut);
        const char *path = scratch_path(s, "cut");
        assert_true(open_pool(&p, path, &e));
        size_t whole = p.n_lines;
        add(&p, 20, 5);
        pool_close(&p);
        assert_true(open_pool(&p, path, &e));
        assert_int_equal(p.n_lines, whole + 1);
        assert_true(get(&p, 20) == 5);
        pool_close(&p);
    }
}

/* Four processes, each with networks of its own and some that all have. */
static void several_processes(void **state)
{
    struct scratch *s = *state;
    enum { N_PROCESSES = 4, N_EACH = 60 };
    const char *path = scratch_path(s, "shared");
    for (int i = 0; i < N_PROCESSES; i++) {
        if (fork() == 0) {
            struct pool p;
            struct err e;
            bool ok = open_pool(&p, path, &e);
            for (int k = 0; ok && k < N_EACH; k++) {
                struct arch own = arch_at(1000 * (i + 1) + k), common = arch_at(k);
                ok = pool_refresh(&p, &e) && pool_add(&p, &own, i + k / 7., 0, &e) &&
                     pool_add(&p, &common, k / 3., 0, &e);
            }
            pool_close(&p);
            _exit(!ok);
        }
    }
    for (int i = 0; i < N_PROCESSES; i++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    struct pool p;
    struct err e;
    assert_true(open_pool(&p, path, &e));
    assert_int_equal(p.n_lines, N_SETTINGS + 2 + (N_PROCESSES + 1) * N_EACH);
    for (int k = 0; k < N_EACH; k++) {
        assert_true(get(&p, k) == k / 3.);
        assert_true(get(&p, 3000 + k) == 2 + k / 7.);
    }
    pool_close(&p);
}

/* Lines that another process adds while the pool is open. */
static void refresh(void **state)
{
    struct scratch *s = *state;
    const char *path = scratch_path(s, "pool");
    struct pool a, b;
    struct err e;
    assert_true(open_pool(&a, path, &e) && open_pool(&b, path, &e));
    add(&a, 1, 11);
    assert_true(get(&b, 1) == -1);
    assert_true(pool_refresh(&b, &e));
    assert_true(get(&b, 1) == 11);
    add(&b, 2, 12);
    add(&a, 2, 12); /* not known to a, yet in the file: no second line */
    assert_int_equal(a.n_lines, b.n_lines);
    assert_int_equal(truncate(path, 10), 0);
    assert_false(pool_refresh(&b, &e));
    scratch_expect(&e, ERR_INPUT, "shorter");
    pool_close(&a);
    pool_close(&b);
}

static void full_disk(void **state)
{
    (void)state;
    struct pool p;
    struct err e;
    assert_false(open_pool(&p, "/dev/full", &e));
    pool_close(&p);
    assert_false(open_pool(&p, "/nonexistent/pool", &e));
    scratch_expect(&e, ERR_FAILED, "/nonexistent/pool");
    pool_close(&p);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(reads_back),   CASE(another_setting),   CASE(hostile_lines), CASE(foreign_files),
        CASE(cut_anywhere), CASE(several_processes), CASE(refresh),       CASE(full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
