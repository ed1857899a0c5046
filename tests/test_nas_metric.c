/*
 * Disentanglement metrics on codes with known answers: codes that are the factors score 1, noise
 * about 0 (or 1 / factors), a rotation lies between; order and scale of codes do not matter;
 * closed forms of the KL's parts and of the total correlation; degenerate data give defined values
 * or errors, never NaN; any number of threads gives the same bits. Their agreement with numpy is
 * tests/sh_numpy_metrics.sh.
 */
#define _GNU_SOURCE
#include "core/rng.h"
#include "nas/boost.h"
#include "nas/metric.h"
#include "tests/scratch.h"

#include <math.h>

enum { N = 3000, D = 6, F = 4 };

/* Fewer values than bins (20), so that a code can know all of a factor. */
static const int32_t cards[F] = {3, 6, 10, 4};

struct sample {
    float codes[N * D], logvar[N * D];
    int32_t factors[N * F];
};

static float level(const struct sample *s, int row, int f)
{
    return (float)s->factors[row * F + f] / (float)(cards[f] - 1) * 2 - 1;
}

/* The first F codes are the factors, the others a little noise. */
static void draw_perfect(struct sample *s)
{
    struct rng r = rng_key(1, RNG_TEST, 1);
    for (int i = 0; i < N; i++) {
        for (int f = 0; f < F; f++) {
            s->factors[i * F + f] = (int32_t)rng_below(&r, (uint64_t)cards[f]);
        }
        for (int j = 0; j < D; j++) {
            s->codes[i * D + j] = j < F ? level(s, i, j) : .1f * (float)rng_normal(&r);
            s->logvar[i * D + j] = -3;
        }
    }
}

static void draw_noise(struct sample *s)
{
    struct rng r = rng_key(1, RNG_TEST, 2);
    draw_perfect(s);
    for (int k = 0; k < N * D; k++) {
        s->codes[k] = (float)rng_normal(&r);
    }
}

/* Every pair of the first four codes turned by an angle of its own. */
static void draw_rotated(struct sample *s)
{
    draw_perfect(s);
    for (int i = 0; i < N; i++) {
        float *z = s->codes + i * D;
        for (int a = 0, step = 1; a < F; a++) {
            for (int b = a + 1; b < F; b++, step++) {
                float c = cosf(.35f * (float)step), t = sinf(.35f * (float)step), x = z[a];
                z[a] = c * x - t * z[b];
                z[b] = t * x + c * z[b];
            }
        }
    }
}

static struct metric_data data_of(const struct sample *s)
{
    return (struct metric_data){.n = N,
                                .d = D,
                                .n_factors = F,
                                .codes = s->codes,
                                .logvar = s->logvar,
                                .factors = s->factors,
                                .cards = cards};
}

static bool measure(double *values, const char *name, const struct metric_data *data, int n_threads,
                    struct scratch *s, struct err *e)
{
    const struct metric *m = NULL;
    struct machine mc;
    struct metric_options options = metric_defaults();
    options.draws = 2000;
    assert_true(metric_find(&m, name, e));
    assert_true(machine_init(&mc, "ref", n_threads, e));
    struct metric_job job = {.mc = &mc, .data = data, .options = &options};
    size_t mark = s->arena.used;
    /* Just what was asked for: a room that takes more stops here. */
    job.tmp = arena_carve(&s->arena, m->plan_bytes(&mc, data, &options));
    bool ok = metric_check(data, e) && metric_measure(m, &job, values, e);
    s->arena.used = mark;
    for (int k = 0; ok && k < m->n_values; k++) {
        assert_true(isfinite(values[k]));
    }
    return ok;
}

/* One value by its metric and place. */
static double value_of(const char *name, int k, const struct metric_data *data, struct scratch *s)
{
    double values[METRIC_MAX_VALUES];
    struct err e = {0};
    if (!measure(values, name, data, 1, s, &e)) {
        fail_msg("%s: %s", name, e.text);
    }
    return values[k];
}

static void test_table(void **state)
{
    (void)state;
    for (int i = 0; i < metric_count(); i++) {
        const struct metric *m = metric_at(i), *found = NULL;
        struct err e;
        assert_true(m->name && m->help && m->plan_bytes && m->run);
        assert_in_range(m->n_values, 1, METRIC_MAX_VALUES);
        assert_true(metric_find(&found, m->name, &e) && found == m);
        for (int k = 0; k < i; k++) {
            for (int a = 0; a < m->n_values; a++) {
                for (int b = 0; b < metric_at(k)->n_values; b++) {
                    assert_string_not_equal(m->value_names[a], metric_at(k)->value_names[b]);
                }
            }
        }
    }
    const struct metric *found = NULL;
    struct err e = {0};
    assert_false(metric_find(&found, "migs", &e));
    scratch_expect(&e, ERR_USAGE, "unknown metric \"migs\"; known are mig, dci");
}

