#define _GNU_SOURCE
#include "cli/refine.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/archname.h"
#include "cli/signals.h"
#include "cli/text.h"
#include "core/clock.h"
#include "core/csv.h"
#include "core/file.h"
#include "core/number.h"
#include "data/loader.h"
#include "nas/front.h"
#include "nn/train.h"

enum { REFINE_BATCH = 128, REFINE_HELD_OUT = 5 /* one image in so many */ };

/* A network of the shortlist. */
struct refine_item {
    const struct run_member *member;
    double accuracy; /* percent; NaN = training diverged, or not trained yet */
    double seconds;
    bool done;
};

struct refine {
    struct session *s;
    struct refine_result *out;
    struct dataset train_ds, held_ds; /* pixels of both are one array */
    struct feed train, held;
    struct train_config config;
    struct refine_item *items; /* [n] */
    int n;
    double macs, macs_all; /* multiply-adds of the passes so far, and of all of them */
    const struct refine_item *item; /* in hand */
    struct arena work;
};

static bool refine_data(struct refine *r, struct err *e)
{
    const struct options *o = r->s->o;
    size_t limit = (size_t)options_int(o, "limit"), n = (size_t)options_int(o, "refine-images");
    struct dataset_options options = {
        .limit = limit && n ? MIN(limit, n) : limit + n,
        .seed = (uint64_t)options_int(o, "seed"),
    };
    if (!dataset_open(&r->train_ds, r->s->keep, options_text(o, "data"), DATASET_TRAIN, &options,
                      e)) {
        return false;
    }
    size_t n_held = r->train_ds.n / REFINE_HELD_OUT;
    if (n_held == 0) {
        return err_set(e, ERR_USAGE, "--refine: of %zu images none can be held out",
                       r->train_ds.n);
    }
    r->train_ds.n -= n_held;
    r->held_ds = r->train_ds;
    r->held_ds.n = n_held;
    r->held_ds.pixels += r->train_ds.n * shape_count(r->train_ds.shape);
    r->held_ds.labels += r->train_ds.n;
    struct loader_options plain = {.shape = r->s->judge.model.input, .seed = options.seed};
    struct loader_options augmented = plain;
    augmented.shuffle = true;
    augmented.crop_pad = 4;
    augmented.flip = true;
    r->out->n_train = r->train_ds.n;
    r->out->n_held = n_held;
    return loader_feed(&r->train, r->s->keep, &r->train_ds, &augmented, e) &&
           loader_feed(&r->held, r->s->keep, &r->held_ds, &plain, e);
}

static const char *refine_path(const struct refine *r, const char *name)
{
    return arena_printf(r->s->keep, "%s/%s", r->s->dir, name);
}

static const char *refine_checkpoint(const struct refine *r, int i)
{
    return arena_printf(r->s->keep, "%s/training-%d.safetensors", r->s->dir, i + 1);
}

/* What an interrupted run has trained already. */
static bool refine_recall(struct refine *r, struct err *e)
{
    const char *path = refine_path(r, "trained.csv");
    const struct space *space = r->s->config.space;
    struct csv csv;
    if (!r->s->resume || !file_exists(path)) {
        return true;
    }
    if (!csv_read(&csv, r->s->keep, path, e)) {
        return false;
    }
    int arch = csv_column(&csv, "arch"), accuracy = csv_column(&csv, "refined_accuracy");
    int seconds = csv_column(&csv, "seconds");
    if (arch < 0 || accuracy < 0 || seconds < 0 || csv.n_rows > (size_t)r->n) {
        return err_set(e, ERR_INPUT, "%s: this is not the list of a shortlist of %d", path, r->n);
    }
    for (size_t row = 0; row < csv.n_rows; row++) {
        struct refine_item *item = &r->items[row];
        char expected[SPACE_TEXT_LEN];
        space->format(&item->member->arch, expected);
        if (strcmp(csv_cell(&csv, row, arch), expected) != 0) {
            return err_set(e, ERR_INPUT, "%s: line %zu: expected %s, found %.200s", path,
                           csv_line(&csv, row), expected, csv_cell(&csv, row, arch));
        }
        if (!csv_number(&csv, row, seconds, &item->seconds, e) ||
            (csv_cell(&csv, row, accuracy)[0] &&
             !csv_number(&csv, row, accuracy, &item->accuracy, e))) {
            return false;
        }
        item->done = true;
        remove(refine_checkpoint(r, (int)row));
    }
    return true;
}

/* Nothing where there is no number. */
static void refine_number(struct text *text, double value)
{
    char number[NUMBER_LEN];
    number_format(number, value);
    text_add(text, number);
}

