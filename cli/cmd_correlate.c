#define _GNU_SOURCE
#include "cli/archlist.h"
#include "cli/cmds.h"
#include "cli/compute.h"
#include "cli/correlate.h"
#include "cli/json.h"
#include "cli/judge.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/table.h"
#include "core/clock.h"
#include "core/csv.h"
#include "core/file.h"
#include "core/threads.h"
#include "nas/archmap.h"
#include "nas/lookup.h"
#include "core/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_spec correlate_options[] = {
    {"scores", OPTION_TEXT, "LIST", "naswot,synflow,params,flops",
     "scores, separated by commas (hdnas info lists them)", 0, 0},
    {"combine", OPTION_TEXT, "LIST", NULL,
     "combinations, separated by commas: a+b adds ranks, a*b their logarithms", 0, 0},
    {"truth", OPTION_TEXT, "LIST", NULL,
     "FILE:COLUMN, more separated by commas; :COLUMN is of the same file", 0, 0},
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

enum { MAX_COLUMNS = 64, MAX_WORKERS = 256 };

struct task {
    const struct options *o;
    struct arena *keep;
    struct machine mc;
    struct correlate c;
    struct arch *archs;
    struct judge judge;   /* of the score at work */
    struct arch *classes; /* [n_classes] canonical, each once */
    int n_classes;
    struct archmap known; /* values of the score at work */
    double seconds;       /* of the score at work, all its evaluations */
    int n_timed;          /* how many they were */
    int *todo;            /* [n_todo] into classes */
    int n_todo;
    double *value, *took; /* [n_todo] */
    struct err *errors;   /* [n_todo] */
    struct file_log log;  /* values.csv; fd -1 without --out */
    struct err log_err;
    struct progress progress;
    struct arena workers[MAX_WORKERS];
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

/* The architecture whose score counts for a. */
static void class_of(const struct task *t, const struct arch *a, struct arch *out)
{
    *out = *a;
    if (!options_flag(t->o, "as-given")) {
        t->c.space->canonical(a, out);
    }
}

/* Every score that is asked for, alone or in a combination, once. */
static bool read_scores(struct task *t, struct err *e)
{
    struct correlate *c = &t->c;
    const char *lists[] = {options_text(t->o, "scores"), options_text(t->o, "combine")};
    c->scores = arena_push_zero(t->keep, MAX_COLUMNS, sizeof *c->scores);
    for (size_t i = 0; i < N_ELEMS(lists); i++) {
        char *name;
        while ((name = next_piece(&lists[i], ",+*", t->keep))) {
            const struct score *score;
            if (!score_find(&score, name, e)) {
                return false;
            }
            if (c->n_scores == MAX_COLUMNS) {
                return err_set(e, ERR_USAGE, "more than %d scores", (int)MAX_COLUMNS);
            }
            if (column_find(c, name) < 0) {
                c->scores[c->n_scores++] = (struct correlate_column){.name = score->name};
            }
        }
    }
    return c->n_scores > 0 || err_set(e, ERR_USAGE, "--scores: names no score");
}

static bool read_truths(struct task *t, struct lookup *lookups, struct err *e)
{
    struct correlate *c = &t->c;
    const char *list = options_text(t->o, "truth");
    char *spec, *file = NULL;
    c->truths = arena_push_zero(t->keep, MAX_COLUMNS, sizeof *c->truths);
    if (!list) {
        err_set(e, ERR_USAGE, "nothing to compare the scores with");
        return err_hint(e, "--truth FILE:COLUMN names a table with an index or arch column");
    }
    while ((spec = next_piece(&list, ",", t->keep))) {
        char *path, *column;
        if (spec[0] == ':' && file) {
            path = file;
            column = spec + 1;
        } else {
            lookup_split(t->keep, spec, &path, &column);
        }
        file = path;
        if (!column || c->n_truths == MAX_COLUMNS) {
            return err_set(e, ERR_USAGE, "--truth %s: expected FILE:COLUMN", spec);
        }
        if (!lookup_open(&lookups[c->n_truths], t->keep, c->space, path, column, e)) {
            return false;
        }
        c->truths[c->n_truths++] = (struct correlate_column){.name = column, .seconds = NAN};
    }
    return true;
}

/* N different architectures that a truth knows, drawn one by one. */
static bool draw_sample(struct task *t, const struct lookup *lookups, struct err *e)
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
            known = known || !isnan(lookup_get(&lookups[k], &a));
        }
        if (known && !archmap_get(&seen, &a)) {
            archmap_set(&seen, &a, 0);
            t->archs[c->n++] = a;
        }
    }
    return c->n == n ||
           err_set(e, ERR_INPUT, "--sample %d: the tables know only about %d", n, c->n);
}

