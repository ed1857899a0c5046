/*
 * The page of a run from the fixture folder: made from the files alone, and polite about every file
 * that is missing, lacks a column, holds nonsense or is cut anywhere.
 */
#define _GNU_SOURCE
#include "cli/report.h"
#include "cli/report_data.h"
#include "core/file.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static const char fixture[] = "tests/fixtures/run";
static const char *const files[] = {"config.json", "evals.csv", "front.csv",   "generations.csv",
                                    "truth.csv",   "time.csv",  "summary.json"};

static struct arena arena;
static char dir[256]; /* a copy of the fixture that tests may spoil */

static char *path_of(const char *folder, const char *name)
{
    return arena_printf(&arena, "%s/%s", folder, name);
}

static void copy(const char *name)
{
    struct err e;
    unsigned char *bytes;
    size_t n;
    assert_true(file_read(&arena, path_of(fixture, name), 1 << 20, &bytes, &n, &e));
    assert_true(file_write(path_of(dir, name), bytes, n, &e));
}

static int set_up(void **state)
{
    (void)state;
    struct err e;
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/hdnas-report-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!arena_init(&arena, (size_t)1 << 30, &e) || !mkdtemp(dir)) {
        return -1;
    }
    for (size_t i = 0; i < N_ELEMS(files); i++) {
        copy(files[i]);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const made[] = {"report.html", "front.svg"};
    for (size_t i = 0; i < N_ELEMS(files); i++) {
        unlink(path_of(dir, files[i]));
    }
    for (size_t i = 0; i < N_ELEMS(made); i++) {
        unlink(path_of(dir, made[i]));
    }
    rmdir(dir);
    arena_release(&arena);
    return 0;
}

static const char *content(const char *name)
{
    struct err e;
    unsigned char *bytes;
    size_t n;
    assert_true(file_read(&arena, path_of(dir, name), 1 << 24, &bytes, &n, &e));
    assert_int_equal(strlen((char *)bytes), n);
    return (const char *)bytes;
}

static void page_shows_the_run(void **state)
{
    (void)state;
    struct err e = {0};
    assert_true(report_make(dir, arena, &e));
    const char *page = content("report.html");
    static const char *const wanted[] = {"</html>",
                                         "front-title",
                                         "truth-title",
                                         "hypervolume-title",
                                         "diversity-title",
                                         "id=\"net-12\"",
                                         ">9709<",
                                         "fpga latency (ms)",
                                         "backward",
                                         "--out &#39;a b&#39;",
                                         "made up &lt;&quot;&amp;&#39;&gt;",
                                         "prefers-color-scheme:dark",
                                         "@media print"};
    for (size_t i = 0; i < N_ELEMS(wanted); i++) {
        if (!strstr(page, wanted[i])) {
            fail_msg("the page lacks %s", wanted[i]);
        }
    }
    /* Nothing is fetched: the only addresses are names of XML namespaces, the only links lead
     * inside the page. */
    for (const char *c = page; (c = strstr(c, "://")); c += 3) {
        assert_int_equal(strncmp(c - 4, "http://www.w3.org/", 18), 0);
    }
    for (const char *c = page; (c = strstr(c, "href=\"")); c += 6) {
        assert_true(c[6] == '#');
    }
    assert_null(strstr(page, "src="));
    assert_null(strstr(page, "url("));
    assert_non_null(strstr(content("front.svg"), "</svg>"));
}

static void the_page_is_the_same_again(void **state)
{
    (void)state;
    struct err e;
    assert_true(report_make(dir, arena, &e));
    const char *first = content("report.html");
    assert_true(report_make(path_of(dir, ""), arena, &e)); /* a slash at the end changes nothing */
    assert_string_equal(first, content("report.html"));
}

static void data_is_understood(void **state)
{
    (void)state;
    struct report_data d;
    struct err e;
    assert_true(report_data_read(&d, &arena, dir, &e));
    assert_int_equal(d.n_evals, 60);
    assert_int_equal(d.n_evals - d.n_infeasible, d.n_cloud);
    assert_true(d.n_infeasible > 0);
    assert_int_equal(d.n_front, 12);
    assert_int_equal(d.n_generations, 5);
    assert_int_equal(d.n_truth, 16);
    assert_int_equal(d.n_times, 7);
    assert_true(d.has_accuracy);
    assert_string_equal(d.unit, "ms");
    for (int i = 1; i < d.n_front; i++) {
        assert_true(d.front[i - 1].cost < d.front[i].cost);
        assert_true(d.front[i - 1].score < d.front[i].score);
    }
    assert_true(d.true_hypervolume == 0.9);
    report_data_release(&d);
}

