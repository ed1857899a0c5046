/*
 * Hypervolume, IGD, diversity, rank agreement: values by hand and as published, brute force on
 * random data, and the properties a volume must have.
 */
#include "core/rng.h"
#include "nas/front.h"
#include "nas/indicators.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena_of_test(void)
{
    struct arena a;
    struct err e = {0};
    assert_true(arena_init(&a, (size_t)64 << 20, &e));
    return a;
}

static void assert_close(double x, double expected, double tolerance)
{
    if (!(fabs(x - expected) <= tolerance)) {
        fail_msg("%.17g, expected %.17g +- %g", x, expected, tolerance);
    }
}

static double volume(const double *obj, int n, int n_obj, const double *ref)
{
    struct arena tmp = arena_of_test();
    double v = indicators_hypervolume(obj, n, n_obj, ref, tmp);
    arena_release(&tmp);
    return v;
}

static void test_hypervolume_by_hand(void **state)
{
    (void)state;
    const double ten[] = {10, 10}, two[] = {2, 2, 2};
    assert_close(volume((double[]){5, 5, 4, 6, 2, 7, 7, 4}, 4, 2, ten), 38, 0);
    assert_close(volume((double[]){1, 0, 1, 0, 1, 0}, 2, 3, two), 5, 0);
    assert_close(volume(NULL, 0, 2, ten), 0, 0);
    assert_close(volume(NULL, 0, 3, two), 0, 0);
    /* On or beyond the reference: nothing. */
    assert_close(volume((double[]){10, 1, 1, 10, 11, 0, 12, 12}, 4, 2, ten), 0, 0);
    assert_close(volume((double[]){2, 0, 0, 0, 2, 0, 0, 0, 3}, 3, 3, two), 0, 0);
    /* Duplicates, order, dominated points change nothing. */
    assert_close(
        volume((double[]){7, 4, 5, 5, 5, 5, 9, 9, 2, 7, 4, 6, 4, 6, 5, 7, 10, 2}, 9, 2, ten), 38,
        0);
    assert_close(volume((double[]){0, 1, 0, 1, 0, 1, 1, 1, 1, 0, 1, 0}, 4, 3, two), 5, 0);
    /* Negative values, and a point at minus infinity. */
    assert_close(volume((double[]){-1, -1}, 1, 2, (double[]){0, 0}), 1, 0);
    assert_true(isinf(volume((double[]){-INFINITY, 0, -INFINITY, 0}, 2, 2, ten)));
    assert_true(isinf(volume((double[]){-INFINITY, 0, 0, -INFINITY, 0, 0}, 2, 3, two)));
}

static void test_hypervolume_families(void **state)
{
    (void)state;
    for (int n = 1; n <= 40; n += 3) {
        double obj[80], ref[] = {n, n};
        for (int i = 0; i < n; i++) {
            obj[2 * i] = i;
            obj[2 * i + 1] = n - 1 - i;
        }
        assert_close(volume(obj, n, 2, ref), (double)n * n - n * (n - 1) / 2.0, 0);
    }
    for (int n = 1; n <= 14; n++) {
        double obj[400], ref[] = {n, n, n};
        int count = 0;
        for (int x = 0; x < n; x++) {
            for (int y = 0; x + y < n; y++, count++) {
                obj[3 * count] = x;
                obj[3 * count + 1] = y;
                obj[3 * count + 2] = n - 1 - x - y;
            }
        }
        assert_close(volume(obj, count, 3, ref), (double)n * n * n - (n - 1) * n * (n + 1) / 6.0,
                     0);
    }
}

/* Cells of an integer grid, counted one by one. */
static double volume_by_counting(const double *obj, int n, int n_obj, int ref)
{
    int count = 0;
    for (int cell = 0; cell < (n_obj == 2 ? ref * ref : ref * ref * ref); cell++) {
        const int at[3] = {cell % ref, cell / ref % ref, cell / ref / ref};
        bool covered = false;
        for (int i = 0; i < n && !covered; i++) {
            covered = true;
            for (int k = 0; k < n_obj; k++) {
                covered = covered && obj[i * n_obj + k] <= at[k];
            }
        }
        count += covered;
    }
    return count;
}

static void test_hypervolume_against_counting(void **state)
{
    (void)state;
    struct rng r = rng_key(5, RNG_TEST, 0);
    const double ref[] = {9, 9, 9};
    for (int round = 0; round < 600; round++) {
        int n = (int)rng_below(&r, 25), n_obj = 2 + (round & 1);
        double obj[75];
        for (int i = 0; i < n * n_obj; i++) {
            obj[i] = (double)rng_below(&r, 11);
        }
        double v = volume(obj, n, n_obj, ref);
        assert_close(v, volume_by_counting(obj, n, n_obj, 9), 0);
        if (n > 0) { /* one point less is never more */
            assert_true(volume(obj, n - 1, n_obj, ref) <= v);
        }
    }
}

