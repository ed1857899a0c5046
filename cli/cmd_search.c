#define _GNU_SOURCE
#include "cli/archname.h"
#include "cli/cmds.h"
#include "cli/constraint.h"
#include "cli/json.h"
#include "cli/judge.h"
#include "cli/manifest.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "cli/table.h"
#include "core/file.h"
#include "core/gemm.h"
#include "nas/run.h"
#include "nas/runlog.h"
#include "nas/truth.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off: one row an option */
static const struct option_spec search_options[] = {
    {"algorithm", OPTION_TEXT, "NAME", "mo-hdnas", "search method (hdnas info lists them)", 0, 0},
    {"preset", OPTION_TEXT, "NAME", "default", "operators: default, or the paper's own", 0, 0},
    {"population", OPTION_INT, "N", "20", "individuals of a generation", 1, 100000},
    {"generations", OPTION_INT, "N", "20", "generations, the first one included", 1, 1000000},
    {"device", OPTION_TEXT, "SPEC", "local",
     "hardware cost: local, flops, params, table:FILE[:COLUMN], or a device of --tables", 0, 0},
    {"metric", OPTION_TEXT, "NAME", "latency",
     "latency or energy, for devices from tables", 0, 0},
    {"tables", OPTION_TEXT, "DIR", NULL, "folder of cost tables (default: HDNAS_TABLES)", 0, 0},
    {"constraint", OPTION_TEXT, "LIMITS", NULL,
     "tell the best network of at most this cost, for instance 5ms, or one for each of 2,3,3.5ms; "
     "hw-evrsnas searches for these, any other method answers from what it has met", 0, 0},
    {"penalty", OPTION_REAL, "X", NULL,
     "hw-evrsnas: score lost by a cost of twice the limit (default: twice the range of scores in "
     "the first generation)", 0, 1e9},
    {"truth", OPTION_TEXT, "FILE:COLUMN", NULL,
     "accuracies from a benchmark table, for judging the front (never seen by the search)", 0, 0},
    {"keep-disconnected", OPTION_FLAG, NULL, NULL,
     "take networks whose output ignores their input as feasible", 0, 0},
    {"out", OPTION_TEXT, "DIR", NULL, "folder of the run (default: RUN-1, RUN-2, ...)", 0, 0},
    {"resume", OPTION_TEXT, "DIR", NULL,
     "go on with an interrupted run; ends with the same bytes as one never interrupted", 0, 0},
    JUDGE_OPTIONS,
    OPTIONS_COMMON,
};
/* clang-format on */

enum { MAX_WORKERS = 256 };

struct session {
    const struct options *o;
    struct options resumed; /* the options of the run that is gone on with */
    struct arena *keep;
    const char *dir;
    bool resume;
    struct machine mc;
    struct judge judge;
    struct cost cost;
    struct truth truth;
    bool has_truth;
    double limits[CONSTRAINT_MAX];
    struct run_config config;
    struct progress progress;
};

static const char *session_free_dir(struct arena *keep)
{
    for (int i = 1;; i++) {
        const char *dir = arena_printf(keep, "RUN-%d", i);
        if (!file_exists(dir)) {
            return dir;
        }
    }
}

static bool session_dir(struct session *s, struct err *e)
{
    const char *resume = options_text(s->o, "resume");
    if (resume) {
        s->dir = resume;
        s->resume = true;
        if (!manifest_options(&s->resumed, s->keep, resume, s->o, e)) {
            return false;
        }
        s->o = &s->resumed;
        return true;
    }
    const char *out = options_text(s->o, "out");
    s->dir = out ? out : session_free_dir(s->keep);
    if (file_exists(arena_printf(s->keep, "%s/evals.csv", s->dir))) {
        err_set(e, ERR_USAGE, "%s holds a run already", s->dir);
        return err_hint(e, "--resume %s goes on with it; --out names another folder", s->dir);
    }
    return true;
}

static bool session_search(struct session *s, struct err *e)
{
    const struct options *o = s->o;
    struct run_config *c = &s->config;
    c->search_options = (struct search_options){
        .population = (int)options_int(o, "population"),
        .generations = (int)options_int(o, "generations"),
        .seed = (uint64_t)options_int(o, "seed"),
        .preset = options_text(o, "preset"),
        .crossover_rate = -1,
        .mutation_rate = -1,
        .sbx_eta = -1,
        .mutation_eta = -1,
        .penalty = options_given(o, "penalty") ? options_real(o, "penalty") : -1,
    };
    if (strcmp(c->search_options.preset, "default") != 0 &&
        strcmp(c->search_options.preset, "paper") != 0) {
        return err_set(e, ERR_USAGE, "--preset %s: expected default or paper",
                       c->search_options.preset);
    }
    if (options_int(o, "population") * options_int(o, "generations") > 100000000) {
        return err_set(e, ERR_USAGE,
                       "--population times --generations is more than 10^8 evaluations");
    }
    return space_find(&c->space, options_text(o, "space"), e) &&
           search_find(&c->search, options_text(o, "algorithm"), e);
}

