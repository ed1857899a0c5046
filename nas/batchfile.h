/*
 * batchfile.h: the fixed batch of a search as a safetensors file that any framework reads: "images"
 * [n, c, h, w] float32, already normalised, and "labels" [n] int64.
 */
#ifndef NAS_BATCHFILE_H
#define NAS_BATCHFILE_H

#include "nas/score.h"

/* Fill n, shape, x, labels in the arena; n_classes is the caller's, and labels are held to it. */
MUST_USE bool batchfile_read(struct score_batch *batch, struct arena *keep, const char *path,
                             int n_classes, struct err *e);
MUST_USE bool batchfile_write(const struct score_batch *batch, const char *path, struct arena tmp,
                              struct err *e);

#endif
