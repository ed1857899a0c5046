/*
 * Zen-score [Lin2021] of the network as it is (residuals kept, as in its tables for NAS-Bench-201):
 * weights N(0, 1), batch norm with the batch's statistics, 16 images x of noise N(0, 1) and
 * x' = x + 0.01 more noise, f = the last tap (the features before the pool):
 *
 *   score = log (mean over images of sum over channels, averaged over pixels, of |f(x) - f(x')|)
 *           + sum over batch norms of log sqrt(mean over channels of the variance at x)
 *
 * Batch norm makes f forget the scale of weights; the second term puts it back.
 */
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "nas/scores.h"
#include "nas/trial.h"

enum { N_IMAGES = 16 };

static void score_zen_defaults(struct score_options *o)
{
    trial_defaults(o);
    o->init = NET_INIT_KAIMING;
}

static size_t score_zen_plan_bytes(const struct machine *mc, const struct graph *g,
                                   const struct score_batch *b)
{
    (void)b;
    size_t tap = g->n_taps > 0 ? shape_count(g->nodes[g->taps[g->n_taps - 1]].shape) : 0;
    return trial_bytes(mc, g, N_IMAGES, 0) +
           N_IMAGES * (2 * shape_count(g->nodes[0].shape) + tap) * sizeof(float) +
           (size_t)(1 << 16);
}

/* Normal weights of variance 2 / fan_in become N(0, 1); variances start at 0 so that one forward
 * leaves momentum x the batch's. */
static void score_zen_prepare(struct trial *t)
{
    const struct graph *g = t->graph;
    for (int i = 0; i < g->n_params; i++) {
        float *w = net_param(t->net, i);
        if (g->params[i].spec.kind == PARAM_RUNNING_VAR) {
            memset(w, 0, g->params[i].count * sizeof *w);
        } else if (trial_is_weight(t, i)) {
            float scale = (float)sqrt(g->params[i].spec.fan_in / 2.0);
            for (size_t k = 0; k < g->params[i].count; k++) {
                w[k] *= scale;
            }
        }
    }
    net_params_changed(t->net);
}

static double score_zen_scales(struct trial *t)
{
    const struct graph *g = t->graph;
    double sum = 0;
    for (int i = 0; i < g->n_params; i++) {
        const struct param *p = &g->params[i];
        if (p->spec.kind == PARAM_RUNNING_VAR) {
            double mean = 0;
            for (size_t k = 0; k < p->count; k++) {
                mean += (double)net_param(t->net, i)[k];
            }
            mean /= (double)p->count * (double)g->nodes[p->node].attr.momentum;
            sum += mean > 0 ? log(mean) / 2 : 0; /* a batch norm in a dead end scales nothing */
        }
    }
    return sum;
}

static bool score_zen_run(const struct score_job *job, double *value, struct err *e)
{
    struct trial t;
    if (job->graph->n_taps < 1) {
        return err_set(e, ERR_USAGE, "zen needs an architecture with a marked last feature map");
    }
    if (!trial_open(&t, job, N_IMAGES, 0, e)) {
        return false;
    }
    score_zen_prepare(&t);
    size_t count = N_IMAGES * shape_count(t.graph->nodes[0].shape);
    float *x = arena_push(&t.tmp, count, sizeof *x), *moved = arena_push(&t.tmp, count, sizeof *x);
    struct rng r = rng_key(job->options->seed, RNG_SCORE, 0);
    struct rng more = rng_key(job->options->seed, RNG_SCORE, 1);
    for (size_t i = 0; i < count; i++) {
        x[i] = (float)rng_normal(&r);
        moved[i] = x[i] + 0.01f * (float)rng_normal(&more);
    }
    trial_forward(&t, x, N_IMAGES);
    double scales = score_zen_scales(&t);
    struct tensor f = net_tap(t.net, t.graph->n_taps - 1);
    float *before = arena_push(&t.tmp, tensor_count(&f), sizeof *before);
    memcpy(before, f.data, tensor_count(&f) * sizeof *before);
    trial_forward(&t, moved, N_IMAGES);
    f = net_tap(t.net, t.graph->n_taps - 1);
    double sum = 0;
    for (size_t i = 0; i < tensor_count(&f); i++) {
        sum += fabs((double)f.data[i] - (double)before[i]);
    }
    sum /= (double)f.n * f.h * f.w;
    *value = sum > 0 ? log(sum) + scales : NAN;
    return true;
}

const struct score score_zen = {
    .name = "zen",
    .help = "log of how strongly features answer to a change of the input",
    .defaults = score_zen_defaults,
    .plan_bytes = score_zen_plan_bytes,
    .run = score_zen_run,
};
