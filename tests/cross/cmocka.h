/*
 * cmocka.h: as much of cmocka as tests of core need, for machines that have only a cross compiler:
 * tests/sh_neon.sh puts this folder before the system's headers. Prints TAP.
 */
#ifndef TESTS_CROSS_CMOCKA_H
#define TESTS_CROSS_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void CMUnitTestFunction(void **state);
typedef int CMFixtureFunction(void **state);
struct CMUnitTest {
    const char *name;
    CMUnitTestFunction *test_func;
    CMFixtureFunction *setup_func, *teardown_func;
    void *initial_state;
};

static jmp_buf cmocka_failed;

#define cmocka_unit_test(f)                                                                        \
    {                                                                                              \
#f, f, NULL, NULL, NULL                                                                    \
    }
#define cmocka_unit_test_setup_teardown(f, setup, teardown)                                        \
    {                                                                                              \
#f, f, setup, teardown, NULL                                                               \
    }
#define print_message printf
#define fail_msg(...)                                                                              \
    do {                                                                                           \
        printf("# %s:%d: ", __FILE__, __LINE__);                                                   \
        printf(__VA_ARGS__);                                                                       \
        printf("\n");                                                                              \
        longjmp(cmocka_failed, 1);                                                                 \
    } while (0)
#define assert_true(x)                                                                             \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fail_msg("not true: %s", #x);                                                          \
        }                                                                                          \
    } while (0)
#define assert_false(x)              assert_true(!(x))
#define assert_non_null(x)           assert_true((x) != NULL)
#define assert_int_equal(a, b)       assert_true((a) == (b))
#define assert_string_equal(a, b)    assert_true(strcmp(a, b) == 0)
#define assert_memory_equal(a, b, n) assert_true(memcmp(a, b, n) == 0)
#define skip()                                                                                     \
    do {                                                                                           \
        longjmp(cmocka_failed, 2);                                                                 \
    } while (0)

/* Whether CROSS_ONLY, names between spaces, holds this one; all are run without it. */
static inline bool cmocka_wanted(const char *name)
{
    const char *only = getenv("CROSS_ONLY"), *at = only;
    size_t len = strlen(name);
    for (; at && (at = strstr(at, name)); at += len) {
        if ((at == only || at[-1] == ' ') && (at[len] == ' ' || at[len] == 0)) {
            return true;
        }
    }
    return !only;
}

static inline int _cmocka_run_group_tests(const char *group, const struct CMUnitTest *tests,
                                          size_t n, CMFixtureFunction *setup,
                                          CMFixtureFunction *teardown)
{
    static int n_failed, n_run; /* longjmp leaves them alone */
    static void *state;
    static size_t i;
    (void)group;
    if (setup && setup(&state) != 0) {
        printf("not ok 1 setup\n1..1\n");
        return 1;
    }
    for (i = 0; i < n; i++) {
        if (!cmocka_wanted(tests[i].name)) {
            continue;
        }
        static void *mine;
        mine = tests[i].initial_state ? tests[i].initial_state : state;
        n_run++;
        int how = setjmp(cmocka_failed);
        if (how == 0) {
            if (tests[i].setup_func) {
                assert_int_equal(tests[i].setup_func(&mine), 0);
            }
            tests[i].test_func(&mine);
            if (tests[i].teardown_func) {
                assert_int_equal(tests[i].teardown_func(&mine), 0);
            }
        }
        n_failed += how == 1;
        printf("%s %d %s%s\n", how == 1 ? "not ok" : "ok", n_run, tests[i].name,
               how == 2 ? " # SKIP" : "");
        fflush(stdout);
    }
    if (teardown) {
        teardown(&state);
    }
    printf("1..%d\n", n_run);
    return n_failed;
}
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    _cmocka_run_group_tests(#tests, tests, sizeof(tests) / sizeof(tests)[0], setup, teardown)

#endif
