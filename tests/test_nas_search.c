/*
 * Every search under every preset: the same questions for the same verdicts however they are handed
 * out, budgets kept, nothing asked twice where that is promised, and the awkward worlds (everything
 * infeasible, nothing but ties, fewer architectures than asked for, populations of one). Then that
 * they search: better than chance on a made-up landscape, chi spreads the costs, and a survey draws
 * before it chooses.
 */
#include "nas/front.h"
#include "nas/indicators.h"
#include "nas/search.h"
#include "tests/nb201.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const presets[] = {"paper", "default"};
enum { MAX_EVALS = 4096 };

/* A space of 12 architectures, one gene of which has no choice. */
static const uint8_t tiny_choices[] = {2, 1, 3, 2};
static const struct space tiny = {
    .name = "tiny", .n_genes = 4, .n_choices = tiny_choices, .size = 12};

/* A made-up world: score and cost from the genes, with ties. */
typedef void world_fn(const struct arch *a, struct verdict *v);

static void world_plain(const struct arch *a, struct verdict *v)
{
    static const double gain[] = {0, 1, 2, 3.5, .5}, price[] = {0, .1, 1, 3, .4};
    *v = (struct verdict){.status = VERDICT_OK, .cost = .5};
    for (int i = 0; i < 6; i++) {
        v->score += gain[a->gene[i] % 5] * (i == 5 ? 1.5 : 1);
        v->cost += price[a->gene[i] % 5] * (i == 0 ? 2 : 1);
    }
}

static void world_infeasible(const struct arch *a, struct verdict *v)
{
    *v = (struct verdict){VERDICT_DISCONNECTED, -DBL_MAX, DBL_MAX, 1 + a->gene[0], 0};
}

static void world_one_feasible(const struct arch *a, struct verdict *v)
{
    world_infeasible(a, v);
    if (a->gene[0] == 1 && a->gene[2] == 2 && a->gene[3] == 1) {
        *v = (struct verdict){.status = VERDICT_OK, .score = 1, .cost = 1};
    }
}

static void world_ties(const struct arch *a, struct verdict *v)
{
    (void)a;
    *v = (struct verdict){.status = VERDICT_OK, .score = -0.0, .cost = 7};
}

static void world_over_threshold(const struct arch *a, struct verdict *v)
{
    world_plain(a, v);
    v->violation = fmax(0, v->cost - 4); /* has score and cost, but costs too much */
}

struct course {
    struct arch asked[MAX_EVALS];
    struct verdict verdicts[MAX_EVALS];
    int n, n_population;
    struct search_member population[256];
};

/* Run a search to its end, taking at most max at a time. */
static void run(struct course *c, const struct search *search, const struct space *s,
                const struct search_options *o, world_fn *world, int max)
{
    struct arena keep;
    struct err e = {0};
    assert_true(arena_init(&keep, (size_t)64 << 20, &e));
    void *state = arena_push_zero(&keep, 1, search->state_bytes(s, o));
    search->init(state, s, o, &keep);
    assert_int_equal(search->generation(state), -1);
    memset(c, 0, sizeof *c);
    for (;;) {
        assert_true(c->n + max <= MAX_EVALS);
        int n = search->ask(state, c->asked + c->n, max);
        assert_in_range(n, 0, max);
        if (n == 0) {
            break;
        }
        for (int i = 0; i < n; i++) {
            world(&c->asked[c->n + i], &c->verdicts[c->n + i]);
        }
        search->tell(state, c->asked + c->n, c->verdicts + c->n, n);
        c->n += n;
        assert_true(search->generation(state) < o->generations);
    }
    assert_int_equal(search->ask(state, c->asked, max), 0); /* done stays done */
    c->n_population = search->population(state, c->population, 256);
    arena_release(&keep);
}

static struct search_options options_of(const char *preset, int population, int generations,
                                        uint64_t seed)
{
    return (struct search_options){.population = population,
                                   .generations = generations,
                                   .seed = seed,
                                   .preset = preset,
                                   .crossover_rate = -1,
                                   .mutation_rate = -1,
                                   .sbx_eta = -1,
                                   .mutation_eta = -1};
}

