/*
 * HW-EvRSNAS: the exact optima under nine limits of the FPGA as published, and how close the
 * genetic algorithm comes to them when it is told the true accuracies; limits nobody can meet; the
 * penalty at work on a made-up landscape. That questions do not depend on how they are handed out
 * is tests/test_nas_search.c's.
 */
#include "nas/search.h"
#include "nas/truth.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* METHODS: FPGA, CIFAR-100; ms and the best mean test accuracy of the whole space within them. */
static const double limits[] = {2, 3, 3.5, 4, 4.5, 5, 6, 7, 8};
static const double optima[] = {64.66, 70.09, 70.87, 71.63, 71.63, 72.28, 73.48, 73.48, 73.51};
enum { N_LIMITS = 9 };

struct world {
    struct arena keep;
    const struct space *space;
    const struct search *search;
    struct cost cost;
    struct truth truth;
    bool has_tables;
};

static int setup(void **state)
{
    static struct world w;
    struct err e = {0};
    const char *data = getenv("HDNAS_TEST_DATA");
    char truth[600], tables[512];
    snprintf(tables, sizeof tables, "%s/nas", data ? data : "../shared/data");
    snprintf(truth, sizeof truth, "%s/nasbench201.csv:nats_c100_test200", tables);
    *state = &w;
    if (!arena_init(&w.keep, (size_t)1 << 30, &e) || !space_find(&w.space, "nb201", &e) ||
        !search_find(&w.search, "hw-evrsnas", &e)) {
        return -1;
    }
    struct cost_options o = {.space = w.space, .device = "fpga", .tables_dir = tables};
    w.has_tables = cost_open(&w.cost, &w.keep, &o, &e) &&
                   truth_open(&w.truth, &w.keep, w.space, truth, &e) &&
                   truth_price(&w.truth, &w.keep, &w.cost, w.keep, &e);
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    arena_release(&w->keep);
    return 0;
}

static void test_published_optima(void **state)
{
    const struct world *w = *state;
    if (!w->has_tables) {
        skip();
    }
    struct truth_point best;
    for (int i = 0; i < N_LIMITS; i++) {
        assert_true(truth_optimum(&w->truth, limits[i], &best));
        assert_true(best.cost <= limits[i]);
        assert_true(fabs(best.accuracy - optima[i]) <= .005 + 1e-9); /* published to two digits */
    }
    assert_false(truth_optimum(&w->truth, .1, &best));
}

/* A search with the truth as its score; best[i]: the best accuracy met within constraint i. */
static int search_truth(const struct world *w, const struct search_options *o, double *best)
{
    struct arena keep;
    struct err e = {0};
    assert_true(arena_init(&keep, (size_t)64 << 20, &e));
    void *search = arena_push_zero(&keep, 1, w->search->state_bytes(w->space, o));
    struct arch asked[64];
    struct verdict verdicts[64];
    int n, n_evals = 0;
    w->search->init(search, w->space, o, &keep);
    for (int i = 0; i < o->n_constraints; i++) {
        best[i] = 0;
    }
    while ((n = w->search->ask(search, asked, 64)) > 0) {
        for (int k = 0; k < n; k++) {
            double cost, accuracy = truth_accuracy(&w->truth, &asked[k]);
            assert_true(cost_of(&w->cost, &asked[k], &cost, keep));
            verdicts[k] = (struct verdict){VERDICT_OK, accuracy, cost, 0, 0};
            for (int i = 0; i < o->n_constraints; i++) {
                best[i] = cost <= o->constraints[i] ? fmax(best[i], accuracy) : best[i];
            }
        }
        w->search->tell(search, asked, verdicts, n);
        n_evals += n;
    }
    arena_release(&keep);
    return n_evals;
}

static struct search_options options_of(const char *preset, int generations, const double *limit,
                                        int n_limits, uint64_t seed)
{
    return (struct search_options){.population = 20,
                                   .generations = generations,
                                   .seed = seed,
                                   .preset = preset,
                                   .crossover_rate = -1,
                                   .mutation_rate = -1,
                                   .constraints = limit,
                                   .n_constraints = n_limits,
                                   .penalty = -1};
}