/* index,arch,score,cost,refined_accuracy of a line. */
static void refine_line(struct text *text, const struct refine *r, const struct run_member *m,
                        double accuracy)
{
    char arch[SPACE_TEXT_LEN];
    r->s->config.space->format(&m->arch, arch);
    if (m->index >= 0) {
        text_printf(text, "%" PRId64, m->index);
    }
    text_printf(text, ",%s,", arch);
    refine_number(text, m->score);
    text_add(text, ",");
    refine_number(text, m->cost);
    text_add(text, ",");
    refine_number(text, accuracy);
}

/* trained.csv anew, with what is done. */
static bool refine_log(const struct refine *r, struct arena tmp, struct err *e)
{
    struct text text;
    text_init(&text, &tmp);
    text_add(&text, "index,arch,score,cost,refined_accuracy,seconds\n");
    for (int i = 0; i < r->n && r->items[i].done; i++) {
        refine_line(&text, r, r->items[i].member, r->items[i].accuracy);
        text_printf(&text, ",%.3f\n", r->items[i].seconds);
    }
    return file_write(refine_path(r, "trained.csv"), text.s, text.n, e);
}

/* Multiply-adds of a network's whole training. */
static double refine_macs(const struct refine *r, const struct refine_item *item)
{
    return (double)item->member->macs * (double)r->train.n * r->config.epochs;
}

static bool refine_on_step(void *ctx, const struct train_step *s)
{
    struct refine *r = ctx;
    double share = (s->epoch - 1 + (double)s->step / s->n_steps) / r->config.epochs;
    char note[96];
    snprintf(note, sizeof note, "network %d/%d, epoch %d/%d, train %.1f %%",
             (int)(r->item - r->items) + 1, r->n, s->epoch, r->config.epochs, 100 * s->accuracy);
    progress_show(&r->s->progress, (int64_t)((r->macs + share * refine_macs(r, r->item)) / 1e9),
                  note);
    return !signals_pending();
}

/* Nets, optimiser and batches fit before the first byte of them is asked for. */
static bool refine_fits(const struct refine *r, const struct train_job *job,
                        const struct graph *g, const struct arena *tmp, struct err *e)
{
    const struct machine *mc = &r->s->mc;
    size_t image = shape_count(r->train.shape) * sizeof(float) + sizeof(int32_t);
    size_t want = net_plan_bytes(mc, g, job->config->batch, NET_TRAIN) +
                  optim_plan_bytes(g, &r->config.optim) + 4 * (size_t)job->config->batch * image +
                  ((size_t)1 << 20);
    if (want > tmp->cap - tmp->used) {
        err_set(e, ERR_FAILED, "--refine: %s needs %zu MiB of memory, %zu are allowed",
                job->info->spec.arch, want >> 20, (tmp->cap - tmp->used) >> 20);
        return err_hint(e, "raise --memory");
    }
    return true;
}

static bool refine_train(struct refine *r, struct refine_item *item, struct err *e)
{
    struct session *s = r->s;
    struct arena tmp = r->work;
    struct weights_info info = {.spec = s->judge.model, .has_norm = true};
    struct train_config config = r->config;
    struct train_job job = {
        .mc = &s->mc,
        .config = &config,
        .train = &r->train,
        .info = &info,
        .on_step = refine_on_step,
        .ctx = r,
    };
    struct graph *graph;
    int64_t n_correct = 0;
    double start = clock_now_s();
    r->item = item;
    s->config.space->model(&item->member->arch, &info.spec);
    memcpy(info.mean, r->train.mean, sizeof info.mean);
    memcpy(info.std, r->train.std, sizeof info.std);
    config.checkpoint_path = refine_checkpoint(r, (int)(item - r->items));
    if (!model_build(&graph, &tmp, &info.spec, e) || !refine_fits(r, &job, graph, &tmp, e) ||
        !net_new(&job.net, &tmp, &s->mc, graph, config.batch, NET_TRAIN, e)) {
        return false;
    }
    net_init_params(job.net, NET_INIT_PYTORCH, config.seed);
    if (!train_run(&job, tmp, e) ||
        (!job.diverged &&
         !train_evaluate(job.net, &s->mc, &r->held, config.batch, &n_correct, NULL, tmp, e))) {
        return false;
    }
    item->accuracy = job.diverged ? NAN : 100 * (double)n_correct / (double)r->held.n;
    item->seconds = clock_now_s() - start;
    item->done = true;
    r->macs += refine_macs(r, item);
    return true;
}