static bool session_constraints(struct session *s, struct err *e)
{
    const char *text = options_text(s->o, "constraint");
    struct search_options *so = &s->config.search_options;
    if (!text && strcmp(s->config.search->name, "hw-evrsnas") == 0) {
        err_set(e, ERR_USAGE, "--algorithm hw-evrsnas searches under a limit of the cost");
        return err_hint(e, "say which: --constraint 5%s", s->cost.unit);
    }
    so->constraints = s->limits;
    return !text || constraint_parse(s->limits, &so->n_constraints, text, s->cost.unit, e);
}

static bool session_cost(struct session *s, struct err *e)
{
    const struct options *o = s->o;
    const char *tables = options_text(o, "tables");
    struct cost_options *co = arena_push_zero(s->keep, 1, sizeof *co);
    *co = (struct cost_options){
        .space = s->config.space,
        .device = options_text(o, "device"),
        .metric = options_text(o, "metric"),
        .tables_dir = tables ? tables : getenv("HDNAS_TABLES"),
        .model = s->judge.model,
        .mc = &s->mc,
    };
    if (!cost_open(&s->cost, s->keep, co, e) || !session_constraints(s, e)) {
        return false;
    }
    const char *truth = options_text(o, "truth");
    s->has_truth = truth;
    return !truth || truth_open(&s->truth, s->keep, s->config.space, truth, e);
}

static bool session_manifest(struct session *s, struct err *e)
{
    struct manifest m = {
        .tier = cpu_tier_name(s->mc.tier),
        .blas = gemm_blas_name(),
        .data_sha256 = s->judge.data_sha256,
        .reference_sha256 = s->judge.reference_sha256,
        .reference_arch = s->judge.info.spec.arch,
        .cost_sha256 = s->cost.sha256,
        .cost_source = s->cost.source,
        .cost_name = s->cost.name,
        .cost_unit = s->cost.unit,
        .truth_sha256 = s->has_truth ? s->truth.sha256 : "",
    };
    if (s->resume) {
        return manifest_check(s->dir, &m, *s->keep, e);
    }
    return file_mkdirs(s->dir, e) && manifest_write(s->dir, s->o, &m, &s->mc, *s->keep, e);
}

static void session_on_eval(void *ctx, const struct run_status *status)
{
    struct session *s = ctx;
    char note[96];
    if (s->progress.first == 0 && status->replayed == status->evals) {
        s->progress.first = status->replayed;
    }
    snprintf(note, sizeof note, "generation %d/%d, front %d, best %.4g",
             MIN(status->generation + 1, status->generations), status->generations,
             status->front_size, status->best_score);
    progress_show(&s->progress, status->evals, note);
}

static bool session_stop(void *ctx)
{
    (void)ctx;
    return signals_pending();
}

static bool session_open(struct session *s, const struct options *o, struct arena *keep,
                         struct err *e)
{
    *s = (struct session){.o = o, .keep = keep};
    if (o->n_args > 0) {
        return err_set(e, ERR_USAGE, "hdnas search takes options only, but \"%.80s\" was given",
                       o->args[0]);
    }
    if (!session_dir(s, e) ||
        !machine_init(&s->mc, options_text(s->o, "cpu"), (int)options_int(s->o, "threads"), e) ||
        !session_search(s, e) || !judge_open(&s->judge, s->o, keep, &s->mc, e) ||
        !session_cost(s, e) || !session_manifest(s, e)) {
        return false;
    }
    s->mc.n_threads = MIN(s->mc.n_threads, MAX_WORKERS);
    struct run_config *c = &s->config;
    c->dir = s->dir;
    /* Killed before its first line: the run starts anew under the same configuration. */
    c->resume = s->resume && file_exists(arena_printf(keep, "%s/evals.csv", s->dir));
    c->model = s->judge.model;
    c->score = s->judge.score;
    c->score_options = s->judge.score_options;
    c->batch = s->judge.batch.n ? &s->judge.batch : NULL;
    c->cost = &s->cost;
    c->mc = &s->mc;
    c->worker_bytes = judge_worker_bytes(s->o, s->mc.n_threads);
    c->keep_disconnected = options_flag(s->o, "keep-disconnected");
    c->accuracy = s->has_truth ? truth_accuracy : NULL;
    c->accuracy_ctx = &s->truth;
    c->stop = session_stop;
    c->on_eval = session_on_eval;
    c->watch_ctx = s;
    return true;
}

