/* prune_rounds.h: the course of `hdnas prune`: a dense network, then round after round of pruning,
 * measuring and training, a line of prune.csv each. */
#ifndef CLI_PRUNE_ROUNDS_H
#define CLI_PRUNE_ROUNDS_H

#include "cli/prune_job.h"

/* In the run's folder. */
#define PRUNE_ROUNDS_DENSE  "dense.safetensors"
#define PRUNE_ROUNDS_PRUNED "pruned.safetensors"

/* A network of job->nets with the weights of a file of the run; its name and its masks where they
 * are not NULL. */
MUST_USE bool prune_rounds_read(struct prune_job *j, struct net **net, const char *name,
                                char arch[256], struct prune_mask *mask, struct err *e);

/* Train the dense network or go on with it: DIR/dense.safetensors. */
MUST_USE bool prune_rounds_dense(struct prune_job *j, struct err *e);

/* All rounds, or those an earlier run left: DIR/prune.csv, DIR/pruned.safetensors (with masks) and
 * DIR/classifier.safetensors (what is deployed). */
MUST_USE bool prune_rounds_run(struct prune_job *j, struct err *e);

#endif
