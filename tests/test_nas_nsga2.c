/*
 * NSGA-II on the ZDT problems [Zitzler2000]: the functions at a known point, the hypervolume of the
 * last population against published medians, operators against their bounds and their distribution,
 * and small and odd populations. Ten seeds, 25,000 evaluations each; bench/bench_zdt.c runs thirty.
 */
#include "nas/front.h"
#include "nas/indicators.h"
#include "nas/nsga2.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/zdt.h"

static struct arena arena_of_test(void)
{
    struct arena a;
    struct err e = {0};
    assert_true(arena_init(&a, (size_t)64 << 20, &e));
    return a;
}

static void test_functions_at_a_known_point(void **state)
{
    (void)state;
    double x[30], f[2], v = 0;
    for (int i = 0; i < 30; i++) {
        x[i] = .25;
    }
    static const double expected[] = {2.3486121811340026, 3.230769230769231, 2.0986121811340026};
    for (int i = 0; i < 3; i++) {
        const struct zdt_problem *p = &zdt_problems[i];
        p->evaluate(p, x, f, &v);
        assert_true(f[0] == .25);
        assert_true(fabs(f[1] - expected[i]) < 1e-14);
    }
}

static int double_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum { N_SEEDS = 10 };

static void test_zdt_medians(void **state)
{
    (void)state;
    struct arena tmp = arena_of_test();
    for (int i = 0; i < ZDT_N; i++) {
        const struct zdt_problem *p = &zdt_problems[i];
        double volume[N_SEEDS];
        for (int seed = 0; seed < N_SEEDS; seed++) {
            volume[seed] = zdt_hypervolume(p, 100, 250, (uint64_t)seed + 1, tmp);
            if (volume[seed] > p->supremum) {
                fail_msg("%s seed %d: %.17g is beyond %.17g", p->name, seed, volume[seed],
                         p->supremum);
            }
        }
        qsort(volume, N_SEEDS, sizeof *volume, double_compare);
        double median = .5 * (volume[N_SEEDS / 2 - 1] + volume[N_SEEDS / 2]);
        print_message("%s: median hypervolume %.5f, at least %.4f\n", p->name, median,
                      p->median_wanted);
        if (!(median >= p->median_wanted)) {
            fail_msg("%s: median %.6f < %.4f", p->name, median, p->median_wanted);
        }
    }
    arena_release(&tmp);
}

static void test_operators_stay_inside(void **state)
{
    (void)state;
    struct rng r = rng_key(11, RNG_TEST, 0);
    const double low[] = {0, -5, 1e-9, 2}, high[] = {1, 5, 2e-9, 2 + 1e-12};
    const struct nsga2_variation v = {
        .crossover_rate = 1, .sbx_eta = 2, .mutation_rate = 1, .mutation_eta = 1};
    for (int round = 0; round < 20000; round++) {
        double p1[4], p2[4], c1[4], c2[4];
        for (int i = 0; i < 4; i++) { /* often on a bound, often equal */
            double u = rng_f64(&r), w = rng_f64(&r);
            p1[i] = u < .2 ? low[i] : u > .8 ? high[i] : low[i] + u * (high[i] - low[i]);
            p2[i] = w < .2 ? p1[i] : w > .8 ? high[i] : low[i] + w * (high[i] - low[i]);
        }
        nsga2_sbx(c1, c2, p1, p2, low, high, 4, &v, &r);
        nsga2_mutate(c1, low, high, 4, &v, &r);
        for (int i = 0; i < 4; i++) {
            assert_true(c1[i] >= low[i] && c1[i] <= high[i]);
            assert_true(c2[i] >= low[i] && c2[i] <= high[i]);
        }
    }
}

/* Far from the bounds SBX keeps the parents' mean, and mutation is symmetric with E|step| = range /
 * (eta + 2). */