/* Value k of a metric lies between these for codes that are the factors, noise, a rotation. */
struct expected {
    const char *name;
    int k;
    double perfect[2], noise[2], rotated[2];
};

static const struct expected known[] = {
    {"mig", 0, {.99, 1}, {0, .02}, {.02, .6}},
    {"dci", 0, {.999, 1}, {0, .1}, {.1, .9}},
    {"dci", 1, {.999, 1}, {0, .1}, {.1, .9}},
    {"dci", 2, {1, 1}, {.15, .3}, {.4, 1}},   /* by chance: the mean of 1 / card is .21 */
    {"sap", 0, {.2, 1}, {0, .05}, {.02, .3}}, /* one against the rest cannot name middle values */
    {"sap", 1, {.99, 1}, {0, .01}, {.02, .7}},
    {"factorvae", 0, {1, 1}, {.2, .3}, {.3, .99}}, /* by chance 1 / 4 */
    {"betavae", 0, {1, 1}, {.2, .3}, {.3, 1}},
};

static void test_known_answers(void **state)
{
    struct scratch *s = *state;
    static struct sample sample;
    void (*const draws[])(struct sample *) = {draw_perfect, draw_noise, draw_rotated};
    for (int w = 0; w < 3; w++) {
        draws[w](&sample);
        struct metric_data data = data_of(&sample);
        for (size_t i = 0; i < N_ELEMS(known); i++) {
            const double *range = w == 0   ? known[i].perfect
                                  : w == 1 ? known[i].noise
                                           : known[i].rotated;
            double v = value_of(known[i].name, known[i].k, &data, s);
            if (!(v >= range[0] - 1e-12 && v <= range[1] + 1e-12)) {
                fail_msg("%s, value %d, case %d: %g is not between %g and %g", known[i].name,
                         known[i].k, w, v, range[0], range[1]);
            }
        }
    }
    draw_perfect(&sample);
    struct metric_data data = data_of(&sample);
    float only[N * F]; /* modularity counts the noise too: without it, the factors alone */
    for (int i = 0; i < N; i++) {
        memcpy(only + i * F, sample.codes + i * D, F * sizeof *only);
    }
    data.d = F;
    data.codes = only;
    assert_true(value_of("modularity", 0, &data, s) > .999);
    assert_true(value_of("spread", 1, &data, s) > 3.5); /* four codes of like variance */
    assert_true(value_of("spread", 0, &data, s) == 4);
}

/* Two factors of two values, all four combinations alike. A code that says which of the four it is
 * knows both: modularity 0. A code that is the first and one that is their sum: by hand, the sum
 * knows half of either, I = (3/2 - 1) log 2: MIG = (1/2 + 1/2) / 2. */
static void test_by_hand(void **state)
{
    struct scratch *s = *state;
    enum { M = 64 };
    float both[M], two[M * 2];
    int32_t factors[M * 2];
    static const int32_t binary[2] = {2, 2};
    for (int i = 0; i < M; i++) {
        factors[2 * i] = i & 1;
        factors[2 * i + 1] = i >> 1 & 1;
        both[i] = (float)(i & 3);
        two[2 * i] = (float)(i & 1);
        two[2 * i + 1] = (float)((i & 1) + (i >> 1 & 1));
    }
    struct metric_data data = {
        .n = M, .d = 1, .n_factors = 2, .codes = both, .factors = factors, .cards = binary};
    assert_true(fabs(value_of("modularity", 0, &data, s)) < 1e-12);
    assert_true(fabs(value_of("mig", 0, &data, s) - 1) < 1e-12); /* there is no second code */
    data.d = 2;
    data.codes = two;
    assert_true(fabs(value_of("mig", 0, &data, s) - .5) < 1e-12);
    assert_true(fabs(value_of("modularity", 0, &data, s) - .5) < 1e-12); /* 1 and 0 */
    /* R^2: the sum and each factor 1/2; the first code and itself 1, the second factor 0. */
    assert_true(fabs(value_of("sap", 1, &data, s) - .5) < 1e-12);
}

/* Codes in another order, turned round and scaled by powers of two: the same information. Bits may
 * change where sums run in another order. */
