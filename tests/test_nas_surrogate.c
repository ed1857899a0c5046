/*
 * Guesses by Gaussian process: one point by hand, known values given back, uncertainty that grows
 * with distance, an additive landscape guessed better than by its mean, and worlds without
 * information.
 */
#define _GNU_SOURCE
#include "nas/indicators.h"
#include "nas/surrogate.h"
#include "tests/nb201.h"
#include "tests/scratch.h"

#include <math.h>

static struct surrogate fit(struct scratch *s, const struct arch *archs, const double *value, int n)
{
    struct surrogate g;
    struct arena keep = arena_carve(&s->arena, surrogate_bytes(n));
    struct arena tmp = arena_carve(&s->arena, surrogate_bytes(n));
    surrogate_fit(&g, &keep, nb201(), archs, value, n, tmp);
    return g;
}

static void one_and_two(void **state)
{
    struct scratch *s = *state;
    struct arch archs[2] = {{{0}}, {{1, 1, 1, 1, 1, 1}}}, middle = {{1, 1, 1, 0, 0, 0}};
    double value[2] = {3, 5}, mean, sd;
    struct surrogate g = fit(s, archs, value, 1);
    surrogate_guess(&g, &middle, &mean, &sd, s->arena);
    assert_true(mean == 3 && sd > 0);
    g = fit(s, archs, value, 2);
    surrogate_guess(&g, &middle, &mean, &sd, s->arena);
    assert_true(fabs(mean - 4) < 1e-12); /* as far from one as from the other */
    double near, near_sd;
    surrogate_guess(&g, &archs[1], &near, &near_sd, s->arena);
    assert_true(near > 4.5 && near < 5 && near_sd < sd);
}

static void knows_what_it_saw(void **state)
{
    struct scratch *s = *state;
    enum { N = 120, N_OTHERS = 300 };
    struct arch archs[N], others[N_OTHERS];
    double value[N], truth[N_OTHERS], guess[N_OTHERS], error = 0, spread = 0, sd;
    struct rng r = rng_key(1, RNG_TEST, 0);
    for (int i = 0; i < N; i++) {
        space_random(nb201(), &archs[i], &r);
        value[i] = nb201_landscape(&archs[i]);
    }
    struct surrogate g = fit(s, archs, value, N);
    for (int i = 0; i < N; i++) {
        double mean;
        surrogate_guess(&g, &archs[i], &mean, &sd, s->arena);
        assert_true(fabs(mean - value[i]) < .5);
    }
    for (int i = 0; i < N_OTHERS; i++) {
        space_random(nb201(), &others[i], &r);
        truth[i] = nb201_landscape(&others[i]);
        surrogate_guess(&g, &others[i], &guess[i], &sd, s->arena);
        error += (guess[i] - truth[i]) * (guess[i] - truth[i]);
        spread += (g.mean - truth[i]) * (g.mean - truth[i]);
    }
    double rho = indicators_spearman(guess, truth, N_OTHERS, s->arena);
    print_message("rank agreement %.3f, %.0f %% of the variance left\n", rho, 100 * error / spread);
    assert_true(rho > .8 && error < .35 * spread);
}

static void nothing_to_learn(void **state)
{
    struct scratch *s = *state;
    struct arch archs[4] = {{{0}}, {{1}}, {{0}}, {{2}}}; /* one of them twice */
    double same[4] = {7, 7, 7, 7}, torn[4] = {1, 2, 3, 2}, mean, sd;
    struct surrogate g = fit(s, archs, same, 4);
    surrogate_guess(&g, &archs[1], &mean, &sd, s->arena);
    assert_true(mean == 7 && isfinite(sd));
    g = fit(s, archs, torn, 4);
    surrogate_guess(&g, &archs[0], &mean, &sd, s->arena);
    assert_true(mean > 1 && mean < 3 && isfinite(sd)); /* between its two values */
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {CASE(one_and_two), CASE(knows_what_it_saw),
                                       CASE(nothing_to_learn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
