/*
 * GraSP [Wang2020] as collected by [Abdelfattah2021]: - sum w (H g) over the weights of
 * convolutions and linear layers, g and H gradient and Hessian of the batch's mean cross-entropy. H
 * g by central differences of the gradient along g: two passes, no second backward.
 */
#include <math.h>
#include <string.h>

#include "nas/scores.h"
#include "nas/trial.h"

/* The step along g as a share of |w|: between float32's rounding of gradients (1e-6 over
 * the share) and the difference's own error (its square). */
static const double step_share = 1e-3;

static size_t score_grasp_plan_bytes(const struct machine *mc, const struct graph *g,
                                     const struct score_batch *b)
{
    size_t params = arena_round((size_t)g->n_params * sizeof(float *));
    for (int i = 0; i < g->n_params; i++) {
        params += arena_round(g->params[i].count * sizeof(float));
    }
    return trial_bytes(mc, g, b->n, 0) + 3 * params;
}

/* Do only batch norms read the output of parameter i's layer? */
static bool score_grasp_is_free(const struct graph *g, int i)
{
    int node = g->params[i].node, readers = 0;
    for (int k = node + 1; k < g->n_nodes; k++) {
        for (int j = 0; j < g->nodes[k].n_in; j++) {
            if (g->nodes[k].in[j] == node) {
                readers++;
                if (strcmp(g->nodes[k].op->name, "bn") != 0) {
                    return false;
                }
            }
        }
    }
    return readers > 0;
}

/* One copy of all weights or gradients. */
static float **score_grasp_copy(struct trial *t, bool gradients)
{
    const struct graph *g = t->graph;
    float **copy = arena_push_zero(&t->tmp, (size_t)g->n_params, sizeof *copy);
    for (int i = 0; i < g->n_params; i++) {
        if (trial_is_weight(t, i)) {
            copy[i] = arena_push(&t->tmp, g->params[i].count, sizeof(float));
            memcpy(copy[i], gradients ? net_param_grad(t->net, i) : net_param(t->net, i),
                   g->params[i].count * sizeof(float));
        }
    }
    return copy;
}

static double score_grasp_dot(const struct trial *t, float *const *a, float *const *b)
{
    double sum = 0;
    for (int i = 0; i < t->graph->n_params; i++) {
        for (size_t k = 0; a[i] && k < t->graph->params[i].count; k++) {
            sum += (double)a[i][k] * (double)b[i][k];
        }
    }
    return sum;
}

/* w . gradient at w + step g, over the layers that are not free. */
static double score_grasp_at(struct trial *t, float *const *w, float *const *g, double step)
{
    const struct score_batch *b = t->job->batch;
    for (int i = 0; i < t->graph->n_params; i++) {
        for (size_t k = 0; w[i] && k < t->graph->params[i].count; k++) {
            net_param(t->net, i)[k] = (float)((double)w[i][k] + step * (double)g[i][k]);
        }
    }
    net_params_changed(t->net);
    trial_backward(t, b->x, b->labels, b->n);
    double sum = 0;
    for (int i = 0; i < t->graph->n_params; i++) {
        bool counts = w[i] && !score_grasp_is_free(t->graph, i);
        const float *grad = counts ? net_param_grad(t->net, i) : NULL;
        for (size_t k = 0; grad && k < t->graph->params[i].count; k++) {
            sum += (double)w[i][k] * (double)grad[k];
        }
    }
    return sum;
}

static bool score_grasp_run(const struct score_job *job, double *value, struct err *e)
{
    struct trial t;
    if (!trial_open(&t, job, job->batch->n, 0, e)) {
        return false;
    }
    trial_backward(&t, job->batch->x, job->batch->labels, job->batch->n);
    float **w = score_grasp_copy(&t, false), **g = score_grasp_copy(&t, true);
    double length = sqrt(score_grasp_dot(&t, g, g));
    if (!(length > 0)) {
        *value = NAN;
        return true;
    }
    double step = step_share * sqrt(score_grasp_dot(&t, w, w)) / length;
    double up = score_grasp_at(&t, w, g, step), down = score_grasp_at(&t, w, g, -step);
    *value = -(up - down) / (2 * step);
    for (int i = 0; i < t.graph->n_params; i++) {
        bool counts = w[i] && score_grasp_is_free(t.graph, i);
        for (size_t k = 0; counts && k < t.graph->params[i].count; k++) {
            *value += (double)g[i][k] * (double)g[i][k];
        }
    }
    return true;
}

const struct score score_grasp = {
    .name = "grasp",
    .help = "minus weight x Hessian x gradient",
    .needs_batch = true,
    .defaults = trial_defaults,
    .plan_bytes = score_grasp_plan_bytes,
    .run = score_grasp_run,
};