static void costs_have_names(void **state)
{
    (void)state;
    static const struct {
        const char *config, *name, *unit;
    } cases[] = {
        {"{}", "cost", ""},
        {"{\"cost_name\": \"a\", \"cost_unit\": \"b\", \"options\": {\"device\": \"c\"}}", "a",
         "b"},
        {"{\"cost_unit\": \"ms\", \"options\": {\"device\": \"fpga\"}}", "fpga latency", "ms"},
        {"{\"cost_unit\": \"mJ\", \"options\": {\"device\": \"fpga\"}}", "fpga energy", "mJ"},
        {"{\"cost_unit\": \"MFLOP\", \"options\": {\"device\": \"flops\"}}", "flops", "MFLOP"},
        {"{\"cost_source\": \"x.csv:col\", \"options\": {\"device\": \"table:x.csv:col\"}}", "col",
         ""},
        {"{\"cost_unit\": 3, \"options\": 4}", "cost", ""},
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        struct report_data d;
        struct err e;
        assert_true(
            file_write(path_of(dir, "config.json"), cases[i].config, strlen(cases[i].config), &e));
        assert_true(report_data_read(&d, &arena, dir, &e));
        assert_string_equal(d.cost_name, cases[i].name);
        assert_string_equal(d.unit, cases[i].unit);
        report_data_release(&d);
    }
    copy("config.json");
}

static void optional_files_may_be_missing(void **state)
{
    (void)state;
    static const char *const optional[] = {"truth.csv", "time.csv", "summary.json"};
    struct err e;
    for (size_t i = 0; i < N_ELEMS(optional); i++) {
        unlink(path_of(dir, optional[i]));
        assert_true(report_make(dir, arena, &e));
    }
    assert_null(strstr(content("report.html"), "Where the time went"));
    for (size_t i = 0; i < N_ELEMS(optional); i++) {
        copy(optional[i]);
    }
}

static void missing_files_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct err e = {0};
        unlink(path_of(dir, files[i]));
        assert_false(report_make(dir, arena, &e));
        assert_int_equal(e.code, ERR_INPUT);
        assert_non_null(strstr(e.text, files[i]));
        copy(files[i]);
    }
    struct err e = {0};
    assert_false(report_make("/no/such/folder", arena, &e));
    assert_int_equal(e.code, ERR_INPUT);
}

/* file becomes text; the error must hold both words. */
static void expect_error(const char *file, const char *text, const char *word, const char *other)
{
    struct err e = {0};
    struct report_data d;
    struct arena tmp = arena;
    assert_true(file_write(path_of(dir, file), text, strlen(text), &e));
    if (report_data_read(&d, &tmp, dir, &e)) {
        fail_msg("%s: was taken: %s", file, text);
    }
    if (e.code != ERR_INPUT || !strstr(e.text, file) || !strstr(e.text, word) ||
        !strstr(e.text, other)) {
        fail_msg("%s: %s", file, e.text);
    }
    copy(file);
}

static void nonsense_is_named(void **state)
{
    (void)state;
    expect_error("config.json", "{", "offset", "JSON");
    expect_error("config.json", "[1]", "object", "expected");
    expect_error("evals.csv", "eval,score,cost\n", "column", "feasible");
    expect_error("evals.csv", "feasible,score,cost\n1,0.5,\n", "evals.csv", "2");
    expect_error("evals.csv", "feasible,score,cost\n1,nan,3\n", "nan", "2");
    expect_error("front.csv", "index,arch,score,cost,diversity,params\n", "column", "macs");
    expect_error("front.csv", "index,arch,score,cost,diversity,params,macs\n1,a,x,1,1,1,1\n", "x",
                 "2");
    expect_error("generations.csv", "generation,evals,unique,front_size,hypervolume,seconds\n",
                 "column", "diversity");
    expect_error("truth.csv", "index,cost\n", "column", "accuracy");
    expect_error("time.csv", "part,seconds\nforward,-1\n", "seconds", "-1");
}