static void test_operators_distribution(void **state)
{
    (void)state;
    struct rng r = rng_key(13, RNG_TEST, 0);
    const double low = -1e6, high = 1e6;
    const struct nsga2_variation v = {
        .crossover_rate = 1, .sbx_eta = 15, .mutation_rate = 1, .mutation_eta = 20};
    double step = 0, size = 0, spread = 0;
    int n_crossed = 0;
    enum { N = 40000 };
    for (int i = 0; i < N; i++) {
        double p1 = 1, p2 = 3, c1, c2, x = 0;
        nsga2_sbx(&c1, &c2, &p1, &p2, &low, &high, 1, &v, &r);
        assert_true(fabs(c1 + c2 - 4) < 1e-9);
        if (c1 != 1 && c1 != 3) {
            spread += fabs(c1 - c2) / 2;
            n_crossed++;
        }
        nsga2_mutate(&x, &low, &high, 1, &v, &r);
        step += x / (high - low) / N;
        size += fabs(x) / (high - low) / N;
    }
    assert_in_range(n_crossed, N / 2 - 400, N / 2 + 400);
    /* E beta = (1/2) ((eta+1)/(eta+2) + (eta+1)/eta) of the polynomial distribution [Deb1995]. */
    assert_true(fabs(spread / n_crossed - .5 * (16 / 17. + 16 / 15.)) < .004);
    assert_true(fabs(step) < .001);
    /* Half of the steps go down to the bound: |delta| = 1 - (2u + (1-2u) (1/2)^21)^(1/21), nearly
     * 1/22 on average. */
    assert_true(fabs(size - 1 / 22.) < .001);
}

static void test_survival(void **state)
{
    (void)state;
    struct arena tmp = arena_of_test();
    /* Front 0: (0,4) (1,2) (3,1) (4,0) with crowding inf 1.5 1.25 inf; front 1: (5,5). */
    const double obj[] = {5, 5, 4, 0, 3, 1, 1, 2, 0, 4};
    int rank[5], keep[5];
    double crowding[5];
    struct nsga2_rating r = {obj, NULL, 5, 2, rank, crowding};
    nsga2_rate(&r, tmp);
    nsga2_survive(keep, 5, &r, tmp);
    assert_memory_equal(keep, ((int[]){1, 4, 3, 2, 0}), sizeof keep);
    nsga2_survive(keep, 0, &r, tmp);
    /* Infeasible ones come last, the least violating first; equal ones by index. */
    const double violation[] = {0, 2, 1, 1, 3};
    r.violation = violation;
    nsga2_rate(&r, tmp);
    nsga2_survive(keep, 5, &r, tmp);
    assert_memory_equal(keep, ((int[]){0, 2, 3, 1, 4}), sizeof keep);
    struct rng rng = rng_key(17, RNG_TEST, 0);
    int n_won[5] = {0};
    for (int i = 0; i < 5000; i++) {
        n_won[nsga2_tournament(&r, NSGA2_BY_RANK, &rng)]++;
    }
    assert_in_range(n_won[0], 1800 - 150, 1800 + 150); /* drawn at least once: 9/25 */
    assert_in_range(n_won[4], 200 - 60, 200 + 60);     /* only against itself: 1/25 */
    arena_release(&tmp);
}

static void test_small_and_odd_populations(void **state)
{
    (void)state;
    struct arena tmp = arena_of_test();
    const struct zdt_problem *p = &zdt_problems[0];
    for (int population = 1; population <= 7; population++) {
        double a = zdt_hypervolume(p, population, 20, 3, tmp),
               b = zdt_hypervolume(p, population, 20, 3, tmp);
        assert_true(a == b && isfinite(a));
    }
    arena_release(&tmp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions_at_a_known_point),
        cmocka_unit_test(test_zdt_medians),
        cmocka_unit_test(test_operators_stay_inside),
        cmocka_unit_test(test_operators_distribution),
        cmocka_unit_test(test_survival),
        cmocka_unit_test(test_small_and_odd_populations),
    };
    return cmocka_run_group_tests_name("nas_nsga2", tests, NULL, NULL);
}
