/*
 * threads.h: the only door to threads. threads_for runs independent items; what an item computes may depend on its
 * index only, never on the thread, so results are the same for any number of threads.
 */
#ifndef CORE_THREADS_H
#define CORE_THREADS_H

#include "core/machine.h"

/* i: which item. i_thread: 0 .. n_threads-1, only for picking scratch memory. */
typedef void threads_fn(void *ctx, int i, int i_thread);

/* Run fn(ctx, 0 .. n-1). Serial where mc has one thread or n < 2. */
void threads_for(const struct machine *mc, int n, threads_fn *fn, void *ctx);

/* One background thread, for prefetching: thread_open starts fn(ctx), thread_close waits for its end. */
struct thread {
    void *handle;
};
MUST_USE bool thread_open(struct thread *t, void (*fn)(void *ctx), void *ctx, struct err *e);
void thread_close(struct thread *t);

#endif
