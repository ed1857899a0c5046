#define _GNU_SOURCE
#include "cli/correlate_values.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/compute.h"
#include "cli/signals.h"
#include "core/clock.h"
#include "core/csv.h"
#include "core/number.h"
#include "core/threads.h"

/* The architecture whose score counts for a. */
static void class_of(const struct correlate_values *v, const struct arch *a, struct arch *out)
{
    *out = *a;
    if (!options_flag(v->o, "as-given")) {
        v->space->canonical(a, out);
    }
}

/* What values in a folder depend on besides score and architecture. */
static char *settings(const struct correlate_values *v)
{
    static const char *const names[] = {"data", "limit", "reference",    "space", "batch-size",
                                        "draw", "batch", "steps",        "lr",    "momentum",
                                        "beta", "taps",  "weight-decay", "seed"};
    static const char *const numbers[] = {"calibration", "score-seed", "cells", "channels",
                                          "image-size"};
    char *s = arena_printf(v->keep, "tier %d\nas-given %d\n", (int)v->mc.tier,
                           options_flag(v->o, "as-given"));
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        bool number = strcmp(names[i], "seed") == 0 || strcmp(names[i], "limit") == 0 ||
                      strcmp(names[i], "draw") == 0;
        const char *text = NULL;
        if (number) {
            text = arena_printf(v->keep, "%lld", (long long)options_int(v->o, names[i]));
        } else if (options_given(v->o, names[i])) {
            for (int k = 0; k < v->o->n_specs; k++) {
                text = strcmp(v->o->specs[k].name, names[i]) == 0 ? v->o->values[k] : text;
            }
        }
        s = arena_printf(v->keep, "%s%s %s\n", s, names[i], text ? text : "-");
    }
    if (v->mc.bf16) {
        s = arena_printf(v->keep, "%sprecision bf16\n", s);
    }
    if (v->mc.choice) {
        s = arena_printf(v->keep, "%stuned %s\n", s, compute_tune_sha256(&v->mc));
    }
    for (size_t i = 0; i < N_ELEMS(numbers); i++) {
        if (options_given(v->o, numbers[i])) {
            s = arena_printf(v->keep, "%s%s %lld\n", s, numbers[i],
                             (long long)options_int(v->o, numbers[i]));
        }
    }
    return s;
}

/* A last line that a crash has cut is taken off, so that the next one begins on its own. */
static bool mend_log(struct correlate_values *v, const char *path, struct err *e)
{
    unsigned char *bytes;
    size_t n;
    struct arena tmp = *v->keep;
    if (!file_read(&tmp, path, (size_t)256 << 20, &bytes, &n, e)) {
        return false;
    }
    size_t whole = n;
    while (whole > 0 && bytes[whole - 1] != '\n') {
        whole--;
    }
    return whole == n || file_write(path, bytes, whole, e);
}

static bool open_folder(struct correlate_values *v, struct err *e)
{
    const char *dir = options_text(v->o, "out");
    unsigned char *bytes;
    size_t n;
    if (!dir) {
        return true;
    }
    char *path = arena_printf(v->keep, "%s/settings.txt", dir), *now = settings(v);
    if (!file_mkdirs(dir, e)) {
        return false;
    }
    if (!file_exists(path)) {
        if (!file_write(path, now, strlen(now), e)) {
            return false;
        }
    } else if (!file_read(v->keep, path, 1 << 20, &bytes, &n, e)) {
        return false;
    } else if (strcmp((char *)bytes, now) != 0) {
        err_set(e, ERR_USAGE, "%s holds scores made with other settings", dir);
        return err_hint(e, "another --out, or the options in %s/settings.txt", dir);
    }
    char *log = arena_printf(v->keep, "%s/values.csv", dir);
    bool fresh = !file_exists(log);
    return (fresh || mend_log(v, log, e)) && file_log_open(&v->log, log, false, e) &&
           (!fresh || file_log_write(&v->log, "score,arch,value,seconds\n", 25, e));
}

/* Values of the score at work that an earlier run has written. */
static bool recall(struct correlate_values *v, struct err *e)
{
    struct csv csv;
    struct arena *keep = v->keep;
    archmap_init(&v->known, keep);
    v->seconds = 0;
    v->n_timed = 0;
    if (v->log.fd < 0) {
        return true;
    }
    if (!csv_read_log(&csv, keep, v->log.path, e)) {
        return false;
    }
    if (csv.n_cols != 4) {
        return err_set(e, ERR_INPUT, "%s: expected 4 columns, found %d", v->log.path, csv.n_cols);
    }
    for (size_t row = 0; row < csv.n_rows; row++) {
        struct arch a;
        if (strcmp(csv_cell(&csv, row, 0), v->judge.score->name) != 0) {
            continue;
        }
        if (!v->space->parse(&a, csv_cell(&csv, row, 1), e)) {
            return err_wrap(e, "%s: line %zu", v->log.path, row + 2);
        }
        const char *value = csv_cell(&csv, row, 2);
        archmap_set(&v->known, &a, value[0] ? strtod(value, NULL) : NAN);
        v->seconds += strtod(csv_cell(&csv, row, 3), NULL);
        v->n_timed++;
    }
    return true;
}