static bool read_archs(struct task *t, struct err *e)
{
    struct correlate *c = &t->c;
    struct lookup *lookups = arena_push_zero(t->keep, MAX_COLUMNS, sizeof *lookups);
    if (!read_truths(t, lookups, e) ||
        !(options_int(t->o, "sample") > 0
              ? draw_sample(t, lookups, e)
              : archlist_read(&t->archs, &c->n, t->keep, c->space, t->o, e))) {
        return false;
    }
    c->archs = t->archs;
    for (int k = 0; k < c->n_truths; k++) {
        c->truths[k].value = arena_push(t->keep, (size_t)c->n, sizeof(double));
        for (int i = 0; i < c->n; i++) {
            c->truths[k].value[i] = lookup_get(&lookups[k], &c->archs[i]);
        }
    }
    struct archmap met;
    archmap_init(&met, t->keep);
    t->classes = arena_push(t->keep, (size_t)c->n, sizeof *t->classes);
    for (int i = 0; i < c->n; i++) {
        struct arch a;
        class_of(t, &c->archs[i], &a);
        if (!archmap_get(&met, &a) && c->space->connected(&a)) {
            archmap_set(&met, &a, 0);
            t->classes[t->n_classes++] = a;
        }
    }
    return true;
}

/* What values in a folder depend on besides score and architecture. */
static char *settings(const struct task *t)
{
    static const char *const names[] = {"data", "limit", "reference",    "space", "batch-size",
                                        "draw", "batch", "steps",        "lr",    "momentum",
                                        "beta", "taps",  "weight-decay", "seed"};
    char *s = arena_printf(t->keep, "tier %d\nas-given %d\n", (int)t->mc.tier,
                           options_flag(t->o, "as-given"));
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        bool number = strcmp(names[i], "seed") == 0 || strcmp(names[i], "limit") == 0 ||
                      strcmp(names[i], "batch-size") == 0 || strcmp(names[i], "draw") == 0;
        const char *text = NULL;
        if (number) {
            text = arena_printf(t->keep, "%lld", (long long)options_int(t->o, names[i]));
        } else if (options_given(t->o, names[i])) {
            for (int k = 0; k < t->o->n_specs; k++) {
                text = strcmp(t->o->specs[k].name, names[i]) == 0 ? t->o->values[k] : text;
            }
        }
        s = arena_printf(t->keep, "%s%s %s\n", s, names[i], text ? text : "-");
    }
    if (t->mc.bf16) {
        s = arena_printf(t->keep, "%sprecision bf16\n", s);
    }
    if (t->mc.choice) {
        s = arena_printf(t->keep, "%stuned %s\n", s, compute_tune_sha256(&t->mc));
    }
    if (options_given(t->o, "calibration")) {
        s = arena_printf(t->keep, "%scalibration %lld\n", s,
                         (long long)options_int(t->o, "calibration"));
    }
    if (options_given(t->o, "score-seed")) {
        s = arena_printf(t->keep, "%sscore-seed %lld\n", s,
                         (long long)options_int(t->o, "score-seed"));
    }
    return s;
}

