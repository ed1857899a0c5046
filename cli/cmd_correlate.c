#define _GNU_SOURCE
#include "cli/archlist.h"
#include "cli/cmds.h"
#include "cli/compute.h"
#include "cli/correlate_values.h"
#include "cli/json.h"
#include "cli/signals.h"
#include "cli/table.h"
#include "nas/archmap.h"
#include "nas/lookup.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct option_spec correlate_options[] = {
    {"scores", OPTION_TEXT, "LIST", "naswot,synflow,params,flops",
     "scores, separated by commas (hdnas info lists them)", 0, 0},
    {"combine", OPTION_TEXT, "LIST", NULL,
     "combinations, separated by commas: a+b adds ranks, a*b their logarithms", 0, 0},
    {"smooth", OPTION_FLAG, NULL, NULL,
     "each column smoothed too: from all architectures, as hdnas search --smooth does", 0, 0},
    {"table", OPTION_TEXT, "LIST", NULL,
     "scores looked up (then only those that --scores names are computed): FILE:COLUMN, more "
     "separated by commas; :COLUMN is of the same file; called COLUMN in --combine",
     0, 0},
    {"truth", OPTION_TEXT, "LIST", NULL, "accuracies: FILE:COLUMN, a list as --table takes it", 0,
     0},
    {"sample", OPTION_INT, "N", "0", "draw N architectures instead of naming them", 0, 1e9},
    {"out", OPTION_TEXT, "DIR", NULL,
     "write scores.csv, correlations.csv and scatter plots; what is there already is not "
     "computed again",
     0, 0},
    {"as-given", OPTION_FLAG, NULL, NULL,
     "score each cell as written, not the canonical one of its isomorphism class", 0, 0},
    {"resamples", OPTION_INT, "N", "1000", "bootstrap samples behind the intervals", 0, 1e6},
    JUDGE_DATA_OPTIONS,
    JUDGE_BATCH_OPTIONS,
    OPTIONS_COMMON,
};

enum { MAX_COLUMNS = 64 };

struct task {
    const struct options *o;
    struct arena *keep;
    struct machine mc;
    struct correlate c;
    struct arch *archs;
    struct lookup *truths, *tables; /* [MAX_COLUMNS] behind c.truths and the first of c.scores */
    int n_tables;
    struct correlate_values values;
};

/* The next piece of a list; *list moves on. NULL at the end. */
static char *next_piece(const char **list, const char *separators, struct arena *keep)
{
    const char *p = *list;
    if (!p || !*p) {
        return NULL;
    }
    size_t n = strcspn(p, separators);
    *list = p[n] ? p + n + 1 : p + n;
    char *piece = arena_push(keep, n + 1, 1);
    memcpy(piece, p, n);
    piece[n] = 0;
    return piece;
}

