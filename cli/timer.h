/*
 * timer.h: how hdnas bench measures. All cases of a problem take turns with each other and with the
 * peak of multiply-adds, so that a slow spell of the machine hits all of them. One thread is timed
 * by the processor time it used, so that other processes cost little; more threads by the clock.
 */
#ifndef CLI_TIMER_H
#define CLI_TIMER_H

#include "cli/bench.h"

enum { TIMER_MAX_REPEATS = 1001, TIMER_MAX_PEAKS = 4096 };

struct timer_options {
    int repeats;  /* timings of each case */
    double min_s; /* a timing runs a case as often as takes this long */
    bool check;   /* hold results to the reference first */
    bool cold;    /* before each run, a walk over twice the last cache by every thread empties the
                     data caches of the case's operands; one run a timing */
};

struct timer {
    const struct machine *mc;
    struct timer_options o;
    float *walk; /* cold: [walk_n] */
    size_t walk_n;
    double best_peak;              /* GFLOP/s of all threads */
    double peaks[TIMER_MAX_PEAKS]; /* the last of them */
    int n_peaks, n_low;            /* measures, and those far below the best at their time */
};

/* What came of a case; its words are copies in the arena given. */
struct timer_row {
    const char *problem, *direction, *algo, *tier, *precision;
    int n_threads;
    bool cold;
    double median_s, min_s;
    double spread;       /* between the quartiles of the times, as a share of the median */
    double flops, bytes; /* of one run; 0 = not known */
    double peak;         /* GFLOP/s, the best so far */
};

static inline double timer_gflops(const struct timer_row *r)
{
    return r->flops / r->median_s * 1e-9;
}

static inline double timer_gb_s(const struct timer_row *r)
{
    return r->bytes / r->median_s * 1e-9;
}

/* The walk's buffer lives in keep; ERR_FAILED where it does not fit. */
MUST_USE bool timer_init(struct timer *t, const struct machine *mc, const struct timer_options *o,
                         struct arena *keep, struct err *e);

/* Measure a problem: rows[BENCH_MAX_CASES], *n = 0 where the request fits none of its cases.
 * ERR_FAILED where a result is not the reference's. tmp: operands and scratch, no copy of keep. */
MUST_USE bool timer_problem(struct timer *t, struct timer_row *rows, int *n, struct arena *keep,
                            const char *problem, const struct bench_request *request,
                            struct arena tmp, struct err *e);

/* Spread of the peaks so far: between their quartiles, as a share of their median. */
double timer_peak_spread(const struct timer *t);

/* Whether others were using the machine, as the peak tells: half of its measures lie below
 * TIMER_BUSY of the best, or their quartiles lie TIMER_NOISY apart. Quiet machines repeat it within
 * a few per cent. */
#define TIMER_BUSY  0.85
#define TIMER_NOISY 0.1
bool timer_noisy(const struct timer *t);

#endif