/* Mean regret over limits and ten seeds, in points of accuracy. */
static double regret(const struct world *w, const char *preset, int generations, bool together,
                     double penalty, bool deb)
{
    double sum = 0, best[N_LIMITS];
    for (uint64_t seed = 1; seed <= 10; seed++) {
        for (int i = 0; i < (together ? 1 : N_LIMITS); i++) {
            struct search_options o =
                options_of(preset, generations, limits + i, together ? N_LIMITS : 1, seed);
            o.penalty = penalty;
            o.deb = deb;
            int n_evals = search_truth(w, &o, best + i);
            assert_int_equal(n_evals, 20 * generations);
        }
        for (int i = 0; i < N_LIMITS; i++) {
            struct truth_point point;
            assert_true(truth_optimum(&w->truth, limits[i], &point));
            assert_true(best[i] <= point.accuracy);
            sum += (point.accuracy - best[i]) / (10 * N_LIMITS);
        }
    }
    return sum;
}

static void test_regret_on_the_truth(void **state)
{
    const struct world *w = *state;
    if (!w->has_tables) {
        skip();
    }
    /* Nine limits in one search of 2,000 evaluations; each limit alone in 400. */
    double together[2], alone[2];
    static const char *const presets[] = {"paper", "default"};
    for (int p = 0; p < 2; p++) {
        together[p] = regret(w, presets[p], 100, true, -1, false);
        alone[p] = regret(w, presets[p], 20, false, -1, false);
        print_message("mean regret, %s: nine limits together %.3f, each alone %.3f\n", presets[p],
                      together[p], alone[p]);
    }
    assert_true(together[0] < .3 && together[1] < .03);
    assert_true(alone[0] < .8 && alone[1] < .35);
    /* Without a penalty the search leaves for where nothing fits. */
    assert_true(regret(w, "default", 20, false, 0, false) > 1);
    /* The wall that replaces it [Deb2000] is no better. */
    double wall = regret(w, "default", 20, false, -1, true);
    print_message("mean regret, default, each alone by Deb's rules: %.3f\n", wall);
    assert_true(wall < .35);
}

/* Score and cost rise with every gene: the optimum under a limit is on the limit. */
static struct verdict ramp(const struct arch *a)
{
    struct verdict v = {.status = VERDICT_OK, .cost = 1};
    for (int i = 0; i < 6; i++) {
        v.score += a->gene[i];
        v.cost += a->gene[i];
    }
    return v;
}

static void test_every_limit_has_its_population(void **state)
{
    const struct world *w = *state;
    static const double ramp_limits[] = {4, 12, 20};
    for (int preset = 0; preset < 2; preset++) {
        struct search_options o = options_of(preset ? "default" : "paper", 40, ramp_limits, 3, 7);
        struct arena keep;
        struct err e = {0};
        assert_true(arena_init(&keep, (size_t)64 << 20, &e));
        void *search = arena_push_zero(&keep, 1, w->search->state_bytes(w->space, &o));
        w->search->init(search, w->space, &o, &keep);
        struct arch asked[20];
        struct verdict verdicts[20];
        double best[3] = {0};
        int n;
        while ((n = w->search->ask(search, asked, 20)) > 0) {
            for (int i = 0; i < n; i++) {
                verdicts[i] = ramp(&asked[i]);
                for (int k = 0; k < 3; k++) {
                    bool within = verdicts[i].cost <= ramp_limits[k];
                    best[k] = within ? fmax(best[k], verdicts[i].score) : best[k];
                }
            }
            w->search->tell(search, asked, verdicts, n);
        }
        for (int k = 0; k < 3; k++) {
            assert_true(best[k] == ramp_limits[k] - 1);
        }
        arena_release(&keep);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_optima),
        cmocka_unit_test(test_regret_on_the_truth),
        cmocka_unit_test(test_every_limit_has_its_population),
    };
    return cmocka_run_group_tests_name("nas_evrsnas", tests, setup, teardown);
}
