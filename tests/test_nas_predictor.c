/*
 * Predictors of hardware cost: an additive device is learnt exactly; what a device's compiler drops
 * is found out; leaving one out in closed form is leaving one out; networks that a device cannot run
 * are predicted so; files are read back to seven digits and refused line by line; and the errors on
 * published tables where they are at hand.
 */
#define _GNU_SOURCE
#include "nas/cost.h"
#include "nas/predictor_file.h"
#include "tests/scratch.h"

#include <math.h>

static const struct space *space_of(const char *name)
{
    const struct space *s = NULL;
    struct err e = {0};
    assert_true(space_find(&s, name, &e));
    return s;
}

/* A made-up device: so much an operation, more on later edges. */
static double device(const struct arch *a)
{
    static const double price[] = {0, .1, 2, 5, 1};
    double sum = 4;
    for (int i = 0; i < 6; i++) {
        sum += price[a->gene[i]] * (1 + .1 * i);
    }
    return sum;
}

enum { N = 200 };

static void draw(struct arch *archs, double *costs, int n, enum space_reading reading, uint64_t seed)
{
    const struct space *s = space_of("nb201");
    struct rng r = rng_key(seed, RNG_TEST, 0);
    for (int i = 0; i < n; i++) {
        struct arch read;
        space_random(s, &archs[i], &r);
        s->prune(&archs[i], reading, &read);
        costs[i] = device(&read);
    }
}

static struct predictor fitted(const struct arch *archs, const double *costs, int n, struct arena tmp)
{
    struct predictor p = {.device = "phone", .metric = "latency", .unit = "ms"};
    struct err e = {0};
    if (!predictor_fit(&p, space_of("nb201"), archs, costs, n, tmp, &e)) {
        fail_msg("%s", e.text);
    }
    return p;
}

static void additive_devices(void **state)
{
    struct scratch *s = *state;
    struct arch archs[N], others[N];
    double costs[N], wanted[N], found[N];
    for (int reading = 0; reading < SPACE_N_READINGS; reading++) {
        draw(archs, costs, N, (enum space_reading)reading, 1);
        draw(others, wanted, N, (enum space_reading)reading, 2);
        struct predictor p = fitted(archs, costs, N, s->arena);
        assert_int_equal(p.reading, reading);
        assert_int_equal(p.n_fitted, N);
        assert_true(p.error.within5 == 1 && p.error.spearman > .999);
        for (int i = 0; i < N; i++) {
            found[i] = predictor_cost(&p, &others[i]);
            assert_true(fabs(found[i] / wanted[i] - 1) < 1e-3);
        }
        struct predictor_error error = predictor_judge(found, wanted, N, s->arena);
        assert_true(error.within5 == 1 && error.spearman > .999);
    }
}

static void left_out(void **state)
{
    struct scratch *s = *state;
    enum { FEW = 12 };
    struct arch archs[FEW], rest[FEW];
    double costs[FEW], others[FEW], predicted[FEW];
    draw(archs, costs, FEW, SPACE_AS_WRITTEN, 3);
    struct predictor whole = fitted(archs, costs, FEW, s->arena);
    /* Refitted without each in turn. The mean and the ridge's unit move with the one left out, so
     * it is the same only about. */
    for (int i = 0; i < FEW; i++) {
        int n = 0;
        for (int k = 0; k < FEW; k++) {
            if (k != i) {
                rest[n] = archs[k];
                others[n++] = costs[k];
            }
        }
        struct predictor p = fitted(rest, others, n, s->arena);
        predicted[i] = predictor_cost(&p, &archs[i]);
    }
    struct predictor_error error = predictor_judge(predicted, costs, FEW, s->arena);
    assert_true(fabs(error.spearman - whole.error.spearman) < .15);
    assert_true(fabs(error.within10 - whole.error.within10) < .35);
}

static void judged_by_hand(void **state)
{
    struct scratch *s = *state;
    static const double measured[] = {100, 200, 300, 400, NAN, 7};
    static const double predicted[] = {104, 191, 329, 500, 3, NAN};
    struct predictor_error e = predictor_judge(predicted, measured, 6, s->arena);
    assert_true(e.spearman == 1 && e.within5 == .5 && e.within10 == .75);
    e = predictor_judge(predicted + 4, measured + 4, 2, s->arena);
    assert_true(isnan(e.spearman) && isnan(e.within5));
}