static int count_repeats(const struct course *c)
{
    int n = 0;
    for (int i = 0; i < c->n; i++) {
        bool repeat = false;
        for (int j = 0; j < i && !repeat; j++) {
            repeat = space_equal(&c->asked[i], &c->asked[j]);
        }
        n += repeat;
    }
    return n;
}

/* What a population must hold in any world: true chi, ranks that agree with dominance, infeasible
 * ones last. */
static void check_population(const struct course *c, int population)
{
    assert_in_range(c->n_population, 0, population);
    double cost[256], chi[256];
    int n = 0, at = 0;
    for (int i = 0; i < c->n_population; i++) {
        if (c->population[i].verdict.status == VERDICT_OK) {
            cost[n++] = c->population[i].verdict.cost;
        }
    }
    indicators_diversity(chi, cost, n);
    for (int i = 0; i < c->n_population; i++) {
        const struct search_member *m = &c->population[i];
        if (m->verdict.status == VERDICT_OK) {
            assert_true(m->diversity == chi[at++]);
        } else {
            assert_true(m->diversity == 0);
        }
        assert_true(m->rank >= 0);
    }
}

/* It stops when it has found enough, and the answer it evaluates last may be known already. */
static bool stops_early(int i)
{
    return strcmp(search_at(i)->name, "rmi-forest") == 0;
}

static void test_same_questions_however_handed_out(void **state)
{
    (void)state;
    static struct course whole, part, again, other;
    for (int i = 0; i < search_count(); i++) {
        for (int p = 0; p < 2; p++) {
            struct search_options o = options_of(presets[p], 20, 12, 5);
            run(&whole, search_at(i), nb201(), &o, world_plain, 20);
            assert_in_range(whole.n, stops_early(i) ? 120 : 240, 240);
            check_population(&whole, 20);
            assert_int_equal(whole.n_population, 20);
            static const int maxima[] = {1, 3, 7, 64};
            for (int m = 0; m < 4; m++) {
                run(&part, search_at(i), nb201(), &o, world_plain, maxima[m]);
                assert_int_equal(part.n, whole.n);
                assert_memory_equal(part.asked, whole.asked,
                                    sizeof whole.asked[0] * (size_t)whole.n);
            }
            run(&again, search_at(i), nb201(), &o, world_plain, 20);
            assert_memory_equal(&again, &whole, sizeof whole);
            o.seed = 6;
            run(&other, search_at(i), nb201(), &o, world_plain, 20);
            assert_memory_not_equal(other.asked, whole.asked, sizeof whole.asked[0] * 240);
            if (p == 1 || strcmp(search_at(i)->name, "random") == 0) {
                assert_int_equal(count_repeats(&whole), 0);
            }
        }
    }
}

static void test_awkward_worlds(void **state)
{
    (void)state;
    static struct course c;
    static world_fn *const worlds[] = {world_infeasible, world_one_feasible, world_ties,
                                       world_over_threshold};
    static const int populations[] = {1, 2, 3, 5, 11, 12, 13, 40};
    for (int i = 0; i < search_count(); i++) {
        for (int p = 0; p < 2; p++) {
            for (size_t w = 0; w < N_ELEMS(worlds); w++) {
                for (size_t k = 0; k < N_ELEMS(populations); k++) {
                    struct search_options o = options_of(presets[p], populations[k], 6, 9 + k);
                    run(&c, search_at(i), &tiny, &o, worlds[w], populations[k]);
                    check_population(&c, populations[k]);
                    assert_true(c.n > 0 && c.n <= 6 * populations[k]);
                    bool distinct = p == 1 || strcmp(search_at(i)->name, "random") == 0;
                    if (distinct) { /* the tiny space runs dry: all of it, each once */
                        int all = MIN(12, 6 * populations[k]);
                        assert_in_range(c.n, stops_early(i) ? all - 1 : all, all);
                        assert_int_equal(count_repeats(&c), 0);
                    }
                    for (int a = 0; a < c.n; a++) {
                        assert_int_equal(c.asked[a].gene[1], 0);
                        assert_int_equal(c.asked[a].gene[4], 0);
                    }
                }
            }
        }
    }
}

/* When all of it is seen, the feasible one has survived; when nothing is feasible, the least
 * violating ones have. */