static void test_invariance(void **state)
{
    struct scratch *s = *state;
    static struct sample a, b;
    static const int place[D] = {3, 0, 5, 1, 4, 2};
    static const float scale[D] = {4, .125f, 2, 1024, .5f, 8};
    static const char *const names[] = {"mig", "modularity", "dci", "factorvae"};
    draw_rotated(&a);
    b = a;
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < D; j++) {
            b.codes[i * D + place[j]] = scale[j] * a.codes[i * D + j];
        }
    }
    struct metric_data da = data_of(&a), db = data_of(&b);
    for (size_t k = 0; k < N_ELEMS(names); k++) {
        double x = value_of(names[k], 0, &da, s), y = value_of(names[k], 0, &db, s);
        /* Of splits that part a node's rows alike, the trees take that of the first code. */
        if (!(fabs(x - y) < (k == 2 ? .01 : 1e-9))) {
            fail_msg("%s: %.12g and %.12g", names[k], x, y);
        }
    }
    assert_true(fabs(value_of("sap", 1, &da, s) - value_of("sap", 1, &db, s)) < 1e-9);
    assert_true(fabs(value_of("spread", 2, &da, s) - value_of("spread", 2, &db, s)) < 1e-6);
    /* The order of the factors. */
    static const int32_t swapped[F] = {6, 3, 10, 4};
    for (int i = 0; i < N; i++) {
        b.factors[i * F] = a.factors[i * F + 1];
        b.factors[i * F + 1] = a.factors[i * F];
    }
    memcpy(b.codes, a.codes, sizeof b.codes);
    db.cards = swapped;
    assert_true(fabs(value_of("mig", 0, &da, s) - value_of("mig", 0, &db, s)) < 1e-12);
    assert_true(fabs(value_of("dci", 0, &da, s) - value_of("dci", 0, &db, s)) < 1e-9);
    assert_true(fabs(value_of("sap", 0, &da, s) - value_of("sap", 0, &db, s)) < 1e-12);
}

/* Total correlation of two codes is -1/2 log(1 - rho^2) of the sample's rho; a copy of a code adds
 * the floor, log(1e-10) / -2 plus the other eigenvalue's -1/2 log 2; a constant nothing. */
static void test_spread(void **state)
{
    struct scratch *s = *state;
    enum { M = 500 };
    float z[M * 3];
    double xx = 0, yy = 0, xy = 0, mx = 0, my = 0;
    struct rng r = rng_key(1, RNG_TEST, 4);
    for (int i = 0; i < M; i++) {
        z[3 * i] = (float)rng_normal(&r);
        z[3 * i + 1] = .6f * z[3 * i] + .8f * (float)rng_normal(&r);
        z[3 * i + 2] = .3f;
        mx += (double)z[3 * i] / M;
        my += (double)z[3 * i + 1] / M;
    }
    for (int i = 0; i < M; i++) {
        double x = (double)z[3 * i] - mx, y = (double)z[3 * i + 1] - my;
        xx += x * x;
        yy += y * y;
        xy += x * y;
    }
    struct metric_data data = {.n = M, .d = 3, .codes = z};
    double expected = -log(1 - xy * xy / xx / yy) / 2;
    assert_true(fabs(value_of("spread", 2, &data, s) - expected) < 1e-9);
    assert_true(value_of("spread", 0, &data, s) == 2);
    double trace = xx + yy, square = xx * xx + yy * yy + 2 * xy * xy;
    assert_true(fabs(value_of("spread", 1, &data, s) - trace * trace / square) < 1e-9);
    for (int i = 0; i < M; i++) {
        z[3 * i + 2] = z[3 * i];
        z[3 * i + 1] = 0;
    }
    expected = -(log(1e-10) + log(2)) / 2;
    assert_true(fabs(value_of("spread", 2, &data, s) - expected) < 1e-6);
    assert_true(fabs(value_of("spread", 1, &data, s) - 1) < 1e-9);
}

/* Codes N(mu, v) with mu ~ N(0, t): q(z) is N(0, t + v), independent dimensions. A dimension then
 * has I = 1/2 log(1 + t / v), no correlation, and KL(N(0, t + v) | N(0, 1)). 2,048 draws of spread
 * about 1 stand for the means: 0.1 is four of their standard errors. */
