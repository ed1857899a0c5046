/* Command lines against a table of options: values, defaults, ranges, and what is said of mistakes.
 */
#include "cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct option_spec specs[] = {
    {"population", OPTION_INT, "N", "20", "individuals", 1, 1000},
    {"rate", OPTION_REAL, "P", "0.5", "probability", 0, 1},
    {"shift", OPTION_REAL, "X", "0", "any number", 0, 0},
    {"out", OPTION_TEXT, "DIR", NULL, "folder", 0, 0},
    {"keep", OPTION_FLAG, NULL, NULL, "keep all", 0, 0},
    OPTIONS_COMMON,
};

struct parsed {
    struct arena arena;
    struct options o;
    struct err e;
    bool help, ok;
};

/* words: up to the first NULL. */
static struct parsed parse(const char *const *words)
{
    struct parsed p = {.e = {0}};
    int argc = 0;
    while (words[argc]) {
        argc++;
    }
    assert_true(arena_init(&p.arena, 1 << 20, &p.e));
    p.ok = options_parse(&p.o, &p.arena, specs, (int)N_ELEMS(specs), argc, words, &p.help, &p.e);
    return p;
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void values_are_read(void **state)
{
    (void)state;
    struct parsed p = PARSE("a", "--population", "7", "--rate=0.25", "--keep", "-", "--out", "x y",
                            "--json", "--", "--keep", "-b");
    assert_true(p.ok);
    assert_int_equal(options_int(&p.o, "population"), 7);
    assert_true(options_real(&p.o, "rate") == 0.25);
    assert_true(options_flag(&p.o, "keep"));
    assert_string_equal(options_text(&p.o, "out"), "x y");
    assert_true(p.o.json);
    assert_false(p.o.quiet);
    assert_int_equal(p.o.n_args, 4);
    assert_string_equal(p.o.args[0], "a");
    assert_string_equal(p.o.args[1], "-");
    assert_string_equal(p.o.args[2], "--keep");
    assert_string_equal(p.o.args[3], "-b");
    arena_release(&p.arena);
}

static void defaults_hold(void **state)
{
    (void)state;
    struct parsed p = parse((const char *const[]){NULL});
    assert_true(p.ok);
    assert_int_equal(options_int(&p.o, "population"), 20);
    assert_true(options_real(&p.o, "rate") == 0.5);
    assert_false(options_flag(&p.o, "keep"));
    assert_null(options_text(&p.o, "out"));
    assert_string_equal(options_text(&p.o, "cpu"), "auto");
    assert_false(options_given(&p.o, "seed"));
    assert_int_equal(p.o.n_args, 0);
    arena_release(&p.arena);
}

static void the_last_one_counts(void **state)
{
    (void)state;
    struct parsed p = PARSE("--seed", "1", "--seed=9000000000000000", "--shift", "-2.5e3");
    assert_true(p.ok);
    assert_true(options_int(&p.o, "seed") == 9000000000000000);
    assert_true(options_real(&p.o, "shift") == -2500);
    assert_true(options_given(&p.o, "seed"));
    arena_release(&p.arena);
}

static void help_goes_before_mistakes(void **state)
{
    (void)state;
    struct parsed p = PARSE("--no-such-thing", "-h");
    assert_true(p.ok && p.help);
    arena_release(&p.arena);
    p = PARSE("--", "--help");
    assert_true(p.ok && !p.help);
    arena_release(&p.arena);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *words[3];
        const char *text, *hint; /* must be in there; NULL = anything */
    } cases[] = {
        {{"--poplation", "3"}, "--poplation", "--population"},
        {{"--popul=3"}, "--popul=3", "--population"},
        {{"--jsno"}, "unknown option --jsno", "--json"},
        {{"--zzzzzz"}, "unknown option --zzzzzz", NULL},
        {{"-p"}, "unknown option -p", NULL},
        {{"--population", "0"}, "from 1 to 1000", "20"},
        {{"--population", "1001"}, "from 1 to 1000", "20"},
        {{"--population", "1.5"}, "whole number", NULL},
        {{"--population", "99999999999999999999"}, "whole number", NULL},
        {{"--population="}, "whole number", NULL},
        {{"--population", "seven"}, "seven", NULL},
        {{"--rate", "nan"}, "from 0 to 1", NULL},
        {{"--rate", "0.5x"}, "0.5x", NULL},
        {{"--shift", "1e999"}, "expected a number", NULL},
        {{"--out"}, "--out needs a value", "folder"},
        {{"--out", "--keep"}, "--out needs a value", NULL},
        {{"--keep=yes"}, "takes no value", NULL},
        {{"--json=1"}, "takes no value", NULL},
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        struct parsed p = parse(cases[i].words);
        if (p.ok || p.e.code != ERR_USAGE || !strstr(p.e.text, cases[i].text) ||
            (cases[i].hint && !strstr(p.e.hint, cases[i].hint))) {
            fail_msg("%s: %s / %s", cases[i].words[0], p.e.text, p.e.hint);
        }
        arena_release(&p.arena);
    }
}

/* Far words are not suggested. */
static void nonsense_suggests_nothing(void **state)
{
    (void)state;
    struct parsed p = PARSE("--zzzzzz");
    assert_string_equal(p.e.hint, "");
    arena_release(&p.arena);
}

static void distance_counts_edits(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int distance;
    } cases[] = {{"", "", 0},         {"abc", "", 3},           {"search", "serach", 1},
                 {"cost", "cast", 1}, {"kitten", "sitting", 3}, {"eval", "evaluate", 4}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        assert_int_equal(options_distance(cases[i].a, cases[i].b), cases[i].distance);
        assert_int_equal(options_distance(cases[i].b, cases[i].a), cases[i].distance);
    }
    assert_true(options_near(1, "cost"));
    assert_false(options_near(3, "cost"));
}

static void a_long_word_is_no_crash(void **state)
{
    (void)state;
    char word[5000];
    memset(word, 'x', sizeof word - 1);
    word[0] = word[1] = '-';
    word[sizeof word - 1] = 0;
    struct parsed p = PARSE(word);
    assert_false(p.ok);
    assert_true(strlen(p.e.text) < 120);
    arena_release(&p.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read),       cmocka_unit_test(defaults_hold),
        cmocka_unit_test(the_last_one_counts),   cmocka_unit_test(help_goes_before_mistakes),
        cmocka_unit_test(mistakes_are_named),    cmocka_unit_test(nonsense_suggests_nothing),
        cmocka_unit_test(distance_counts_edits), cmocka_unit_test(a_long_word_is_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
