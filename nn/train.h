/*
 * train.h: the training loop as a library: it prints nothing, tells its course through callbacks,
 * and can be killed and resumed to the very same bits. Batches are prepared by a background thread
 * while the network computes.
 */
#ifndef NN_TRAIN_H
#define NN_TRAIN_H

#include "nn/optim.h"
#include "nn/schedule.h"
#include "nn/weights.h"

struct train_config {
    int epochs, batch;
    struct optim_config optim;
    struct schedule schedule; /* over all steps of all epochs */
    float smoothing;          /* of the labels */
    uint64_t seed; /* recorded; the caller draws the starting weights and makes the feeds with it */
    const char *checkpoint_path; /* NULL = none; else written after every epoch */
    bool resume;                 /* go on from checkpoint_path if it is there */
};

/* Progress within an epoch, after each step. */
struct train_step {
    int epoch, step, n_steps; /* steps of this epoch; step counts from 1 */
    double loss, accuracy;    /* means over the epoch so far */
    double lr;
    double seconds; /* since this run began */
};

struct train_epoch {
    int epoch;             /* counts from 1 */
    double loss;           /* mean over the epoch's images, in train mode */
    double train_accuracy; /* shares; of augmented images in train mode */
    double test_accuracy;  /* NaN without a test feed */
    int64_t test_correct;
    double lr;      /* of the last step */
    double seconds; /* of this epoch, evaluation included */
    bool is_best;   /* more correct test images than any epoch before */
};

/* One batch after its forward pass. */
struct train_batch {
    const float *x, *logits;
    const int32_t *labels;
    int n;
    int64_t i_step, n_steps; /* of the whole run */
};

/* What is made small, where it is more than the cross-entropy of the logits. */
struct train_objective {
    /* Writes the seeds of output and taps; returns the mean loss over the batch. */
    double (*loss)(void *ctx, struct net *net, const struct train_batch *b);
    /* Between backward and update, and after it; NULL = nothing. */
    void (*before_update)(void *ctx, struct net *net);
    void (*after_update)(void *ctx, struct net *net);
    void *ctx;
};

struct train_job {
    const struct machine *mc;
    const struct train_config *config;
    const struct feed *train, *test; /* test may be NULL */
    const struct weights_info *info; /* what a checkpoint says of itself */
    struct net *net;                 /* NET_TRAIN, max_batch >= config->batch, parameters set */
    const struct train_objective *objective; /* NULL = cross-entropy, config->smoothing */
    struct net *eval_net; /* NET_EVAL of the same graph for the test set, or NULL = use net */
    int eval_batch;       /* at most the max_batch of the net that evaluates */
    /* Both may be NULL. False stops the run with ERR_INTERRUPTED; the last checkpoint stays. */
    bool (*on_step)(void *ctx, const struct train_step *step);
    bool (*on_epoch)(void *ctx, const struct train_epoch *epoch);
    void *ctx;
    int first_epoch; /* out: epochs that the checkpoint had behind it */
    bool diverged;   /* out: the loss was no longer finite; the run stopped there */
};

/* Bytes train_run takes of its arena. */
size_t train_plan_bytes(const struct train_job *job);

/* Train to the end. On return the net holds the last weights. */
MUST_USE bool train_run(struct train_job *job, struct arena tmp, struct err *e);

/* How many images of the feed the net classifies correctly, running statistics; *loss (may be
 * NULL): mean cross-entropy. batch <= the net's max_batch. Scratch: 2 batches of images. */
MUST_USE bool train_evaluate(struct net *net, const struct machine *mc, const struct feed *feed,
                             int batch, int64_t *n_correct, double *loss, struct arena tmp,
                             struct err *e);

#endif
