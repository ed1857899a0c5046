#include "cli/prune_rounds.h"

#include "cli/signals.h"
#include "cli/text.h"
#include "core/clock.h"
#include "core/csv.h"
#include "nn/loss.h"
#include "nn/prune_channels.h"
#include "nn/prune_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A network under the knife. */
struct prune_round {
    int i; /* from 1 */
    double level;
    char arch[256];
    struct net *net;
    struct prune_mask mask;
    int n_channels, n_dense_channels;
    double accuracy_before;
};

static const char prune_header[] = "round,level,sparsity,channels,params,macs,accuracy_before,"
                                   "accuracy,seconds,arch\n";

bool prune_rounds_read(struct prune_job *j, struct net **net, const char *name, char arch[256],
                       struct prune_mask *mask, struct err *e)
{
    const char *path = prune_job_path(j, name);
    struct weights_info info;
    if (!weights_info_read(&info, path, NULL, e) ||
        !prune_job_net(j, net, info.spec.arch, NET_TRAIN, e) ||
        !weights_load(*net, path, j->tmp, e)) {
        return false;
    }
    if (arch) {
        snprintf(arch, 256, "%s", info.spec.arch);
    }
    if (mask) {
        prune_mask_init(mask, &j->nets, net_graph(*net));
    }
    return !mask || prune_file_load(mask, net_graph(*net), path, j->tmp, e);
}

static bool prune_rounds_save(struct prune_job *j, struct prune_round *r, const char *name,
                              struct err *e)
{
    struct weights_info info = j->info;
    char round[16], accuracy[16];
    snprintf(round, sizeof round, "%d", r->i);
    snprintf(accuracy, sizeof accuracy, "%.6f", j->accuracy);
    snprintf(info.spec.arch, sizeof info.spec.arch, "%s", r->arch);
    const char *const meta[][2] = {{"round", round}, {"accuracy", accuracy}};
    return prune_file_save(&r->mask, r->net, &info, meta, 2, prune_job_path(j, name), j->tmp, e);
}

/* What is deployed, for hdnas eval and bench. */
static bool prune_rounds_save_classifier(struct prune_job *j, const struct prune_round *r,
                                         struct err *e)
{
    struct weights_info info = j->info;
    struct net *net;
    prune_job_deployed(r->arch, info.spec.arch);
    if (!prune_job_net(j, &net, info.spec.arch, NET_EVAL, e)) {
        return false;
    }
    prune_copy_params(net, r->net);
    return weights_save(net, &info, prune_job_path(j, "classifier.safetensors"), j->tmp, e);
}

bool prune_rounds_dense(struct prune_job *j, struct err *e)
{
    const char *init = options_text(j->o, "init"), *path = prune_job_path(j, PRUNE_ROUNDS_DENSE);
    const char *checkpoint = prune_job_path(j, "checkpoint.safetensors");
    struct prune_round r = {.i = 0};
    if (file_exists(path)) {
        return true;
    }
    j->nets.used = 0;
    snprintf(r.arch, sizeof r.arch, "%s", j->info.spec.arch);
    if (!prune_job_net(j, &r.net, r.arch, NET_TRAIN, e)) {
        return false;
    }
    j->net = r.net;
    j->phase = 0;
    snprintf(j->phase_note, sizeof j->phase_note, "dense");
    prune_mask_init(&r.mask, &j->nets, net_graph(r.net));
    net_init_params(r.net, NET_INIT_PYTORCH, (uint64_t)options_int(j->o, "seed"));
    if (init) {
        if (!weights_load(r.net, init, j->tmp, e)) {
            return false;
        }
    } else {
        if (j->rewind == 0 &&
            !weights_save(r.net, &j->info, prune_job_path(j, "rewind.safetensors"), j->tmp, e)) {
            return false;
        }
        if (!prune_job_train(j, (int)options_int(j->o, "epochs"), options_real(j->o, "lr"),
                             checkpoint, e)) {
            return false;
        }
    }
    if (!prune_job_measure(j, r.net, r.arch, e)) {
        return false;
    }
    if (!j->o->quiet) {
        fprintf(stderr, "dense: test %.2f %%\n", 100 * j->accuracy);
    }
    bool ok = prune_rounds_save(j, &r, PRUNE_ROUNDS_DENSE, e);
    unlink(checkpoint); /* what it was for is done */
    return ok;
}

