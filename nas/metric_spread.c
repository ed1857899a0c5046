/*
 * What the codes say about themselves, without factors. C is their covariance over the rows:
 *
 *   active_units        codes whose variance exceeds 0.01 [Burda2016, sec. 5.3]
 *   effective_dim       (trace C)^2 / |C|_F^2: d for d uncorrelated codes of one variance, 1 where
 *                       all lie on a line, 0 where nothing varies
 *   total_correlation   sum of the entropies less the joint one, for a Gaussian [Locatello2019]:
 *                       -1/2 log det of the correlations of the codes that vary, in nats
 *
 * A code that follows from the others makes the determinant 0: its eigenvalue counts as 1e-10, so
 * each adds at most 11.5.
 */
#include <math.h>

#include "nas/linalg.h"
#include "nas/metrics.h"

static size_t metric_spread_plan_bytes(const struct machine *mc, const struct metric_data *data,
                                       const struct metric_options *options)
{
    (void)mc;
    (void)options;
    size_t d = (size_t)data->d;
    return 2 * arena_round(d * d * sizeof(double)) + 3 * arena_round(d * sizeof(double));
}

/* cov[d, d], of n - 1. mean[d] and x[d] are scratch. */
static void metric_spread_covariance(double *cov, const struct metric_data *data, double *mean,
                                     double *x)
{
    int n = data->n, d = data->d;
    for (int j = 0; j < d; j++) {
        /* From the first row on, so that what is constant has the variance 0, not rounding. */
        double start = (double)data->codes[j], sum = 0;
        for (int i = 0; i < n; i++) {
            sum += (double)data->codes[(size_t)i * (size_t)d + (size_t)j] - start;
        }
        mean[j] = start + sum / n;
    }
    for (int k = 0; k < d * d; k++) {
        cov[k] = 0;
    }
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < d; j++) {
            x[j] = (double)data->codes[(size_t)i * (size_t)d + (size_t)j] - mean[j];
        }
        for (int j = 0; j < d; j++) {
            for (int k = 0; k <= j; k++) {
                cov[j * d + k] += x[j] * x[k];
            }
        }
    }
    for (int j = 0; j < d; j++) {
        for (int k = 0; k <= j; k++) {
            cov[j * d + k] = cov[k * d + j] = cov[j * d + k] / (n - 1);
        }
    }
}

/* -1/2 log det of the correlations; corr[d, d], eigenvalues[d] and deviation[d] are scratch. */
static double metric_spread_correlation(const double *cov, int d, double *corr, double *eigenvalues,
                                        double *deviation)
{
    double largest = 0, sum = 0;
    int m = 0;
    for (int j = 0; j < d; j++) {
        largest = fmax(largest, cov[j * d + j]);
    }
    for (int j = 0; j < d; j++) {
        /* Below that it is the rounding of floats of the largest code's size. */
        bool varies = cov[j * d + j] > 1e-14 * largest;
        deviation[j] = varies ? sqrt(cov[j * d + j]) : 0;
        m += varies;
    }
    for (int j = 0, row = 0; j < d; j++) {
        for (int k = 0, col = 0; deviation[j] > 0 && k < d; k++) {
            if (deviation[k] > 0) {
                double c = j == k ? 1 : cov[j * d + k] / deviation[j] / deviation[k];
                corr[row * m + col++] = c;
            }
        }
        row += deviation[j] > 0;
    }
    linalg_eigenvalues(eigenvalues, corr, m);
    for (int k = 0; k < m; k++) {
        sum -= log(fmax(eigenvalues[k], 1e-10)) / 2;
    }
    return fmax(sum, 0);
}

static bool metric_spread_run(const struct metric_job *job, double *values, struct err *e)
{
    (void)e;
    const struct metric_data *data = job->data;
    struct arena tmp = job->tmp;
    size_t d = (size_t)data->d;
    double *cov = arena_push(&tmp, d * d, sizeof *cov),
           *corr = arena_push(&tmp, d * d, sizeof *corr);
    double *mean = arena_push(&tmp, d, sizeof *mean), *x = arena_push(&tmp, d, sizeof *x);
    double *deviation = arena_push(&tmp, d, sizeof *deviation);
    double trace = 0, square = 0;
    int n_active = 0;
    metric_spread_covariance(cov, data, mean, x);
    for (size_t k = 0; k < d * d; k++) {
        square += cov[k] * cov[k];
    }
    for (size_t j = 0; j < d; j++) {
        trace += cov[j * d + j];
        n_active += cov[j * d + j] > job->options->active_above;
    }
    values[0] = n_active;
    values[1] = square > 0 ? trace * trace / square : 0;
    values[2] = metric_spread_correlation(cov, data->d, corr, x, deviation);
    return true;
}

static const char *const metric_spread_values[] = {"active_units", "effective_dim",
                                                   "total_correlation"};

const struct metric metric_spread = {
    .name = "spread",
    .help = "active units, effective dimension, Gaussian total correlation; no factors",
    .n_values = 3,
    .value_names = metric_spread_values,
    .plan_bytes = metric_spread_plan_bytes,
    .run = metric_spread_run,
};