static bool refine_all(struct refine *r, struct err *e)
{
    for (int i = 0; i < r->n; i++) {
        r->macs_all += refine_macs(r, &r->items[i]);
        r->macs += r->items[i].done ? refine_macs(r, &r->items[i]) : 0;
    }
    progress_open(&r->s->progress, "refine", "GMAC", (int64_t)(r->macs / 1e9),
                  (int64_t)(r->macs_all / 1e9), r->s->o->quiet);
    bool ok = true;
    for (int i = 0; ok && i < r->n; i++) {
        if (!r->items[i].done) {
            ok = refine_train(r, &r->items[i], e) && refine_log(r, r->work, e);
            if (ok) {
                remove(refine_checkpoint(r, i));
            }
        }
    }
    progress_close(&r->s->progress);
    if (!ok && e->code == ERR_INTERRUPTED) {
        return err_hint(e, "hdnas search --resume %s", r->s->dir);
    }
    return ok;
}

/* Of the trained ones those that no cheaper one beats; the shortlist is sorted by cost already. */
static void refine_front(struct refine *r, struct arena tmp)
{
    struct refine_result *out = r->out;
    size_t n = (size_t)r->n;
    out->front = arena_push(r->s->keep, n, sizeof *out->front);
    out->accuracy = arena_push(r->s->keep, n, sizeof *out->accuracy);
    double *x = arena_push(&tmp, n, 2 * sizeof *x);
    int *which = arena_push(&tmp, n, sizeof *which), *idx = arena_push(&tmp, n, sizeof *idx);
    int n_trained = 0;
    for (int i = 0; i < r->n; i++) {
        if (isfinite(r->items[i].accuracy)) {
            x[2 * n_trained] = -r->items[i].accuracy;
            x[2 * n_trained + 1] = r->items[i].member->cost;
            which[n_trained++] = i;
        }
    }
    out->n_front = front_filter(idx, x, n_trained, 2, true, tmp);
    for (int i = 0; i < out->n_front; i++) {
        const struct refine_item *item = &r->items[which[idx[i]]];
        out->front[i] = *item->member;
        out->accuracy[i] = item->accuracy;
    }
}

static bool refine_write(const struct refine *r, struct err *e)
{
    const struct refine_result *out = r->out;
    bool truth = r->s->has_truth;
    struct text text;
    text_init(&text, r->s->keep);
    text_printf(&text, "index,arch,score,cost,refined_accuracy%s\n", truth ? ",true_accuracy" : "");
    for (int i = 0; i < out->n_front; i++) {
        refine_line(&text, r, &out->front[i], out->accuracy[i]);
        if (truth) {
            text_add(&text, ",");
            refine_number(&text, out->front[i].accuracy);
        }
        text_add(&text, "\n");
    }
    return file_write(refine_path(r, "refined.csv"), text.s, text.n, e);
}

bool refine_run(struct refine_result *out, struct session *s, const struct run_result *result,
                struct err *e)
{
    struct refine r = {.s = s, .out = out, .n = result->n_shortlist};
    *out = (struct refine_result){.epochs = (int)options_int(s->o, "refine")};
    if (out->epochs == 0) {
        return true;
    }
    if (r.n == 0) {
        err_set(e, ERR_USAGE,
                "--refine trains the networks of the shortlist, and --shortlist is 0");
        return err_hint(e, "--shortlist 20, for instance");
    }
    if (!refine_data(&r, e)) {
        return false;
    }
    r.config = (struct train_config){
        .epochs = out->epochs,
        .batch = (int)MIN((size_t)REFINE_BATCH, r.train.n),
        .optim = {.kind = OPTIM_SGD, .momentum = 0.9f, .nesterov = true, .decay = 5e-4f,
                  .decay_all = true},
        .schedule = {.kind = SCHEDULE_ONE_CYCLE, .lr_max = 0.2, .warmup = 0.3},
        .seed = (uint64_t)options_int(s->o, "seed"),
        .resume = s->resume,
    };
    r.items = arena_push_zero(s->keep, (size_t)r.n, sizeof *r.items);
    for (int i = 0; i < r.n; i++) {
        r.items[i].member = &result->shortlist[i];
        r.items[i].accuracy = NAN;
    }
    if (!refine_recall(&r, e) || !arena_init(&r.work, judge_worker_bytes(s->o, 1), e)) {
        return false;
    }
    bool ok = refine_all(&r, e);
    if (ok) {
        refine_front(&r, r.work);
    }
    arena_release(&r.work);
    return ok && refine_write(&r, e);
}