static void test_the_best_survive(void **state)
{
    (void)state;
    static struct course c;
    static const char *const names[] = {"mo-hdnas", "nsga2"};
    for (int i = 0; i < 2; i++) {
        const struct search *search;
        struct err e = {0};
        assert_true(search_find(&search, names[i], &e));
        struct search_options o = options_of("default", 4, 3, 1);
        run(&c, search, &tiny, &o, world_one_feasible, 4);
        int n_feasible = 0;
        for (int k = 0; k < c.n_population; k++) {
            n_feasible += c.population[k].verdict.status == VERDICT_OK;
            assert_true((c.population[k].rank == 0) ==
                        (c.population[k].verdict.status == VERDICT_OK));
        }
        assert_int_equal(n_feasible, 1);
        run(&c, search, &tiny, &o, world_infeasible, 4);
        for (int k = 0; k < 4; k++) {
            assert_int_equal(c.population[k].arch.gene[0], 0);
        }
    }
}

static void test_first_and_names(void **state)
{
    (void)state;
    static struct course c;
    struct arch first[3];
    struct err e = {0};
    for (int i = 0; i < 3; i++) {
        assert_true(nb201()->from_index(&first[i],
                                        100 + (i == 2 ? 0 : i))); /* the third repeats the first */
    }
    for (int i = 0; i < search_count(); i++) {
        for (int p = 0; p < 2; p++) {
            struct search_options o = options_of(presets[p], 6, 2, 1);
            o.first = first;
            o.n_first = 3;
            run(&c, search_at(i), nb201(), &o, world_plain, 6);
            assert_true(space_equal(&c.asked[0], &first[0]) && space_equal(&c.asked[1], &first[1]));
            assert_false(space_equal(&c.asked[2], &first[0]));
            assert_int_equal(c.n, 12);
        }
        const struct search *found;
        assert_true(search_find(&found, search_at(i)->name, &e));
        assert_ptr_equal(found, search_at(i));
    }
    const struct search *found;
    assert_false(search_find(&found, "annealing", &e));
    assert_int_equal(e.code, ERR_USAGE);
    assert_non_null(strstr(e.hint, "mo-hdnas"));
}

/* Hypervolume of everything seen, in the unit square of the world. */
static double volume_of(const struct course *c)
{
    struct arena tmp;
    struct err e = {0};
    static double obj[2 * MAX_EVALS];
    assert_true(arena_init(&tmp, (size_t)8 << 20, &e));
    for (int i = 0; i < c->n; i++) {
        obj[2 * i] = -c->verdicts[i].score / 23;
        obj[2 * i + 1] = c->verdicts[i].cost / 22;
    }
    double v = indicators_hypervolume(obj, c->n, 2, (const double[]){0, 1}, tmp);
    arena_release(&tmp);
    return v;
}

static double spread_of(const struct course *c)
{
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < c->n_population; i++) {
        low = fmin(low, c->population[i].verdict.cost);
        high = fmax(high, c->population[i].verdict.cost);
    }
    return high - low;
}

static void test_they_search(void **state)
{
    (void)state;
    static struct course c;
    double volume[8][2] = {{0}}, best[8][2] = {{0}}, spread[8][2] = {{0}};
    for (int i = 0; i < search_count(); i++) {
        for (int p = 0; p < 2; p++) {
            for (uint64_t seed = 1; seed <= 10; seed++) {
                struct search_options o = options_of(presets[p], 20, 20, seed);
                run(&c, search_at(i), nb201(), &o, world_plain, 20);
                volume[i][p] += volume_of(&c) / 10;
                double top = -INFINITY;
                for (int k = 0; k < c.n; k++) {
                    top = fmax(top, c.verdicts[k].score);
                }
                best[i][p] += top / 10;
                spread[i][p] += spread_of(&c) / 10;
            }
            print_message("%-9s %-8s hypervolume %.4f best score %.2f spread of cost %.2f\n",
                          search_at(i)->name, presets[p], volume[i][p], best[i][p], spread[i][p]);
        }
    }
    enum { MO, NSGA, RANDOM, REGEVO };
    for (int p = 0; p < 2; p++) {
        assert_true(volume[MO][p] > volume[RANDOM][p]);
        assert_true(volume[NSGA][p] > volume[RANDOM][p]);
        assert_true(best[REGEVO][p] > best[RANDOM][p]);
        assert_true(best[REGEVO][p] > 22); /* the optimum is 22.75 */
        assert_true(spread[MO][p] > spread[NSGA][p]);
    }
    assert_true(volume[RANDOM][0] == volume[RANDOM][1]);
}

