/*
 * Ranks within a calibration sample: the sample's own ranks by hand (ties, missing numbers), and
 * between and beyond them what makes a search possible: strictly growing, inside (0, 1), NaN below
 * all. A panel of static scores is calibrated to the same bits on one thread and on three.
 */
#include "nas/panel.h"
#include "nas/scores.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena_of_test(void)
{
    struct arena a;
    struct err e = {0};
    assert_true(arena_init(&a, (size_t)256 << 20, &e));
    return a;
}

static void assert_near(double a, double b)
{
    if (fabs(a - b) > 1e-12) {
        fail_msg("%.17g is not %.17g", a, b);
    }
}

static void test_ranks_of_the_sample(void **state)
{
    (void)state;
    struct arena a = arena_of_test();
    /* Sorted: NaN, 1, 2, 2, 5: ranks 1, 2, 3.5, 3.5, 5, over 6. */
    const double values[] = {2, 5, NAN, 1, 2};
    struct panel_scale s;
    panel_scale_new(&s, &a, values, 5);
    assert_int_equal(s.n, 3);
    assert_int_equal(s.n_missing, 1);
    assert_near(panel_rank(&s, 1), 2 / 6.0);
    assert_near(panel_rank(&s, 2), 3.5 / 6);
    assert_near(panel_rank(&s, 5), 5 / 6.0);
    assert_near(panel_rank(&s, 3), 4 / 6.0); /* a third of the way from 3.5 to 5 */
    assert_near(panel_rank(&s, NAN), 1 / 6.0);
    assert_near(panel_rank(&s, INFINITY), 1 / 6.0);
    arena_release(&a);
}

static void test_ranks_grow(void **state)
{
    (void)state;
    struct arena a = arena_of_test();
    static const double values[][4] = {
        {3, -1, 2, 7}, {4, 4, 4, 4}, {NAN, NAN, 0, 1e300}, {0, -0.0, 1, 1}};
    static const double at[] = {NAN, -1e9, -2, -1, -0.5, 0, 0.5, 1, 2, 2.5, 3, 4, 7, 8, 1e9};
    for (size_t k = 0; k < N_ELEMS(values); k++) {
        struct panel_scale s;
        panel_scale_new(&s, &a, values[k], 4);
        double before = 0;
        for (size_t i = 0; i < N_ELEMS(at); i++) {
            double rank = panel_rank(&s, at[i]);
            /* 1e300 leaves no room for small steps between its neighbours. */
            if (!(k == 2 ? rank >= before : rank > before) || !(rank < 1)) {
                fail_msg("sample %zu at %g: rank %.17g after %.17g", k, at[i], rank, before);
            }
            before = rank;
        }
    }
    const double none[] = {NAN, NAN};
    struct panel_scale s;
    panel_scale_new(&s, &a, none, 2);
    assert_near(panel_rank(&s, 3), 0.5);
    arena_release(&a);
}

static void calibrate(struct score_panel *panel, struct arena *a, int n_threads, int n)
{
    struct err e = {0};
    struct machine mc;
    struct model_spec spec = {.input = {32, 32, 3}, .n_classes = 10};
    struct score_batch batch = {0};
    struct panel_sample sample = {
        .mc = &mc,
        .model = &spec,
        .batch = &batch,
        .n = n,
        .seed = 3,
        .worker_bytes = (size_t)128 << 20,
    };
    assert_true(machine_init(&mc, "auto", n_threads, &e));
    assert_true(space_find(&sample.space, "nb201", &e));
    *panel = (struct score_panel){
        .n_members = 2,
        .member = {{.score = &score_static_params}, {.score = &score_synflow}},
    };
    for (int i = 0; i < 2; i++) {
        panel->member[i].score->defaults(&panel->member[i].options);
    }
    if (!panel_calibrate(panel, a, &sample, &e)) {
        fail_msg("%s", e.text);
    }
}

static void test_calibration(void **state)
{
    (void)state;
    struct arena a = arena_of_test();
    struct score_panel one, three;
    calibrate(&one, &a, 1, 12);
    calibrate(&three, &a, 3, 12);
    for (int i = 0; i < 2; i++) {
        const struct panel_scale *s = &one.member[i].scale, *t = &three.member[i].scale;
        assert_int_equal(s->n_sample, 12);
        assert_int_equal(s->n_missing, 0);
        assert_int_equal(s->n, t->n);
        assert_memory_equal(s->value, t->value, (size_t)s->n * sizeof *s->value);
        assert_memory_equal(s->rank, t->rank, (size_t)s->n * sizeof *s->rank);
        assert_true(s->n > 1 && s->value[0] < s->value[s->n - 1]);
    }
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranks_of_the_sample),
        cmocka_unit_test(test_ranks_grow),
        cmocka_unit_test(test_calibration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
