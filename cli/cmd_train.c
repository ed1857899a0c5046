#define _GNU_SOURCE
#include "cli/archname.h"
#include "cli/cmds.h"
#include "cli/compute.h"
#include "cli/manifest.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/text.h"
#include "core/csv.h"
#include "core/file.h"
#include "core/gemm.h"
#include "data/loader.h"
#include "nn/train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* clang-format off: one row an option */
static const struct option_spec train_options[] = {
    {"arch", OPTION_TEXT, "ARCH", "resnet20",
     "resnet20|32|44|56, nb201/INDEX, nb201:CODE, fbnet:CODE, mlp:W1,W2,..., "
     "cnn:WIDTHS:HIDDEN:CODE (cnn:32,32,M,64,64,M:128:32), vae:WIDTHS:HIDDEN:CODE[:DECODER]",
     0, 0},
    {"data", OPTION_TEXT, "SPEC", "builtin",
     "images: builtin, cifar10:DIR, ... (hdnas data list)", 0, 0},
    {"limit", OPTION_INT, "N", "0", "the first N training images only; 0 = all", 0, 1e9},
    {"epochs", OPTION_INT, "N", "15", "passes over the training images", 1, 100000},
    {"batch-size", OPTION_INT, "N", "128", "images a step", 1, 65536},
    {"optimizer", OPTION_TEXT, "NAME", "sgd", "sgd or adam", 0, 0},
    {"lr", OPTION_REAL, "X", NULL,
     "highest learning rate (sgd 0.2 with one-cycle, else 0.1; adam 0.001)", 0, 1000},
    {"schedule", OPTION_TEXT, "NAME", "one-cycle",
     "one-cycle, cosine, step (x 0.1 at 1/2 and 3/4) or constant", 0, 0},
    {"warmup", OPTION_REAL, "X", NULL,
     "share of the run spent rising (one-cycle 0.3, else 0)", 0, 1},
    {"momentum", OPTION_REAL, "X", "0.9", "sgd", 0, 1},
    {"plain-momentum", OPTION_FLAG, NULL, NULL, "momentum without Nesterov's correction", 0, 0},
    {"weight-decay", OPTION_REAL, "X", "5e-4", "L2", 0, 10},
    {"smoothing", OPTION_REAL, "X", "0", "label smoothing", 0, 0.99},
    {"crop", OPTION_INT, "N", "4", "random crop after padding by N pixels; 0 = none", 0, 64},
    {"no-flip", OPTION_FLAG, NULL, NULL, "no random horizontal flip", 0, 0},
    {"cutout", OPTION_INT, "N", "0",
     "side of a random square set to the mean; 0 = none", 0, 1024},
    {"init", OPTION_TEXT, "FILE", NULL, "start from these weights instead of random ones", 0, 0},
    {"out", OPTION_TEXT, "DIR", NULL,
     "folder for weights, log and checkpoint (default: TRAIN-1, TRAIN-2, ...)", 0, 0},
    {"resume", OPTION_TEXT, "DIR", NULL,
     "go on from the last finished epoch; ends with the same bits", 0, 0},
    OPTIONS_COMMON,
};
/* clang-format on */

static const char log_header[] =
    "epoch,loss,train_accuracy,test_accuracy,test_correct,lr,seconds\n";

struct trainer {
    const struct options *o;
    struct options resumed;
    struct arena *keep;
    const char *dir;
    bool resume;
    struct machine mc;
    struct dataset train_ds, test_ds;
    struct feed train_feed, test_feed;
    struct weights_info info;
    struct graph *graph;
    struct net *net, *eval_net;
    struct train_config config;
    struct file_log log;
    struct progress progress;
    int64_t steps_before; /* of earlier epochs, for the progress line */
    double best;
    struct err err; /* of a callback */
};

static const char *trainer_path(struct trainer *t, const char *name)
{
    return arena_printf(t->keep, "%s/%s", t->dir, name);
}