static void test_igd(void **state)
{
    (void)state;
    /* Ishibuchi et al. 2015: IGD prefers A though B dominates it; IGD+ does not. */
    const double z[] = {10, 0, 6, 1, 2, 2, 1, 6, 0, 10};
    const double a[] = {4, 2, 3, 3, 2, 4}, b[] = {8, 2, 4, 4, 2, 8};
    assert_close(indicators_igd(a, 3, z, 5, 2), 3.707092031609239, 1e-14);
    assert_close(indicators_igd(b, 3, z, 5, 2), 2.591483465847630, 1e-14);
    assert_close(indicators_igd_plus(a, 3, z, 5, 2), 1.482842712474619, 1e-14);
    assert_close(indicators_igd_plus(b, 3, z, 5, 2), 2.260112615949154, 1e-14);
    assert_close(indicators_igd(z, 5, z, 5, 2), 0, 0);
}

static void test_diversity(void **state)
{
    (void)state;
    static const struct {
        double cost[5], sum;
    } rows[] = {{{.1, .22, .3, .38, .45}, 0.748},
                {{.1, .3, .5, .6, .7}, 2.32},
                {{.05, .25, .55, .7, .9}, 4.67}};
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        double chi[5], sum = 0, by_definition[5] = {0};
        indicators_diversity(chi, rows[i].cost, 5);
        for (int a = 0; a < 5; a++) {
            for (int b = 0; b < 5; b++) {
                by_definition[a] +=
                    (rows[i].cost[a] - rows[i].cost[b]) * (rows[i].cost[a] - rows[i].cost[b]);
            }
            assert_close(chi[a], by_definition[a], 1e-14);
            sum += chi[a];
        }
        assert_close(sum, rows[i].sum, 1e-12);
    }
    double one;
    indicators_diversity(&one, (double[]){3}, 1);
    assert_close(one, 0, 0);
    indicators_diversity(NULL, NULL, 0);
}

static double kendall_by_pairs(const double *a, const double *b, int n)
{
    double score = 0, n_a = 0, n_b = 0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < i; j++) {
            int sa = (a[i] > a[j]) - (a[i] < a[j]), sb = (b[i] > b[j]) - (b[i] < b[j]);
            score += sa * sb;
            n_a += sa != 0;
            n_b += sb != 0;
        }
    }
    return score / sqrt(n_a * n_b);
}

static void test_rank_agreement(void **state)
{
    (void)state;
    struct arena tmp = arena_of_test();
    const double up[] = {1, 2, 3, 4, 5}, down[] = {9, 7, 5, 3, 1}, flat[] = {2, 2, 2, 2, 2};
    assert_close(indicators_kendall(up, up, 5, tmp), 1, 0);
    assert_close(indicators_kendall(up, down, 5, tmp), -1, 1e-15);
    assert_close(indicators_spearman(up, up, 5, tmp), 1, 1e-15);
    assert_close(indicators_spearman(up, down, 5, tmp), -1, 1e-15);
    assert_true(isnan(indicators_kendall(up, flat, 5, tmp)));
    assert_true(isnan(indicators_spearman(flat, up, 5, tmp)));
    assert_true(isnan(indicators_kendall(up, up, 1, tmp)));
    /* The example of scipy.stats.kendalltau's documentation: -0.47140452079103173. */
    const double x1[] = {12, 2, 1, 12, 2}, x2[] = {1, 4, 7, 1, 0};
    assert_close(indicators_kendall(x1, x2, 5, tmp), -0.47140452079103173, 1e-15);
    /* And of spearmanr's: 0.8207826816681233. */
    const double y2[] = {5, 6, 7, 8, 7};
    assert_close(indicators_spearman(up, y2, 5, tmp), 0.8207826816681233, 1e-15);
    struct rng r = rng_key(7, RNG_TEST, 0);
    for (int round = 0; round < 300; round++) {
        int n = 3 + (int)rng_below(&r, 90);
        double a[100], b[100];
        for (int i = 0; i < n; i++) { /* few values: many ties; infinities too */
            a[i] = (double)rng_below(&r, 2 + (uint64_t)round % 20);
            b[i] = rng_f64(&r) < .5 ? a[i] : (double)rng_below(&r, 9);
            b[i] = b[i] == 8 ? INFINITY : b[i];
        }
        double expected = kendall_by_pairs(a, b, n);
        if (!isnan(expected)) {
            assert_close(indicators_kendall(a, b, n, tmp), expected, 1e-14);
        }
    }
    arena_release(&tmp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hypervolume_by_hand),
        cmocka_unit_test(test_hypervolume_families),
        cmocka_unit_test(test_hypervolume_against_counting),
        cmocka_unit_test(test_igd),
        cmocka_unit_test(test_diversity),
        cmocka_unit_test(test_rank_agreement),
    };
    return cmocka_run_group_tests_name("nas_indicators", tests, NULL, NULL);
}
