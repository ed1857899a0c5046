#include "cli/cmds.h"
#include "cli/compute.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "core/clock.h"
#include "data/loader.h"
#include "nn/loss.h"
#include "nn/weights.h"

#include <stdio.h>
#include <string.h>

/* clang-format off: one row an option */
static const struct option_spec eval_options[] = {
    {"model", OPTION_TEXT, "FILE", NULL, "weights (safetensors); needed", 0, 0},
    {"arch", OPTION_TEXT, "ARCH", NULL,
     "architecture, where the file does not tell: resnet20, nb201:333123, mlp:256", 0, 0},
    {"data", OPTION_TEXT, "SPEC", "builtin",
     "images: builtin, cifar10:DIR, mnist:DIR, ... (hdnas data list)", 0, 0},
    {"split", OPTION_TEXT, "NAME", "test", "test or train", 0, 0},
    {"limit", OPTION_INT, "N", "0", "the first N images only; 0 = all", 0, 1e9},
    {"batch-size", OPTION_INT, "N", "128", "images at a time", 1, 65536},
    OPTIONS_COMMON,
};
/* clang-format on */

struct evaluation {
    struct weights_info info;
    struct dataset ds;
    struct feed feed;
    struct machine mc;
    size_t correct, total;
    double loss, seconds;
};

static bool eval_open(struct evaluation *ev, const struct options *o, struct arena *keep,
                      struct err *e)
{
    const char *model = options_text(o, "model"), *split = options_text(o, "split");
    if (!model) {
        err_set(e, ERR_USAGE, "no model given");
        return err_hint(e, "--model FILE.safetensors");
    }
    if (strcmp(split, "test") != 0 && strcmp(split, "train") != 0) {
        return err_set(e, ERR_USAGE, "--split %s: expected test or train", split);
    }
    struct dataset_options options = {
        .limit = (size_t)options_int(o, "limit"),
        .seed = (uint64_t)options_int(o, "seed"),
    };
    enum dataset_split which = strcmp(split, "train") == 0 ? DATASET_TRAIN : DATASET_TEST;
    if (!compute_open(&ev->mc, o, keep, e) ||
        !weights_info_read(&ev->info, model, options_text(o, "arch"), e) ||
        !dataset_open(&ev->ds, keep, options_text(o, "data"), which, &options, e)) {
        return false;
    }
    if (ev->ds.n_classes != ev->info.spec.n_classes) {
        return err_set(e, ERR_INPUT, "%s tells %d classes apart, --data %s has %d", model,
                       ev->info.spec.n_classes, options_text(o, "data"), ev->ds.n_classes);
    }
    struct loader_options loader = {
        .mean = ev->info.mean,
        .std = ev->info.std,
        .shape = ev->info.spec.input,
    };
    return loader_feed(&ev->feed, keep, &ev->ds, &loader, e);
}

static bool eval_count(struct evaluation *ev, const struct options *o, struct arena *keep,
                       struct err *e)
{
    struct graph *graph;
    struct net *net;
    size_t batch = MIN((size_t)options_int(o, "batch-size"), ev->feed.n);
    if (!model_build(&graph, keep, &ev->info.spec, e) ||
        !net_new(&net, keep, &ev->mc, graph, (int)batch, NET_EVAL, e) ||
        !weights_load(net, options_text(o, "model"), *keep, e)) {
        return false;
    }
    float *x = arena_try(keep, batch * shape_count(ev->feed.shape), sizeof *x, e);
    int32_t *labels = x ? arena_try(keep, batch, sizeof *labels, e) : NULL;
    if (!labels) {
        return false;
    }
    struct progress progress;
    progress_open(&progress, "eval", "images", 0, (int64_t)ev->feed.n, o->quiet);
    double start = clock_now_s();
    for (size_t at = 0; at < ev->feed.n; at += batch) {
        int n = (int)MIN(batch, ev->feed.n - at);
        feed_fill(&ev->feed, 0, at, n, x, labels);
        const float *logits = net_forward(net, &ev->mc, x, n, false);
        ev->correct += (size_t)loss_count_correct(logits, labels, n, ev->feed.n_classes);
        ev->loss += n * loss_cross_entropy(logits, labels, n, ev->feed.n_classes, 0, 1, NULL, NULL);
        ev->total += (size_t)n;
        progress_show(&progress, (int64_t)ev->total, NULL);
    }
    ev->seconds = clock_now_s() - start;
    progress_close(&progress);
    return true;
}

static bool eval_run(const struct options *o, struct arena *keep, struct err *e)
{
    struct evaluation ev = {0};
    if (!eval_open(&ev, o, keep, e) || !eval_count(&ev, o, keep, e)) {
        return false;
    }
    double accuracy = 100.0 * (double)ev.correct / (double)ev.total;
    double loss = ev.loss / (double)ev.total;
    if (!o->json) {
        printf("correct,total,accuracy,loss,seconds\n%zu,%zu,%.4f,%.6f,%.3f\n", ev.correct,
               ev.total, accuracy, loss, ev.seconds);
        return true;
    }
    struct json j;
    json_init(&j, keep);
    json_object(&j, NULL);
    json_int(&j, "correct", (int64_t)ev.correct);
    json_int(&j, "total", (int64_t)ev.total);
    json_real(&j, "accuracy", accuracy);
    json_real(&j, "loss", loss);
    json_real(&j, "seconds", ev.seconds);
    json_text(&j, "arch", ev.info.spec.arch);
    json_end(&j);
    json_print(&j, stdout);
    return true;
}

const struct cmd cmd_eval = {
    .name = "eval",
    .summary = "count the images a trained network gets right",
    .usage = "hdnas eval --model FILE [options]",
    .about =
        "Runs a network over a data set, with the normalisation its weight file names, and prints "
        "correct,total,accuracy (%),loss,seconds.",
    .examples = "hdnas eval --model resnet20.safetensors --data cifar10:DIR\n"
                "hdnas eval --model net.safetensors --arch nb201:333123 --data cifar10:DIR --json",
    .options = eval_options,
    .n_options = (int)N_ELEMS(eval_options),
    .run = eval_run,
};