static int column_find(const struct correlate *c, const char *name)
{
    for (int i = 0; i < c->n_scores; i++) {
        if (strcmp(c->scores[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

/* The columns that --OPTION names, in its order. */
static bool open_columns(struct task *t, const char *option, struct correlate_column **columns,
                         int *n, struct lookup **lookups, struct err *e)
{
    const char *list = options_text(t->o, option);
    char *spec, *file = NULL;
    *columns = arena_push_zero(t->keep, MAX_COLUMNS, sizeof **columns);
    *lookups = arena_push_zero(t->keep, MAX_COLUMNS, sizeof **lookups);
    while ((spec = next_piece(&list, ",", t->keep))) {
        char *path, *column;
        if (spec[0] == ':' && file) {
            path = file;
            column = spec + 1;
        } else {
            lookup_split(t->keep, spec, &path, &column);
        }
        file = path;
        if (!column || *n == MAX_COLUMNS) {
            return err_set(e, ERR_USAGE, "--%s %s: expected FILE:COLUMN", option, spec);
        }
        if (!lookup_open(&(*lookups)[*n], t->keep, t->c.space, path, column, e)) {
            return false;
        }
        (*columns)[(*n)++] = (struct correlate_column){.name = column, .seconds = NAN};
    }
    return true;
}

static bool read_tables(struct task *t, struct err *e)
{
    struct correlate *c = &t->c;
    if (!open_columns(t, "table", &c->scores, &c->n_scores, &t->tables, e)) {
        return false;
    }
    t->n_tables = c->n_scores;
    for (int i = 0; i < t->n_tables; i++) {
        if (column_find(c, c->scores[i].name) != i) {
            return err_set(e, ERR_USAGE, "--table: two columns are called %s", c->scores[i].name);
        }
    }
    return true;
}

static bool read_truths(struct task *t, struct err *e)
{
    struct correlate *c = &t->c;
    if (!options_text(t->o, "truth")) {
        err_set(e, ERR_USAGE, "nothing to compare the scores with");
        return err_hint(e, "--truth FILE:COLUMN names a table with an index or arch column");
    }
    return open_columns(t, "truth", &c->truths, &c->n_truths, &t->truths, e);
}

/* Every score that is asked for and not in a table, alone or in a combination, once. */
static bool read_scores(struct task *t, struct err *e)
{
    struct correlate *c = &t->c;
    bool wanted = t->n_tables == 0 || options_given(t->o, "scores");
    const char *lists[] = {wanted ? options_text(t->o, "scores") : NULL,
                           options_text(t->o, "combine")};
    for (size_t i = 0; i < N_ELEMS(lists); i++) {
        char *name;
        while ((name = next_piece(&lists[i], ",+*", t->keep))) {
            const struct score *score;
            if (column_find(c, name) >= 0) {
                continue;
            }
            if (!score_find(&score, name, e)) {
                return false;
            }
            if (c->n_scores == MAX_COLUMNS) {
                return err_set(e, ERR_USAGE, "more than %d scores", (int)MAX_COLUMNS);
            }
            c->scores[c->n_scores++] = (struct correlate_column){.name = score->name};
        }
    }
    return c->n_scores > 0 || err_set(e, ERR_USAGE, "--scores: names no score");
}

/* N different architectures that a truth knows, drawn one by one. */
static bool draw_sample(struct task *t, struct err *e)
{
    struct correlate *c = &t->c;
    int n = (int)options_int(t->o, "sample");
    uint64_t seed = (uint64_t)options_int(t->o, "seed");
    struct archmap seen;
    archmap_init(&seen, t->keep);
    t->archs = arena_push(t->keep, (size_t)n, sizeof *t->archs);
    /* Of a table that knows few, most draws are in vain; this many are never needed. */
    uint64_t max_draws = 1000000 + 1000 * (uint64_t)n;
    for (uint64_t d = 0; c->n < n && d < max_draws; d++) {
        struct rng r = rng_key(seed, RNG_ARCH, d);
        struct arch a;
        space_random(c->space, &a, &r);
        bool known = false;
        for (int k = 0; k < c->n_truths; k++) {
            known = known || !isnan(lookup_get(&t->truths[k], &a));
        }
        if (known && !archmap_get(&seen, &a)) {
            archmap_set(&seen, &a, 0);
            t->archs[c->n++] = a;
        }
    }
    return c->n == n ||
           err_set(e, ERR_INPUT, "--sample %d: the tables know only about %d", n, c->n);
}

/* by_class: an architecture that the table does not name has the value of its canonical one. */
static void look_up(const struct task *t, struct correlate_column *column, const struct lookup *l,
                    bool by_class)
{
    column->value = arena_push(t->keep, (size_t)t->c.n, sizeof *column->value);
    for (int i = 0; i < t->c.n; i++) {
        struct arch a = t->c.archs[i];
        column->value[i] = lookup_get(l, &a);
        if (by_class && isnan(column->value[i])) {
            t->c.space->canonical(&t->c.archs[i], &a);
            column->value[i] = lookup_get(l, &a);
        }
    }
}

static bool read_archs(struct task *t, struct err *e)
{
    struct correlate *c = &t->c;
    if (options_int(t->o, "sample") > 0
            ? !draw_sample(t, e)
            : !archlist_read(&t->archs, &c->n, t->keep, c->space, t->o, e)) {
        return false;
    }
    c->archs = t->archs;
    for (int k = 0; k < c->n_truths; k++) {
        look_up(t, &c->truths[k], &t->truths[k], false);
    }
    for (int s = 0; s < t->n_tables; s++) {
        look_up(t, &c->scores[s], &t->tables[s], !options_flag(t->o, "as-given"));
    }
    return true;
}

static bool combine(struct task *t, struct err *e)
{
    const char *list = options_text(t->o, "combine");
    char *spec;
    while ((spec = next_piece(&list, ",", t->keep))) {
        const struct correlate_column *parts[MAX_COLUMNS];
        const char *rest = spec;
        char *name;
        int n = 0;
        bool product = strchr(spec, '*') != NULL;
        if ((product && strchr(spec, '+')) || t->c.n_scores == MAX_COLUMNS) {
            return err_set(e, ERR_USAGE, "--combine %s: either + or *, not both", spec);
        }
        while (n < MAX_COLUMNS && (name = next_piece(&rest, "+*", t->keep))) {
            parts[n++] = &t->c.scores[column_find(&t->c, name)];
        }
        struct correlate_column *out = &t->c.scores[t->c.n_scores++];
        out->name = spec;
        correlate_combine(out, t->keep, parts, n, t->c.n, product);
    }
    return true;
}

/* Beside each column one of what its connected architectures say of each other. */
static bool add_smooth(struct task *t, struct err *e)
{
    struct correlate *c = &t->c;
    int n_columns = c->n_scores;
    if (!options_flag(t->o, "smooth")) {
        return true;
    }
    if (2 * n_columns > MAX_COLUMNS) {
        return err_set(e, ERR_USAGE, "--smooth: more than %d columns", (int)MAX_COLUMNS / 2);
    }
    for (int s = 0; s < n_columns; s++) {
        const char *name = arena_printf(t->keep, "smooth(%s)", c->scores[s].name);
        if (!correlate_smooth(&c->scores[c->n_scores++], t->keep, c, s, name, e)) {
            return false;
        }
    }
    return true;
}

static void print_rows(const struct task *t, const struct correlate_row *rows, int n)
{
    static const char *const heads[] = {"score", "truth", "n",        "tau",
                                        "95 %",  "rho",   "rho 95 %", "s/arch"};
    struct table table;
    struct json json;
    table_init(&table, t->keep, heads, (int)N_ELEMS(heads));
    json_init(&json, t->keep);
    json_array(&json, NULL);
    for (int i = 0; i < n; i++) {
        const struct correlate_row *r = &rows[i];
        json_object(&json, NULL);
        json_text(&json, "score", r->score->name);
        json_text(&json, "truth", r->truth->name);
        json_int(&json, "n", r->n);
        json_real(&json, "tau", r->tau);
        json_real(&json, "tau_low", r->tau_low);
        json_real(&json, "tau_high", r->tau_high);
        json_real(&json, "rho", r->rho);
        json_real(&json, "rho_low", r->rho_low);
        json_real(&json, "rho_high", r->rho_high);
        json_real(&json, "seconds", r->score->seconds);
        json_end(&json);
        table_add(&table, r->score->name);
        table_add(&table, r->truth->name);
        table_printf(&table, "%d", r->n);
        table_printf(&table, "%.3f", r->tau);
        table_printf(&table, "%.3f to %.3f", r->tau_low, r->tau_high);
        table_printf(&table, "%.3f", r->rho);
        table_printf(&table, "%.3f to %.3f", r->rho_low, r->rho_high);
        table_printf(&table, isnan(r->score->seconds) ? "-" : "%.3f", r->score->seconds);
    }
    json_end(&json);
    if (t->o->json) {
        json_print(&json, stdout);
    } else {
        table_print(&table, stdout);
    }
}

static bool report(struct task *t, struct err *e)
{
    const struct correlate *c = &t->c;
    struct correlate_row *rows =
        arena_push(t->keep, (size_t)(c->n_scores * c->n_truths) + 1, sizeof *rows);
    int n = 0;
    for (int k = 0; k < c->n_truths; k++) {
        for (int s = 0; s < c->n_scores; s++) {
            correlate_measure(&rows[n++], c, s, k, (int)options_int(t->o, "resamples"),
                              (uint64_t)options_int(t->o, "seed"), *t->keep);
        }
    }
    print_rows(t, rows, n);
    const char *dir = options_text(t->o, "out");
    return !dir || correlate_write(c, rows, n, dir, *t->keep, e);
}

static bool compute(struct task *t, struct err *e)
{
    signals_install();
    int n_scores = t->c.n_scores;
    for (int s = t->n_tables; s < n_scores; s++) {
        if (!correlate_values_score(&t->values, &t->c.scores[s], e)) {
            return false;
        }
    }
    return true;
}

static bool correlate_run(const struct options *o, struct arena *keep, struct err *e)
{
    struct task *t = arena_push_zero(keep, 1, sizeof *t);
    t->o = o;
    t->keep = keep;
    t->values.log.fd = -1;
    bool ok =
        compute_open(&t->mc, o, keep, e) && space_find(&t->c.space, options_text(o, "space"), e) &&
        read_tables(t, e) && read_scores(t, e) && read_truths(t, e) && read_archs(t, e) &&
        correlate_values_open(&t->values, o, keep, &t->mc, t->c.space, t->c.archs, t->c.n, e) &&
        compute(t, e) && combine(t, e) && add_smooth(t, e) && report(t, e);
    correlate_values_close(&t->values);
    return ok;
}

const struct cmd cmd_correlate = {
    .name = "correlate",
    .summary = "how well scores order architectures whose accuracy is known",
    .usage = "hdnas correlate --truth FILE:COLUMN [options] ARCH...",
    .about =
        "Computes scores of architectures (named, one a line on standard input, or --sample N) and "
        "prints Kendall's tau-b and Spearman's rho with the accuracies of a table, with 95 % "
        "bootstrap intervals, and the seconds one architecture takes. Isomorphic architectures "
        "share a score; those whose output does not depend on the input, and those a score has no "
        "number for, rank last. With --out the values are kept as they come, and the same command "
        "goes on after an interruption.",
    .examples = "hdnas correlate --truth nasbench201.csv:c10_test200 --sample 300\n"
                "hdnas correlate --truth acc.csv:test --scores rmi,naswot --combine rmi+naswot "
                "--sample 100\n"
                "hdnas correlate --table folder/scores.csv:swap,:rmi --combine 'swap*rmi' --truth "
                "acc.csv:test --sample 100\n"
                "seq 0 99 | hdnas correlate --truth acc.csv:test,:val --out folder --json",
    .options = correlate_options,
    .n_options = (int)N_ELEMS(correlate_options),
    .run = correlate_run,
};
