/* Problems as strings: what is read, what is filled in, what is refused. */
#include "core/problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void numbers_are_read(void **state)
{
    (void)state;
    struct err e;
    int v[] = {1, -1, 7};
    assert_true(problem_numbers("b3a12", "abc", v, "form", &e));
    assert_int_equal(v[0], 12);
    assert_int_equal(v[1], 3);
    assert_int_equal(v[2], 7);
}

static void bad_numbers_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "a1", "b", "b1c", "b1x2", "b-1", "b1 a2", "b99999999999999999999", "b2000000"};
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        struct err e = {0};
        int v[] = {1, -1, 7};
        if (problem_numbers(bad[i], "abc", v, "the form", &e)) {
            fail_msg("took \"%s\"", bad[i]);
        }
        assert_int_equal(e.code, ERR_USAGE);
        assert_non_null(strstr(e.hint, "the form"));
    }
}

static void convolutions_are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text, *whole;
    } cases[] = {
        {"conv:n32h32w31c16k24r3s2p1g8", "conv:n32h32w31c16k24r3s2p1g8"},
        {"conv:h9c8k4r5", "conv:n1h9w9c8k4r5s1p2g1"},
        {"k4c8r1h7n3", "conv:n3h7w7c8k4r1s1p0g1"},
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        struct conv_shape s;
        struct err e;
        char text[PROBLEM_CONV_LEN];
        assert_true(problem_conv(&s, cases[i].text, &e));
        problem_conv_format(text, &s);
        assert_string_equal(text, cases[i].whole);
        assert_int_equal(s.oh, (s.h + 2 * s.pad - s.kh) / s.stride + 1);
    }
}

static void bad_convolutions_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "conv:",
                                      "gemm:m1n1k1",
                                      "conv:h4c4",
                                      "conv:h2c4k4r9p0",
                                      "conv:h4c3k4r1g2",
                                      "conv:h0c4k4r1",
                                      "conv:conv:h4c4k4r1"};
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        struct conv_shape s;
        struct err e = {0};
        if (problem_conv(&s, bad[i], &e)) {
            fail_msg("took \"%s\"", bad[i]);
        }
        assert_int_equal(e.code, ERR_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read),
        cmocka_unit_test(bad_numbers_are_refused),
        cmocka_unit_test(convolutions_are_read_and_written),
        cmocka_unit_test(bad_convolutions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