/* Gradients of the cross-entropy on the first images of the training order, without draws. */
static void prune_rounds_gradients(struct prune_job *j, struct net *net)
{
    struct arena tmp = j->tmp;
    int n = (int)MIN((size_t)options_int(j->o, "batch-size"), j->train_feed.n);
    float *x = arena_push(&tmp, (size_t)n * shape_count(j->train_feed.shape), sizeof *x);
    int32_t *labels = arena_push(&tmp, (size_t)n, sizeof *labels);
    feed_fill(&j->train_feed, 0, 0, n, x, labels);
    const float *logits = net_forward(net, &j->mc, x, n, false);
    loss_cross_entropy(logits, labels, n, j->info.spec.n_classes, 0, 1, net_output_seed(net), NULL);
    net_backward(net, &j->mc);
}

static bool prune_rounds_cut_channels(struct prune_job *j, struct prune_round *r, struct err *e)
{
    struct prune_channels c, dense;
    if (!prune_channels_init(&dense, &j->nets, j->info.spec.arch, e) ||
        !prune_channels_init(&c, &j->nets, r->arch, e)) {
        return false;
    }
    r->n_dense_channels = dense.n_channels;
    int n_gone = (int)rint(r->level * dense.n_channels) - (dense.n_channels - c.n_channels);
    char left[256];
    struct net *net;
    if (!prune_channels_choose(&c, r->net, &j->rule, MAX(n_gone, 0),
                               (int)options_int(j->o, "min-width"), j->tmp, e)) {
        return err_wrap(e, "level %g", r->level);
    }
    prune_channels_arch(&c, left);
    if (!prune_job_net(j, &net, left, NET_TRAIN, e)) {
        return false;
    }
    prune_channels_copy(&c, net, r->net, j->tmp);
    r->net = net;
    r->n_channels = c.n_kept;
    memcpy(r->arch, left, sizeof r->arch);
    prune_mask_init(&r->mask, &j->nets, net_graph(net));
    return true;
}

/* Weights of the epoch to go back to, under the mask. */
static bool prune_rounds_rewind(struct prune_job *j, struct prune_round *r, struct err *e)
{
    if (!weights_load(r->net, prune_job_path(j, "rewind.safetensors"), j->tmp, e)) {
        return err_hint(e, "the epoch to go back to was not kept: start a new run");
    }
    prune_apply(&r->mask, r->net);
    return true;
}

static int64_t prune_rounds_params(const struct prune_round *r, const struct net *net)
{
    /* Of what is deployed: everything trained but draw and decoder, less what is masked. */
    const struct graph *g = net_graph(net);
    int64_t n = -(int64_t)(r->mask.n_weights - r->mask.n_kept);
    for (int i = 0; i < g->n_params; i++) {
        const char *name = g->params[i].name;
        bool deployed = strncmp(name, "decoder.", 8) != 0 && strncmp(name, "logvar.", 7) != 0;
        n += net_param_trained(net, i) && deployed ? (int64_t)g->params[i].count : 0;
    }
    return n;
}

static bool prune_rounds_log(struct prune_job *j, struct prune_round *r, struct file_log *log,
                             double seconds, struct err *e)
{
    char line[640], deployed[256];
    struct model_spec spec = j->info.spec;
    struct graph *g;
    prune_job_deployed(r->arch, deployed);
    memcpy(spec.arch, deployed, sizeof deployed);
    if (!model_build(&g, &j->nets, &spec, e)) {
        return false;
    }
    double sparsity = j->channels ? 1 - (double)r->n_channels / r->n_dense_channels
                                  : 1 - (double)r->mask.n_kept / (double)r->mask.n_weights;
    int len =
        snprintf(line, sizeof line, "%d,%.9g,%.6f,%d,%lld,%lld,%.6f,%.6f,%.2f,\"%s\"\n", r->i,
                 r->level, sparsity, r->n_channels, (long long)prune_rounds_params(r, r->net),
                 (long long)graph_macs(g), r->accuracy_before, j->accuracy, seconds, deployed);
    progress_clear(&j->progress);
    if (!j->o->quiet) {
        fprintf(stderr,
                "round %d/%d: sparsity %.2f %%, test %.2f %% before training, %.2f %% after\n",
                r->i, j->n_levels, 100 * sparsity, 100 * r->accuracy_before, 100 * j->accuracy);
    }
    return file_log_write(log, line, (size_t)len, e);
}

static bool prune_rounds_train(struct prune_job *j, struct prune_round *r, struct err *e)
{
    int epochs = (int)options_int(j->o, "finetune");
    double lr = options_real(j->o, "lr") / 2; /* half the way down the cosine */
    if (j->rewind >= 0) {
        epochs = (int)options_int(j->o, "epochs") - j->rewind;
        lr = options_real(j->o, "lr");
    }
    j->net = r->net;
    j->mask = &r->mask;
    j->phase = r->i;
    snprintf(j->phase_note, sizeof j->phase_note, "round %d of %d", r->i, j->n_levels);
    bool ok = prune_job_train(j, epochs, lr, NULL, e);
    j->mask = NULL;
    return ok && (epochs == 0 || prune_job_measure(j, r->net, r->arch, e));
}

