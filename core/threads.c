#include "core/threads.h"

#include <omp.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Items of one thread, which others may take when theirs are done. On lines of its own. */
struct share {
    alignas(64) atomic_int next;
    int end;
};

/* Shares on the stack of threads_for; more threads than that have one in common. */
enum { THREADS_MAX_SHARES = 64 };

/* The items left of a share, in order. */
static void share_run(struct share *s, threads_fn *fn, void *ctx, int i_thread)
{
    for (int i; (i = atomic_fetch_add_explicit(&s->next, 1, memory_order_relaxed)) < s->end;) {
        fn(ctx, i, i_thread);
    }
}

/* A thread begins with its own share: neighbouring items, the same part of the data in one loop
 * after the other, so that it finds in its cache what it wrote there. */
void threads_for(const struct machine *mc, int n, threads_fn *fn, void *ctx)
{
    ASSERT(mc->n_threads >= 1);
    if (mc->n_threads == 1 || n < 2) {
        for (int i = 0; i < n; i++) {
            fn(ctx, i, 0);
        }
        return;
    }
    struct share shares[THREADS_MAX_SHARES];
    int n_shares = MIN(mc->n_threads, (int)THREADS_MAX_SHARES);
    for (int s = 0; s < n_shares; s++) {
        atomic_init(&shares[s].next, (int)((long)n * s / n_shares));
        shares[s].end = (int)((long)n * (s + 1) / n_shares);
    }
#pragma omp parallel num_threads(mc->n_threads)
    {
        int i_thread = omp_get_thread_num();
        for (int s = 0; s < n_shares; s++) {
            share_run(&shares[(i_thread + s) % n_shares], fn, ctx, i_thread);
        }
    }
}

/* Items on their way, shared by all threads. */
struct ordered {
    pthread_mutex_t lock;
    pthread_cond_t moved; /* an item has ended, and its thread has claimed another */
    int n, n_begun, n_running, n_done;
    unsigned char *worked; /* [n + 1] the last one stays 0: a sentinel */
    threads_claim_fn *claim;
    threads_work_fn *work;
    threads_done_fn *done;
    void *ctx;
};

/* The next item of a thread; the lock is held, though not while it waits. */
static int ordered_claim(struct ordered *o, int i_thread)
{
    if (!o->claim) {
        return o->n_begun < o->n ? o->n_begun++ : THREADS_NONE;
    }
    int i = o->claim(o->ctx, i_thread);
    while (i == THREADS_WAIT) {
        ASSERT(o->n_running > 0);
        pthread_cond_wait(&o->moved, &o->lock);
        i = o->claim(o->ctx, i_thread);
    }
    pthread_cond_broadcast(&o->moved);
    return i;
}

static void ordered_thread(struct ordered *o, int i_thread)
{
    pthread_mutex_lock(&o->lock);
    for (int i; (i = ordered_claim(o, i_thread)) >= 0;) {
        ASSERT(i < o->n && !o->worked[i]);
        o->n_running++;
        pthread_mutex_unlock(&o->lock);
        bool ok = o->work(o->ctx, i, i_thread);
        pthread_mutex_lock(&o->lock);
        o->n_running--;
        o->worked[i] = ok;
        for (; o->worked[o->n_done]; o->n_done++) {
            o->done(o->ctx, o->n_done);
        }
    }
    pthread_mutex_unlock(&o->lock);
}

int threads_ordered(const struct machine *mc, int n, threads_claim_fn *claim, threads_work_fn *work,
                    threads_done_fn *done, void *ctx)
{
    ASSERT(mc->n_threads >= 1 && n >= 0);
    struct ordered o = {.lock = PTHREAD_MUTEX_INITIALIZER,
                        .moved = PTHREAD_COND_INITIALIZER,
                        .n = n,
                        .worked = calloc((size_t)n + 1, 1),
                        .claim = claim,
                        .work = work,
                        .done = done,
                        .ctx = ctx};
    ASSERT(o.worked);
#pragma omp parallel num_threads(mc->n_threads) if (mc->n_threads > 1)
    ordered_thread(&o, omp_get_thread_num());
    free(o.worked);
    return o.n_done;
}

struct thread_start {
    pthread_t id;
    void (*fn)(void *);
    void *ctx;
};

static void *thread_main(void *arg)
{
    struct thread_start *start = arg;
    start->fn(start->ctx);
    return NULL;
}

bool thread_open(struct thread *t, void (*fn)(void *ctx), void *ctx, struct err *e)
{
    struct thread_start *start = malloc(sizeof *start);
    t->handle = NULL;
    if (!start) {
        return err_set(e, ERR_FAILED, "out of memory for a thread");
    }
    *start = (struct thread_start){.fn = fn, .ctx = ctx};
    int code = pthread_create(&start->id, NULL, thread_main, start);
    if (code != 0) {
        free(start);
        return err_set(e, ERR_FAILED, "cannot start a thread: %s", strerror(code));
    }
    t->handle = start;
    return true;
}

void thread_close(struct thread *t)
{
    if (t->handle) {
        struct thread_start *start = t->handle;
        pthread_join(start->id, NULL);
        free(start);
        t->handle = NULL;
    }
}