static bool trainer_dir(struct trainer *t, struct err *e)
{
    const char *resume = options_text(t->o, "resume"), *out = options_text(t->o, "out");
    if (resume) {
        t->dir = resume;
        t->resume = true;
        if (!manifest_options(&t->resumed, t->keep, resume, t->o, e)) {
            return false;
        }
        t->o = &t->resumed;
        return true;
    }
    t->dir = out;
    for (int i = 1; !t->dir || (!out && file_exists(t->dir)); i++) {
        t->dir = arena_printf(t->keep, "TRAIN-%d", i);
    }
    if (file_exists(trainer_path(t, "config.json"))) {
        err_set(e, ERR_USAGE, "%s holds a run already", t->dir);
        return err_hint(e, "--resume %s goes on with it; --out names another folder", t->dir);
    }
    return true;
}

static bool trainer_data(struct trainer *t, struct err *e)
{
    const struct options *o = t->o;
    uint64_t seed = (uint64_t)options_int(o, "seed");
    struct dataset_options train = {.limit = (size_t)options_int(o, "limit"), .seed = seed};
    struct dataset_options test = {.seed = seed};
    const char *spec = options_text(o, "data");
    if (!dataset_open(&t->train_ds, t->keep, spec, DATASET_TRAIN, &train, e) ||
        !dataset_open(&t->test_ds, t->keep, spec, DATASET_TEST, &test, e)) {
        return false;
    }
    struct loader_options augmented = {
        .shuffle = true,
        .crop_pad = (int)options_int(o, "crop"),
        .flip = !options_flag(o, "no-flip"),
        .cutout = (int)options_int(o, "cutout"),
        .seed = seed,
    };
    struct loader_options plain = {.mean = t->train_ds.mean, .std = t->train_ds.std};
    if (!loader_feed(&t->train_feed, t->keep, &t->train_ds, &augmented, e) ||
        !loader_feed(&t->test_feed, t->keep, &t->test_ds, &plain, e)) {
        return false;
    }
    t->info = (struct weights_info){.has_norm = true};
    t->info.spec.input = t->train_feed.shape;
    t->info.spec.n_classes = t->train_feed.n_classes;
    memcpy(t->info.mean, t->train_feed.mean, sizeof t->info.mean);
    memcpy(t->info.std, t->train_feed.std, sizeof t->info.std);
    snprintf(t->info.data, sizeof t->info.data, "%s", t->train_ds.name);
    return archname_resolve(&t->info.spec, options_text(o, "arch"), e);
}

static bool trainer_schedule(struct trainer *t, struct err *e)
{
    const struct options *o = t->o;
    const char *name = options_text(o, "schedule"), *optimizer = options_text(o, "optimizer");
    static const char *const names[] = {"constant", "step", "cosine", "one-cycle"};
    static const enum schedule_kind kinds[] = {SCHEDULE_CONSTANT, SCHEDULE_STEP, SCHEDULE_COSINE,
                                               SCHEDULE_ONE_CYCLE};
    bool adam = strcmp(optimizer, "adam") == 0;
    if (!adam && strcmp(optimizer, "sgd") != 0) {
        return err_set(e, ERR_USAGE, "--optimizer %s: expected sgd or adam", optimizer);
    }
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        if (strcmp(name, names[i]) != 0) {
            continue;
        }
        bool cycle = kinds[i] == SCHEDULE_ONE_CYCLE;
        double lr = adam ? 1e-3 : cycle ? 0.2 : 0.1;
        t->config.schedule = (struct schedule){
            .kind = kinds[i],
            .lr_max = options_given(o, "lr") ? options_real(o, "lr") : lr,
            .warmup = options_given(o, "warmup") ? options_real(o, "warmup")
                      : cycle                    ? 0.3
                                                 : 0,
            .step_factor = 0.1,
            .milestones = {0.5, 0.75},
            .n_milestones = 2,
        };
        t->config.optim = (struct optim_config){
            .kind = adam ? OPTIM_ADAM : OPTIM_SGD,
            .momentum = (float)options_real(o, "momentum"),
            .nesterov = !options_flag(o, "plain-momentum"),
            .decay = (float)options_real(o, "weight-decay"),
            .decay_all = true,
            .beta1 = 0.9f,
            .beta2 = 0.999f,
            .eps = 1e-8f,
        };
        return true;
    }
    return err_set(e, ERR_USAGE, "--schedule %s: expected one-cycle, cosine, step or constant",
                   name);
}

