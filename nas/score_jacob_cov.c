/*
 * Correlations of the images' Jacobians: J[i] = gradient of the sum of all logits with respect to
 * image i, k = 1e-5.
 *
 *   jacob_cov  - sum (log(s + k) + 1 / (s + k)) over the eigenvalues s of the correlation matrix of
 *              J's rows [Mellor2020], the first version of the NASWOT paper
 *   epe-nas    sum over classes c of |e_c|, e_c = sum of log(|r| + k) over the entries r of the
 *              correlation matrix of the rows of class c; of more than 100 classes the mean over c
 *              of sum over c' of |e_c - e_c'|, e_c per row [Lopes2021]
 */
#include <math.h>

#include "nas/linalg.h"
#include "nas/scores.h"
#include "nas/trial.h"

static size_t score_jacob_cov_plan_bytes(const struct machine *mc, const struct graph *g,
                                         const struct score_batch *b)
{
    size_t n = (size_t)b->n;
    return trial_bytes(mc, g, b->n, TRIAL_INPUT_GRAD) + arena_round(n * n * sizeof(double)) +
           2 * arena_round(n * sizeof(double));
}

/* Correlations of the n rows of x[n, d], mean[n] is scratch; false if a row is constant. */
static bool score_jacob_cov_correlate(double *corr, const float *x, int n, size_t d, double *mean)
{
    for (int i = 0; i < n; i++) {
        mean[i] = 0;
        for (size_t k = 0; k < d; k++) {
            mean[i] += (double)x[(size_t)i * d + k];
        }
        mean[i] /= (double)d;
        for (int j = 0; j <= i; j++) {
            double sum = 0;
            for (size_t k = 0; k < d; k++) {
                sum += ((double)x[(size_t)i * d + k] - mean[i]) *
                       ((double)x[(size_t)j * d + k] - mean[j]);
            }
            corr[i * n + j] = sum;
        }
    }
    for (int i = 0; i < n; i++) {
        if (!(corr[i * n + i] > 0)) {
            return false;
        }
        mean[i] = sqrt(corr[i * n + i]);
    }
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            corr[i * n + j] = corr[j * n + i] = i == j ? 1 : corr[i * n + j] / mean[i] / mean[j];
        }
    }
    return true;
}

/* The correlation matrix corr[n, n] of the batch, in the trial's memory; NULL where an image has no
 * influence. */
static bool score_jacob_cov_open(double **corr, struct trial *t, const struct score_job *job,
                                 struct err *e)
{
    int n = job->batch->n;
    if (!trial_open(t, job, n, TRIAL_INPUT_GRAD, e)) {
        return false;
    }
    *corr = arena_push(&t->tmp, (size_t)n * (size_t)n, sizeof **corr);
    double *mean = arena_push(&t->tmp, (size_t)n, sizeof *mean);
    trial_forward(t, job->batch->x, n);
    float *seed = net_output_seed(t->net);
    for (int i = 0; i < n * job->batch->n_classes; i++) {
        seed[i] = 1;
    }
    net_backward(t->net, job->mc);
    if (!score_jacob_cov_correlate(*corr, net_input_grad(t->net), n,
                                   shape_count(job->batch->shape), mean)) {
        *corr = NULL;
    }
    return true;
}

static bool score_jacob_cov_run(const struct score_job *job, double *value, struct err *e)
{
    struct trial t;
    double *corr;
    int n = job->batch->n;
    if (!score_jacob_cov_open(&corr, &t, job, e)) {
        return false;
    }
    *value = corr ? 0 : NAN;
    double *values = arena_push(&t.tmp, (size_t)n, sizeof *values);
    if (corr) {
        linalg_eigenvalues(values, corr, n);
    }
    for (int i = 0; corr && i < n; i++) {
        *value -= log(values[i] + 1e-5) + 1 / (values[i] + 1e-5);
    }
    return true;
}

/* e_c; *rows = images of the class. */
static double score_jacob_cov_class(const double *corr, const struct score_batch *b, int c,
                                    int *rows)
{
    double sum = 0;
    *rows = 0;
    for (int i = 0; i < b->n; i++) {
        *rows += b->labels[i] == c;
        for (int j = 0; b->labels[i] == c && j < b->n; j++) {
            sum += b->labels[j] == c ? log(fabs(corr[i * b->n + j]) + 1e-5) : 0;
        }
    }
    return sum;
}

static bool score_jacob_cov_run_epe(const struct score_job *job, double *value, struct err *e)
{
    enum { MANY_CLASSES = 100 };
    struct trial t;
    double *corr;
    const struct score_batch *b = job->batch;
    if (!score_jacob_cov_open(&corr, &t, job, e)) {
        return false;
    }
    double *each = arena_push(&t.tmp, (size_t)b->n, sizeof *each);
    int n = 0; /* classes that are there */
    *value = corr ? 0 : NAN;
    for (int c = 0; corr && c < b->n_classes; c++) {
        int rows;
        double sum = score_jacob_cov_class(corr, b, c, &rows);
        if (rows > 0) {
            each[n++] = b->n_classes > MANY_CLASSES ? sum / rows : sum;
        }
    }
    for (int i = 0; i < n; i++) {
        if (b->n_classes <= MANY_CLASSES) {
            *value += fabs(each[i]);
            continue;
        }
        for (int j = 0; j < n; j++) {
            *value += fabs(each[i] - each[j]) / n;
        }
    }
    return true;
}

const struct score score_jacob_cov = {
    .name = "jacob_cov",
    .help = "how little the Jacobians of different images correlate",
    .needs_batch = true,
    .defaults = trial_defaults,
    .plan_bytes = score_jacob_cov_plan_bytes,
    .run = score_jacob_cov_run,
};

const struct score score_jacob_cov_epe = {
    .name = "epe-nas",
    .help = "how little the Jacobians of images of the same class correlate",
    .needs_batch = true,
    .defaults = trial_defaults,
    .plan_bytes = score_jacob_cov_plan_bytes,
    .run = score_jacob_cov_run_epe,
};