static void test_kl(void **state)
{
    struct scratch *s = *state;
    enum { M = 2048 };
    static float mu[M * 2], logvar[M * 2];
    double v = .25, t = 1.5;
    struct rng r = rng_key(1, RNG_TEST, 5);
    for (int k = 0; k < M * 2; k++) {
        mu[k] = (float)(sqrt(t) * rng_normal(&r));
        logvar[k] = (float)log(v);
    }
    struct metric_data data = {.n = M, .d = 2, .codes = mu, .logvar = logvar};
    double of_dimension = (t + v - 1 - log(t + v)) / 2;
    double kl = value_of("kl", 0, &data, s), mutual = value_of("kl", 1, &data, s),
           correlation = value_of("kl", 2, &data, s), dimensions = value_of("kl", 3, &data, s);
    assert_true(fabs(kl - (t + v - 1 - log(v))) < .1);
    assert_true(fabs(mutual - log(1 + t / v)) < .1);
    assert_true(fabs(correlation) < .1);
    assert_true(fabs(dimensions - 2 * of_dimension) < .1);
    assert_true(fabs(kl - mutual - correlation - dimensions) < .1);
    memset(mu, 0, sizeof mu); /* the prior itself: everything is 0 */
    memset(logvar, 0, sizeof logvar);
    for (int k = 0; k < 4; k++) {
        assert_true(fabs(value_of("kl", k, &data, s)) < 1e-12);
    }
}

/* Trees that need one feature say so; classes that are missing from the training rows are no one's
 * answer. */
static void test_boost(void **state)
{
    struct scratch *s = *state;
    enum { M = 400, M_TRAIN = 300 };
    static float x[3 * M];
    static int32_t y[M];
    double importance[3];
    struct rng r = rng_key(1, RNG_TEST, 6);
    struct machine mc;
    struct err e;
    struct boost_result result = {.importance = importance};
    struct boost_data data = {
        .x = x, .y = y, .n_train = M_TRAIN, .n_test = M - M_TRAIN, .d = 3, .card = 5};
    assert_true(machine_init(&mc, "ref", 2, &e));
    for (int i = 0; i < M; i++) {
        for (int j = 0; j < 3; j++) {
            x[j * M + i] = (float)rng_normal(&r);
        }
        y[i] = x[M + i] > .5f ? 3 : x[M + i] > -.5f ? 1 : 4; /* classes 0 and 2 never */
    }
    struct arena tmp = arena_carve(&s->arena, boost_bytes(&mc, M, 3, 5));
    boost_fit(&mc, &result, &data, tmp);
    assert_true(importance[1] > .999 && result.train_right == 1 && result.right > .97);
    assert_true(fabs(importance[0] + importance[1] + importance[2] - 1) < 1e-12);
    memset(x, 0, sizeof x); /* nothing to split at: the largest class is the answer */
    boost_fit(&mc, &result, &data, tmp);
    assert_true(importance[0] == 0 && importance[1] == 0 && importance[2] == 0);
    assert_true(result.right > .25 && result.right < .55);
}

/* Codes that do not vary: nothing is known, and that is a value. */
static void test_constant_codes(void **state)
{
    struct scratch *s = *state;
    static struct sample sample;
    draw_perfect(&sample);
    for (int k = 0; k < N * D; k++) {
        sample.codes[k] = .3f;
    }
    struct metric_data data = data_of(&sample);
    static const struct {
        const char *name;
        int k;
        double value;
    } values[] = {{"mig", 0, 0},       {"modularity", 0, 0}, {"dci", 0, 0},    {"dci", 1, 0},
                  {"sap", 0, 0},       {"sap", 1, 0},        {"spread", 0, 0}, {"spread", 1, 0},
                  {"factorvae", 0, 0}, {"spread", 2, 0}};
    for (size_t i = 0; i < N_ELEMS(values); i++) {
        assert_true(value_of(values[i].name, values[i].k, &data, s) == values[i].value);
    }
    assert_true(value_of("betavae", 0, &data, s) < .3);
    assert_true(fabs(value_of("kl", 1, &data, s)) < 1e-9);
    data.d = 1; /* one code alone */
    static float one[N];
    for (int i = 0; i < N; i++) {
        one[i] = level(&sample, i, 2);
    }
    data.codes = one;
    data.logvar = one;
    for (int i = 0; i < metric_count(); i++) {
        value_of(metric_at(i)->name, 0, &data, s); /* finite */
    }
}

