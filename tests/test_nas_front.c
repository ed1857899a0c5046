/*
 * Dominance, sorting, crowding, filtering: cases by hand (Deb's definitions), every odd case in one
 * table, and the property that matters on random points: a front is mutually non-dominated and
 * nothing outside it is.
 */
#include "core/rng.h"
#include "nas/front.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena arena_of_test(void)
{
    struct arena a;
    struct err e = {0};
    assert_true(arena_init(&a, (size_t)64 << 20, &e));
    return a;
}

static void test_dominance(void **state)
{
    (void)state;
    const double a[] = {1, 2}, b[] = {1, 3}, c[] = {2, 1}, zero[] = {0.0, -0.0},
                 minus[] = {-0.0, 0.0};
    assert_true(front_dominates(a, b, 2));
    assert_false(front_dominates(b, a, 2));
    assert_false(front_dominates(a, c, 2));
    assert_false(front_dominates(c, a, 2));
    assert_false(front_dominates(a, a, 2));
    assert_false(front_dominates(zero, minus, 2));
    assert_false(front_dominates(minus, zero, 2));
    /* Feasible first, then less violation, whatever the objectives say. */
    assert_true(front_dominates_constrained(b, 0, a, 0.1, 2));
    assert_false(front_dominates_constrained(a, 0.1, b, 0, 2));
    assert_true(front_dominates_constrained(b, 0.1, a, 0.2, 2));
    assert_false(front_dominates_constrained(a, 0.2, b, 0.2, 2));
    assert_false(front_dominates_constrained(b, 0.2, a, 0.2, 2));
}

/* One row a case: points, violations, expected ranks. */
struct sort_case {
    const char *name;
    int n, n_obj;
    double obj[30];
    double violation[10];
    int rank[10], n_fronts;
};

static const struct sort_case sort_cases[] = {
    {"empty", 0, 2, {0}, {0}, {0}, 0},
    {"one", 1, 3, {5, 5, 5}, {0}, {0}, 1},
    {"a cycle is one front", 3, 3, {1, 2, 3, 3, 1, 2, 2, 3, 1}, {0}, {0, 0, 0}, 1},
    {"five fronts", 5, 2, {1, 1, 2, 2, 3, 3, 4, 4, 5, 5}, {0}, {0, 1, 2, 3, 4}, 5},
    {"ten copies", 10, 1, {4, 4, 4, 4, 4, 4, 4, 4, 4, 4}, {0}, {0}, 1},
    {"equal range in one objective", 3, 2, {1, 7, 2, 7, 3, 7}, {0}, {0, 1, 2}, 3},
    {"infinities", 4, 2, {-INFINITY, 1, 0, 0, INFINITY, -1, INFINITY, 2}, {0}, {0, 0, 0, 1}, 2},
    {"signed zeros are equal", 2, 2, {0.0, -0.0, -0.0, 0.0}, {0}, {0, 0}, 1},
    {"all infeasible: by violation", 4, 2, {1, 1, 2, 2, 3, 3, 0, 0}, {3, 1, 2, 1}, {2, 0, 1, 0}, 3},
    {"one feasible wins", 3, 2, {0, 0, 9, 9, 1, 1}, {1, 0, 2}, {1, 0, 2}, 3},
    {"feasible and not", 5, 2, {1, 5, 5, 1, 6, 6, 0, 0, 0, 0}, {0, 0, 0, 4, 2}, {0, 0, 1, 3, 2}, 4},
};

static void test_sort(void **state)
{
    (void)state;
    struct arena tmp = arena_of_test();
    for (size_t i = 0; i < N_ELEMS(sort_cases); i++) {
        const struct sort_case *c = &sort_cases[i];
        int rank[10];
        assert_int_equal(front_sort(rank, c->obj, c->violation, c->n, c->n_obj, tmp), c->n_fronts);
        for (int k = 0; k < c->n; k++) {
            if (rank[k] != c->rank[k]) {
                fail_msg("%s: point %d has rank %d, expected %d", c->name, k, rank[k], c->rank[k]);
            }
        }
    }
    arena_release(&tmp);
}

static void assert_crowding(const double *obj, int n, int n_obj, const double *expected)
{
    struct arena tmp = arena_of_test();
    int idx[16];
    double crowding[16];
    for (int i = 0; i < n; i++) {
        idx[i] = i;
    }
    front_crowding(crowding, obj, idx, n, n_obj, tmp);
    for (int i = 0; i < n; i++) {
        if (!(crowding[i] == expected[i] || fabs(crowding[i] - expected[i]) < 1e-12)) {
            fail_msg("point %d: crowding %g, expected %g", i, crowding[i], expected[i]);
        }
    }
    arena_release(&tmp);
}

