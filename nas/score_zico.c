/*
 * ZiCo [Li2023]: over several batches at the same weights, with gradient g of the mean
 * cross-entropy,
 *
 *   score = sum over layers of log sum_w E|g_w| / std(g_w)
 *
 * The batches are here the two halves of the fixed batch; weights whose gradient does not vary do
 * not count, nor does the logarithm of an empty sum.
 */
#include <math.h>
#include <string.h>

#include "nas/scores.h"
#include "nas/trial.h"

enum { N_BATCHES = 2 };

static size_t score_zico_plan_bytes(const struct machine *mc, const struct graph *g,
                                    const struct score_batch *b)
{
    size_t grads = 0;
    for (int i = 0; i < g->n_params; i++) {
        grads += arena_round(g->params[i].count * sizeof(float));
    }
    return trial_bytes(mc, g, MAX(b->n / N_BATCHES, 1), 0) + grads +
           arena_round((size_t)g->n_params * sizeof(float *));
}

/* Of two numbers: mean of the absolute values over the (population) standard deviation. */
static double score_zico_layer(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double std = fabs((double)a[i] - (double)b[i]) / 2;
        sum += std > 0 ? (fabs((double)a[i]) + fabs((double)b[i])) / 2 / std : 0;
    }
    return sum > 0 ? log(sum) : 0;
}

static bool score_zico_run(const struct score_job *job, double *value, struct err *e)
{
    struct trial t;
    int n = job->batch->n / N_BATCHES;
    if (n < 1) {
        return err_set(e, ERR_USAGE, "zico needs at least two images");
    }
    if (!trial_open(&t, job, n, 0, e)) {
        return false;
    }
    const struct graph *g = t.graph;
    float **first = arena_push(&t.tmp, (size_t)g->n_params, sizeof *first);
    size_t image = shape_count(job->batch->shape);
    trial_backward(&t, job->batch->x, job->batch->labels, n);
    for (int i = 0; i < g->n_params; i++) {
        if (trial_is_weight(&t, i)) {
            first[i] = arena_push(&t.tmp, g->params[i].count, sizeof *first[i]);
            memcpy(first[i], net_param_grad(t.net, i), g->params[i].count * sizeof *first[i]);
        }
    }
    trial_backward(&t, job->batch->x + (size_t)n * image, job->batch->labels + n, n);
    *value = 0;
    for (int i = 0; i < g->n_params; i++) {
        if (trial_is_weight(&t, i)) {
            *value += score_zico_layer(first[i], net_param_grad(t.net, i), g->params[i].count);
        }
    }
    return true;
}

const struct score score_zico = {
    .name = "zico",
    .help = "how steady gradients are over two batches, layer by layer",
    .needs_batch = true,
    .defaults = trial_defaults,
    .plan_bytes = score_zico_plan_bytes,
    .run = score_zico_run,
};
