#include "cli/help.h"

#include "cli/cmds.h"
#include "cli/term.h"
#include "cli/version.h"

#include <string.h>

/* Text is easiest to read at 50 to 90 letters a line. */
enum { HELP_MAX_WIDTH = 92, HELP_COLUMN = 24 };

static int help_width(FILE *f)
{
    return MAX(HELP_COLUMN + 24, MIN(term_width(f), HELP_MAX_WIDTH));
}

static void help_heading(FILE *f, const char *text)
{
    fprintf(f, term_colour(f) ? "\n\033[1m%s\033[0m\n" : "\n%s\n", text);
}

/* "  left          text", on two lines where left is long. */
static void help_row(FILE *f, const char *left, const char *text)
{
    int at = fprintf(f, "  %s", left);
    if (at > HELP_COLUMN - 2) {
        fputc('\n', f);
        at = 0;
    }
    fprintf(f, "%*s", HELP_COLUMN - at, "");
    term_fill(f, text, HELP_COLUMN, HELP_COLUMN, help_width(f));
}

static void help_codes(FILE *f)
{
    help_heading(f, "Exit codes");
    fprintf(f, "  ");
    term_fill(f,
              "0 done, 1 failed, 2 wrong usage, 3 bad input, 4 nothing feasible, 5 interrupted "
              "with everything so far "
              "on disk",
              2, 2, help_width(f));
}

static void help_option(FILE *f, const struct option_spec *s)
{
    char left[96], text[512], range[96] = "";
    snprintf(left, sizeof left, "--%s%s%s", s->name, s->value ? " " : "", s->value ? s->value : "");
    if (s->type != OPTION_TEXT && s->max > s->min && s->max < 1e9) {
        snprintf(range, sizeof range, "%s%g to %g", s->fallback ? "; " : "", s->min, s->max);
    }
    bool tail = s->fallback || range[0];
    snprintf(text, sizeof text, "%s%s%s%s%s%s", s->help, tail ? " [" : "",
             s->fallback ? "default " : "", s->fallback ? s->fallback : "", range, tail ? "]" : "");
    help_row(f, left, text);
}

static bool help_is_common(const struct option_spec *s)
{
    static const struct option_spec common[] = {OPTIONS_COMMON};
    for (size_t i = 0; i < N_ELEMS(common); i++) {
        if (strcmp(s->name, common[i].name) == 0) {
            return true;
        }
    }
    return false;
}

static void help_options(FILE *f, const struct cmd *cmd)
{
    int n_own = 0;
    for (int i = 0; i < cmd->n_options; i++) {
        n_own += !help_is_common(&cmd->options[i]);
    }
    if (n_own > 0) {
        help_heading(f, "Options");
    }
    for (int i = 0; i < cmd->n_options; i++) {
        if (!help_is_common(&cmd->options[i])) {
            help_option(f, &cmd->options[i]);
        }
    }
    help_heading(f, n_own > 0 ? "Common options" : "Options");
    for (int i = 0; i < cmd->n_options; i++) {
        if (help_is_common(&cmd->options[i])) {
            help_option(f, &cmd->options[i]);
        }
    }
    for (int i = 0; i < OPTIONS_N_EVERYWHERE; i++) {
        help_option(f, &options_everywhere[i]);
    }
}

static void help_examples(FILE *f, const char *examples)
{
    help_heading(f, "Examples");
    while (*examples) {
        int len = (int)strcspn(examples, "\n");
        fprintf(f, "  %.*s\n", len, examples);
        examples += len + (examples[len] == '\n');
    }
}

void help_command(FILE *f, const struct cmd *cmd)
{
    ASSERT(cmd->name && cmd->summary && cmd->usage && cmd->examples);
    int at = fprintf(f, "hdnas %s: ", cmd->name);
    term_fill(f, cmd->summary, at, 2, help_width(f));
    help_heading(f, "Usage");
    fprintf(f, "  %s\n", cmd->usage);
    if (cmd->about) {
        fputc('\n', f);
        term_fill(f, cmd->about, 0, 0, help_width(f));
    }
    help_options(f, cmd);
    help_examples(f, cmd->examples);
    help_codes(f);
}

void help_program(FILE *f)
{
    int at = fprintf(f, "hdnas %s: ", version_text());
    term_fill(f,
              "search for neural networks that are accurate, cheap on your hardware, and spread "
              "over its whole range "
              "of costs",
              at, 2, help_width(f));
    fprintf(f, "\n");
    term_fill(f,
              "A search trains each candidate for a few steps on a handful of images, compares its "
              "features with those "
              "of a trained reference network (a score that needs no full training), prices it on "
              "a device, and evolves "
              "the population towards the front of score, cost and cost diversity. It leaves a "
              "folder with the front as "
              "a table, a plot and a page to read.",
              0, 0, help_width(f));
    help_heading(f, "Usage");
    fprintf(f, "  hdnas COMMAND [options]      hdnas COMMAND --help tells more\n");
    help_heading(f, "Commands");
    for (int i = 0; i < cmds_count(); i++) {
        help_row(f, cmds_at(i)->name, cmds_at(i)->summary);
    }
    help_examples(
        f, "hdnas search --device local --out runs/first    # built-in images, cost measured here\n"
           "hdnas report runs/first                         # draw its page anew\n"
           "hdnas arch 13714                                # everything about one architecture\n"
           "hdnas info                                      # what this machine and build can do");
    help_codes(f);
    help_heading(f, "Environment");
    help_row(f, "NO_COLOR", "set: no colour on the terminal");
    help_row(f, "HDNAS_TABLES", "folder of cost tables, as --tables");
    help_row(f, "HDNAS_SHARE", "folder of the built-in data and reference network");
}
