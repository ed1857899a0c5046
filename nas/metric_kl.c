/*
 * What the KL term of a Beta-VAE is made of [Chen2018, sec. 2.2], where q(z|x) is a Gaussian of
 * diagonal covariance, the prior N(0, I), and q(z) the mean of q(z|x) over the images:
 *
 *   E KL(q(z|x) | p(z)) = I(z; x) + KL(q(z) | prod q(z_j)) + sum_j KL(q(z_j) | p(z_j))
 *   kl                    kl_mutual  kl_correlation           kl_dimensions
 *
 * kl is exact, over all rows. The parts take one z from each of at most 2,048 rows, and q(z) as the
 * mean over just these rows: kl_mutual cannot exceed the log of their number (7.6), and what it
 * lacks then stands in kl_correlation and kl_dimensions. The parts sum to kl but for the noise of
 * the draws and, where rows are left out, of the choice of rows.
 */
#include <math.h>

#include "core/rng.h"
#include "core/threads.h"
#include "nas/metrics.h"
#include "nas/rows.h"

enum { METRIC_KL_ROWS = 2048 };

/* log of sqrt(2 pi) */
#define METRIC_KL_LOG_ROOT 0.91893853320467274178

struct metric_kl_work {
    int m, d;
    const double *mu, *logvar;                               /* [m, d] */
    const double *precision;                                 /* [m, d] exp(-logvar) */
    const double *z;                                         /* [m, d] */
    double *scratch;                                         /* [m, 2 m]: each row has its own */
    double *log_given, *log_joint, *log_product, *log_prior; /* [m] */
};

/* log of the mean of exp(x[n]). */
static double metric_kl_log_mean(const double *x, int n)
{
    double most = x[0], sum = 0;
    for (int k = 1; k < n; k++) {
        most = fmax(most, x[k]);
    }
    for (int k = 0; k < n; k++) {
        sum += exp(x[k] - most);
    }
    return most + log(sum / n);
}

/* The densities at z of row i. */
static void metric_kl_row(void *ctx, int i, int i_thread)
{
    (void)i_thread;
    const struct metric_kl_work *w = ctx;
    int m = w->m, d = w->d;
    const double *z = w->z + (size_t)i * (size_t)d;
    double *all = w->scratch + (size_t)i * 2 * (size_t)m, *one = all + m;
    double product = 0, prior = 0;
    for (int k = 0; k < m; k++) {
        all[k] = 0;
    }
    for (int j = 0; j < d; j++) {
        for (int k = 0; k < m; k++) {
            size_t at = (size_t)k * (size_t)d + (size_t)j;
            double off = z[j] - w->mu[at];
            one[k] = -METRIC_KL_LOG_ROOT - (w->logvar[at] + off * off * w->precision[at]) / 2;
            all[k] += one[k];
        }
        product += metric_kl_log_mean(one, m);
        prior += -METRIC_KL_LOG_ROOT - z[j] * z[j] / 2;
    }
    w->log_given[i] = all[i];
    w->log_joint[i] = metric_kl_log_mean(all, m);
    w->log_product[i] = product;
    w->log_prior[i] = prior;
}

static size_t metric_kl_plan_bytes(const struct machine *mc, const struct metric_data *data,
                                   const struct metric_options *options)
{
    (void)mc;
    (void)options;
    size_t m = (size_t)MIN(data->n, METRIC_KL_ROWS), d = (size_t)data->d;
    return 4 * arena_round(m * d * sizeof(double)) + arena_round(2 * m * m * sizeof(double)) +
           4 * arena_round(m * sizeof(double)) + arena_round((size_t)data->n * sizeof(uint32_t));
}

/* The rows that are looked at, and a z from each. */
static void metric_kl_draw(struct metric_kl_work *w, const struct metric_job *job,
                           struct arena *tmp)
{
    const struct metric_data *data = job->data;
    size_t n_numbers = (size_t)w->m * (size_t)w->d;
    double *mu = arena_push(tmp, n_numbers, sizeof *mu);
    double *logvar = arena_push(tmp, n_numbers, sizeof *logvar);
    double *precision = arena_push(tmp, n_numbers, sizeof *precision);
    double *z = arena_push(tmp, n_numbers, sizeof *z);
    uint32_t *order = arena_push(tmp, (size_t)data->n, sizeof *order);
    struct rng r = rng_key(job->options->seed, RNG_METRIC, (uint64_t)ROWS_KL << 32);
    rng_permutation(&r, order, (uint32_t)data->n);
    for (size_t k = 0; k < n_numbers; k++) {
        size_t at = (size_t)order[k / (size_t)w->d] * (size_t)w->d + k % (size_t)w->d;
        mu[k] = (double)data->codes[at];
        logvar[k] = (double)data->logvar[at];
        precision[k] = exp(-logvar[k]);
        z[k] = mu[k] + exp(logvar[k] / 2) * rng_normal(&r);
    }
    w->mu = mu;
    w->logvar = logvar;
    w->precision = precision;
    w->z = z;
}

static bool metric_kl_run(const struct metric_job *job, double *values, struct err *e)
{
    (void)e;
    const struct metric_data *data = job->data;
    struct arena tmp = job->tmp;
    struct metric_kl_work w = {.m = MIN(data->n, METRIC_KL_ROWS), .d = data->d};
    size_t m = (size_t)w.m;
    metric_kl_draw(&w, job, &tmp);
    w.scratch = arena_push(&tmp, 2 * m * m, sizeof *w.scratch);
    w.log_given = arena_push(&tmp, m, sizeof *w.log_given);
    w.log_joint = arena_push(&tmp, m, sizeof *w.log_joint);
    w.log_product = arena_push(&tmp, m, sizeof *w.log_product);
    w.log_prior = arena_push(&tmp, m, sizeof *w.log_prior);
    threads_for(job->mc, w.m, metric_kl_row, &w);
    double kl = 0, mutual = 0, correlation = 0, dimensions = 0;
    for (size_t k = 0; k < (size_t)data->n * (size_t)data->d; k++) {
        double mu = (double)data->codes[k], logvar = (double)data->logvar[k];
        kl += (mu * mu + exp(logvar) - 1 - logvar) / 2;
    }
    for (int i = 0; i < w.m; i++) {
        mutual += w.log_given[i] - w.log_joint[i];
        correlation += w.log_joint[i] - w.log_product[i];
        dimensions += w.log_product[i] - w.log_prior[i];
    }
    values[0] = kl / data->n;
    values[1] = mutual / w.m;
    values[2] = correlation / w.m;
    values[3] = dimensions / w.m;
    return true;
}

static const char *const metric_kl_values[] = {"kl", "kl_mutual", "kl_correlation",
                                               "kl_dimensions"};

const struct metric metric_kl = {
    .name = "kl",
    .help = "KL to the prior, and its parts: mutual information, total correlation, dimensions "
            "[Chen2018]",
    .needs_logvar = true,
    .n_values = 4,
    .value_names = metric_kl_values,
    .plan_bytes = metric_kl_plan_bytes,
    .run = metric_kl_run,
};