static bool trainer_nets(struct trainer *t, struct err *e)
{
    const char *init = options_text(t->o, "init");
    int batch = t->config.batch;
    if (!model_build(&t->graph, t->keep, &t->info.spec, e) ||
        !net_new(&t->net, t->keep, &t->mc, t->graph, batch, NET_TRAIN, e) ||
        !net_new(&t->eval_net, t->keep, &t->mc, t->graph, batch, NET_EVAL, e)) {
        return false;
    }
    net_init_params(t->net, NET_INIT_PYTORCH, t->config.seed);
    return !init || weights_load(t->net, init, *t->keep, e);
}

static bool trainer_manifest(struct trainer *t, struct err *e)
{
    char init_sha256[65] = "";
    const char *init = options_text(t->o, "init");
    if (init && !file_sha256(init, init_sha256, e)) {
        return false;
    }
    struct manifest m = {
        .tier = cpu_tier_name(t->mc.tier),
        .blas = gemm_blas_name(),
        .data_sha256 = t->train_ds.sha256,
        .reference_sha256 = init_sha256,
        .reference_arch = t->info.spec.arch,
        .cost_sha256 = "",
        .cost_source = "",
        .cost_name = "",
        .cost_unit = "",
        .truth_sha256 = "",
        .tune_sha256 = compute_tune_sha256(&t->mc),
        .precision = machine_precision(&t->mc),
    };
    if (t->resume) {
        return manifest_check(t->dir, &m, *t->keep, e);
    }
    return file_mkdirs(t->dir, e) && manifest_write(t->dir, t->o, &m, &t->mc, *t->keep, e);
}

static bool trainer_open(struct trainer *t, const struct options *o, struct arena *keep,
                         struct err *e)
{
    *t = (struct trainer){.o = o, .keep = keep, .log = {.fd = -1}};
    if (o->n_args > 0) {
        return err_set(e, ERR_USAGE, "hdnas train takes options only, but \"%.80s\" was given",
                       o->args[0]);
    }
    if (!trainer_dir(t, e) ||
        !compute_open(&t->mc, t->o, keep, e) ||
        !trainer_data(t, e)) {
        return false;
    }
    t->config = (struct train_config){
        .epochs = (int)options_int(t->o, "epochs"),
        .batch = (int)MIN((size_t)options_int(t->o, "batch-size"), t->train_feed.n),
        .smoothing = (float)options_real(t->o, "smoothing"),
        .seed = (uint64_t)options_int(t->o, "seed"),
        .checkpoint_path = trainer_path(t, "checkpoint.safetensors"),
        .resume = t->resume,
    };
    return trainer_schedule(t, e) && trainer_nets(t, e) && trainer_manifest(t, e);
}

/* Begin the log anew, with the lines of the epochs that the checkpoint has behind it. */
static bool trainer_open_log(struct trainer *t, int n_epochs, struct err *e)
{
    const char *path = trainer_path(t, "train.csv");
    struct text text;
    text_init(&text, t->keep);
    text_add(&text, log_header);
    if (n_epochs > 0) {
        struct csv csv;
        if (!csv_read(&csv, t->keep, path, e)) {
            return false;
        }
        for (size_t row = 0; row < csv.n_rows && row < (size_t)n_epochs; row++) {
            for (int col = 0; col < csv.n_cols; col++) {
                text_printf(&text, "%s%s", csv_cell(&csv, row, col),
                            col + 1 < csv.n_cols ? "," : "\n");
            }
        }
    }
    return file_write(path, text.s, text.n, e) && file_log_open(&t->log, path, false, e);
}

static bool trainer_on_step(void *ctx, const struct train_step *s)
{
    struct trainer *t = ctx;
    char note[96];
    int64_t at = (int64_t)(s->epoch - 1) * s->n_steps + s->step;
    if (!t->progress.label) {
        progress_open(&t->progress, "train", "steps", at - 1,
                      (int64_t)t->config.epochs * s->n_steps, t->o->quiet);
    }
    snprintf(note, sizeof note, "epoch %d/%d, loss %.3f, train %.1f %%, best test %.2f %%",
             s->epoch, t->config.epochs, s->loss, 100 * s->accuracy, t->best);
    progress_show(&t->progress, at, note);
    return !signals_pending();
}