/* What a device cannot run: every cell whose first edge is a 3x3. */
static double price_plain(void *ctx, const struct arch *a)
{
    struct verdict v;
    ++*(int *)ctx;
    world_plain(a, &v);
    return a->gene[0] == 3 ? INFINITY : v.cost;
}

/* A search that may ask for costs chooses nothing that cannot be run; the tenth drawn at random may
 * be so. */
static void test_known_costs(void **state)
{
    (void)state;
    static struct course c;
    struct err e = {0};
    const struct search *surrogate;
    assert_true(search_find(&surrogate, "surrogate", &e));
    int n_beyond[2] = {0}, n_prices = 0;
    for (int known = 0; known < 2; known++) {
        struct search_options o = options_of("default", 20, 10, 1);
        o.price = known ? price_plain : NULL;
        o.price_ctx = &n_prices;
        run(&c, surrogate, nb201(), &o, world_plain, 20);
        assert_int_equal(c.n, 200);
        for (int i = 20; i < c.n; i++) {
            n_beyond[known] += c.asked[i].gene[0] == 3;
        }
    }
    print_message("of 180, beyond the device: %d, with known costs %d\n", n_beyond[0], n_beyond[1]);
    assert_true(n_prices > 0);
    assert_true(n_beyond[1] <= 9 * 2 && n_beyond[0] > n_beyond[1]);
}

/* What the score tells of an architecture and what it makes up are as large. */
static void world_that_errs(const struct arch *a, struct verdict *v)
{
    struct rng r = rng_key(1, RNG_TEST, (uint64_t)nb201()->index(a));
    world_plain(a, v);
    v->score += 3 * rng_normal(&r);
}

static void world_that_errs_elsewhere(const struct arch *a, struct verdict *v)
{
    struct arch other = *a;
    struct verdict own;
    other.gene[0] = (uint8_t)(4 - other.gene[0]);
    world_plain(a, &own);
    world_that_errs(&other, v);
    v->cost = own.cost;
}

static void test_a_survey_draws_first(void **state)
{
    (void)state;
    static struct course c[2];
    struct err e = {0};
    const struct search *survey;
    assert_true(search_find(&survey, "survey", &e));
    struct search_options o = options_of("default", 20, 8, 3);
    run(&c[0], survey, nb201(), &o, world_that_errs, 20);
    run(&c[1], survey, nb201(), &o, world_that_errs_elsewhere, 20);
    assert_true(c[0].n == 160 && c[1].n == 160);
    for (int i = 0; i < 120; i++) { /* drawn, not chosen by what was told */
        assert_true(space_equal(&c[0].asked[i], &c[1].asked[i]));
    }
    int same = 0;
    for (int i = 120; i < 138; i++) {
        for (int k = 120; k < 138; k++) {
            same += space_equal(&c[0].asked[i], &c[1].asked[k]);
        }
    }
    print_message("of 18 chosen by two worlds %d are the same\n", same);
    assert_true(same < 15);
    o = options_of("default", 20, 2, 3);
    run(&c[0], survey, nb201(), &o, world_that_errs, 20);
    run(&c[1], survey, nb201(), &o, world_that_errs_elsewhere, 20);
    assert_true(memcmp(c[0].asked, c[1].asked, 20 * sizeof(struct arch)) == 0 &&
                memcmp(c[0].asked, c[1].asked, 40 * sizeof(struct arch)) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_questions_however_handed_out),
        cmocka_unit_test(test_awkward_worlds),
        cmocka_unit_test(test_the_best_survive),
        cmocka_unit_test(test_first_and_names),
        cmocka_unit_test(test_they_search),
        cmocka_unit_test(test_known_costs),
        cmocka_unit_test(test_a_survey_draws_first),
    };
    return cmocka_run_group_tests_name("nas_search", tests, NULL, NULL);
}
