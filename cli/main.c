/* main.c: finds the command, runs it, prints its error: the only place that ends the program. */
#define _GNU_SOURCE
#include "cli/cmds.h"
#include "cli/help.h"
#include "cli/term.h"
#include "cli/version.h"
#include "core/cpu.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cmd *main_find(const char *name)
{
    for (int i = 0; i < cmds_count(); i++) {
        if (strcmp(cmds_at(i)->name, name) == 0) {
            return cmds_at(i);
        }
    }
    return NULL;
}

static bool main_unknown(const char *name, struct err *e)
{
    int best = INT_MAX, nearest = 0;
    for (int i = 0; i < cmds_count(); i++) {
        int distance = options_distance(name, cmds_at(i)->name);
        if (distance < best) {
            best = distance;
            nearest = i;
        }
    }
    err_set(e, ERR_USAGE, "unknown command %.80s", name);
    return options_near(best, name) ? err_hint(e, "did you mean %s?", cmds_at(nearest)->name)
                                    : err_hint(e, "hdnas --help lists the commands");
}

/* Every error ends in a hint: where the finder had none, where to look. */
static void main_print_error(const struct err *e, const char *cmd_name)
{
    bool colour = term_colour(stderr);
    fflush(stdout);
    fprintf(stderr, "%shdnas: error:%s %s\n", colour ? "\033[1;31m" : "", colour ? "\033[0m" : "",
            e->text);
    const char *hint = e->hint;
    char own[160];
    if (!hint[0]) {
        static const char *const by_code[] = {
            [ERR_NONE] = "hdnas %s --help explains the options",
            [ERR_FAILED] =
                "free space or memory, then try again; hdnas %s --help explains the options",
            [ERR_USAGE] = "hdnas %s --help explains the options",
            [ERR_INPUT] = "mend or replace that file; hdnas %s --help says what is expected",
            [ERR_INFEASIBLE] = "loosen the constraints; hdnas %s --help explains them",
            [ERR_INTERRUPTED] = "everything so far is on disk; hdnas %s --help says how to resume",
        };
        snprintf(own, sizeof own, by_code[e->code], cmd_name);
        hint = own;
    }
    fprintf(stderr, "  %shint:%s %s\n", colour ? "\033[36m" : "", colour ? "\033[0m" : "", hint);
}

/* Address space for a command's arena: --memory, else what the machine has. Untouched pages cost
 * nothing. */
static size_t main_memory_bytes(const struct options *o)
{
    for (int i = 0; i < o->n_specs; i++) {
        if (strcmp(o->specs[i].name, "memory") == 0 && options_int(o, "memory") > 0) {
            return (size_t)options_int(o, "memory") << 20;
        }
    }
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 && page_bytes > 0 ? (size_t)pages * (size_t)page_bytes : (size_t)4 << 30;
}

static bool main_flush(struct err *e)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return err_set(e, ERR_FAILED, "cannot write to standard output: %s", strerror(errno));
    }
    return true;
}

static bool main_run(const struct cmd *cmd, int argc, const char *const *argv, struct err *e)
{
    struct arena words = {0}, keep = {0};
    struct options o;
    bool help = false;
    /* Values and arguments are pointers: two per word, and one per option. */
    bool ok = arena_init(&words, ((size_t)argc + 64) * 256 + (size_t)cmd->n_options * 64, e) &&
              options_parse(&o, &words, cmd->options, cmd->n_options, argc, argv, &help, e);
    if (ok && help) {
        help_command(stdout, cmd);
    } else if (ok) {
        ok = arena_init(&keep, main_memory_bytes(&o), e) && cmd->run(&o, &keep, e);
    }
    arena_release(&keep);
    arena_release(&words);
    return ok && main_flush(e);
}

/* libgomp lets idle threads spin for milliseconds, which on a busy machine costs a hundred times
 * what it saves (a test of 1.2 s took 510 s). It reads its environment before main, so the only way
 * to tell it is to start over. Whoever has set either variable knows better. 2,000 turns are about
 * 20 microseconds: the gap between two layers. */
static void main_calm_threads(char **argv)
{
    if (cpu_count() > 1 && !getenv("OMP_WAIT_POLICY") && !getenv("GOMP_SPINCOUNT") &&
        setenv("GOMP_SPINCOUNT", "2000", 1) == 0) {
        execv("/proc/self/exe", argv); /* where that fails, we go on as we are */
    }
}

int main(int argc, char **argv)
{
    const char *const *words = (const char *const *)argv;
    struct err e = {0};
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error of the write, with its path */
    if (argc < 2) {
        help_program(stderr);
        return ERR_USAGE;
    }
    const char *name = argv[1];
    bool asks_help =
        strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;
    const struct cmd *cmd = main_find(asks_help && argc > 2 ? argv[2] : name);
    bool ok = true;
    if (asks_help && argc < 3) {
        help_program(stdout);
        ok = main_flush(&e);
    } else if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        printf("hdnas %s\n", version_text());
        ok = main_flush(&e);
    } else if (!cmd) {
        ok = main_unknown(asks_help ? argv[2] : name, &e);
    } else if (asks_help) {
        help_command(stdout, cmd);
        ok = main_flush(&e);
    } else {
        if (!cmd->light) {
            main_calm_threads(argv);
        }
        ok = main_run(cmd, argc - 2, words + 2, &e);
    }
    if (!ok) {
        main_print_error(&e, cmd ? cmd->name : "COMMAND");
        return (int)e.code;
    }
    return 0;
}
