/*
 * bench.h: the contract of a kind of benchmark problem: from a string like
 * conv:n32h32w32c16k16r3s1p1g1 to cases that can be held to the reference and then timed
 * (cli/timer.h). Rooms cli/bench_*.c; the table is cli/benches.c.
 */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "core/arena.h"
#include "core/machine.h"
#include "core/tensor.h"

enum { BENCH_MAX_CASES = 32, BENCH_PROBLEM_LEN = 320 };

struct bench_kind;

/* One row of output: a problem in one direction by one algorithm. */
struct bench_case {
    const struct bench_kind *kind;
    const char *problem;   /* complete: what was left out is filled in */
    const char *direction; /* "fwd", "train" ...; "" where there is only one */
    const char *algo;
    double flops; /* of one run: two per multiply-add, counted as the direct method needs them */
    double bytes; /* one run moves at least: each operand once; 0 = not known */
    const struct machine *mc; /* what it is timed on */
    void *state;              /* the room's own, in the arena */
    int variant[2];           /* the room's own */
};

/* What is asked of all problems; NULL or "auto" and "all" as the help of hdnas bench says. */
struct bench_request {
    const struct machine *mc;
    const char *dir, *algo;
    struct shape image; /* of networks; no height: 32 x 32 x 3 and ten classes, as in CIFAR-10 */
    int n_classes;
};

struct bench_kind {
    const char *name; /* the word before the colon */
    const char *form, *help;
    /* Cases for a problem (text behind the colon), buffers filled; *n = 0 where the request fits
     * none of them. */
    bool (*open)(struct bench_case cases[BENCH_MAX_CASES], int *n, struct arena *keep,
                 const char *text, const struct bench_request *request, struct err *e);
    /* The result against the reference; ERR_FAILED says how far off it is. */
    bool (*check)(const struct bench_case *c, struct arena tmp, struct err *e);
    void (*run)(const struct bench_case *c, struct arena tmp);
};

extern const struct bench_kind bench_conv, bench_gemm, bench_gram, bench_net, bench_score,
    bench_stream;

int bench_count(void);
const struct bench_kind *bench_at(int i);

/* The cases of a whole problem string, by the kind that its first word names. */
MUST_USE bool bench_open(struct bench_case cases[BENCH_MAX_CASES], int *n, struct arena *keep,
                         const char *problem, const struct bench_request *request, struct err *e);

/* Whole networks are held to the plain C kernels in fp32 within this share of the largest value:
 * rounding grows from layer to layer, to about 1e-5, with products of bf16 to some 2e-3, and 4e-2
 * in nb201:333333 without a skip; a wrong kernel is off by as much as the values are. */
static inline double bench_share(const struct machine *mc)
{
    return mc->bf16 ? 0.15 : 1e-3;
}

/* n numbers from -1, 0, 1: sums of fewer than 2^24 products of them are exact in float in any
 * order. NULL: e is set. */
float *bench_data(struct arena *keep, size_t n, uint64_t index, struct err *e);

/* Largest |a - b| over n, as ERR_FAILED where it is beyond the tolerance or not a number. */
MUST_USE bool bench_compare(const float *a, const float *b, size_t n, double tolerance,
                            struct err *e);

#endif
