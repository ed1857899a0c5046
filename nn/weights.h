/*
 * weights.h: networks on disk, as safetensors with PyTorch names and layouts (conv [k][c/g][kh][kw], linear [k][c]).
 * What we write names architecture, input shape, classes and normalisation in __metadata__, so that a file is enough
 * to run it; a file without them is recognised by its tensor names.
 */
#ifndef NN_WEIGHTS_H
#define NN_WEIGHTS_H

#include "core/feed.h"
#include "nn/model.h"
#include "nn/net.h"

struct weights_info {
    struct model_spec spec;
    float mean[FEED_MAX_CHANNELS], std[FEED_MAX_CHANNELS]; /* of the input it was trained with */
    bool has_norm;        /* false: the file did not say; mean/std are ImageNet's for 3 channels */
    char data[64];        /* the data set it was trained on, "" if unknown */
};

/* Read the description only. arch_hint: NULL, or the value of --arch, which wins over recognition. */
MUST_USE bool weights_info_read(struct weights_info *info, const char *path, const char *arch_hint, struct err *e);

/* Load every parameter of the net; ERR_INPUT for missing, extra (num_batches_tracked excepted) or misshapen tensors. */
MUST_USE bool weights_load(struct net *net, const char *path, struct arena tmp, struct err *e);

/* Write all parameters, running statistics included, atomically. */
MUST_USE bool weights_save(struct net *net, const struct weights_info *info, const char *path, struct arena tmp,
                           struct err *e);

#endif