static bool session_price_truth(struct session *s, struct err *e)
{
    struct arena tmp; /* not a copy of keep: both are pushed to */
    if (!arena_init(&tmp, (size_t)1 << 30, e)) {
        return false;
    }
    bool ok = truth_price(&s->truth, s->keep, &s->cost, tmp, e);
    arena_release(&tmp);
    return ok;
}

/* The true front, for the page: index,cost,accuracy. */
static bool session_write_truth(struct session *s, struct err *e)
{
    struct text text;
    text_init(&text, s->keep);
    text_add(&text, "index,cost,accuracy\n");
    for (int i = 0; i < s->truth.n_front; i++) {
        const struct truth_point *p = &s->truth.front[i];
        text_printf(&text, "%" PRId64 ",", s->config.space->index(&p->arch));
        text_number(&text, p->cost);
        text_add(&text, ",");
        text_number(&text, p->accuracy);
        text_add(&text, "\n");
    }
    return file_write(arena_printf(s->keep, "%s/truth.csv", s->dir), text.s, text.n, e);
}

static double session_true_hypervolume(struct session *s, const struct run_result *result)
{
    struct arch *archs = arena_push(s->keep, (size_t)result->n_front, sizeof *archs);
    for (int i = 0; i < result->n_front; i++) {
        archs[i] = result->front[i].arch;
    }
    return truth_hypervolume(&s->truth, archs, result->n_front, *s->keep);
}

static void session_print_table(struct session *s, const struct run_result *result)
{
    const char *cost_head = arena_printf(s->keep, "%s (%s)", s->cost.name, s->cost.unit);
    const char *heads[] = {"index",      "code",     "score",        cost_head,
                           "params (k)", "MACs (M)", "true acc. (%)"};
    struct table t;
    table_init(&t, s->keep, heads, s->has_truth ? 7 : 6);
    for (int i = 0; i < result->n_front; i++) {
        const struct run_member *m = &result->front[i];
        char code[SPACE_TEXT_LEN], index[24];
        s->config.space->code(&m->arch, code);
        table_add(&t, arena_strdup(s->keep, archname_index(index, m->index)));
        table_add(&t, arena_strdup(s->keep, code));
        table_printf(&t, "%.6g", m->score);
        table_printf(&t, "%.4g", m->cost);
        table_printf(&t, "%.1f", (double)m->params / 1e3);
        table_printf(&t, "%.2f", (double)m->macs / 1e6);
        if (s->has_truth) {
            table_printf(&t, "%.2f", m->accuracy);
        }
    }
    table_print(&t, stdout);
}

static void session_member_json(const struct session *s, struct json *j, const char *key,
                                const struct run_member *m)
{
    char arch[SPACE_TEXT_LEN];
    s->config.space->format(&m->arch, arch);
    json_object(j, key);
    archname_index_json(j, m->index);
    json_text(j, "arch", arch);
    json_real(j, "score", m->score);
    json_real(j, "cost", m->cost);
    json_real(j, "diversity", m->diversity);
    json_int(j, "params", m->params);
    json_int(j, "macs", m->macs);
    if (s->has_truth) {
        json_real(j, "true_accuracy", m->accuracy);
    }
    json_end(j);
}

/* What there is to say of the limits, now that the truth is priced (or is not to be had). */
static struct constraint_report session_limits(const struct session *s,
                                               const struct run_result *result)
{
    return (struct constraint_report){&s->config, result, &s->cost,
                                      s->has_truth && s->truth.cost ? &s->truth : NULL};
}

static void session_print_answer(const struct session *s, const struct run_result *result)
{
    const struct run_member *m = &result->answer;
    char code[SPACE_TEXT_LEN];
    if (!result->has_answer) {
        return;
    }
    s->config.space->code(&m->arch, code);
    printf("\n%s returns %s: score %.6g, %s %.4g %s", s->config.search->name, code, m->score,
           s->cost.name, m->cost, s->cost.unit);
    if (s->has_truth) {
        printf(", true accuracy %.2f %%", m->accuracy);
    }
    printf("\n");
}

