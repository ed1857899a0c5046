/* checkpoint.h: all that a training run needs to go on: a weights file with the optimiser's state
 * beside the weights. */
#ifndef NN_CHECKPOINT_H
#define NN_CHECKPOINT_H

#include "nn/optim.h"
#include "nn/weights.h"

struct checkpoint {
    int epoch;            /* epochs that are done */
    int64_t best_correct; /* of the test images, -1 = none yet */
    char settings[240];   /* of the run: one that differs cannot go on from here */
};

/* Scratch bytes of either. */
size_t checkpoint_scratch_bytes(const struct graph *g);

/* Atomic: a reader sees the old file or the new one. */
MUST_USE bool checkpoint_save(const struct checkpoint *c, struct net *net, struct optim *o,
                              const struct weights_info *info, const char *path, struct arena tmp,
                              struct err *e);

/* c->settings is what the caller has; ERR_USAGE if the file's differ. */
MUST_USE bool checkpoint_load(struct checkpoint *c, struct net *net, struct optim *o,
                              const char *path, struct arena tmp, struct err *e);

#endif
