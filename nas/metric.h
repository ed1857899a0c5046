/*
 * metric.h: the contract of a disentanglement metric: from the codes of images, and the factors the
 * images were made from, to numbers. Rooms nas/metric_*.c, table nas/metrics.c; formulae and
 * sources in docs/METRICS.md. Same data, options and build: same bits, at any number of threads.
 */
#ifndef NAS_METRIC_H
#define NAS_METRIC_H

#include "core/arena.h"
#include "core/machine.h"

enum {
    METRIC_MIN_ROWS = 50,
    METRIC_MAX_ROWS = 1 << 20,
    METRIC_MAX_CODES = 512,
    METRIC_MAX_FACTORS = 32,
    METRIC_MAX_CARD = 4096,
    METRIC_MAX_VALUES = 8 /* of one metric */
};

struct metric_data {
    int n, d, n_factors;    /* rows, codes a row, factors a row (0 = unknown) */
    const float *codes;     /* [n, d] means of the code, or what stands for the code */
    const float *logvar;    /* [n, d] log variances; NULL = unknown */
    const int32_t *factors; /* [n, n_factors] 0 .. card-1; NULL without factors */
    const int32_t *cards;   /* [n_factors] */
};

struct metric_options {
    uint64_t seed;
    int bins;            /* a code is cut into, for mutual information: 20 */
    int train_rows;      /* rows for fitting, at most: 10000; half as many for testing */
    int draws;           /* batches for fitting of FactorVAE and BetaVAE scores: 10000 */
    double active_above; /* variance of an active unit: 0.01 */
};

struct metric_job {
    const struct machine *mc;
    const struct metric_data *data; /* passed metric_check */
    const struct metric_options *options;
    struct arena tmp; /* scratch of at least plan_bytes */
};

struct metric {
    const char *name, *help;
    bool needs_factors, needs_logvar;
    int min_factors; /* with values that differ; where factors are needed */
    int n_values;
    const char *const *value_names; /* [n_values] "dci_completeness": unique over all metrics */
    size_t (*plan_bytes)(const struct machine *mc, const struct metric_data *data,
                         const struct metric_options *options);
    /* values[n_values], all finite. False where the data cannot be measured; e says why. */
    bool (*run)(const struct metric_job *job, double *values, struct err *e);
};

int metric_count(void);
const struct metric *metric_at(int i);
MUST_USE bool metric_find(const struct metric **out, const char *name, struct err *e);

struct metric_options metric_defaults(void);

/* ERR_INPUT names row and column (from 0) of a NaN, an infinity, a factor outside its card; counts
 * outside the limits above. Codes that do not vary are no error: nothing is known from them.
 * O(n (d + n_factors)). */
MUST_USE bool metric_check(const struct metric_data *data, struct err *e);

/* Whether a factor has more than one value in the data. */
bool metric_varies(const struct metric_data *data, int factor);

/* Run m: metric_applies, then its run. job->tmp of at least m->plan_bytes. */
MUST_USE bool metric_measure(const struct metric *m, const struct metric_job *job, double *values,
                             struct err *e);

/* Whether the metric can be had from such data; else ERR_USAGE or ERR_INPUT says what is missing.
 */
MUST_USE bool metric_applies(const struct metric *m, const struct metric_data *data, struct err *e);

#endif
