/*
 * trial.h: a candidate at its starting weights, forward and backward on a batch: what scores that
 * train nothing have in common. Batch norm uses the batch's statistics.
 */
#ifndef NAS_TRIAL_H
#define NAS_TRIAL_H

#include "nas/score.h"

/* What a score wants to see besides output and weight gradients. */
enum trial_want {
    TRIAL_VALUES = 1,     /* every node's activation after a forward */
    TRIAL_INPUT_GRAD = 2, /* the gradient with respect to the images */
};

struct trial {
    const struct score_job *job;
    const struct graph *graph; /* the candidate's, with what is wanted */
    struct net *net;
    struct arena tmp; /* what is left of the job's scratch */
};

/* Bytes trial_open takes for batches of n images. */
size_t trial_bytes(const struct machine *mc, const struct graph *g, int n, unsigned want);

/* Build, draw or load the starting weights, write them where the job says. ERR_*: the world's. */
MUST_USE bool trial_open(struct trial *t, const struct score_job *job, int n, unsigned want,
                         struct err *e);

/* Forward in train mode over x[n, h, w, c]. */
const float *trial_forward(struct trial *t, const float *x, int n);

/* Forward and backward of the mean cross-entropy, which is returned; gradients are in the net. */
double trial_backward(struct trial *t, const float *x, const int32_t *labels, int n);

/* Is parameter i the weight of a convolution or linear layer: what published scores sum over. */
bool trial_is_weight(const struct trial *t, int i_param);

/* Defaults of scores without training: PyTorch's initialisation, seed 1. */
void trial_defaults(struct score_options *o);

#endif
