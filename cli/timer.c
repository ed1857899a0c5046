#include "cli/timer.h"

#include "core/cache.h"
#include "core/clock.h"
#include "core/kernel.h"
#include "core/threads.h"

#include <stdlib.h>
#include <string.h>

enum { TIMER_PEAK_ROUNDS = 200000, TIMER_FIRST_PEAKS = 25, TIMER_MAX_INNER = 1000000 };

/* Times of one case, a turn each. */
struct timer_times {
    int inner; /* runs in one timing */
    double seconds[TIMER_MAX_REPEATS];
};

static double timer_now(const struct machine *mc)
{
    return mc->n_threads == 1 ? clock_thread_s() : clock_now_s();
}

static void timer_peak_item(void *ctx, int i, int i_thread)
{
    const struct timer *t = ctx;
    float value;
    (void)i;
    (void)i_thread;
    t->mc->k->peak_fma_f32(&value, TIMER_PEAK_ROUNDS);
    ASSERT(value > 1);
}

/* GFLOP/s of multiply-adds in registers, all threads at once; the best so far is what the machine
 * can do. */
static void timer_peak(struct timer *t)
{
    float value;
    double flops = t->mc->k->peak_fma_f32(&value, 1) * TIMER_PEAK_ROUNDS * t->mc->n_threads;
    double start = timer_now(t->mc);
    threads_for(t->mc, t->mc->n_threads, timer_peak_item, t);
    double peak = flops / (timer_now(t->mc) - start) * 1e-9;
    t->best_peak = MAX(t->best_peak, peak);
    t->peaks[t->n_peaks % TIMER_MAX_PEAKS] = peak;
    t->n_peaks++;
    t->n_low += peak < TIMER_BUSY * t->best_peak;
}

bool timer_init(struct timer *t, const struct machine *mc, const struct timer_options *o,
                struct arena *keep, struct err *e)
{
    ASSERT(o->repeats >= 1 && o->repeats <= TIMER_MAX_REPEATS);
    *t = (struct timer){.mc = mc, .o = *o};
    if (o->cold) {
        t->walk_n = 2 * cache_bytes(3) / sizeof(float);
        t->walk = arena_try(keep, t->walk_n, sizeof *t->walk, e);
        if (!t->walk) {
            return false;
        }
        memset(t->walk, 0, t->walk_n * sizeof *t->walk);
    }
    for (int i = 0; i < TIMER_FIRST_PEAKS; i++) {
        timer_peak(t);
    }
    return true;
}

static void timer_walk_item(void *ctx, int i, int i_thread)
{
    const struct timer *t = ctx;
    (void)i;
    (void)i_thread;
    float sum = t->mc->k->peak_read_f32(t->walk, t->walk_n);
    ASSERT(sum == 0);
}

/* Seconds of one run: all of `inner` runs in a row, or one with cold caches. */
static double timer_time(const struct timer *t, const struct bench_case *c, int inner,
                         struct arena tmp)
{
    if (t->o.cold) {
        ASSERT(inner == 1);
        threads_for(t->mc, t->mc->n_threads, timer_walk_item, (void *)t);
    }
    double start = timer_now(c->mc);
    for (int i = 0; i < inner; i++) {
        c->kind->run(c, tmp);
    }
    return (timer_now(c->mc) - start) / inner;
}

/* Check, run once for pages and scratch, and find how many runs make a timing long enough for the
 * clock and the scheduler. */
static bool timer_prepare(const struct timer *t, const struct bench_case *c,
                          struct timer_times *times, struct arena tmp, struct err *e)
{
    if (t->o.check && !c->kind->check(c, tmp, e)) {
        err_wrap(e, "%s %s by %s, %s", c->problem, c->direction, c->algo,
                 cpu_tier_name(c->mc->tier));
        return err_hint(e, "a wrong result is a bug worth reporting; --no-check times it as it is");
    }
    c->kind->run(c, tmp);
    double once = t->o.cold ? t->o.min_s : timer_time(t, c, 1, tmp);
    times->inner =
        once >= t->o.min_s ? 1 : (int)MIN(TIMER_MAX_INNER, t->o.min_s / MAX(once, 1e-9)) + 1;
    return true;
}

static int timer_ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value below which a share q of the sorted v lies. */
static double timer_quantile(const double *v, int n, double q)
{
    double at = q * (n - 1);
    int i = (int)at;
    return i + 1 < n ? v[i] + (at - i) * (v[i + 1] - v[i]) : v[n - 1];
}

/* Sorts v. */
static double timer_spread(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, timer_ascending);
    return (timer_quantile(v, n, 0.75) - timer_quantile(v, n, 0.25)) / timer_quantile(v, n, 0.5);
}

static struct timer_row timer_row(const struct timer *t, const struct bench_case *c,
                                  struct timer_times *times, struct arena *keep)
{
    double spread = timer_spread(times->seconds, t->o.repeats);
    return (struct timer_row){
        .problem = arena_strdup(keep, c->problem),
        .direction = arena_strdup(keep, c->direction),
        .algo = arena_strdup(keep, c->algo),
        .tier = cpu_tier_name(c->mc->tier),
        .precision = machine_precision(c->mc),
        .n_threads = c->mc->n_threads,
        .cold = t->o.cold,
        .median_s = timer_quantile(times->seconds, t->o.repeats, 0.5),
        .min_s = times->seconds[0],
        .spread = spread,
        .flops = c->flops,
        .bytes = c->bytes,
        .peak = t->best_peak,
    };
}

bool timer_problem(struct timer *t, struct timer_row *rows, int *n, struct arena *keep,
                   const char *problem, const struct bench_request *request, struct arena tmp,
                   struct err *e)
{
    struct bench_case cases[BENCH_MAX_CASES];
    if (!bench_open(cases, n, &tmp, problem, request, e)) {
        return false;
    }
    struct timer_times *times = arena_push(&tmp, BENCH_MAX_CASES, sizeof *times);
    for (int i = 0; i < *n; i++) {
        if (!timer_prepare(t, &cases[i], &times[i], tmp, e)) {
            return false;
        }
    }
    for (int turn = 0; turn<t->o.repeats && * n> 0; turn++) {
        timer_peak(t);
        for (int i = 0; i < *n; i++) {
            times[i].seconds[turn] = timer_time(t, &cases[i], times[i].inner, tmp);
        }
    }
    for (int i = 0; i < *n; i++) {
        rows[i] = timer_row(t, &cases[i], &times[i], keep);
    }
    return true;
}

double timer_peak_spread(const struct timer *t)
{
    double sorted[TIMER_MAX_PEAKS];
    int n = MIN(t->n_peaks, TIMER_MAX_PEAKS);
    memcpy(sorted, t->peaks, (size_t)n * sizeof *sorted);
    return timer_spread(sorted, n);
}

bool timer_noisy(const struct timer *t)
{
    return 2 * t->n_low > t->n_peaks || timer_peak_spread(t) > TIMER_NOISY;
}
