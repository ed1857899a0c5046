/*
 * Jacobian covariance [Mellor2020], first version of the NASWOT paper: J[i] = gradient of the sum
 * of all logits with respect to image i; sigma = eigenvalues of the correlation matrix of J's rows;
 *
 *   score = - sum (log(sigma + k) + 1 / (sigma + k)),   k = 1e-5
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

/* Correlations of the n rows of x[n, d]; false if a row is constant. */
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

static bool score_jacob_cov_run(const struct score_job *job, double *value, struct err *e)
{
    struct trial t;
    int n = job->batch->n;
    if (!trial_open(&t, job, n, TRIAL_INPUT_GRAD, e)) {
        return false;
    }
    double *corr = arena_push(&t.tmp, (size_t)n * (size_t)n, sizeof *corr);
    double *values = arena_push(&t.tmp, (size_t)n, sizeof *values);
    double *mean = arena_push(&t.tmp, (size_t)n, sizeof *mean);
    trial_forward(&t, job->batch->x, n);
    float *seed = net_output_seed(t.net);
    for (int i = 0; i < n * job->batch->n_classes; i++) {
        seed[i] = 1;
    }
    net_backward(t.net, job->mc);
    if (!score_jacob_cov_correlate(corr, net_input_grad(t.net), n, shape_count(job->batch->shape),
                                   mean)) {
        *value = NAN;
        return true;
    }
    linalg_eigenvalues(values, corr, n);
    *value = 0;
    for (int i = 0; i < n; i++) {
        *value -= log(values[i] + 1e-5) + 1 / (values[i] + 1e-5);
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