static bool value_work(void *ctx, int i, int worker)
{
    struct correlate_values *v = ctx;
    struct arena tmp = v->workers[worker];
    struct machine mc = machine_serial(&v->mc);
    struct model_spec spec = v->judge.model;
    spec.size = v->judge.score_options.size;
    struct graph *graph;
    double start = clock_now_s();
    if (signals_pending()) {
        return false;
    }
    v->space->model(&v->classes[v->todo[i]], &spec);
    if (!model_build(&graph, &tmp, &spec, &v->errors[i])) {
        return false;
    }
    size_t want = v->judge.score->plan_bytes(&mc, graph, &v->judge.batch);
    if (want > tmp.cap - tmp.used) {
        err_set(&v->errors[i], ERR_FAILED, "%s needs %zu MiB a worker, %zu are allowed",
                v->judge.score->name, want >> 20, (tmp.cap - tmp.used) >> 20);
        return err_hint(&v->errors[i], "raise --memory, or lower --batch-size or --threads");
    }
    struct score_job job = {
        .mc = &mc,
        .graph = graph,
        .batch = &v->judge.batch,
        .options = &v->judge.score_options,
        .tmp = tmp,
    };
    bool ok = v->judge.score->run(&job, &v->value[i], &v->errors[i]);
    v->took[i] = clock_now_s() - start;
    return ok;
}

static void value_done(void *ctx, int i)
{
    struct correlate_values *v = ctx;
    const struct arch *a = &v->classes[v->todo[i]];
    char arch[SPACE_TEXT_LEN], number[32], line[SPACE_TEXT_LEN + 128];
    archmap_set(&v->known, a, v->value[i]);
    v->seconds += v->took[i];
    v->n_timed++;
    progress_show(&v->progress, i + 1, v->judge.score->name);
    if (v->log.fd >= 0 && v->log_err.code == ERR_NONE) {
        v->space->format(a, arch);
        number_format(number, v->value[i]);
        int n = snprintf(line, sizeof line, "%s,%s,%s,%.4f\n", v->judge.score->name, arch, number,
                         v->took[i]);
        if (!file_log_write(&v->log, line, (size_t)n, &v->log_err)) {
            return;
        }
    }
}

/* One score on all architectures: recall, compute what is missing, spread over isomorphic ones. */
bool correlate_values_score(struct correlate_values *v, struct correlate_column *column,
                            struct err *e)
{
    size_t room = (size_t)v->n_classes + 1;
    if (!judge_open_score(&v->judge, v->o, column->name, v->keep, &v->mc, e) || !recall(v, e)) {
        return false;
    }
    v->todo = arena_push(v->keep, room, sizeof *v->todo);
    v->value = arena_push(v->keep, room, sizeof *v->value);
    v->took = arena_push_zero(v->keep, room, sizeof *v->took);
    v->errors = arena_push_zero(v->keep, room, sizeof *v->errors);
    v->n_todo = 0;
    for (int i = 0; i < v->n_classes; i++) {
        if (!archmap_get(&v->known, &v->classes[i])) {
            v->todo[v->n_todo++] = i;
        }
    }
    progress_open(&v->progress, "correlate", "architectures", 0, v->n_todo, v->o->quiet);
    int n_done = threads_ordered(&v->mc, v->n_todo, NULL, value_work, value_done, v);
    progress_close(&v->progress);
    if (v->log_err.code != ERR_NONE) {
        *e = v->log_err;
        return false;
    }
    if (n_done < v->n_todo) {
        *e = v->errors[n_done];
        return e->code != ERR_NONE
                   ? false
                   : err_set(e, ERR_INTERRUPTED, "stopped after %d of %d values of %s%s", n_done,
                             v->n_todo, column->name,
                             v->log.fd >= 0 ? "; the same command goes on from there" : "");
    }
    column->value = arena_push(v->keep, (size_t)v->n, sizeof *column->value);
    column->seconds = v->n_timed ? v->seconds / v->n_timed : NAN;
    for (int i = 0; i < v->n; i++) {
        struct arch a;
        class_of(v, &v->archs[i], &a);
        double *known = archmap_get(&v->known, &a);
        column->value[i] = known ? *known : NAN; /* none: the output does not depend on the input */
    }
    return true;
}

bool correlate_values_open(struct correlate_values *v, const struct options *o, struct arena *keep,
                           const struct machine *mc, const struct space *space,
                           const struct arch *archs, int n, struct err *e)
{
    struct archmap met;
    v->o = o;
    v->keep = keep;
    v->mc = *mc;
    v->mc.n_threads = MIN(mc->n_threads, CORRELATE_VALUES_WORKERS);
    v->space = space;
    v->archs = archs;
    v->n = n;
    v->log.fd = -1;
    archmap_init(&met, keep);
    v->classes = arena_push(keep, (size_t)n, sizeof *v->classes);
    for (int i = 0; i < n; i++) {
        struct arch a;
        class_of(v, &archs[i], &a);
        if (!archmap_get(&met, &a) && space->connected(&a)) {
            archmap_set(&met, &a, 0);
            v->classes[v->n_classes++] = a;
        }
    }
    for (int i = 0; i < v->mc.n_threads; i++) {
        if (!arena_init(&v->workers[i], judge_worker_bytes(o, v->mc.n_threads), e)) {
            return false;
        }
    }
    return open_folder(v, e);
}

void correlate_values_close(struct correlate_values *v)
{
    file_log_close(&v->log);
    for (int i = 0; i < CORRELATE_VALUES_WORKERS; i++) {
        arena_release(&v->workers[i]);
    }
}
