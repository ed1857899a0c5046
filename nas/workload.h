/*
 * workload.h: which of many networks a worker takes next, and where in the memory that all workers
 * share. Results do not depend on it: they are used in order of index (core/threads.h).
 */
#ifndef NAS_WORKLOAD_H
#define NAS_WORKLOAD_H

#include "core/arena.h"

/* What an item takes. */
struct workload_item {
    double length; /* in any unit; 0 = nothing to compute */
    size_t bytes;  /* of the shared memory */
};

/* Where a worker's item has its memory. */
struct workload_slot {
    size_t at, bytes; /* bytes 0: nowhere */
};

struct workload {
    const struct workload_item *items;
    int n, n_workers;
    int *turns;                  /* [n] which item's turn it is */
    bool *begun;                 /* [n] by turn */
    int n_first;                 /* so many turns from the first on have begun */
    size_t cap;                  /* bytes that all workers share */
    struct workload_slot *slots; /* [n_workers] */
};

/* Bytes that workload_init pushes. */
size_t workload_plan_bytes(int n, int n_workers);

/*
 * The turns of n items. They come by index, so that what is known is known early, except for the
 * last ones: 16 for each worker have the longest first, so that no worker waits long for another at
 * the end. An item that needs more than cap has bytes 0, and work must refuse it. items, and what
 * is pushed to keep, must last as long as w.
 */
void workload_init(struct workload *w, struct arena *keep, const struct workload_item *items, int n,
                   int n_workers, size_t cap);

/* A threads_claim_fn but for its ctx: the first in turn whose memory fits beside that of the items
 * at work. The worker's own item before is over. */
int workload_claim(struct workload *w, int worker);

/* The memory of the worker's item: its slot in range, whose cap is at least w->cap. */
struct arena workload_arena(const struct workload *w, const struct arena *range, int worker);

#endif
