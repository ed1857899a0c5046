#include "core/threads.h"

#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

void threads_for(const struct machine *mc, int n, threads_fn *fn, void *ctx)
{
    ASSERT(mc->n_threads >= 1);
    if (mc->n_threads == 1 || n < 2) {
        for (int i = 0; i < n; i++) {
            fn(ctx, i, 0);
        }
        return;
    }
#pragma omp parallel for schedule(dynamic, 1) num_threads(mc->n_threads)
    for (int i = 0; i < n; i++) {
        fn(ctx, i, omp_get_thread_num());
    }
}

int threads_ordered(const struct machine *mc, int n, threads_work_fn *work, threads_done_fn *done,
                    void *ctx)
{
    ASSERT(mc->n_threads >= 1 && n >= 0);
    unsigned char *worked = calloc((size_t)n + 1, 1); /* the last one stays 0: a sentinel */
    ASSERT(worked);
    int n_done = 0;
#pragma omp parallel for schedule(dynamic, 1) num_threads(mc->n_threads) if (mc->n_threads > 1)
    for (int i = 0; i < n; i++) {
        bool ok = work(ctx, i, omp_get_thread_num());
#pragma omp critical(threads_ordered)
        {
            worked[i] = ok;
            for (; worked[n_done]; n_done++) {
                done(ctx, n_done);
            }
        }
    }
    free(worked);
    return n_done;
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
