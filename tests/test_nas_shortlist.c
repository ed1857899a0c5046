/*
 * The shortlist: by hand on few points, the front first, never more than asked, each network once,
 * ascending cost; ties and equal values; and that of a front that is too long those are taken that
 * leave the least hypervolume out. By scores with mistakes: by hand, and beside the peeled fronts by
 * the hypervolume that other mistakes leave.
 */
#define _GNU_SOURCE
#include "core/rng.h"
#include "nas/front.h"
#include "nas/indicators.h"
#include "nas/shortlist.h"
#include "tests/scratch.h"

#include <math.h>

static void by_hand(void **state)
{
    struct scratch *s = *state;
    /* Front: 0, 2, 4. Behind it: 1, 3. Behind those: 5. */
    static const double score[] = {1, .5, 5, 4, 9, .1}, cost[] = {1, 2, 3, 3.5, 7, 8};
    int out[6];
    assert_int_equal(shortlist_choose(out, 6, score, cost, 6, s->arena), 6);
    assert_memory_equal(out, ((int[]){0, 1, 2, 3, 4, 5}), sizeof out);
    assert_int_equal(shortlist_choose(out, 3, score, cost, 6, s->arena), 3);
    assert_memory_equal(out, ((int[]){0, 2, 4}), 3 * sizeof *out);
    assert_int_equal(shortlist_choose(out, 5, score, cost, 6, s->arena), 5);
    assert_memory_equal(out, ((int[]){0, 1, 2, 3, 4}), 5 * sizeof *out);
    /* One place beside the front: 3 (rank .5, width 4.5 of 7) adds more than 1. */
    assert_int_equal(shortlist_choose(out, 4, score, cost, 6, s->arena), 4);
    assert_memory_equal(out, ((int[]){0, 2, 3, 4}), 4 * sizeof *out);
    assert_int_equal(shortlist_choose(out, 0, score, cost, 6, s->arena), 0);
    assert_int_equal(shortlist_choose(out, 4, score, cost, 0, s->arena), 0);
}

static void awkward_worlds(void **state)
{
    struct scratch *s = *state;
    static const double same[] = {3, 3, 3, 3}, rising[] = {1, 2, 3, 4};
    int out[4];
    assert_int_equal(shortlist_choose(out, 3, same, same, 4, s->arena), 3);
    assert_memory_equal(out, ((int[]){0, 1, 2}), 3 * sizeof *out);
    assert_int_equal(shortlist_choose(out, 2, rising, same, 4, s->arena), 2); /* the best two */
    assert_memory_equal(out, ((int[]){3, 2}), 2 * sizeof *out);
    assert_int_equal(shortlist_choose(out, 2, same, rising, 4, s->arena), 2); /* the cheapest */
    assert_memory_equal(out, ((int[]){0, 1}), 2 * sizeof *out);
    static const double big[] = {-1e308, 1e308, 0, 5};
    assert_int_equal(shortlist_choose(out, 4, big, rising, 4, s->arena), 4);
}

static double volume(const int *idx, int n, const double *score, const double *cost, int n_all,
                     struct arena tmp)
{
    double *x = arena_push(&tmp, (size_t)n, 2 * sizeof *x), low = INFINITY, high = -INFINITY;
    for (int i = 0; i < n_all; i++) {
        low = fmin(low, cost[i]);
        high = fmax(high, cost[i]);
    }
    for (int i = 0; i < n; i++) {
        int rank = 0;
        for (int j = 0; j < n_all; j++) {
            rank += score[j] < score[idx[i]];
        }
        x[2 * i] = 1 - (double)rank / n_all;
        x[2 * i + 1] = (cost[idx[i]] - low) / (high - low);
    }
    return indicators_hypervolume(x, n, 2, (const double[]){1, 1}, tmp);
}

static void random_worlds(void **state)
{
    struct scratch *s = *state;
    enum { N = 300, MAX = 40 };
    for (int world = 0; world < 30; world++) {
        struct rng r = rng_key(1, RNG_TEST, (uint64_t)world);
        double score[N], cost[N], obj[2 * N];
        int out[MAX], front[N], n_out = 1 + world;
        for (int i = 0; i < N; i++) {
            cost[i] = floor(40 * rng_f64(&r)); /* ties, as in real tables */
            score[i] = cost[i] + 10 * rng_normal(&r);
            obj[2 * i] = -score[i];
            obj[2 * i + 1] = cost[i];
        }
        int n_front = front_filter(front, obj, N, 2, true, s->arena);
        int n = shortlist_choose(out, n_out, score, cost, N, s->arena);
        assert_int_equal(n, n_out);
        int on_front = 0;
        for (int i = 0; i < n; i++) {
            assert_true(i == 0 || cost[out[i - 1]] <= cost[out[i]]);
            for (int j = 0; j < i; j++) {
                assert_int_not_equal(out[i], out[j]);
            }
            for (int j = 0; j < n_front; j++) {
                on_front += front[j] == out[i];
            }
        }
        assert_int_equal(on_front, MIN(n_out, n_front));
        /* Greedy choice: at least 1 - 1/e of what the best choice dominates, hence of the front. */
        double best = volume(front, n_front, score, cost, N, s->arena);
        double ours = volume(out, n, score, cost, N, s->arena);
        assert_true(ours <= best + 1e-12);
        assert_true(ours >= (1 - exp(-1.)) * best * MIN(1, (double)n_out / n_front));
    }
}