static void test_errors(void **state)
{
    struct scratch *s = *state;
    static struct sample sample;
    double values[METRIC_MAX_VALUES];
    draw_perfect(&sample);
    const struct metric_data good = data_of(&sample);
    struct metric_data bad;
    struct err e = {0};

    sample.codes[7 * D + 2] = NAN;
    assert_false(metric_check(&good, &e));
    scratch_expect(&e, ERR_INPUT, "row 7, code 2: expected a finite number");
    sample.codes[7 * D + 2] = INFINITY;
    assert_false(metric_check(&good, &e));
    sample.codes[7 * D + 2] = 0;
    sample.logvar[3] = 81;
    assert_false(metric_check(&good, &e));
    scratch_expect(&e, ERR_INPUT, "row 0, code 3: expected a log variance from -80 to 80");
    sample.logvar[3] = 0;
    sample.factors[9 * F + 1] = 6;
    assert_false(metric_check(&good, &e));
    scratch_expect(&e, ERR_INPUT, "row 9, factor 1: expected 0 to 5, found 6");
    sample.factors[9 * F + 1] = -1;
    assert_false(metric_check(&good, &e));
    sample.factors[9 * F + 1] = 0;
    assert_true(metric_check(&good, &e));

    bad = good;
    bad.n = METRIC_MIN_ROWS - 1;
    assert_false(metric_check(&bad, &e));
    scratch_expect(&e, ERR_INPUT, "expected 50 to 1048576 rows, found 49");
    bad = good;
    bad.d = 0;
    assert_false(metric_check(&bad, &e));
    bad = good;
    bad.logvar = NULL;
    assert_false(measure(values, "kl", &bad, 1, s, &e));
    scratch_expect(&e, ERR_USAGE, "kl needs the log variances");
    bad = good;
    bad.n_factors = 0;
    assert_false(measure(values, "mig", &bad, 1, s, &e));
    scratch_expect(&e, ERR_USAGE, "mig needs the factors");

    static struct sample flat; /* one factor varies, and one value of it occurs once */
    flat = sample;
    for (int i = 0; i < N; i++) {
        for (int f = 1; f < F; f++) {
            flat.factors[i * F + f] = 1;
        }
    }
    bad = data_of(&flat);
    assert_true(measure(values, "mig", &bad, 1, s, &e));
    assert_false(measure(values, "dci", &bad, 1, s, &e));
    scratch_expect(&e, ERR_INPUT,
                   "dci: expected at least 2 factors of more than one value, found 1");
    flat.factors[11 * F + 1] = 4;
    assert_false(measure(values, "factorvae", &bad, 1, s, &e));
    scratch_expect(&e, ERR_INPUT, "factorvae: factor 1 has the value 4 in one row only");
}

/* Few and many rows, codes, values; plan_bytes suffices everywhere (measure gives no more). */
static void test_shapes_and_threads(void **state)
{
    struct scratch *s = *state;
    static const struct {
        int n, d, n_factors, card;
    } shapes[] = {{50, 1, 2, 2}, {61, 3, 2, 7}, {200, 40, 3, 2}, {300, 2, 2, 90}, {1000, 5, 5, 4}};
    static float codes[10000], logvar[10000];
    static int32_t factors[5000], many[METRIC_MAX_FACTORS];
    for (size_t k = 0; k < N_ELEMS(shapes); k++) {
        struct rng r = rng_key(2, RNG_TEST, k);
        int n = shapes[k].n, d = shapes[k].d, n_factors = shapes[k].n_factors;
        for (int i = 0; i < n * n_factors; i++) {
            factors[i] = (int32_t)(((uint64_t)i + rng_below(&r, 2)) % (uint64_t)shapes[k].card);
            many[i % n_factors] = shapes[k].card;
        }
        for (int i = 0; i < n * d; i++) {
            codes[i] = (float)rng_normal(&r) + (float)factors[i / d * n_factors];
            logvar[i] = (float)rng_normal(&r) - 2;
        }
        struct metric_data data = {n, d, n_factors, codes, logvar, factors, many};
        for (int m = 0; m < metric_count(); m++) {
            double one[METRIC_MAX_VALUES] = {0}, other[METRIC_MAX_VALUES] = {0};
            struct err e = {0};
            for (int n_threads = 1; n_threads <= 7; n_threads += 3) {
                double *values = n_threads == 1 ? one : other;
                if (!measure(values, metric_at(m)->name, &data, n_threads, s, &e)) {
                    scratch_expect(&e, ERR_INPUT, "in one row only");
                    break;
                }
                assert_true(n_threads == 1 || memcmp(one, other, sizeof one) == 0);
            }
        }
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        T(test_table),   T(test_known_answers),
        T(test_by_hand), T(test_invariance),
        T(test_spread),  T(test_kl),
        T(test_boost),   T(test_constant_codes),
        T(test_errors),  T(test_shapes_and_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
