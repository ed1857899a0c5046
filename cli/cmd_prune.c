#include "cli/cmds.h"
#include "cli/prune_page.h"
#include "cli/prune_rounds.h"
#include "cli/prune_views.h"
#include "cli/signals.h"

#include <stdio.h>

/* clang-format off: one row an option */
static const struct option_spec prune_options[] = {
    {"data", OPTION_TEXT, "SPEC", "builtin",
     "images: mnist:DIR, fashion-mnist, cifar10:DIR, sprites, ... (hdnas data list)", 0, 0},
    {"limit", OPTION_INT, "N", "0", "the first N training images only; 0 = all", 0, 1e9},
    {"test-limit", OPTION_INT, "N", "0", "the first N test images only; 0 = all", 0, 1e9},
    {"model", OPTION_TEXT, "NAME", "vae",
     "vae, bottleneck (a drawn code, no decoder) or plain (no draw either)", 0, 0},
    {"widths", OPTION_TEXT, "LIST", "16s,32s,32s",
     "3x3 convolutions: channels, s = stride 2, M = 2x2 maximum (32,32,M,64,64,M)", 0, 0},
    {"hidden", OPTION_INT, "N", "128", "units of the fully connected layer; 0 = none", 0, 4096},
    {"latent", OPTION_INT, "N", "16", "dimensions of the code", 1, 512},
    {"decoder", OPTION_TEXT, "LIST", "32,16", "channels before each doubling of the image", 0, 0},
    {"beta", OPTION_REAL, "X", "4", "weight of the KL divergence", 0, 1e6},
    {"warmup", OPTION_REAL, "X", "0.2", "share of the training in which beta rises from 0", 0, 1},
    {"recon", OPTION_TEXT, "NAME", "auto", "bce (one channel) or mse (colour)", 0, 0},
    {"recon-weight", OPTION_REAL, "X", "1", "weight of the reconstruction", 0, 1e6},
    {"class-weight", OPTION_REAL, "X", "20", "weight of the cross-entropy", 0, 1e6},
    {"epochs", OPTION_INT, "N", "10", "passes over the training images, dense", 1, 100000},
    {"batch-size", OPTION_INT, "N", "128", "images a step", 1, 65536},
    {"lr", OPTION_REAL, "X", "0.002", "highest learning rate (Adam, down a cosine)", 0, 1000},
    {"weight-decay", OPTION_REAL, "X", "0", "L2", 0, 10},
    {"crop", OPTION_INT, "N", "0", "random crop after padding by N pixels", 0, 64},
    {"flip", OPTION_FLAG, NULL, NULL, "random horizontal flip", 0, 0},
    {"init", OPTION_TEXT, "FILE", NULL,
     "prune these weights (of hdnas prune or train) instead of training some", 0, 0},
    {"criterion", OPTION_TEXT, "NAME", "l1", "what goes first: l1, l2, random, gradient", 0, 0},
    {"scope", OPTION_TEXT, "NAME", "global", "global, or layer: each loses the same share", 0, 0},
    {"structure", OPTION_TEXT, "NAME", "weights",
     "weights (masked), or channels and hidden units (really removed)", 0, 0},
    {"schedule", OPTION_TEXT, "NAME", "oneshot",
     "oneshot: each round prunes the dense network; iterative: the one of the round before", 0, 0},
    {"sparsity", OPTION_REAL, "X", "0.95", "share that is gone after the last round", 0, 1},
    {"rounds", OPTION_INT, "N", "8",
     "rounds on the way there, each taking the same share of what is left", 1, 64},
    {"levels", OPTION_TEXT, "LIST", NULL,
     "the sparsities of the rounds, instead of those two: 0,0.5,0.9", 0, 0},
    {"finetune", OPTION_INT, "N", "1", "epochs of training after each pruning", 0, 100000},
    {"rewind", OPTION_INT, "N", NULL,
     "put weights back to those of epoch N (0: the first) and train from there", 0, 100000},
    {"min-width", OPTION_INT, "N", "0", "channels that every layer keeps", 0, 4096},
    {"no-metrics", OPTION_FLAG, NULL, NULL,
     "no metrics and pictures of the code (they can take longer than the pruning)", 0, 0},
    {"out", OPTION_TEXT, "DIR", NULL, "folder of the run (default: PRUNE-1, PRUNE-2, ...)", 0, 0},
    {"resume", OPTION_TEXT, "DIR", NULL, "go on with a run; it ends with the same bits", 0, 0},
    OPTIONS_COMMON,
};
/* clang-format on */

static bool prune_run(const struct options *o, struct arena *keep, struct err *e)
{
    struct prune_job j;
    if (!prune_job_open(&j, o, keep, e)) {
        return false;
    }
    signals_install();
    if (!j.o->quiet) {
        fprintf(stderr, "%s on %s (%zu training, %zu test images): %s, %d threads, %s\n",
                j.info.spec.arch, j.train_ds.name, j.train_ds.n, j.test_ds.n, j.dir, j.mc.n_threads,
                cpu_tier_name(j.mc.tier));
    }
    bool ok = prune_job_open_log(&j, PRUNE_JOB_MAX_LEVELS + 1, 0, e) && prune_rounds_dense(&j, e) &&
              (options_flag(j.o, "no-metrics") || prune_views_code(&j, e)) &&
              prune_rounds_run(&j, e) && prune_views_weights(&j, e);
    progress_close(&j.progress);
    file_log_close(&j.train_log);
    if (!ok || !prune_page_make(j.dir, *keep, e)) {
        return false;
    }
    printf("%s\n%s\n%s\n%s\n", prune_job_path(&j, "prune.csv"),
           prune_job_path(&j, "pruned.safetensors"), prune_job_path(&j, "classifier.safetensors"),
           prune_job_path(&j, "report.html"));
    return true;
}

const struct cmd cmd_prune = {
    .name = "prune",
    .summary = "train a Beta-VAE or a classifier and prune it",
    .usage = "hdnas prune [options]",
    .about = "Trains a convolutional classifier on the code of a Beta-VAE (or without one), then "
             "takes weights or whole channels away round by round, with training in between, and "
             "measures what accuracy is left. Writes DIR/prune.csv (one line a round), train.csv "
             "(one line an epoch), dense.safetensors, pruned.safetensors with its masks, and "
             "classifier.safetensors, which hdnas eval reads; metrics.csv, pictures and "
             "report.html, one page with all of it.",
    .examples = "hdnas prune --data mnist:DIR --beta 4 --schedule iterative --sparsity 0.95\n"
                "hdnas prune --data fashion-mnist --model plain --structure channels --sparsity "
                "0.5 --min-width 1\n"
                "hdnas prune --resume PRUNE-1",
    .options = prune_options,
    .n_options = (int)N_ELEMS(prune_options),
    .run = prune_run,
};
