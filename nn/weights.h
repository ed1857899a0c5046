/*
 * weights.h: networks on disk, as safetensors with PyTorch names and layouts (conv
 * [k][c/g][kh][kw], linear [k][c]). What we write names architecture, input shape, classes and
 * normalisation in __metadata__, so that a file is enough to run it; a file without them is
 * recognised by its tensor names.
 */
#ifndef NN_WEIGHTS_H
#define NN_WEIGHTS_H

#include "core/feed.h"
#include "nn/model.h"
#include "nn/net.h"
#include "nn/safetensors.h"

struct weights_info {
    struct model_spec spec;
    float mean[FEED_MAX_CHANNELS], std[FEED_MAX_CHANNELS]; /* of the input it was trained with */
    bool has_norm; /* false: the file did not say; mean/std are ImageNet's for 3 channels */
    char data[64]; /* the data set it was trained on, "" if unknown */
};

/* Read the description only. arch_hint: NULL, or the value of --arch, which wins over recognition.
 */
MUST_USE bool weights_info_read(struct weights_info *info, const char *path, const char *arch_hint,
                                struct err *e);

/* Load every parameter of the net; ERR_INPUT for missing, extra or misshapen tensors, the net
 * unchanged. What PyTorch counts (num_batches_tracked), a checkpoint's optimiser (optim.*) and
 * masks (*_mask, nn/prune.h) may be there and are passed over. */
MUST_USE bool weights_load(struct net *net, const char *path, struct arena tmp, struct err *e);

/* Write all parameters, running statistics included, atomically. */
MUST_USE bool weights_save(struct net *net, const struct weights_info *info, const char *path,
                           struct arena tmp, struct err *e);

/* What weights_save writes, in keep, with room for n_more entries and metadata pairs of the
 * caller's. */
MUST_USE bool weights_collect(struct safetensors *st, struct arena *keep, struct net *net,
                              const struct weights_info *info, int n_more, struct err *e);

/* PyTorch's sizes of a parameter; returns how many. */
int weights_dims(const struct param_spec *spec, int64_t dims[4]);

/* Between ours[kh][kw][c][k] and theirs[k][c][kh][kw]; a linear layer is ours[c][k], theirs[k][c]. */
void weights_swap_layout(float *ours, float *theirs, const struct param_spec *spec, bool to_ours);

/* Scratch bytes that weights_load and weights_save take, and beside them n_more entries of
 * more_bytes together. */
size_t weights_scratch_bytes(const struct graph *g, int n_more, size_t more_bytes);

#endif