/* The device cannot pool: every network with operation 4 on edge 2 fails. */
static void failing_networks(void **state)
{
    struct scratch *s = *state;
    struct arch archs[N], others[N];
    double costs[N], wanted[N];
    draw(archs, costs, N, SPACE_AS_WRITTEN, 4);
    draw(others, wanted, N, SPACE_AS_WRITTEN, 5);
    for (int i = 0; i < N; i++) {
        costs[i] = archs[i].gene[2] == 4 ? NAN : costs[i];
    }
    struct predictor p = fitted(archs, costs, N, s->arena);
    for (int i = 0; i < N; i++) {
        assert_int_equal(isnan(predictor_cost(&p, &others[i])), others[i].gene[2] == 4);
    }
    const char *path = scratch_path(s, "p.csv");
    struct predictor back;
    struct err e = {0};
    assert_true(predictor_file_write(&p, path, s->arena, &e));
    assert_true(predictor_file_read(&back, p.space, path, NULL, "latency", s->arena, &e));
    struct cost c;
    struct cost_options o = {.space = p.space, .device = arena_printf(&s->arena, "predict:%s", path)};
    assert_true(cost_open(&c, &s->arena, &o, &e));
    assert_string_equal(c.name, "phone latency (predicted)");
    assert_true(strstr(c.source, "predicted by") != NULL);
    for (int i = 0; i < N; i++) {
        double was = predictor_cost(&p, &others[i]), is = predictor_cost(&back, &others[i]), value;
        assert_int_equal(isnan(was), isnan(is));
        assert_true(isnan(was) || fabs(is / was - 1) < 1e-5);
        assert_int_equal(cost_of(&c, &others[i], &value, s->arena), !isnan(was));
    }
}

static void too_little(void **state)
{
    struct scratch *s = *state;
    struct arch archs[3];
    double costs[3];
    struct predictor p = {.device = "x"};
    struct err e = {0};
    draw(archs, costs, 3, SPACE_AS_WRITTEN, 6);
    assert_false(predictor_fit(&p, space_of("nb201"), archs, costs, 2, s->arena, &e));
    scratch_expect(&e, ERR_INFEASIBLE, "2 of 2 costs");
    costs[1] = 0;
    assert_false(predictor_fit(&p, space_of("nb201"), archs, costs, 3, s->arena, &e));
    scratch_expect(&e, ERR_INFEASIBLE, "above zero");
    costs[1] = costs[2];
    assert_true(predictor_fit(&p, space_of("nb201"), archs, costs, 3, s->arena, &e));
    assert_true(isfinite(predictor_cost(&p, &archs[0])));
}

