/* Benchmark problems as strings, and that a wrong result does not pass for a fast one. */
#include "cli/bench.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static int open_arena(void **state)
{
    (void)state;
    struct err e;
    return arena_init(&arena, (size_t)256 << 20, &e) ? 0 : -1;
}

static int close_arena(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static void data_is_small_and_whole(void **state)
{
    (void)state;
    struct err e;
    int count[3] = {0};
    float *x = bench_data(&arena, 3000, 0, &e), *again = bench_data(&arena, 3000, 0, &e);
    assert_non_null(x);
    assert_memory_equal(x, again, 3000 * sizeof *x);
    for (int i = 0; i < 3000; i++) {
        int v = (int)x[i];
        assert_true(x[i] == (float)v && v >= -1 && v <= 1);
        count[v + 1]++;
    }
    for (int i = 0; i < 3; i++) {
        assert_true(count[i] > 800 && count[i] < 1200);
    }
}

static void differences_are_found(void **state)
{
    (void)state;
    struct err e = {0};
    const float a[] = {1, 2, 3}, b[] = {1, 2.5F, 3}, c[] = {1, NAN, 3};
    assert_true(bench_compare(a, a, 3, 0, &e));
    assert_true(bench_compare(a, b, 3, 0.5, &e));
    assert_true(bench_compare(a, b, 1, 0, &e));
    assert_false(bench_compare(a, b, 3, 0.4, &e));
    assert_int_equal(e.code, ERR_FAILED);
    assert_non_null(strstr(e.text, "element 1"));
    assert_false(bench_compare(c, a, 3, 1e30, &e));
    assert_false(bench_compare(c, c, 3, 1e30, &e));
}

/* The rooms' own checks hold for what is right. */
static void right_results_pass(void **state)
{
    (void)state;
    static const struct {
        const struct bench_kind *kind;
        const char *text;
    } problems[] = {{&bench_conv, "n1h8c8k8r3"}, {&bench_gemm, "m5n6k7"}};
    struct machine mc;
    struct err e = {0};
    assert_true(machine_init(&mc, "auto", 1, &e));
    const struct bench_request request = {.mc = &mc, .dir = "all", .algo = "auto"};
    for (size_t i = 0; i < N_ELEMS(problems); i++) {
        struct bench_case cases[BENCH_MAX_CASES];
        int n = 0;
        assert_true(problems[i].kind->open(cases, &n, &arena, problems[i].text, &request, &e));
        assert_true(n >= 1);
        for (int k = 0; k < n; k++) {
            assert_true(cases[k].flops > 0);
            if (!cases[k].kind->check(&cases[k], arena, &e)) {
                fail_msg("%s %s: %s", cases[k].problem, cases[k].direction, e.text);
            }
        }
    }
}

static void cases_fit_the_request(void **state)
{
    (void)state;
    static const struct {
        const char *dir, *algo;
        int n;
    } requests[] = {{"fwd", "auto", 1},
                    {"all", "auto", 3},
                    {"all", "ref", 3},
                    {"train", "auto", 0},
                    {"fwd", "none", 0}};
    struct machine mc;
    struct err e = {0};
    assert_true(machine_init(&mc, "ref", 1, &e));
    for (size_t i = 0; i < N_ELEMS(requests); i++) {
        struct bench_case cases[BENCH_MAX_CASES];
        const struct bench_request request = {
            .mc = &mc, .dir = requests[i].dir, .algo = requests[i].algo};
        int n = -1;
        assert_true(bench_conv.open(cases, &n, &arena, "n1h5w4c4k6r3g2", &request, &e));
        assert_int_equal(n, requests[i].n);
        for (int k = 0; k < n; k++) {
            assert_string_equal(cases[k].problem, "conv:n1h5w4c4k6r3s1p1g2");
            assert_true(cases[k].flops == 2.0 * 5 * 4 * 6 * 9 * 2);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_is_small_and_whole), cmocka_unit_test(differences_are_found),
        cmocka_unit_test(right_results_pass),      cmocka_unit_test(cases_fit_the_request),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
