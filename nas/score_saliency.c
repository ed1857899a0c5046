/*
 * Sums over the weights w of convolutions and linear layers and the gradient g of the batch's mean
 * cross-entropy, as collected by [Abdelfattah2021]:
 *
 *   snip       sum |w g|              [Lee2019]
 *   grad_norm  sum over layers of |g|_2
 *   plain      sum w g
 *   l2_norm    sum over layers of |w|_2, no batch
 */
#include <math.h>

#include "nas/scores.h"
#include "nas/trial.h"

static size_t score_saliency_plan_bytes(const struct machine *mc, const struct graph *g,
                                        const struct score_batch *b)
{
    return trial_bytes(mc, g, b ? MAX(b->n, 1) : 1, 0);
}

/* What one layer adds. */
typedef double score_saliency_fn(const float *w, const float *g, size_t count);

static bool score_saliency_run(const struct score_job *job, score_saliency_fn *layer, bool backward,
                               double *value, struct err *e)
{
    struct trial t;
    int n = backward ? job->batch->n : 1;
    if (!trial_open(&t, job, n, 0, e)) {
        return false;
    }
    if (backward) {
        trial_backward(&t, job->batch->x, job->batch->labels, n);
    }
    *value = 0;
    for (int i = 0; i < t.graph->n_params; i++) {
        if (trial_is_weight(&t, i)) {
            *value +=
                layer(net_param(t.net, i), net_param_grad(t.net, i), t.graph->params[i].count);
        }
    }
    return true;
}

static double score_saliency_abs(const float *w, const float *g, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += fabs((double)w[i] * (double)g[i]);
    }
    return sum;
}

static double score_saliency_signed(const float *w, const float *g, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)w[i] * (double)g[i];
    }
    return sum;
}

static double score_saliency_length(const float *x, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)x[i] * (double)x[i];
    }
    return sqrt(sum);
}

static double score_saliency_gradient(const float *w, const float *g, size_t count)
{
    (void)w;
    return score_saliency_length(g, count);
}

static double score_saliency_weight(const float *w, const float *g, size_t count)
{
    (void)g;
    return score_saliency_length(w, count);
}

static bool score_saliency_run_snip(const struct score_job *job, double *value, struct err *e)
{
    return score_saliency_run(job, score_saliency_abs, true, value, e);
}

static bool score_saliency_run_grad_norm(const struct score_job *job, double *value, struct err *e)
{
    return score_saliency_run(job, score_saliency_gradient, true, value, e);
}

static bool score_saliency_run_plain(const struct score_job *job, double *value, struct err *e)
{
    return score_saliency_run(job, score_saliency_signed, true, value, e);
}

static bool score_saliency_run_l2_norm(const struct score_job *job, double *value, struct err *e)
{
    return score_saliency_run(job, score_saliency_weight, false, value, e);
}

#define SALIENCY .defaults = trial_defaults, .plan_bytes = score_saliency_plan_bytes

const struct score score_saliency_snip = {
    .name = "snip",
    .help = "sum of |weight x gradient|",
    .needs_batch = true,
    SALIENCY,
    .run = score_saliency_run_snip,
};

const struct score score_saliency_grad_norm = {
    .name = "grad_norm",
    .help = "sum over layers of the gradient's length",
    .needs_batch = true,
    SALIENCY,
    .run = score_saliency_run_grad_norm,
};

const struct score score_saliency_plain = {
    .name = "plain",
    .help = "sum of weight x gradient",
    .needs_batch = true,
    SALIENCY,
    .run = score_saliency_run_plain,
};

const struct score score_saliency_l2_norm = {
    .name = "l2_norm",
    .help = "sum over layers of the starting weights' length",
    SALIENCY,
    .run = score_saliency_run_l2_norm,
};
