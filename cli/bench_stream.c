/* bench_stream.c: what caches and memory deliver: reading, and copying, in registers' width by one
 * thread and by all of them, each in a buffer of its own. */
#include "cli/bench.h"
#include "core/cache.h"
#include "core/kernel.h"
#include "core/threads.h"

#include <string.h>

/* A thread moves at least this much in one run, so that starting threads costs nothing beside it.
 */
static const size_t stream_run_bytes = (size_t)32 << 20;

static const char *const stream_levels[] = {"l1", "l2", "l3", "memory"};
static const char *const stream_dirs[] = {"read", "copy"};
enum stream_dir { STREAM_READ, STREAM_COPY };

struct stream {
    struct machine serial;
    size_t n;      /* floats that a thread copies; it reads twice as many: the same bytes */
    size_t stride; /* floats from one thread's buffer to the next one's */
    int n_passes;  /* in one run */
    float *x;      /* [threads][stride]: x [n], behind it y [n] */
};

/* Bytes that a thread works on: half of its share of the cache, and of memory four times its share
 * of the last cache. L1 and L2 belong to one core; L3 to all threads, but a thread's half is kept
 * above twice its L2. */
static size_t stream_bytes(int level, int n_threads)
{
    size_t share = cache_bytes(3) / (size_t)n_threads, beyond = 2 * cache_bytes(2);
    return level == 3   ? MAX(4 * share, 4 * beyond)
           : level == 2 ? MAX(share / 2, beyond)
                        : cache_bytes(level + 1) / 2;
}

static bool stream_new(struct stream **out, struct arena *keep, int level,
                       const struct bench_request *request, struct err *e)
{
    struct stream *s = arena_push_zero(keep, 1, sizeof *s);
    int n_threads = request->mc->n_threads;
    s->n = stream_bytes(level, n_threads) / 2 / sizeof(float);
    s->stride = 2 * s->n + 64;
    s->n_passes = (int)DIV_UP(stream_run_bytes, s->n * sizeof(float));
    s->serial = machine_serial(request->mc);
    s->x = arena_try(keep, s->stride * (size_t)n_threads, sizeof *s->x, e);
    if (!s->x) {
        return false;
    }
    for (size_t i = 0; i < s->stride * (size_t)n_threads; i++) {
        s->x[i] = i % s->stride % 64 == 0; /* few ones: their sum is exact */
    }
    *out = s;
    return true;
}

static void stream_item(void *ctx, int i, int i_thread)
{
    const struct bench_case *c = ctx;
    const struct stream *s = c->state;
    float *x = s->x + (size_t)i * s->stride, *y = x + s->n;
    (void)i_thread;
    for (int pass = 0; pass < s->n_passes; pass++) {
        if (c->variant[0] == STREAM_READ) {
            float sum = c->mc->k->peak_read_f32(x, 2 * s->n);
            ASSERT(sum > 0);
        } else {
            c->mc->k->peak_copy_f32(y, x, s->n);
        }
    }
}

static void bench_stream_run(const struct bench_case *c, struct arena tmp)
{
    (void)tmp;
    threads_for(c->mc, c->mc->n_threads, stream_item, (void *)c);
}

static bool bench_stream_check(const struct bench_case *c, struct arena tmp, struct err *e)
{
    const struct stream *s = c->state;
    (void)tmp;
    if (c->variant[0] == STREAM_READ) {
        float expected = 0, sum = c->mc->k->peak_read_f32(s->x, s->n);
        for (size_t i = 0; i < s->n; i++) {
            expected += s->x[i];
        }
        return sum == expected || err_set(e, ERR_FAILED, "the sum is %.9g, expected %.9g",
                                          (double)sum, (double)expected);
    }
    bench_stream_run(c, tmp);
    return bench_compare(s->x + s->n, s->x, s->n, 0, e);
}

static bool bench_stream_open(struct bench_case cases[BENCH_MAX_CASES], int *n, struct arena *keep,
                              const char *text, const struct bench_request *request, struct err *e)
{
    int level = 0;
    struct stream *s;
    *n = 0;
    while (level < (int)N_ELEMS(stream_levels) && strcmp(text, stream_levels[level]) != 0) {
        level++;
    }
    if (level == (int)N_ELEMS(stream_levels)) {
        err_set(e, ERR_USAGE, "problem stream:%.80s: no such level", text);
        return err_hint(e, "expected %s", bench_stream.form);
    }
    if (!stream_new(&s, keep, level, request, e)) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        enum stream_dir dir = (enum stream_dir)(i % 2);
        const struct machine *mc = i < 2 ? &s->serial : request->mc;
        bool wanted =
            strcmp(request->dir, "all") == 0 || strcmp(request->dir, stream_dirs[dir]) == 0;
        if (wanted && (i < 2 || mc->n_threads > 1)) {
            cases[(*n)++] = (struct bench_case){.kind = &bench_stream,
                                                .problem = arena_printf(keep, "stream:%s", text),
                                                .direction = stream_dirs[dir],
                                                .algo = "auto",
                                                .bytes = 2.0 * sizeof(float) * (double)s->n *
                                                         s->n_passes * mc->n_threads,
                                                .mc = mc,
                                                .state = s,
                                                .variant = {(int)dir}};
        }
    }
    return true;
}

const struct bench_kind bench_stream = {
    .name = "stream",
    .form = "stream:l1, :l2, :l3 or :memory",
    .help = "what a cache or memory delivers: read and copy by one thread and by all of them, each "
            "in a buffer of half its share of the cache; memory: four times the last cache",
    .open = bench_stream_open,
    .check = bench_stream_check,
    .run = bench_stream_run,
};
