/*
 * Condition of the neural tangent kernel [Chen2021]: J[i] = gradient of the sum of image i's logits
 * with respect to the weights of convolutions and linear layers, the batch's statistics in batch
 * norm; Theta = J J^T over the first 16 images;
 *
 *   score = log(smallest eigenvalue of Theta / largest)
 *
 * A backward pass an image. NaN where the smallest is not above rounding.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "nas/linalg.h"
#include "nas/scores.h"
#include "nas/trial.h"

enum { MAX_IMAGES = 16 };

static size_t score_ntk_weights(const struct graph *g)
{
    size_t count = 0;
    for (int i = 0; i < g->n_params; i++) {
        count += g->params[i].spec.kind == PARAM_WEIGHT ? g->params[i].count : 0;
    }
    return count;
}

static size_t score_ntk_plan_bytes(const struct machine *mc, const struct graph *g,
                                   const struct score_batch *b)
{
    size_t n = (size_t)MIN(b->n, MAX_IMAGES);
    return trial_bytes(mc, g, (int)n, 0) + arena_round(n * score_ntk_weights(g) * sizeof(float)) +
           arena_round(n * n * sizeof(double)) + arena_round(n * sizeof(double));
}

/* One row of J. */
static void score_ntk_row(float *row, struct trial *t, int image, int n)
{
    const struct score_batch *b = t->job->batch;
    trial_forward(t, b->x, n);
    float *seed = net_output_seed(t->net);
    memset(seed, 0, (size_t)n * (size_t)b->n_classes * sizeof *seed);
    for (int c = 0; c < b->n_classes; c++) {
        seed[image * b->n_classes + c] = 1;
    }
    net_backward(t->net, t->job->mc);
    for (int i = 0; i < t->graph->n_params; i++) {
        if (trial_is_weight(t, i)) {
            size_t count = t->graph->params[i].count;
            memcpy(row, net_param_grad(t->net, i), count * sizeof *row);
            row += count;
        }
    }
}

static bool score_ntk_run(const struct score_job *job, double *value, struct err *e)
{
    struct trial t;
    int n = MIN(job->batch->n, MAX_IMAGES);
    if (!trial_open(&t, job, n, 0, e)) {
        return false;
    }
    size_t d = score_ntk_weights(t.graph);
    float *rows = arena_push(&t.tmp, (size_t)n * d, sizeof *rows);
    double *theta = arena_push(&t.tmp, (size_t)n * (size_t)n, sizeof *theta);
    double *values = arena_push(&t.tmp, (size_t)n, sizeof *values);
    for (int i = 0; i < n; i++) {
        float *a = rows + (size_t)i * d;
        score_ntk_row(a, &t, i, n);
        for (int j = 0; j <= i; j++) {
            const float *b = rows + (size_t)j * d;
            double sum = 0;
            for (size_t k = 0; k < d; k++) {
                sum += (double)a[k] * (double)b[k];
            }
            theta[i * n + j] = theta[j * n + i] = sum;
        }
    }
    linalg_eigenvalues(values, theta, n);
    /* Gradients are float: what lies below their rounding is no number. */
    bool known = values[0] > values[n - 1] * FLT_EPSILON * FLT_EPSILON * n;
    *value = known ? log(values[0] / values[n - 1]) : NAN;
    return true;
}

const struct score score_ntk = {
    .name = "ntk",
    .help = "condition of the neural tangent kernel",
    .needs_batch = true,
    .defaults = trial_defaults,
    .plan_bytes = score_ntk_plan_bytes,
    .run = score_ntk_run,
};
