#define _GNU_SOURCE
#include "cli/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/compute.h"
#include "cli/manifest.h"
#include "cli/signals.h"
#include "core/digest.h"
#include "core/file.h"
#include "core/gemm.h"
#include "core/number.h"

enum { MAX_WORKERS = 256 };

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

/* --score table:FILE:COLUMN: scores are looked up. */
static bool session_table_named(const struct session *s)
{
    return strncmp(options_text(s->o, "score"), "table:", 6) == 0;
}

static bool session_table(struct session *s, struct err *e)
{
    char *path, *column;
    lookup_split(s->keep, options_text(s->o, "score") + 6, &path, &column);
    if (!column) {
        err_set(e, ERR_USAGE, "--score %s names no column", options_text(s->o, "score"));
        return err_hint(e, "table:FILE:COLUMN, for instance table:nasbench201.csv:c10_test200");
    }
    return lookup_open(&s->scores, s->keep, s->config.space, path, column, e);
}

static double session_table_score(const void *ctx, const struct arch *a)
{
    return lookup_get(ctx, a);
}

/* What candidates are judged by. With looked-up scores the images only say how many classes there
 * are, which the parameters depend on. */
static bool session_judge(struct session *s, struct err *e)
{
    struct run_config *c = &s->config;
    bool table = session_table_named(s);
    if (!judge_open_score(&s->judge, s->o, table ? "params" : options_text(s->o, "score"), s->keep,
                          &s->mc, e) ||
        (table && !session_table(s, e))) {
        return false;
    }
    c->model = s->judge.model;
    c->score = s->judge.score;
    c->score_options = s->judge.score_options;
    c->batch = s->judge.batch.n ? &s->judge.batch : NULL;
    c->known_score = table ? session_table_score : NULL;
    c->known_score_ctx = &s->scores;
    return true;
}

/* Everything that images, reference and calibration have to do with a score. */
static bool session_batch_sha256(const struct score_batch *b, char hex[65], struct err *e)
{
    struct digest d;
    if (!digest_open(&d, e)) {
        return false;
    }
    size_t n = (size_t)b->n;
    digest_add(&d, b->x, n * shape_count(b->shape) * sizeof *b->x);
    digest_add(&d, b->labels, n * sizeof *b->labels);
    for (int i = 0; i < b->n_taps; i++) {
        digest_add(&d, b->gram[i], n * n * sizeof *b->gram[i]);
    }
    for (int i = 0; b->panel && i < b->panel->n_members; i++) {
        const struct panel_scale *scale = &b->panel->member[i].scale;
        digest_add(&d, scale->value, (size_t)scale->n * sizeof *scale->value);
        digest_add(&d, scale->rank, (size_t)scale->n * sizeof *scale->rank);
    }
    digest_close(&d, hex);
    return true;
}

static const char *session_real(struct session *s, double value)
{
    char text[NUMBER_LEN];
    number_format(text, value);
    return arena_strdup(s->keep, text);
}

