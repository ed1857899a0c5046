/* Charts: ticks are round and inside, what is drawn lies in the frame, notes keep off each other;
 * odd data is no crash. */
#define _GNU_SOURCE
#include "cli/plot.h"
#include "core/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena, scratch;

static int open_arenas(void **state)
{
    (void)state;
    struct err e;
    return arena_init(&arena, (size_t)64 << 20, &e) && arena_init(&scratch, (size_t)64 << 20, &e)
               ? 0
               : -1;
}

static int close_arenas(void **state)
{
    (void)state;
    arena_release(&arena);
    arena_release(&scratch);
    return 0;
}

static void ticks_are_round(void **state)
{
    (void)state;
    struct rng r = rng_key(1, RNG_TEST, 0);
    for (int i = 0; i < 5000; i++) {
        double lo = (rng_f64(&r) - 0.5) * pow(10, (double)rng_below(&r, 12) - 4);
        double hi = lo + pow(10, rng_f64(&r) * 12 - 6);
        int want = 2 + (int)rng_below(&r, 9);
        double step, first = plot_ticks(lo, hi, want, &step);
        double digit = step / pow(10, floor(log10(step) + 1e-9));
        assert_true(fabs(digit - 1) < 1e-6 || fabs(digit - 2) < 1e-6 || fabs(digit - 5) < 1e-6);
        assert_true(first >= lo - 1e-6 * step && first < lo + step * (1 + 1e-6));
        double n = (hi - lo) / step;
        assert_true(n >= want / 2.0 && n <= want * 2.0);
    }
}

static struct plot chart(const struct plot_series *series, int n_series)
{
    return (struct plot){.id = "p",
                         .title = "title <&>",
                         .desc = "desc",
                         .x_label = "x",
                         .y_label = "y",
                         .width = 400,
                         .height = 300,
                         .x_min = 1,
                         .x_max = 0,
                         .y_min = 1,
                         .y_max = 0,
                         .series = series,
                         .n_series = n_series,
                         .alone = true};
}

static const char *drawn(const struct plot *p)
{
    struct text t;
    text_init(&t, &arena);
    plot_svg(&t, p, scratch);
    return t.s;
}

static int count(const char *s, const char *word)
{
    int n = 0;
    for (; (s = strstr(s, word)); s += strlen(word)) {
        n++;
    }
    return n;
}

/* Every mark that is asked for is there, at coordinates inside the picture. */
static void marks_are_inside(void **state)
{
    (void)state;
    double x[50], y[50];
    const char *tips[50], *notes[50];
    struct rng r = rng_key(2, RNG_TEST, 0);
    for (int i = 0; i < 50; i++) {
        x[i] = rng_normal(&r) * 1e3;
        y[i] = rng_normal(&r) * 1e-3;
        tips[i] = "a & b";
        notes[i] = "note";
    }
    const struct plot_series s = {.name = "some",
                                  .kind = PLOT_POINTS,
                                  .tone = PLOT_FRONT,
                                  .x = x,
                                  .y = y,
                                  .n = 50,
                                  .tips = tips,
                                  .notes = notes};
    struct plot p = chart(&s, 1);
    const char *svg = drawn(&p);
    assert_int_equal(count(svg, "<circle"), 51); /* and one in the legend */
    assert_int_equal(count(svg, "a &amp; b"), 50);
    assert_int_equal(count(svg, "title &lt;&amp;&gt;"), 2);
    for (const char *c = svg; (c = strstr(c, "cx=\"")); c++) {
        double cx, cy;
        assert_int_equal(sscanf(c, "cx=\"%lf\" cy=\"%lf\"", &cx, &cy), 2);
        assert_true(cx >= 0 && cx <= 400 && cy >= 0 && cy <= 300);
    }
    int n_notes = count(svg, ">note<");
    assert_true(n_notes > 0 && n_notes <= 24);
}

/* A staircase turns once per point: H and V once each, and H to the right edge. */
static void stairs_have_corners(void **state)
{
    (void)state;
    const double x[] = {1, 2, 4}, y[] = {1, 3, 4};
    const struct plot_series s = {.kind = PLOT_STAIRS, .tone = PLOT_FRONT, .x = x, .y = y, .n = 3};
    struct plot p = chart(&s, 1);
    const char *line = strstr(drawn(&p), "<path class=\"line front\"");
    assert_non_null(line);
    char *path = strndup(line, strcspn(line, ">"));
    assert_int_equal(count(path, "H"), 4);
    assert_int_equal(count(path, "V"), 3);
    free(path);
}

static void outliers_are_counted(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3, 100}, y[] = {1, 2, 3, 4};
    const struct plot_series s = {.kind = PLOT_CLOUD, .tone = PLOT_PALE, .x = x, .y = y, .n = 4};
    struct plot p = chart(&s, 1);
    p.x_min = 1;
    p.x_max = 3;
    assert_non_null(strstr(drawn(&p), "1 more outside the frame"));
    p.x_max = 100;
    assert_null(strstr(drawn(&p), "outside"));
}

/* A dot stands for all that fall on it: a hundred thousand points do not make a huge file. */
static void a_cloud_stays_small(void **state)
{
    (void)state;
    enum { N = 100000 };
    double *x = arena_push(&arena, N, sizeof *x), *y = arena_push(&arena, N, sizeof *y);
    for (int i = 0; i < N; i++) {
        x[i] = i % 7;
        y[i] = i % 11;
    }
    const struct plot_series s = {.kind = PLOT_CLOUD, .tone = PLOT_PALE, .x = x, .y = y, .n = N};
    struct plot p = chart(&s, 1);
    const char *svg = drawn(&p);
    assert_int_equal(count(svg, "h0"), 77);
}

static void odd_data_is_no_crash(void **state)
{
    (void)state;
    static const double values[][3] = {{0, 0, 0},       {5, 5, 5},    {-1e300, 0, 1e300},
                                       {1e-300, 0, 0},  {-1, -1, -1}, {1e15, 1e15 + 2, 1e15 + 4},
                                       {-0.0, 0.0, 0.0}};
    for (size_t i = 0; i < N_ELEMS(values); i++) {
        for (int n = 0; n <= 3; n++) {
            for (int kind = PLOT_CLOUD; kind <= PLOT_STAIRS; kind++) {
                const struct plot_series s = {.kind = (enum plot_kind)kind,
                                              .tone = PLOT_FRONT,
                                              .x = values[i],
                                              .y = values[i],
                                              .n = n};
                struct plot p = chart(&s, 1);
                const char *svg = drawn(&p);
                assert_null(strstr(svg, "nan"));
                assert_null(strstr(svg, "inf"));
                assert_non_null(strstr(svg, "</svg>"));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_are_round),     cmocka_unit_test(marks_are_inside),
        cmocka_unit_test(stairs_have_corners), cmocka_unit_test(outliers_are_counted),
        cmocka_unit_test(a_cloud_stays_small), cmocka_unit_test(odd_data_is_no_crash),
    };
    return cmocka_run_group_tests(tests, open_arenas, close_arenas);
}