/* A last line that a crash has cut is taken off, so that the next one begins on its own. */
static bool mend_log(struct task *t, const char *path, struct err *e)
{
    unsigned char *bytes;
    size_t n;
    struct arena tmp = *t->keep;
    if (!file_read(&tmp, path, (size_t)256 << 20, &bytes, &n, e)) {
        return false;
    }
    size_t whole = n;
    while (whole > 0 && bytes[whole - 1] != '\n') {
        whole--;
    }
    return whole == n || file_write(path, bytes, whole, e);
}

static bool open_folder(struct task *t, struct err *e)
{
    const char *dir = options_text(t->o, "out");
    unsigned char *bytes;
    size_t n;
    if (!dir) {
        return true;
    }
    char *path = arena_printf(t->keep, "%s/settings.txt", dir), *now = settings(t);
    if (!file_mkdirs(dir, e)) {
        return false;
    }
    if (!file_exists(path)) {
        if (!file_write(path, now, strlen(now), e)) {
            return false;
        }
    } else if (!file_read(t->keep, path, 1 << 20, &bytes, &n, e)) {
        return false;
    } else if (strcmp((char *)bytes, now) != 0) {
        err_set(e, ERR_USAGE, "%s holds scores made with other settings", dir);
        return err_hint(e, "another --out, or the options in %s/settings.txt", dir);
    }
    char *log = arena_printf(t->keep, "%s/values.csv", dir);
    bool fresh = !file_exists(log);
    return (fresh || mend_log(t, log, e)) && file_log_open(&t->log, log, false, e) &&
           (!fresh || file_log_write(&t->log, "score,arch,value,seconds\n", 25, e));
}

/* Values of the score at work that an earlier run has written. */
static bool recall(struct task *t, struct err *e)
{
    struct csv csv;
    struct arena *keep = t->keep;
    archmap_init(&t->known, keep);
    t->seconds = 0;
    t->n_timed = 0;
    if (t->log.fd < 0) {
        return true;
    }
    if (!csv_read_log(&csv, keep, t->log.path, e)) {
        return false;
    }
    if (csv.n_cols != 4) {
        return err_set(e, ERR_INPUT, "%s: expected 4 columns, found %d", t->log.path, csv.n_cols);
    }
    for (size_t row = 0; row < csv.n_rows; row++) {
        struct arch a;
        if (strcmp(csv_cell(&csv, row, 0), t->judge.score->name) != 0) {
            continue;
        }
        if (!t->c.space->parse(&a, csv_cell(&csv, row, 1), e)) {
            return err_wrap(e, "%s: line %zu", t->log.path, row + 2);
        }
        const char *value = csv_cell(&csv, row, 2);
        archmap_set(&t->known, &a, value[0] ? strtod(value, NULL) : NAN);
        t->seconds += strtod(csv_cell(&csv, row, 3), NULL);
        t->n_timed++;
    }
    return true;
}

static bool task_work(void *ctx, int i, int worker)
{
    struct task *t = ctx;
    struct arena tmp = t->workers[worker];
    struct machine mc = machine_serial(&t->mc);
    struct model_spec spec = t->judge.model;
    struct graph *graph;
    double start = clock_now_s();
    if (signals_pending()) {
        return false;
    }
    t->c.space->model(&t->classes[t->todo[i]], &spec);
    if (!model_build(&graph, &tmp, &spec, &t->errors[i])) {
        return false;
    }
    size_t want = t->judge.score->plan_bytes(&mc, graph, &t->judge.batch);
    if (want > tmp.cap - tmp.used) {
        err_set(&t->errors[i], ERR_FAILED, "%s needs %zu MiB a worker, %zu are allowed",
                t->judge.score->name, want >> 20, (tmp.cap - tmp.used) >> 20);
        return err_hint(&t->errors[i], "raise --memory, or lower --batch-size or --threads");
    }
    struct score_job job = {
        .mc = &mc,
        .graph = graph,
        .batch = &t->judge.batch,
        .options = &t->judge.score_options,
        .tmp = tmp,
    };
    bool ok = t->judge.score->run(&job, &t->value[i], &t->errors[i]);
    t->took[i] = clock_now_s() - start;
    return ok;
}

