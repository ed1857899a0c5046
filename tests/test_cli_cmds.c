/* The table of commands: every row is whole, every default is one the option itself would take,
 * help tells all. */
#define _GNU_SOURCE
#include "cli/cmds.h"
#include "cli/help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *help_of(const struct cmd *cmd)
{
    char *s = NULL;
    size_t n;
    FILE *f = open_memstream(&s, &n);
    assert_non_null(f);
    help_command(f, cmd);
    assert_int_equal(fclose(f), 0);
    return s;
}

static void rows_are_whole(void **state)
{
    (void)state;
    assert_true(cmds_count() > 0);
    for (int i = 0; i < cmds_count(); i++) {
        const struct cmd *c = cmds_at(i);
        assert_true(c->name && c->summary && c->usage && c->about && c->examples && c->run);
        assert_true(strlen(c->summary) <= 90);
        assert_int_equal(strncmp(c->usage, "hdnas ", 6), 0);
        assert_int_equal(strncmp(c->usage + 6, c->name, strlen(c->name)), 0);
        assert_non_null(strstr(c->examples, c->name));
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(c->name, cmds_at(k)->name);
        }
    }
}

static void options_are_whole(void **state)
{
    (void)state;
    for (int i = 0; i < cmds_count(); i++) {
        const struct cmd *c = cmds_at(i);
        for (int k = 0; k < c->n_options; k++) {
            const struct option_spec *s = &c->options[k];
            if (!s->name || !s->help || (s->type == OPTION_FLAG) != (s->value == NULL) ||
                (s->type == OPTION_FLAG && s->fallback)) {
                fail_msg("%s: option %d", c->name, k);
            }
            for (int j = 0; j < OPTIONS_N_EVERYWHERE; j++) {
                assert_string_not_equal(s->name, options_everywhere[j].name);
            }
            for (int j = 0; j < k; j++) {
                assert_string_not_equal(s->name, c->options[j].name);
            }
        }
    }
}

static void defaults_are_taken(void **state)
{
    (void)state;
    struct arena arena;
    struct err e = {0};
    assert_true(arena_init(&arena, 1 << 20, &e));
    for (int i = 0; i < cmds_count(); i++) {
        const struct cmd *c = cmds_at(i);
        for (int k = 0; k < c->n_options; k++) {
            const struct option_spec *s = &c->options[k];
            struct arena tmp = arena;
            struct options o;
            bool help;
            const char *word = s->fallback ? arena_printf(&tmp, "--%s=%s", s->name, s->fallback)
                                           : arena_printf(&tmp, "--%s", s->name);
            bool ok = (s->type != OPTION_FLAG && !s->fallback) ||
                      options_parse(&o, &tmp, c->options, c->n_options, 1, &word, &help, &e);
            if (!ok) {
                fail_msg("hdnas %s %s: %s", c->name, word, e.text);
            }
        }
    }
    arena_release(&arena);
}

static void help_tells_every_option(void **state)
{
    (void)state;
    for (int i = 0; i < cmds_count(); i++) {
        const struct cmd *c = cmds_at(i);
        char *help = help_of(c);
        for (int k = 0; k < c->n_options; k++) {
            char row[80];
            snprintf(row, sizeof row, "\n  --%s", c->options[k].name);
            if (!strstr(help, row)) {
                fail_msg("hdnas %s --help lacks %s", c->name, row);
            }
        }
        free(help);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_whole),
        cmocka_unit_test(options_are_whole),
        cmocka_unit_test(defaults_are_taken),
        cmocka_unit_test(help_tells_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
