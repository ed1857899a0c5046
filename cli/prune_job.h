/*
 * prune_job.h: what `hdnas prune` works on: options, data, the training objective, memory; and one
 * stretch of training with its log. The rounds of pruning are prune_rounds.c's, pictures and
 * metrics prune_views.c's, the page prune_page.c's.
 */
#ifndef CLI_PRUNE_JOB_H
#define CLI_PRUNE_JOB_H

#include "cli/options.h"
#include "cli/progress.h"
#include "core/file.h"
#include "data/loader.h"
#include "nn/prune.h"
#include "nn/vae.h"

enum { PRUNE_JOB_MAX_LEVELS = 64 };

struct prune_job {
    const struct options *o;
    struct options resumed;
    struct arena *keep; /* names and lists; small */
    struct arena nets;  /* emptied before each round */
    struct arena tmp;   /* scratch of training and files */
    const char *dir;
    bool resume;
    struct machine mc;
    struct dataset train_ds, test_ds;
    struct feed train_feed, test_feed;
    struct weights_info info; /* of the network as it is trained; arch of the dense one */
    struct vae vae;
    struct prune_rule rule;
    bool channels, iterative;
    int rewind; /* epochs, -1 = weights stay */
    double levels[PRUNE_JOB_MAX_LEVELS];
    int n_levels;
    struct file_log train_log;
    bool dense_begun; /* an epoch of this process has been logged */
    struct progress progress;
    int64_t i_step, n_steps;       /* of all stretches, for the progress line */
    const struct prune_mask *mask; /* in force while training; NULL = none */
    struct net *net;               /* under training */
    int phase;                     /* 0 = dense, else the round */
    char phase_note[64];
    double accuracy; /* of the last measurement */
    struct err err;  /* of a callback */
};

/* Options, data and memory; the folder and its config.json are written last. */
MUST_USE bool prune_job_open(struct prune_job *j, const struct options *o, struct arena *keep,
                             struct err *e);

/* DIR/name, in keep. */
const char *prune_job_path(struct prune_job *j, const char *name);

/* The classifier's name: that of the training network without draw and decoder. */
void prune_job_deployed(const char *arch, char deployed[256]);

/* A network of this name in job->nets. */
MUST_USE bool prune_job_net(struct prune_job *j, struct net **net, const char *arch,
                            enum net_mode mode, struct err *e);

/* Train job->net for some epochs; lines go to train.csv. ERR_INTERRUPTED after a signal. */
MUST_USE bool prune_job_train(struct prune_job *j, int epochs, double lr, const char *checkpoint,
                              struct err *e);

/* Share of the test images that the deployed part of a network of this name gets right. */
MUST_USE bool prune_job_measure(struct prune_job *j, const struct net *net, const char *arch,
                                struct err *e);

/* Open train.csv with the lines of phases below `phase` (and of phase 0 up to `epoch`). */
MUST_USE bool prune_job_open_log(struct prune_job *j, int phase, int epoch, struct err *e);

#endif
