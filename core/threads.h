/*
 * threads.h: the only door to threads. threads_for runs independent items; what an item computes
 * may depend on its index only, never on the thread, so results are the same for any number of
 * threads.
 */
#ifndef CORE_THREADS_H
#define CORE_THREADS_H

#include "core/machine.h"

/* i: which item. i_thread: 0 .. n_threads-1, only for picking scratch memory. */
typedef void threads_fn(void *ctx, int i, int i_thread);

/* Run fn(ctx, 0 .. n-1). Serial where mc has one thread or n < 2. */
void threads_for(const struct machine *mc, int n, threads_fn *fn, void *ctx);

/*
 * The same for items of very different length whose results must be used in order: work runs in any
 * order and returns false to decline (a stop was asked for); done(ctx, i) is called for i = 0, 1,
 * ... one at a time, each as soon as all items up to i have been worked. Returns how many were
 * done.
 *
 * claim says which item a thread begins next, each once; what the thread began before is over then.
 * THREADS_WAIT: none before another thread's item has ended (one must be at work); THREADS_NONE:
 * none is left. It is called by one thread at a time. NULL: by index.
 */
enum { THREADS_NONE = -1, THREADS_WAIT = -2 };
typedef int threads_claim_fn(void *ctx, int i_thread);
typedef bool threads_work_fn(void *ctx, int i, int i_thread);
typedef void threads_done_fn(void *ctx, int i);
int threads_ordered(const struct machine *mc, int n, threads_claim_fn *claim, threads_work_fn *work,
                    threads_done_fn *done, void *ctx);

/* One background thread, for prefetching: thread_open starts fn(ctx), thread_close waits for its
 * end. */
struct thread {
    void *handle;
};
MUST_USE bool thread_open(struct thread *t, void (*fn)(void *ctx), void *ctx, struct err *e);
void thread_close(struct thread *t);

#endif
