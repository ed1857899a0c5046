#define _GNU_SOURCE
#include "cli/cmds.h"
#include "cli/outcome.h"
#include "cli/refine.h"
#include "cli/session.h"
#include "cli/signals.h"

#include <stdio.h>

/* clang-format off: one row an option */
static const struct option_spec search_options[] = {
    {"algorithm", OPTION_TEXT, "NAME", "mo-hdnas", "search method (hdnas info lists them)", 0, 0},
    {"preset", OPTION_TEXT, "NAME", "default", "operators: default, or the paper's own", 0, 0},
    {"population", OPTION_INT, "N", "20", "individuals of a generation", 1, 100000},
    {"generations", OPTION_INT, "N", "20", "generations, the first one included", 1, 1000000},
    {"device", OPTION_TEXT, "SPEC", "local",
     "hardware cost: local, flops, params, table:FILE[:COLUMN], predict:FILE[:DEVICE], a device of "
     "--tables, or without them a predicted one (hdnas cost --list)", 0, 0},
    {"metric", OPTION_TEXT, "NAME", "latency",
     "latency or energy, for devices from tables", 0, 0},
    {"tables", OPTION_TEXT, "DIR", NULL, "folder of cost tables (default: HDNAS_TABLES)", 0, 0},
    {"constraint", OPTION_TEXT, "LIMITS", NULL,
     "tell the best network of at most this cost, for instance 5ms, or one for each of 2,3,3.5ms; "
     "hw-evrsnas searches for these, any other method answers from what it has met", 0, 0},
    {"penalty", OPTION_REAL, "X", NULL,
     "hw-evrsnas: score lost by a cost of twice the limit (default: twice the range of scores in "
     "the first generation)", 0, 1e9},
    {"constraint-rule", OPTION_TEXT, "NAME", "penalty",
     "hw-evrsnas: penalty, or deb: whatever keeps the limit comes before what does not", 0, 0},
    {"truth", OPTION_TEXT, "FILE:COLUMN", NULL,
     "accuracies from a benchmark table, for judging the front (never seen by the search)", 0, 0},
    {"shortlist", OPTION_INT, "N", "20",
     "networks to name in RUN/shortlist.csv: the front and the next best close behind it, or, by "
     "smoothed scores, those expected to dominate most together; 0 = none",
     0, 100000},
    {"smooth", OPTION_TEXT, "WHEN", "auto",
     "choose the shortlist, and the best under --constraint, by scores evened out over networks "
     "alike, as scores err but accuracies of neighbours do not differ much: yes, no, or auto: "
     "unless they come from table:", 0, 0},
    REFINE_OPTIONS,
    {"pool", OPTION_TEXT, "FILE", NULL,
     "scores shared with other runs of the same score, seed and images, whatever their device and "
     "search: known ones are read, new ones added", 0, 0},
    {"keep-disconnected", OPTION_FLAG, NULL, NULL,
     "take networks whose output ignores their input as feasible", 0, 0},
    {"out", OPTION_TEXT, "DIR", NULL, "folder of the run (default: RUN-1, RUN-2, ...)", 0, 0},
    {"resume", OPTION_TEXT, "DIR", NULL,
     "go on with an interrupted run; ends with the same bytes as one never interrupted", 0, 0},
    JUDGE_DATA_OPTIONS,
    {"score", OPTION_TEXT, "NAME", "agg-lite",
     "how candidates are scored (hdnas info lists the scores), or table:FILE:COLUMN to look scores "
     "up, higher is better", 0, 0},
    JUDGE_BATCH_OPTIONS,
    OPTIONS_COMMON,
};
/* clang-format on */

static bool search_go(struct session *s, struct err *e)
{
    struct run_result result;
    signals_install();
    if (!s->o->quiet) {
        fprintf(stderr, "%s on %s: %s, %d threads, %s\n", s->config.search->name, s->cost.name,
                s->dir, s->mc.n_threads, cpu_tier_name(s->mc.tier));
    }
    const struct search_options *so = &s->config.search_options;
    progress_open(&s->progress, "search", "evaluations", 0,
                  (int64_t)so->population * so->generations, s->o->quiet);
    bool ok = run_search(&result, s->keep, &s->config, e);
    progress_close(&s->progress);
    if (!ok) {
        return false;
    }
    if (result.interrupted) {
        err_set(e, ERR_INTERRUPTED,
                "interrupted after %d of %d evaluations, all of them in %s/evals.csv",
                result.status.evals, result.status.evals_total, s->dir);
        return err_hint(e, "hdnas search --resume %s", s->dir);
    }
    struct refine_result refined;
    return refine_run(&refined, s, &result, e) && outcome_tell(s, &result, &refined, e);
}

static bool search_run(const struct options *o, struct arena *keep, struct err *e)
{
    struct session s;
    bool ok = session_open(&s, o, keep, e) && search_go(&s, e);
    session_close(&s);
    return ok;
}

const struct cmd cmd_search = {
    .name = "search",
    .summary = "search the trade-off between promise (similarity to a reference) and hardware cost",
    .usage = "hdnas search [options]",
    .about = "One multi-objective run finds the networks that promise most, over the whole range of "
             "hardware cost of a device. A promise is, unless --score says otherwise, how soon "
             "features come to resemble a trained reference's, and five measures of the untrained "
             "network, by rank among random networks. Prints the front and writes RUN/front.csv, front.svg, "
             "report.html, evals.csv, "
             "generations.csv and config.json. Interrupt it at any time; --resume goes on.",
    .examples = "hdnas search                                   # built-in images, latency on this "
                "machine\n"
                "hdnas search --device flops --generations 5 --steps 10 --out quick\n"
                "hdnas search --data cifar10:DIR --reference resnet20.safetensors --device fpga "
                "--tables DIR\n"
                "hdnas search --algorithm survey --device fpga --tables DIR    # closest where scores "
                "err\n"
                "hdnas search --algorithm hw-evrsnas --constraint 5ms --device fpga --tables DIR\n"
                "hdnas search --resume RUN-1",
    .options = search_options,
    .n_options = (int)N_ELEMS(search_options),
    .run = search_run,
};
