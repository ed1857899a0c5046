#include "cli/cmds.h"
#include "cli/codes.h"
#include "cli/compute.h"
#include "cli/json.h"
#include "cli/table.h"
#include "core/clock.h"

#include <stdio.h>
#include <string.h>

/* The metrics of --metrics, or all that the data allows. */
static bool disentangle_choose(const struct metric **chosen, int *n, const struct options *o,
                               const struct metric_data *data, struct arena tmp, struct err *e)
{
    const char *names = options_text(o, "metrics");
    *n = 0;
    if (!names) {
        for (int i = 0; i < metric_count(); i++) {
            struct err why;
            if (metric_applies(metric_at(i), data, &why)) {
                chosen[(*n)++] = metric_at(i);
            }
        }
        return true;
    }
    for (char *word = arena_strdup(&tmp, names), *next; word; word = next) {
        next = strchr(word, ',');
        if (next) {
            *next++ = 0;
        }
        if (!metric_find(&chosen[*n], word, e) || !metric_applies(chosen[*n], data, e)) {
            return false;
        }
        for (int i = 0; i < *n; i++) {
            if (chosen[i] == chosen[*n]) {
                return err_set(e, ERR_USAGE, "--metrics %.80s: %s is named twice", names, word);
            }
        }
        ++*n;
    }
    return true;
}

static void disentangle_about(struct json *json, const struct codes *c)
{
    json_int(json, "rows", c->data.n);
    json_int(json, "codes", c->data.d);
    json_array(json, "factors");
    for (int f = 0; f < c->data.n_factors; f++) {
        json_object(json, NULL);
        json_text(json, "name", c->factor_names[f]);
        json_int(json, "values", c->data.cards[f]);
        json_end(json);
    }
    json_end(json);
}

/* One metric, with scratch of its own from the end of keep. */
static bool disentangle_measure(double *values, const struct metric *m, struct metric_job job,
                                struct arena *keep, struct err *e)
{
    size_t bytes = m->plan_bytes(job.mc, job.data, job.options), mark = keep->used;
    if (!arena_try(keep, bytes, 1, e)) {
        return err_wrap(e, "%s", m->name);
    }
    keep->used = mark;
    job.tmp = arena_carve(keep, bytes);
    bool ok = metric_measure(m, &job, values, e);
    keep->used = mark;
    return ok;
}

static bool disentangle_run(const struct options *o, struct arena *keep, struct err *e)
{
    static const char *const heads[] = {"metric", "value", "seconds"};
    struct machine mc;
    struct codes codes;
    struct json json;
    struct table table;
    struct metric_options options = metric_defaults();
    int n = 0;
    if (o->n_args < 1 || o->n_args > 2) {
        err_set(e, ERR_USAGE,
                "expected CODES.csv, or CODES.csv and FACTORS.csv, found %d arguments", o->n_args);
        return err_hint(e, "hdnas disentangle --help shows examples");
    }
    options.seed = (uint64_t)options_int(o, "seed");
    options.bins = (int)options_int(o, "bins");
    options.train_rows = (int)options_int(o, "rows");
    options.draws = (int)options_int(o, "draws");
    const struct metric **chosen =
        arena_push(keep, (size_t)metric_count() + 1, sizeof(struct metric *));
    if (!compute_open(&mc, o, keep, e) ||
        !codes_read(&codes, keep, o->args[0], o->n_args > 1 ? o->args[1] : NULL, e) ||
        !disentangle_choose(chosen, &n, o, &codes.data, *keep, e)) {
        return false;
    }
    json_init(&json, keep);
    table_init(&table, keep, heads, 3);
    json_object(&json, NULL);
    disentangle_about(&json, &codes);
    json_object(&json, "values");
    for (int i = 0; i < n; i++) {
        double values[METRIC_MAX_VALUES], start = clock_now_s();
        struct metric_job job = {.mc = &mc, .data = &codes.data, .options = &options};
        if (!disentangle_measure(values, chosen[i], job, keep, e)) {
            return false;
        }
        const char *seconds = arena_printf(keep, "%.2f", clock_now_s() - start);
        for (int k = 0; k < chosen[i]->n_values; k++) {
            json_real(&json, chosen[i]->value_names[k], values[k]);
            table_add(&table, chosen[i]->value_names[k]);
            table_printf(&table, "%.6g", values[k]);
            table_add(&table, k == 0 ? seconds : "");
        }
    }
    json_end(&json);
    json_end(&json);
    if (!o->quiet) {
        fprintf(stderr, "%d rows, %d codes, %d factors\n", codes.data.n, codes.data.d,
                codes.data.n_factors);
    }
    if (o->json) {
        json_print(&json, stdout);
    } else {
        table_print(&table, stdout);
    }
    return true;
}

static const struct option_spec disentangle_options[] = {
    {"metrics", OPTION_TEXT, "LIST", NULL,
     "mig, dci, sap, modularity, factorvae, betavae, spread, kl; without it all that the data "
     "allows",
     0, 0},
    {"bins", OPTION_INT, "N", "20", "a code is cut into so many for mutual information", 2, 4096},
    {"rows", OPTION_INT, "N", "10000",
     "dci, sap: rows for fitting, at most, half as many for testing", 40, METRIC_MAX_ROWS},
    {"draws", OPTION_INT, "N", "10000",
     "factorvae, betavae: batches for fitting, half as many for testing", 10, 1e6},
    OPTIONS_COMMON,
};

const struct cmd cmd_disentangle = {
    .name = "disentangle",
    .summary = "how well codes of images separate the factors they were made from",
    .usage = "hdnas disentangle [options] CODES.csv [FACTORS.csv]",
    .about =
        "Disentanglement metrics of a latent code. CODES.csv has a row an image and a column a "
        "code (a header names them); columns named logvar... are the log variances of the "
        "others, in their order. FACTORS.csv has the same rows and a column a factor: any "
        "numbers, each different one a value. Without factors only spread is computed, and kl "
        "where there are log variances. docs/METRICS.md has formulae, sources and known "
        "answers. The factors of hdnas' own sprites are printed by hdnas data factors.\n"
        "Values go to standard output, as a table or with --json as one object.",
    .examples = "hdnas disentangle codes.csv factors.csv\n"
                "hdnas disentangle codes.csv factors.csv --metrics mig,sap --json\n"
                "hdnas data factors sprites:5000 --split test >factors.csv",
    .options = disentangle_options,
    .n_options = (int)N_ELEMS(disentangle_options),
    .run = disentangle_run,
};
