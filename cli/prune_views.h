/* prune_views.h: what the dense network of `hdnas prune` knows: metrics of its code, pictures made
 * of it, and its weights before and after pruning. */
#ifndef CLI_PRUNE_VIEWS_H
#define CLI_PRUNE_VIEWS_H

#include "cli/prune_job.h"

/* DIR/metrics.csv (metric,value; of the codes of test images), and where there is a decoder
 * reconstructions.png and traversals.png; nothing where they are there already. */
MUST_USE bool prune_views_code(struct prune_job *j, struct err *e);

/* DIR/weights.csv: layer,from,to,dense,pruned: histograms of the prunable weights that are not 0.
 */
MUST_USE bool prune_views_weights(struct prune_job *j, struct err *e);

#endif