/* The result as one object: RUN/summary.json, and stdout with --json. */
static bool session_summary(struct session *s, const struct run_result *result,
                            double true_hypervolume, struct err *e)
{
    struct json j;
    json_init(&j, s->keep);
    json_object(&j, NULL);
    json_text(&j, "run", s->dir);
    json_int(&j, "evals", result->status.evals);
    json_int(&j, "unique", result->status.unique);
    json_real(&j, "hypervolume", result->status.hypervolume);
    json_real(&j, "seconds", result->status.seconds);
    if (s->has_truth) {
        json_real(&j, "true_hypervolume", true_hypervolume);
        json_real(&j, "true_front_hypervolume", s->truth.hypervolume);
    }
    if (s->config.search_options.n_constraints > 0) {
        struct constraint_report limits = session_limits(s, result);
        constraint_json(&limits, &j);
    }
    if (result->has_answer) {
        session_member_json(s, &j, "answer", &result->answer);
    }
    json_array(&j, "front");
    for (int i = 0; i < result->n_front; i++) {
        session_member_json(s, &j, NULL, &result->front[i]);
    }
    json_end(&j);
    json_end(&j);
    if (s->o->json) {
        json_print(&j, stdout);
    }
    text_add(&j.text, "\n");
    return file_write(arena_printf(s->keep, "%s/summary.json", s->dir), j.text.s, j.text.n, e);
}

static bool session_close(struct session *s, const struct run_result *result, struct err *e)
{
    double true_hypervolume = NAN;
    if (s->has_truth && s->cost.kind->parallel_safe) {
        if (!session_price_truth(s, e) || !session_write_truth(s, e)) {
            return false;
        }
        true_hypervolume = session_true_hypervolume(s, result);
    }
    if (!session_summary(s, result, true_hypervolume, e) || !report_make(s->dir, *s->keep, e)) {
        return false;
    }
    struct constraint_report limits = session_limits(s, result);
    if (!s->o->json) {
        session_print_table(s, result);
        session_print_answer(s, result);
        if (s->config.search_options.n_constraints > 0) {
            printf("\n");
            constraint_print(&limits, *s->keep, stdout);
        }
        printf("\n%d of %d evaluations scored a new network; %d on the front; %.1f s\n",
               result->status.unique, result->status.evals, result->n_front,
               result->status.seconds);
        if (isfinite(true_hypervolume)) {
            printf("hypervolume by true accuracy: %.4f of the true front's %.4f (%.2f %%)\n",
                   true_hypervolume, s->truth.hypervolume,
                   100 * true_hypervolume / s->truth.hypervolume);
        }
        printf("%s/front.csv\n%s/front.svg\n%s/report.html\n", s->dir, s->dir, s->dir);
    }
    return constraint_met(&limits, e);
}

static bool search_run(const struct options *o, struct arena *keep, struct err *e)
{
    struct session s;
    struct run_result result;
    if (!session_open(&s, o, keep, e)) {
        return false;
    }
    signals_install();
    if (!s.o->quiet) {
        fprintf(stderr, "%s on %s: %s, %d threads, %s\n", s.config.search->name, s.cost.name, s.dir,
                s.mc.n_threads, cpu_tier_name(s.mc.tier));
    }
    progress_open(&s.progress, "search", "evaluations", 0,
                  (int64_t)s.config.search_options.population * s.config.search_options.generations,
                  s.o->quiet);
    bool ok = run_search(&result, keep, &s.config, e);
    progress_close(&s.progress);
    if (!ok) {
        return false;
    }
    if (result.interrupted) {
        err_set(e, ERR_INTERRUPTED,
                "interrupted after %d of %d evaluations, all of them in %s/evals.csv",
                result.status.evals, result.status.evals_total, s.dir);
        return err_hint(e, "hdnas search --resume %s", s.dir);
    }
    return session_close(&s, &result, e);
}

const struct cmd cmd_search = {
    .name = "search",
    .summary = "search the trade-off between representation similarity and hardware cost",
    .usage = "hdnas search [options]",
    .about = "One multi-objective run finds networks whose features resemble a trained "
             "reference's, over the whole range of "
             "hardware cost of a device. Prints the front and writes RUN/front.csv, front.svg, "
             "report.html, evals.csv, "
             "generations.csv and config.json. Interrupt it at any time; --resume goes on.",
    .examples = "hdnas search                                   # built-in images, latency on this "
                "machine\n"
                "hdnas search --device flops --generations 5 --steps 10 --out quick\n"
                "hdnas search --data cifar10:DIR --reference resnet20.safetensors --device fpga "
                "--tables DIR\n"
                "hdnas search --algorithm hw-evrsnas --constraint 5ms --device fpga --tables DIR\n"
                "hdnas search --resume RUN-1",
    .options = search_options,
    .n_options = (int)N_ELEMS(search_options),
    .run = search_run,
};