/* --pool: what a score depends on besides the network stands at its head. */
static bool session_pool(struct session *s, struct err *e)
{
    const char *path = options_text(s->o, "pool");
    const struct judge *j = &s->judge;
    const struct score_options *so = &j->score_options;
    char batch[65] = "-";
    if (!path) {
        return true;
    }
    if (session_table_named(s)) {
        return err_set(e, ERR_USAGE, "--pool: scores from a table are known already");
    }
    if (j->batch.n > 0 && !session_batch_sha256(&j->batch, batch, e)) {
        return false;
    }
    const struct pool_setting settings[] = {
        {"space", s->config.space->name},
        {"score", j->score->name},
        {"seed", arena_printf(s->keep, "%llu", (unsigned long long)so->seed)},
        {"cells", arena_printf(s->keep, "%d", so->size.n_cells)},
        {"channels", arena_printf(s->keep, "%d", so->size.width)},
        {"image-size", arena_printf(s->keep, "%d", so->side)},
        {"steps", arena_printf(s->keep, "%d", so->steps)},
        {"lr", session_real(s, so->lr)},
        {"momentum", session_real(s, so->momentum)},
        {"weight-decay", session_real(s, so->decay)},
        {"beta", session_real(s, so->beta)},
        {"taps", arena_printf(s->keep, "%x", so->tap_mask)},
        {"kernels", compute_kernels(&s->mc, s->keep)},
        {"data", j->data_sha256},
        {"reference", j->reference_sha256[0] ? j->reference_sha256 : "-"},
        {"input",
         arena_printf(s->keep, "%dx%dx%d", j->model.input.h, j->model.input.w, j->model.input.c)},
        {"classes", arena_printf(s->keep, "%d", j->model.n_classes)},
        {"batch-size", arena_printf(s->keep, "%d", j->batch.n)},
        {"batch", arena_strdup(s->keep, batch)},
    };
    struct pool_setting *kept = arena_push(s->keep, N_ELEMS(settings), sizeof *kept);
    memcpy(kept, settings, sizeof settings);
    s->config.pool = &s->pool;
    return pool_open(&s->pool, s->config.space, path, kept, (int)N_ELEMS(settings), e);
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
    c->search_options.deb = strcmp(options_text(o, "constraint-rule"), "deb") == 0;
    if (!c->search_options.deb && strcmp(options_text(o, "constraint-rule"), "penalty") != 0) {
        return err_set(e, ERR_USAGE, "--constraint-rule %s: expected penalty or deb",
                       options_text(o, "constraint-rule"));
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
        .score_sha256 = s->scores.sha256,
        .tune_sha256 = compute_tune_sha256(&s->mc),
        .precision = machine_precision(&s->mc),
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

/* --smooth: exact scores need none. */
static bool session_smooth(struct session *s, struct err *e)
{
    const char *when = options_text(s->o, "smooth");
    bool is_auto = strcmp(when, "auto") == 0, yes = strcmp(when, "yes") == 0;
    s->config.smooth = yes || (is_auto && !session_table_named(s));
    return is_auto || yes || strcmp(when, "no") == 0 ||
           err_set(e, ERR_USAGE, "--smooth takes yes, no or auto, not \"%.80s\"", when);
}

bool session_open(struct session *s, const struct options *o, struct arena *keep, struct err *e)
{
    *s = (struct session){.o = o, .keep = keep};
    if (o->n_args > 0) {
        return err_set(e, ERR_USAGE, "hdnas search takes options only, but \"%.80s\" was given",
                       o->args[0]);
    }
    if (!session_dir(s, e) || !compute_open(&s->mc, s->o, keep, e) || !session_search(s, e) ||
        !session_judge(s, e) || !session_cost(s, e) || !session_pool(s, e) ||
        !session_manifest(s, e)) {
        return false;
    }
    s->mc.n_threads = MIN(s->mc.n_threads, MAX_WORKERS);
    struct run_config *c = &s->config;
    c->dir = s->dir;
    /* Killed before its first line: the run starts anew under the same configuration. */
    c->resume = s->resume && file_exists(arena_printf(keep, "%s/evals.csv", s->dir));
    c->cost = &s->cost;
    c->mc = &s->mc;
    c->memory_bytes = judge_worker_bytes(s->o, 1);
    c->n_shortlist = (int)options_int(s->o, "shortlist");
    if (!session_smooth(s, e)) {
        return false;
    }
    c->keep_disconnected = options_flag(s->o, "keep-disconnected");
    c->accuracy = s->has_truth ? truth_accuracy : NULL;
    c->accuracy_ctx = &s->truth;
    c->stop = session_stop;
    c->on_eval = session_on_eval;
    c->watch_ctx = s;
    return true;
}

void session_close(struct session *s)
{
    pool_close(&s->pool);
}