static bool prune_rounds_one(struct prune_job *j, int i, struct file_log *log, struct err *e)
{
    struct prune_round r = {.i = i, .level = j->levels[i - 1]};
    double start = clock_now_s();
    j->nets.used = 0;
    const char *from = j->iterative && i > 1 ? PRUNE_ROUNDS_PRUNED : PRUNE_ROUNDS_DENSE;
    if (!prune_rounds_read(j, &r.net, from, r.arch, &r.mask, e)) {
        return false;
    }
    if (j->rule.criterion->needs_gradient) {
        prune_rounds_gradients(j, r.net);
    }
    bool ok = j->channels ? prune_rounds_cut_channels(j, &r, e)
                          : prune_weights(&r.mask, r.net, &j->rule, r.level, j->tmp, e);
    if (!ok || (j->rewind >= 0 && !prune_rounds_rewind(j, &r, e)) ||
        !prune_job_measure(j, r.net, r.arch, e)) {
        return false;
    }
    r.accuracy_before = j->accuracy;
    /* The line first: killed between the two, the round is repeated and its line written again.
     * Only what a later round or the reader wants is kept. */
    bool last = i == j->n_levels;
    return prune_rounds_train(j, &r, e) && prune_rounds_log(j, &r, log, clock_now_s() - start, e) &&
           (!(last || j->iterative) || prune_rounds_save(j, &r, PRUNE_ROUNDS_PRUNED, e)) &&
           (!last || prune_rounds_save_classifier(j, &r, e));
}

/* The round of pruned.safetensors, 0 without one. */
static bool prune_rounds_saved(struct prune_job *j, int *n_saved, struct arena tmp, struct err *e)
{
    const char *path = prune_job_path(j, PRUNE_ROUNDS_PRUNED);
    struct safetensors st;
    if (!file_exists(path)) {
        return true;
    }
    if (!safetensors_read(&st, &tmp, path, e)) {
        return false;
    }
    const char *round = safetensors_meta(&st, "round");
    *n_saved = round ? atoi(round) : -1;
    return (*n_saved >= 0 && *n_saved <= j->n_levels) ||
           err_set(e, ERR_INPUT, "%s: expected round 0 to %d, found %s", path, j->n_levels,
                   round ? round : "none");
}

/* Rounds whose line and, where they are wanted, whose weights are there; lines beyond are dropped.
 */
static bool prune_rounds_done(struct prune_job *j, struct file_log *log, int *n_done, struct err *e)
{
    const char *path = prune_job_path(j, "prune.csv");
    struct arena tmp = j->tmp;
    struct arena words = arena_carve(&tmp, (size_t)16 << 20);
    struct text text;
    text_init(&text, &words);
    text_add(&text, prune_header);
    *n_done = 0;
    if (j->resume && file_exists(path)) {
        struct csv csv;
        int n_saved = 0;
        if (!csv_read_log(&csv, &tmp, path, e) || !prune_rounds_saved(j, &n_saved, tmp, e)) {
            return false;
        }
        int n_free = j->iterative ? 0 : j->n_levels - 1; /* rounds that stand on their own */
        *n_done = MIN((int)csv.n_rows, MAX(n_saved, n_free));
        for (int row = 0; row < *n_done; row++) {
            for (int c = 0; c < csv.n_cols; c++) {
                const char *quote = c + 1 == csv.n_cols ? "\"" : "";
                text_printf(&text, "%s%s%s%s", quote, csv_cell(&csv, (size_t)row, c), quote,
                            c + 1 < csv.n_cols ? "," : "\n");
            }
        }
    }
    return file_write(path, text.s, text.n, e) && file_log_open(log, path, false, e);
}

bool prune_rounds_run(struct prune_job *j, struct err *e)
{
    struct file_log log = {.fd = -1};
    int n_done = 0;
    bool ok = prune_rounds_done(j, &log, &n_done, e) && prune_job_open_log(j, n_done + 1, 0, e);
    for (int i = n_done + 1; ok && i <= j->n_levels; i++) {
        ok = prune_rounds_one(j, i, &log, e);
        if (ok && i < j->n_levels && signals_pending()) {
            err_set(e, ERR_INTERRUPTED, "stopped after round %d", i);
            ok = err_hint(e, "hdnas prune --resume %s", j->dir);
        }
    }
    file_log_close(&log);
    return ok;
}