static void test_crowding(void **state)
{
    (void)state;
    const double inf = INFINITY;
    assert_crowding((double[]){0, 0, .5, 50, 1, 100}, 3, 2, (double[]){inf, 2, inf});
    assert_crowding(NULL, 0, 2, NULL);
    assert_crowding((double[]){3, 4}, 1, 2, (double[]){0}); /* alone: no objective tells it apart */
    assert_crowding((double[]){0, 1, 1, 0}, 2, 2, (double[]){inf, inf});
    /* An all-equal objective adds nothing, and neither does an all-equal front. */
    assert_crowding((double[]){0, 7, 1, 7, 4, 7}, 3, 2, (double[]){inf, 1, inf});
    assert_crowding((double[]){1, 1, 1, 1, 1, 1, 1, 1}, 4, 2, (double[]){0, 0, 0, 0});
    /* By hand: x = 0 1 3 4, y = 4 2 1 0: 3/4 + 3/4 and 3/4 + 2/4. */
    assert_crowding((double[]){3, 1, 0, 4, 4, 0, 1, 2}, 4, 2, (double[]){1.25, inf, inf, 1.5});
    /* Ties: of equal extremes the first at the low end and the last at the high end. */
    assert_crowding((double[]){0, 5, 0, 5, 0, 5, 1, 0}, 4, 2, (double[]){inf, 0, inf, inf});
    /* Infinite values neither spread NaN nor hide the finite range. */
    assert_crowding((double[]){-inf, 0, 1, 0, 2, 0, 5, 0, inf, 0}, 5, 2,
                    (double[]){inf, inf, 1, inf, inf});
    assert_crowding((double[]){-inf, 0, -inf, 0, inf, 0, inf, 0}, 4, 2,
                    (double[]){inf, inf, inf, inf});
    assert_crowding((double[]){-0.0, 1, 0.0, 1}, 2, 2, (double[]){0, 0});
}

static void test_crowding_uses_the_fronts_own_range(void **state)
{
    (void)state;
    struct arena tmp = arena_of_test();
    const double obj[] = {1000, 1000, 0, 2, 1, 1, 2, 0, -500, 9};
    const int idx[] = {1, 2, 3};
    double crowding[3];
    front_crowding(crowding, obj, idx, 3, 2, tmp);
    assert_true(isinf(crowding[0]) && crowding[1] == 2 && isinf(crowding[2]));
    arena_release(&tmp);
}

static void test_filter(void **state)
{
    (void)state;
    struct arena tmp = arena_of_test();
    int out[8];
    const double two[] = {5, 5, 4, 6, 2, 7, 7, 4, 4, 6, 6, 6, 2, 8};
    assert_int_equal(front_filter(out, two, 7, 2, true, tmp), 4);
    assert_memory_equal(out, ((int[]){0, 1, 2, 3}), 4 * sizeof(int));
    assert_int_equal(front_filter(out, two, 7, 2, false, tmp), 5);
    assert_memory_equal(out, ((int[]){0, 1, 2, 3, 4}), 5 * sizeof(int));
    const double one[] = {3, 1, 2, 1};
    assert_int_equal(front_filter(out, one, 4, 1, false, tmp), 2);
    assert_memory_equal(out, ((int[]){1, 3}), 2 * sizeof(int));
    const double zeros[] = {0.0, 1, -0.0, 1};
    assert_int_equal(front_filter(out, zeros, 2, 2, true, tmp), 1);
    assert_int_equal(front_filter(out, NULL, 0, 3, true, tmp), 0);
    arena_release(&tmp);
}

/* On random points full of ties, 1 to 4 objectives: rank 0 is the filter's front, and both are
 * right by definition. */
static void test_sort_and_filter_agree(void **state)
{
    (void)state;
    struct arena tmp = arena_of_test();
    struct rng r = rng_key(3, RNG_TEST, 0);
    for (int round = 0; round < 400; round++) {
        int n = 1 + (int)rng_below(&r, 60), n_obj = 1 + (int)rng_below(&r, 4), rank[60], out[60];
        double obj[240];
        for (int i = 0; i < n * n_obj; i++) {
            obj[i] = (double)rng_below(&r, 6);
        }
        int n_fronts = front_sort(rank, obj, NULL, n, n_obj, tmp);
        int n_out = front_filter(out, obj, n, n_obj, false, tmp), at = 0;
        for (int i = 0; i < n; i++) {
            int above = 0; /* the longest chain of dominators ends one rank higher */
            for (int j = 0; j < n; j++) {
                if (front_dominates(obj + j * n_obj, obj + i * n_obj, n_obj)) {
                    assert_true(rank[j] < rank[i]);
                    above = MAX(above, rank[j] + 1);
                }
            }
            assert_int_equal(rank[i], above);
            assert_true(rank[i] < n_fronts);
            if (rank[i] == 0) {
                assert_true(at < n_out && out[at] == i);
                at++;
            }
        }
        assert_int_equal(at, n_out);
    }
    arena_release(&tmp);
}

/* NaN is a bug of the caller: the program stops and says so. */
static void test_nan_stops(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct arena tmp;
        struct err e;
        int rank[2];
        const double obj[] = {1, NAN, 2, 3};
        if (!freopen("/dev/null", "w", stderr) || !arena_init(&tmp, 1 << 20, &e)) {
            _exit(2);
        }
        signal(SIGABRT, SIG_DFL);
        front_sort(rank, obj, NULL, 2, 2, tmp);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dominance), cmocka_unit_test(test_sort),
        cmocka_unit_test(test_crowding),  cmocka_unit_test(test_crowding_uses_the_fronts_own_range),
        cmocka_unit_test(test_filter),    cmocka_unit_test(test_sort_and_filter_agree),
        cmocka_unit_test(test_nan_stops),
    };
    return cmocka_run_group_tests_name("nas_front", tests, NULL, NULL);
}
