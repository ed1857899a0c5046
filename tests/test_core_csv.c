/*
 * Tables by RFC 4180: what is read, what is refused and on which line, cut off at every byte, and
 * with every allocation failing in turn.
 */
#define _GNU_SOURCE
#include "core/csv.h"
#include "tests/scratch.h"

static bool read_text(struct scratch *s, struct csv *csv, const char *text, size_t n, struct err *e)
{
    scratch_write(s, "t.csv", text, n);
    s->arena.used = 0;
    return csv_read(csv, &s->arena, s->path, e);
}

static const char good[] = "\xef\xbb\xbfname,\"arch, string\",x\r\n"
                           "a,|nor_conv_3x3~0|+|skip~0|,1.5\r\n"
                           "\"b \"\"quoted\"\"\",\"two\nlines\",-2e3\r\n"
                           ",,\r\n"
                           "last,\"\",7";

static void test_good(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    struct csv csv;
    if (!read_text(s, &csv, good, sizeof good - 1, &e)) {
        fail_msg("%s", e.text);
    }
    assert_int_equal(csv.n_cols, 3);
    assert_int_equal(csv.n_rows, 4);
    assert_int_equal(csv_column(&csv, "name"), 0);
    assert_int_equal(csv_column(&csv, "arch, string"), 1);
    assert_int_equal(csv_column(&csv, "y"), -1);
    assert_string_equal(csv_cell(&csv, 0, 1), "|nor_conv_3x3~0|+|skip~0|");
    assert_string_equal(csv_cell(&csv, 1, 0), "b \"quoted\"");
    assert_string_equal(csv_cell(&csv, 1, 1), "two\nlines");
    assert_string_equal(csv_cell(&csv, 2, 2), "");
    assert_string_equal(csv_cell(&csv, 3, 1), "");
    double x = 0;
    assert_true(csv_number(&csv, 0, 2, &x, &e) && x == 1.5);
    assert_true(csv_number(&csv, 1, 2, &x, &e) && x == -2000);
    assert_true(csv_number(&csv, 3, 2, &x, &e) && x == 7);
    assert_false(csv_number(&csv, 2, 2, &x,
                            &e)); /* line 5: the quoted field before it has a line of its own */
    scratch_expect(&e, ERR_INPUT, "line 5, column x: expected a finite number, found \"\"");
}

static void test_small(void **state)
{
    struct scratch *s = *state;
    struct err e = {0};
    struct csv csv;
    assert_true(read_text(s, &csv, "a", 1, &e));
    assert_true(csv.n_cols == 1 && csv.n_rows == 0);
    assert_true(read_text(s, &csv, "a\n", 2, &e));
    assert_true(csv.n_cols == 1 && csv.n_rows == 0);
    assert_true(
        read_text(s, &csv, "a\n\nb\n", 5, &e)); /* an empty line is a row of one empty field */
    assert_true(csv.n_cols == 1 && csv.n_rows == 2);
    assert_true(read_text(s, &csv, "\"a\nb\",c,d\n1,2,3", 15, &e));
    assert_true(csv.n_cols == 3 && csv.n_rows == 1);
}

static void test_bad(void **state)
{
    struct scratch *s = *state;
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"", "empty"},
        {"\xef\xbb\xbf", "empty"},
        {"a,b\n1,2\n3\n", "line 3: expected 2 fields as in the header, found 1"},
        {"a,b\n1,2,3\n", "line 2: expected 2 fields as in the header, found 3"},
        {"a,b\n1,2\n\n", "line 3: expected 2 fields as in the header, found 1"},
        {"a,b\n\"1\n\n\",2\n3\n", "line 5: expected 2 fields"},
        {"a,b\n\"1,2\n3,4\n", "line 2: a quoted field never ends"},
        {"a,b\n\"1\"x,2\n",
         "line 2: expected comma or end of line after a quoted field, found byte 0x78"},
        {"a,b\n1\"\",2\n", "line 2: quote inside an unquoted field"},
        {"a,b\n1,2\r3,4\n", "line 2: carriage return without line feed"},
        {"a,b,a\n1,2,3\n", "two columns are called \"a\""},
        {"\"a\n", "line 1: a quoted field never ends"},
    };
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        struct csv csv;
        struct err e = {0};
        assert_false(read_text(s, &csv, bad[i].text, strlen(bad[i].text), &e));
        scratch_expect(&e, ERR_INPUT, bad[i].words);
        assert_non_null(strstr(e.text, s->path));
    }
    struct csv csv;
    struct err e = {0};
    assert_false(read_text(s, &csv, "a,b\n1,\0\n", 8, &e));
    scratch_expect(&e, ERR_INPUT, "byte 6 is zero");
    assert_false(csv_read(&csv, &s->arena, s->dir, &e));
    scratch_expect(&e, ERR_INPUT, "folder");
}

