/*
 * Smoothed scores: nearer to a smooth truth than the scores themselves, whatever their scale, of
 * few networks and of many; guesses at networks without a score are near to the truth too; the
 * normal equations hold; nothing to smooth in worlds of one value.
 */
#define _GNU_SOURCE
#include "core/rng.h"
#include "nas/indicators.h"
#include "nas/smooth.h"
#include "tests/nb201.h"
#include "tests/scratch.h"

#include <math.h>

enum { MANY = 1500 };

/* Score: truth and a mistake as large. */
struct world {
    struct arch *archs;
    double *truth, *score, *smooth;
};

static struct world world_new(struct arena *keep, int n)
{
    size_t size = (size_t)n;
    struct world w = {.archs = arena_push(keep, size, sizeof *w.archs),
                      .truth = arena_push(keep, size, sizeof(double)),
                      .score = arena_push(keep, size, sizeof(double)),
                      .smooth = arena_push(keep, size, sizeof(double))};
    struct rng r = rng_key(1, RNG_TEST, 0);
    for (int i = 0; i < n; i++) {
        space_random(nb201(), &w.archs[i], &r);
        w.truth[i] = nb201_landscape(&w.archs[i]);
        w.score[i] = w.truth[i] + 6.6 * rng_normal(&r); /* the deviation of the sums */
    }
    return w;
}

static void smooth(struct scratch *s, struct world *w, const double *score, double *out, int n)
{
    struct arena tmp = arena_carve(&s->arena, smooth_bytes(n));
    smooth_scores(out, nb201(), w->archs, score, n, SMOOTH_ORDER, tmp);
}

static void nearer_to_the_truth(void **state)
{
    struct scratch *s = *state;
    static const int counts[] = {200, MANY};
    static const double gains[] = {.06, .14};
    for (int i = 0; i < 2; i++) {
        int n = counts[i];
        struct world w = world_new(&s->arena, n);
        smooth(s, &w, w.score, w.smooth, n);
        double before = indicators_spearman(w.score, w.truth, n, s->arena);
        double after = indicators_spearman(w.smooth, w.truth, n, s->arena);
        print_message("%d networks: rank agreement %.3f, smoothed %.3f\n", n, before, after);
        assert_true(before < .82 && after > before + gains[i]);
    }
}

static void the_scale_does_not_matter(void **state)
{
    struct scratch *s = *state;
    enum { N = 60 };
    struct world w = world_new(&s->arena, N);
    double stretched[N], out[N];
    for (int i = 0; i < N; i++) {
        stretched[i] = exp(w.score[i]);
    }
    smooth(s, &w, w.score, w.smooth, N);
    smooth(s, &w, stretched, out, N);
    assert_memory_equal(out, w.smooth, sizeof out);
}

/* (K + noise) w = ranks less their mean, by K as it is defined; guesses are K w of their own. */
static void as_defined(void **state)
{
    struct scratch *s = *state;
    enum { N = 150 };
    struct world w = world_new(&s->arena, N + 1);
    struct arena keep = arena_carve(&s->arena, smooth_bytes(N));
    struct arena tmp = arena_carve(&s->arena, smooth_bytes(N));
    struct smooth f;
    double smoothed[N];
    smooth_fit(&f, &keep, nb201(), w.archs, w.score, N, .25, tmp);
    smooth_scores(smoothed, nb201(), w.archs, w.score, N, .25, tmp);
    for (int i = 0; i <= N; i++) {
        double sum = 0, rank = 0, guess = smooth_guess(&f, &w.archs[i], tmp);
        for (int k = 0; k < N; k++) {
            int apart = 0;
            for (int g = 0; g < 6; g++) {
                apart += w.archs[i].gene[g] != w.archs[k].gene[g];
            }
            sum += exp(-apart / 3.6) * f.weight[k];
            rank += w.score[k] < w.score[i];
        }
        assert_true(fabs(guess - (N - 1) / 2. - sum) < 1e-9);
        if (i < N) {
            assert_true(fabs(sum + .25 * f.weight[i] - rank + (N - 1) / 2.) < .02);
            assert_true(fabs(smoothed[i] - guess) < 1e-9);
        }
    }
}

static void guesses_at_the_unseen(void **state)
{
    struct scratch *s = *state;
    enum { N = 400, N_OTHERS = 600 };
    struct world w = world_new(&s->arena, N + N_OTHERS);
    struct arena keep = arena_carve(&s->arena, smooth_bytes(N));
    struct smooth f;
    smooth_fit(&f, &keep, nb201(), w.archs, w.score, N, smooth_to_choose(N), s->arena);
    for (int i = 0; i < N_OTHERS; i++) {
        w.smooth[i] = smooth_guess(&f, &w.archs[N + i], s->arena);
    }
    double score = indicators_spearman(w.score + N, w.truth + N, N_OTHERS, s->arena);
    double guess = indicators_spearman(w.smooth, w.truth + N, N_OTHERS, s->arena);
    print_message("of those not scored: rank agreement %.3f, of their scores %.3f\n", guess, score);
    assert_true(guess > .8 && guess > score);
}

static void worlds_of_one_value(void **state)
{
    struct scratch *s = *state;
    struct world w = world_new(&s->arena, 9);
    static const double same[9] = {0};
    double out[9];
    smooth(s, &w, same, out, 0);
    smooth(s, &w, same, out, 1);
    assert_true(out[0] == 0);
    smooth(s, &w, same, out, 9);
    for (int i = 0; i < 9; i++) {
        assert_true(out[i] == 4); /* all share the middle rank */
    }
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {CASE(nearer_to_the_truth), CASE(the_scale_does_not_matter),
                                       CASE(as_defined), CASE(guesses_at_the_unseen),
                                       CASE(worlds_of_one_value)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