/* An empty front, no evaluations: a page all the same. */
static void an_empty_run_has_a_page(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text;
    } empty[] = {
        {"evals.csv", "eval,feasible,score,cost\n"},
        {"front.csv", "index,arch,score,cost,diversity,params,macs\n"},
        {"generations.csv", "generation,evals,unique,front_size,hypervolume,diversity,seconds\n"},
        {"truth.csv", "index,cost,accuracy\n"},
        {"time.csv", "part,seconds\n"},
        {"config.json", "{}"}};
    struct err e = {0};
    for (size_t i = 0; i < N_ELEMS(empty); i++) {
        assert_true(
            file_write(path_of(dir, empty[i].file), empty[i].text, strlen(empty[i].text), &e));
        if (!report_make(dir, arena, &e)) {
            fail_msg("%s", e.text);
        }
    }
    assert_non_null(strstr(content("report.html"), "</html>"));
    for (size_t i = 0; i < N_ELEMS(empty); i++) {
        copy(empty[i].file);
    }
}

static void cut_files_are_no_crash(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMS(files); i++) {
        struct err e = {0};
        unsigned char *bytes;
        size_t n;
        assert_true(file_read(&arena, path_of(fixture, files[i]), 1 << 20, &bytes, &n, &e));
        size_t stride = MAX((size_t)1, n / 300); /* each write is synced to the disk */
        for (size_t cut = 0; cut < n; cut += stride) {
            struct arena tmp = arena;
            struct report_data d;
            FILE *f = fopen(path_of(dir, files[i]), "wb");
            assert_non_null(f);
            assert_int_equal(fwrite(bytes, 1, cut, f), cut);
            assert_int_equal(fclose(f), 0);
            if (report_data_read(&d, &tmp, dir, &e)) {
                report_data_release(&d);
            } else {
                assert_int_equal(e.code, ERR_INPUT);
                assert_non_null(strstr(e.text, files[i]));
            }
        }
        copy(files[i]);
    }
}

/* A run killed while it wrote a line is drawn up to the line before. */
static void a_cut_log_is_drawn(void **state)
{
    (void)state;
    static const char *const logs[] = {"evals.csv", "generations.csv"};
    for (size_t i = 0; i < N_ELEMS(logs); i++) {
        struct err e = {0};
        const char *whole = content(logs[i]);
        size_t header = strcspn(whole, "\n") + 1, n = strlen(whole);
        struct arena mark = arena;
        for (size_t cut = MAX(header, n - 200); cut < n; cut++) {
            int n_lines = 0;
            struct report_data d;
            for (size_t k = header; k < cut; k++) {
                n_lines += whole[k] == '\n';
            }
            FILE *f = fopen(path_of(dir, logs[i]), "wb");
            assert_non_null(f);
            assert_int_equal(fwrite(whole, 1, cut, f), cut);
            assert_int_equal(fclose(f), 0);
            if (!report_data_read(&d, &arena, dir, &e)) {
                fail_msg("%s cut at %zu: %s", logs[i], cut, e.text);
            }
            assert_int_equal(i == 0 ? d.n_evals : d.n_generations, n_lines);
            report_data_release(&d);
            arena.used = mark.used;
        }
        copy(logs[i]);
    }
}

static void a_full_disk_keeps_the_old_page(void **state)
{
    (void)state;
    struct err e = {0};
    assert_true(report_make(dir, arena, &e));
    const char *before = content("report.html");
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 1000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool ok = report_make(dir, arena, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_false(ok);
    assert_int_equal(e.code, ERR_FAILED);
    assert_string_equal(before, content("report.html"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_shows_the_run),
        cmocka_unit_test(the_page_is_the_same_again),
        cmocka_unit_test(data_is_understood),
        cmocka_unit_test(costs_have_names),
        cmocka_unit_test(optional_files_may_be_missing),
        cmocka_unit_test(missing_files_are_named),
        cmocka_unit_test(nonsense_is_named),
        cmocka_unit_test(an_empty_run_has_a_page),
        cmocka_unit_test(cut_files_are_no_crash),
        cmocka_unit_test(a_cut_log_is_drawn),
        cmocka_unit_test(a_full_disk_keeps_the_old_page),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