static void task_done(void *ctx, int i)
{
    struct task *t = ctx;
    const struct arch *a = &t->classes[t->todo[i]];
    char arch[SPACE_TEXT_LEN], number[32], line[SPACE_TEXT_LEN + 128];
    archmap_set(&t->known, a, t->value[i]);
    t->seconds += t->took[i];
    t->n_timed++;
    progress_show(&t->progress, i + 1, t->judge.score->name);
    if (t->log.fd >= 0 && t->log_err.code == ERR_NONE) {
        t->c.space->format(a, arch);
        number_format(number, t->value[i]);
        int n = snprintf(line, sizeof line, "%s,%s,%s,%.4f\n", t->judge.score->name, arch, number,
                         t->took[i]);
        if (!file_log_write(&t->log, line, (size_t)n, &t->log_err)) {
            return;
        }
    }
}

/* One score on all architectures: recall, compute what is missing, spread over isomorphic ones. */
static bool score_all(struct task *t, struct correlate_column *column, struct err *e)
{
    size_t room = (size_t)t->n_classes + 1;
    if (!judge_open_score(&t->judge, t->o, column->name, t->keep, &t->mc, e) || !recall(t, e)) {
        return false;
    }
    t->todo = arena_push(t->keep, room, sizeof *t->todo);
    t->value = arena_push(t->keep, room, sizeof *t->value);
    t->took = arena_push_zero(t->keep, room, sizeof *t->took);
    t->errors = arena_push_zero(t->keep, room, sizeof *t->errors);
    t->n_todo = 0;
    for (int i = 0; i < t->n_classes; i++) {
        if (!archmap_get(&t->known, &t->classes[i])) {
            t->todo[t->n_todo++] = i;
        }
    }
    progress_open(&t->progress, "correlate", "architectures", 0, t->n_todo, t->o->quiet);
    int n_done = threads_ordered(&t->mc, t->n_todo, task_work, task_done, t);
    progress_close(&t->progress);
    if (t->log_err.code != ERR_NONE) {
        *e = t->log_err;
        return false;
    }
    if (n_done < t->n_todo) {
        *e = t->errors[n_done];
        return e->code != ERR_NONE
                   ? false
                   : err_set(e, ERR_INTERRUPTED, "stopped after %d of %d values of %s%s", n_done,
                             t->n_todo, column->name,
                             t->log.fd >= 0 ? "; the same command goes on from there" : "");
    }
    column->value = arena_push(t->keep, (size_t)t->c.n, sizeof *column->value);
    column->seconds = t->n_timed ? t->seconds / t->n_timed : NAN;
    for (int i = 0; i < t->c.n; i++) {
        struct arch a;
        class_of(t, &t->c.archs[i], &a);
        double *v = archmap_get(&t->known, &a);
        column->value[i] = v ? *v : NAN; /* none: the output does not depend on the input */
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
        table_printf(&table, "%.3f", r->score->seconds);
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
    t->mc.n_threads = MIN(t->mc.n_threads, MAX_WORKERS);
    for (int i = 0; i < t->mc.n_threads; i++) {
        if (!arena_init(&t->workers[i], judge_worker_bytes(t->o, t->mc.n_threads), e)) {
            return false;
        }
    }
    signals_install();
    int n_scores = t->c.n_scores;
    for (int s = 0; s < n_scores; s++) {
        if (!score_all(t, &t->c.scores[s], e)) {
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
    t->log.fd = -1;
    bool ok = compute_open(&t->mc, o, keep, e) &&
              space_find(&t->c.space, options_text(o, "space"), e) && read_scores(t, e) &&
              read_archs(t, e) && open_folder(t, e) && compute(t, e) && combine(t, e) &&
              report(t, e);
    file_log_close(&t->log);
    for (int i = 0; i < MAX_WORKERS; i++) {
        arena_release(&t->workers[i]);
    }
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
                "seq 0 99 | hdnas correlate --truth acc.csv:test,:val --out folder --json",
    .options = correlate_options,
    .n_options = (int)N_ELEMS(correlate_options),
    .run = correlate_run,
};