static bool trainer_on_epoch(void *ctx, const struct train_epoch *ep)
{
    struct trainer *t = ctx;
    char line[256];
    if (t->log.fd < 0 && !trainer_open_log(t, ep->epoch - 1, &t->err)) {
        return false;
    }
    int len = snprintf(line, sizeof line, "%d,%.6f,%.6f,%.6f,%lld,%.8g,%.2f\n", ep->epoch, ep->loss,
                       ep->train_accuracy, ep->test_accuracy, (long long)ep->test_correct, ep->lr,
                       ep->seconds);
    t->best = fmax(t->best, 100 * ep->test_accuracy);
    progress_clear(&t->progress);
    if (!t->o->quiet) {
        fprintf(stderr, "epoch %d/%d: loss %.4f, train %.2f %%, test %.2f %%, %.1f s\n", ep->epoch,
                t->config.epochs, ep->loss, 100 * ep->train_accuracy, 100 * ep->test_accuracy,
                ep->seconds);
    }
    if (!file_log_write(&t->log, line, (size_t)len, &t->err)) {
        return false;
    }
    return !ep->is_best ||
           weights_save(t->net, &t->info, trainer_path(t, "best.safetensors"), *t->keep, &t->err);
}

static bool trainer_finish(struct trainer *t, const struct train_job *job, struct err *e)
{
    if (job->diverged) {
        err_set(e, ERR_FAILED, "the loss is no longer a finite number: training diverged");
        return err_hint(e, "lower --lr, or start with --warmup");
    }
    if (!weights_save(t->net, &t->info, trainer_path(t, "last.safetensors"), *t->keep, e)) {
        return false;
    }
    printf("%s\n%s\n%s\n", trainer_path(t, "best.safetensors"), trainer_path(t, "last.safetensors"),
           trainer_path(t, "train.csv"));
    return true;
}

static bool train_cmd_run(const struct options *o, struct arena *keep, struct err *e)
{
    struct trainer t;
    if (!trainer_open(&t, o, keep, e)) {
        return false;
    }
    signals_install();
    struct train_job job = {
        .mc = &t.mc,
        .config = &t.config,
        .train = &t.train_feed,
        .test = &t.test_feed,
        .info = &t.info,
        .net = t.net,
        .eval_net = t.eval_net,
        .eval_batch = t.config.batch,
        .on_step = trainer_on_step,
        .on_epoch = trainer_on_epoch,
        .ctx = &t,
    };
    if (!t.o->quiet) {
        fprintf(stderr, "%s on %s (%zu training, %zu test images): %s, %d threads, %s\n",
                t.info.spec.arch, t.train_ds.name, t.train_ds.n, t.test_ds.n, t.dir, t.mc.n_threads,
                cpu_tier_name(t.mc.tier));
    }
    /* The callbacks below push into the command's arena while training runs: it has memory of its
     * own. */
    size_t bytes = train_plan_bytes(&job);
    if (bytes > keep->cap - keep->used) {
        return err_set(e, ERR_FAILED, "training needs %zu MiB of memory, %zu are left", bytes >> 20,
                       (keep->cap - keep->used) >> 20);
    }
    struct arena tmp = arena_carve(keep, bytes);
    bool ok = train_run(&job, tmp, e);
    progress_close(&t.progress);
    file_log_close(&t.log);
    if (t.err.code != ERR_NONE) {
        *e = t.err;
        return false;
    }
    if (!ok && e->code == ERR_INTERRUPTED) {
        return err_hint(e, "hdnas train --resume %s", t.dir);
    }
    return ok && trainer_finish(&t, &job, e);
}

const struct cmd cmd_train = {
    .name = "train",
    .summary = "train a network",
    .usage = "hdnas train [options]",
    .about = "Trains any known architecture from random weights and writes DIR/best.safetensors "
             "(most test images "
             "right), last.safetensors, train.csv (one line an epoch), and checkpoint.safetensors "
             "after every epoch.",
    .examples = "hdnas train --arch resnet20 --data cifar10:DIR --epochs 15 --out net\n"
                "hdnas train --arch nb201/13714 --data cifar10:DIR --cutout 8\n"
                "hdnas train --resume net",
    .options = train_options,
    .n_options = (int)N_ELEMS(train_options),
    .run = train_cmd_run,
};
