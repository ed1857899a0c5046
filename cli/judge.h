/*
 * judge.h: what candidates are judged by, from the options that `search` and `score` share: images,
 * reference network, the fixed batch, the score and its settings.
 */
#ifndef CLI_JUDGE_H
#define CLI_JUDGE_H

#include "cli/options.h"
#include "core/arena.h"
#include "data/dataset.h"
#include "nas/panel.h"

/* Rows for a command's table. */
/* clang-format off: one row an option */
#define JUDGE_OPTIONS \
    JUDGE_DATA_OPTIONS, \
    {"score", OPTION_TEXT, "NAME", "rmi", \
     "how candidates are scored (hdnas info lists the scores); hdnas search goes by agg-lite, which " \
     "orders better and scores random networks first, to rank among them", 0, 0}, \
    JUDGE_BATCH_OPTIONS

#define JUDGE_DATA_OPTIONS \
    {"data", OPTION_TEXT, "SPEC", "builtin", \
     "images: builtin, cifar10:DIR, mnist:DIR, ... (hdnas data list)", 0, 0}, \
    {"limit", OPTION_INT, "N", "0", "use the first N images only; 0 = all", 0, 1e9}, \
    {"reference", OPTION_TEXT, "FILE", NULL, \
     "weights of the reference network (default: the built-in one for built-in and " \
     "Fashion-MNIST data)", 0, 0}, \
    {"reference-arch", OPTION_TEXT, "ARCH", NULL, \
     "its architecture, where the file does not tell", 0, 0}, \
    {"space", OPTION_TEXT, "NAME", "nb201", "search space", 0, 0}

#define JUDGE_BATCH_OPTIONS \
    {"batch-size", OPTION_INT, "N", NULL, "images of the fixed batch (agg-lite, rmi, rmi-lite 16, all others "\
     "32)", 2, 65536}, \
    {"draw", OPTION_INT, "N", "512", \
     "images drawn, of which the reference's easiest are the batch", 2, 65536}, \
    {"batch", OPTION_TEXT, "FILE", NULL, \
     "take the batch from this safetensors file instead (images, labels)", 0, 0}, \
    {"save-batch", OPTION_TEXT, "FILE", NULL, "write the batch to a safetensors file", 0, 0}, \
    {"cells", OPTION_INT, "N", NULL, \
     "cells a stage of the network that is scored; 0 = as published (rmi 1, all others 0)", 0, \
     MODEL_MAX_CELLS}, \
    {"channels", OPTION_INT, "N", NULL, \
     "channels of its first stage; 0 = as published (agg-lite, rmi-lite 8, all others 0)", \
     0, MODEL_MAX_WIDTH}, \
    {"image-size", OPTION_INT, "N", NULL, \
     "side of the images that the scored network sees, shrunk to that after the reference has seen " \
     "them; 0 = as they are (agg-lite, rmi-lite 16, all others 0)", 0, 4096}, \
    {"steps", OPTION_INT, "N", NULL, \
     "updates before the score is read (rmi, rmi-lite, agg-lite 40, rmi-brief, agg-rmi 20, "\
     "rmi-paper 150)", 0, 100000}, \
    {"lr", OPTION_REAL, "X", NULL, "learning rate of those updates (0.1)", 0, 1000}, \
    {"momentum", OPTION_REAL, "X", NULL, "momentum of those updates (0.9)", 0, 1}, \
    {"weight-decay", OPTION_REAL, "X", NULL, "L2 weight decay of those updates (5e-4)", 0, 10}, \
    {"beta", OPTION_REAL, "X", NULL, "share of the representation term in the loss (0.8)", 0, 1}, \
    {"taps", OPTION_TEXT, "LIST", NULL, "depths that enter, from 1 (1,2,3)", 0, 0}, \
    {"score-seed", OPTION_INT, "N", NULL, \
     "draws of the batch and of starting weights follow from this instead of --seed", 0, 9e15}, \
    {"calibration", OPTION_INT, "N", "64", \
     "random networks among which scores made of others (agg) rank a candidate", 2, 100000}
/* clang-format on */

struct judge {
    const struct score *score;
    struct score_options score_options;
    struct score_batch batch;   /* n = 0 where the score needs none */
    struct score_panel panel;   /* of a score made of others; batch.panel points here */
    struct model_spec model;    /* input shape and classes of the candidates */
    struct weights_info info;   /* of the reference; spec.arch is "" without one */
    const char *reference_path; /* NULL without one */
    char reference_sha256[65], data_sha256[65];
    char data_name[32];
};

/* Everything judged by lives in the arena; ERR_* as the parts say. */
MUST_USE bool judge_open(struct judge *j, const struct options *o, struct arena *keep,
                         const struct machine *mc, struct err *e);

/* The same by another score than --score says: for commands that list several. */
MUST_USE bool judge_open_score(struct judge *j, const struct options *o, const char *score,
                               struct arena *keep, const struct machine *mc, struct err *e);

/* Bytes one worker may use: --memory, or three quarters of what the machine has, shared among them.
 */
size_t judge_worker_bytes(const struct options *o, int n_workers);

#endif