/* Scores from 0 to 100, their mistakes about 1.7. */
static void expected_by_hand(void **state)
{
    struct scratch *s = *state;
    int out[8];
    /* 1 is beaten by 2, and by far; 4 by 3, but hardly, and half of all costs lie beyond them. */
    static const double score[] = {0, 30, 60, 99.9, 100, 20}, cost[] = {0, 2, 1.9, 5, 5.1, 10};
    assert_int_equal(shortlist_expected(out, 3, score, cost, 6, s->arena), 3);
    assert_memory_equal(out, ((int[]){2, 3, 4}), 3 * sizeof *out);
    assert_int_equal(shortlist_choose(out, 4, score, cost, 6, s->arena), 4);
    assert_memory_equal(out, ((int[]){0, 2, 3, 4}), 4 * sizeof *out);
    /* A third as good as those goes before the one that the front has at half the cost. */
    static const double close[] = {0, 50, 99, 98.9, 98.8, 98.7, 52}, far[] = {0, 1, 2, 2, 2, 2, 9};
    assert_int_equal(shortlist_expected(out, 4, close, far, 7, s->arena), 4);
    for (int i = 1; i < 4; i++) {
        assert_in_range(out[i], 2, 5);
    }
    assert_int_equal(out[0], 1);
    /* Everything there is; nothing; no difference. */
    assert_int_equal(shortlist_expected(out, 8, close, far, 7, s->arena), 7);
    assert_memory_equal(out, ((int[]){0, 1}), 2 * sizeof *out);
    assert_int_equal(out[6], 6);
    assert_int_equal(shortlist_expected(out, 0, close, far, 7, s->arena), 0);
    assert_int_equal(shortlist_expected(out, 4, close, far, 0, s->arena), 0);
    static const double same[] = {3, 3, 3};
    assert_int_equal(shortlist_expected(out, 2, same, same, 3, s->arena), 2);
    assert_memory_equal(out, ((int[]){0, 1}), 2 * sizeof *out);
}

/* Mean hypervolume, by definition, of chosen networks whose scores err by draws of one's own. */
static double mean_volume(const int *idx, int n, const double *score, const double *cost,
                          int n_all, double sd, struct arena tmp)
{
    enum { N_WORLDS = 200 };
    double *x = arena_push(&tmp, (size_t)n, 2 * sizeof *x), sum = 0, best = -INFINITY;
    double worst = INFINITY, low = INFINITY, high = -INFINITY;
    for (int i = 0; i < n_all; i++) {
        low = fmin(low, cost[i]);
        high = fmax(high, cost[i]);
        worst = fmin(worst, score[i]);
        best = fmax(best, score[i]);
    }
    for (int world = 0; world < N_WORLDS; world++) {
        for (int i = 0; i < n; i++) {
            struct rng r = rng_key((uint64_t)world, RNG_TEST, 1000 + (uint64_t)idx[i]);
            x[2 * i] = (best - score[idx[i]] - sd * rng_normal(&r)) / (best - worst);
            x[2 * i + 1] = (cost[idx[i]] - low) / (high - low);
        }
        sum += indicators_hypervolume(x, n, 2, (const double[]){1, 1}, tmp) / N_WORLDS;
    }
    return sum;
}

static void expected_in_random_worlds(void **state)
{
    struct scratch *s = *state;
    enum { N = 300, N_OUT = 12, N_WORLDS = 20 };
    int n_better = 0;
    for (int world = 0; world < N_WORLDS; world++) {
        struct rng r = rng_key(2, RNG_TEST, (uint64_t)world);
        double score[N], cost[N], mean = 0, square = 0;
        int out[N_OUT], peeled[N_OUT];
        for (int i = 0; i < N; i++) {
            cost[i] = floor(40 * rng_f64(&r));
            score[i] = sqrt(cost[i]) - fabs(rng_normal(&r));
            mean += score[i] / N;
        }
        for (int i = 0; i < N; i++) {
            square += (score[i] - mean) * (score[i] - mean) / N;
        }
        assert_int_equal(shortlist_expected(out, N_OUT, score, cost, N, s->arena), N_OUT);
        for (int i = 0; i < N_OUT; i++) {
            assert_true(i == 0 || cost[out[i - 1]] <= cost[out[i]]);
            for (int j = 0; j < i; j++) {
                assert_int_not_equal(out[i], out[j]);
            }
        }
        shortlist_choose(peeled, N_OUT, score, cost, N, s->arena);
        double sd = .05 * sqrt(square);
        n_better += mean_volume(out, N_OUT, score, cost, N, sd, s->arena) >
                    mean_volume(peeled, N_OUT, score, cost, N, sd, s->arena);
    }
    print_message("%d of %d worlds better than peeled fronts\n", n_better, N_WORLDS);
    assert_true(n_better >= N_WORLDS * 9 / 10);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {CASE(by_hand), CASE(awkward_worlds), CASE(random_worlds),
                                       CASE(expected_by_hand), CASE(expected_in_random_worlds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