static void test_numbers(void **state)
{
    struct scratch *s = *state;
    static const char *const bad[] = {"nan", "inf", "-inf", "0x10", "1e999", "1 2",
                                      "1,",  "--1", "1e",   ".",    "one",   "1f"};
    static const struct {
        const char *text;
        double value;
    } fine[] = {{"0", 0}, {"-0.5", -0.5}, {" 3 ", 3}, {"+1E+2", 100}, {"1e-400", 0}, {".5", .5}};
    struct csv csv;
    struct err e = {0};
    char text[64];
    double x = 0;
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        int n = snprintf(text, sizeof text, "v\n\"%s\"\n", bad[i]);
        assert_true(read_text(s, &csv, text, (size_t)n, &e));
        assert_false(csv_number(&csv, 0, 0, &x, &e));
        scratch_expect(&e, ERR_INPUT, "line 2, column v: expected a finite number");
    }
    for (size_t i = 0; i < N_ELEMS(fine); i++) {
        int n = snprintf(text, sizeof text, "v\n%s\n", fine[i].text);
        assert_true(read_text(s, &csv, text, (size_t)n, &e));
        assert_true(csv_number(&csv, 0, 0, &x, &e));
        assert_true(x == fine[i].value);
    }
}

/* Every prefix is either read with as many fields in each row, or refused; nothing else happens. */
static void test_cut_off_everywhere(void **state)
{
    struct scratch *s = *state;
    for (size_t n = 0; n < sizeof good - 1; n++) {
        struct csv csv;
        struct err e = {0};
        if (read_text(s, &csv, good, n, &e)) {
            assert_true(csv.n_cols >= 1 && csv.n_cols <= 3 && csv.n_rows <= 4);
            for (size_t i = 0; i < csv.n_rows * (size_t)csv.n_cols; i++) {
                assert_true(strlen(csv.cells[i]) <= n);
            }
        } else {
            assert_int_equal(e.code, ERR_INPUT);
        }
    }
}

/* A log that was killed while it wrote: the cut line is as if it had never been begun. */
static void test_log(void **state)
{
    struct scratch *s = *state;
    static const char text[] = "a,b\n1,2\n3,4\n";
    for (size_t n = 0; n < sizeof text; n++) {
        struct csv csv;
        struct err e = {0};
        scratch_write(s, "t.csv", text, n);
        bool ok = csv_read_log(&csv, &s->arena, s->path, &e);
        assert_int_equal(ok, n >= 4);
        if (ok) {
            assert_int_equal(csv.n_rows, (n - 4) / 4);
        } else {
            scratch_expect(&e, ERR_INPUT, "empty");
        }
    }
}

static void test_wide(void **state)
{
    struct scratch *s = *state;
    struct csv csv;
    struct err e = {0};
    static char text[40000];
    size_t n = 0;
    for (int i = 0; i < 4097; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%d", i ? "," : "", i);
    }
    assert_false(read_text(s, &csv, text, n, &e));
    scratch_expect(&e, ERR_INPUT, "more than 4096 columns");
    n = (size_t)(strstr(text, ",4096") - text);
    assert_true(read_text(s, &csv, text, n, &e));
    assert_int_equal(csv.n_cols, 4096);
}

static void test_memory_runs_out(void **state)
{
    struct scratch *s = *state;
    struct csv csv;
    int failures = 0;
    for (int64_t k = 0;; k++) {
        struct err e = {0};
        s->arena.n_left = k;
        if (read_text(s, &csv, good, sizeof good - 1, &e)) {
            break;
        }
        assert_int_equal(e.code, ERR_FAILED);
        failures++;
    }
    assert_true(failures >= 3); /* the file, the names, the cells */
}

/* The benchmark tables, where they are at hand: rows as their description says. */
static void test_real(void **state)
{
    struct scratch *s = *state;
    struct csv csv;
    struct err e = {0};
    const char *path = scratch_data(s, "nas/nasbench201.csv");
    if (!path) {
        skip();
    }
    assert_true(csv_read(&csv, &s->arena, path, &e));
    assert_int_equal(csv.n_rows, 15625);
    assert_true(csv_column(&csv, "c10_test200") >= 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        T(test_good),
        T(test_small),
        T(test_bad),
        T(test_numbers),
        T(test_cut_off_everywhere),
        T(test_wide),
        T(test_log),
        T(test_real),
        T(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