static void files(void **state)
{
    struct scratch *s = *state;
    struct arch archs[N];
    double costs[N];
    struct err e = {0};
    draw(archs, costs, N, SPACE_USED, 7);
    struct predictor p = fitted(archs, costs, N, s->arena), back;
    const char *path = arena_strdup(&s->arena, scratch_path(s, "p.csv"));
    assert_true(predictor_file_write(&p, path, s->arena, &e));
    strcpy(p.device, "tablet");
    assert_true(predictor_file_write(&p, path, s->arena, &e));
    p.n_fitted = 77;
    assert_true(predictor_file_write(&p, path, s->arena, &e)); /* takes the place of the one before */
    assert_true(predictor_file_read(&back, p.space, path, "tablet", "latency", s->arena, &e));
    assert_int_equal(back.n_fitted, 77);
    assert_true(predictor_file_read(&back, p.space, path, "phone", "latency", s->arena, &e));
    assert_int_equal(back.n_fitted, N);
    assert_int_equal(back.reading, SPACE_USED);
    assert_false(predictor_file_read(&back, p.space, path, NULL, "latency", s->arena, &e));
    scratch_expect(&e, ERR_USAGE, "2 devices; say which: phone, tablet");
    assert_false(predictor_file_read(&back, p.space, path, "toaster", "latency", s->arena, &e));
    scratch_expect(&e, ERR_USAGE, "no device 'toaster'");
    assert_false(predictor_file_read(&back, p.space, path, "phone", "energy", s->arena, &e));
    assert_int_equal(e.code, ERR_USAGE);
    assert_false(predictor_file_read(&back, space_of("fbnet"), path, "phone", "latency", s->arena, &e));
    scratch_expect(&e, ERR_INPUT, "line 1: no column 'w30'");

    /* Cut at every byte: never read as whole but where only the last line's end is missing. */
    char text[8192];
    size_t n = scratch_read(s, "p.csv", text, sizeof text), n_read = 0;
    for (size_t cut = 0; cut < n; cut++) {
        scratch_write(s, "cut.csv", text, cut);
        bool ok = predictor_file_read(&back, p.space, scratch_path(s, "cut.csv"), "tablet", "latency",
                                      s->arena, &e);
        n_read += ok && cut + 12 < n; /* the last weight may lose digits */
    }
    assert_int_equal(n_read, 0);
    static const struct {
        const char *from, *to, *words;
    } bad[] = {
        {"nb201,tablet", "fbnet,tablet", "line 3: space fbnet"},
        {"ms,used,77", "ms,mused,77", "line 3: reading 'mused'"},
        {"ms,used,77", "ms,used,-7", "line 3: fitted"},
        {"ms,used,77", "ms,used,x", "line 3"},
        {"tablet,latency,ms", "tablet,latency,", "line 3: unit"},
        {"nb201,phone", "nb201,tablet", "twice"},
    };
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        char changed[8300];
        text[n] = 0;
        char *at = strstr(text, bad[i].from);
        assert_non_null(at);
        int len = snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, bad[i].to,
                           at + strlen(bad[i].from));
        scratch_write(s, "bad.csv", changed, (size_t)len);
        assert_false(predictor_file_read(&back, p.space, scratch_path(s, "bad.csv"), "tablet",
                                         "latency", s->arena, &e));
        scratch_expect(&e, ERR_INPUT, bad[i].words);
    }
}

/* Held to what it reaches, so that a change for the worse is seen. */
static void published_tables(void **state)
{
    struct scratch *s = *state;
    static const struct {
        const char *device;
        int n;
        double spearman, within10;
    } cases[] = {{"fpga", 50, .999, .99},   {"eyeriss", 50, .99, .99}, {"raspi4", 300, .95, .55},
                 {"pixel3", 300, .95, .55}, {"gold_6226", 50, .97, .8}};
    const char *dir = scratch_data(s, "nas");
    if (!dir) {
        print_message("published tables are not there: skipped\n");
        skip();
    }
    dir = arena_strdup(&s->arena, dir);
    const struct space *space = space_of("nb201");
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        enum { N_OTHERS = 2000 };
        struct arena tmp = arena_carve(&s->arena, (size_t)128 << 20);
        struct arch *archs = arena_push(&tmp, N_OTHERS, sizeof *archs);
        double *costs = arena_push(&tmp, N_OTHERS, sizeof *costs);
        double *predicted = arena_push(&tmp, N_OTHERS, sizeof *predicted);
        struct cost c;
        struct err e = {0};
        struct cost_options o = {.space = space, .device = cases[i].device, .tables_dir = dir};
        struct rng r = rng_key(1, RNG_TEST, i);
        struct arena keep = arena_carve(&tmp, (size_t)64 << 20);
        if (!cost_open(&c, &keep, &o, &e)) {
            fail_msg("%s", e.text);
        }
        struct predictor p = {.device = "x"};
        for (int part = 0; part < 2; part++) {
            int n = part == 0 ? cases[i].n : N_OTHERS;
            for (int k = 0; k < n; k++) {
                do {
                    space_random(space, &archs[k], &r);
                } while (!space->connected(&archs[k]));
                assert_true(cost_of(&c, &archs[k], &costs[k], tmp));
                predicted[k] = part ? predictor_cost(&p, &archs[k]) : 0;
            }
            assert_true(part || predictor_fit(&p, space, archs, costs, n, tmp, &e));
        }
        p.error = predictor_judge(predicted, costs, N_OTHERS, tmp);
        print_message("%s from %d: Spearman %.3f, within 5 %% %.0f %%, within 10 %% %.0f %%\n",
                      cases[i].device, cases[i].n, p.error.spearman, 100 * p.error.within5,
                      100 * p.error.within10);
        assert_true(p.error.spearman > cases[i].spearman && p.error.within10 > cases[i].within10);
    }
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(additive_devices), CASE(left_out),   CASE(judged_by_hand), CASE(failing_networks),
        CASE(too_little),       CASE(files),      CASE(published_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
