/* batch_shrink.h: the batch's images, made smaller: what candidates are scored on where the whole
 * image would only cost time. */
#ifndef NAS_BATCH_SHRINK_H
#define NAS_BATCH_SHRINK_H

#include "nas/score.h"

/* batch->x[n, h, w, c] becomes [n, side, side, c] in the arena, side <= h, w: each pixel the mean
 * of the area it covers, parts of pixels counted as such; sums in double. O(n h w c). */
MUST_USE bool batch_shrink(struct score_batch *batch, int side, struct arena *keep, struct err *e);

#endif
