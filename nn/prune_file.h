/* prune_file.h: weights and masks in one file: tensors NAME and NAME_mask (u8 of zeros and ones,
 * the same sizes), so that training can go on without what was pruned. */
#ifndef NN_PRUNE_FILE_H
#define NN_PRUNE_FILE_H

#include "nn/prune.h"
#include "nn/weights.h"

/* Scratch bytes of either. */
size_t prune_file_scratch_bytes(const struct graph *g);

/* As weights_save, with the masks and n_meta more pairs of metadata. */
MUST_USE bool prune_file_save(const struct prune_mask *m, struct net *net,
                              const struct weights_info *info, const char *const (*meta)[2],
                              int n_meta, const char *path, struct arena tmp, struct err *e);

/* The masks of a file; all kept where it has none. ERR_INPUT for sizes or values that do not fit,
 * or a weight that is masked and not zero; the mask is then unchanged. */
MUST_USE bool prune_file_load(struct prune_mask *m, const struct graph *g, const char *path,
                              struct arena tmp, struct err *e);

#endif
