/*
 * MeCo [Jiang2023]: sum over layers of the smallest eigenvalue of the Pearson correlation matrix of
 * a feature map's channels, pixels being the samples, for the first image of a batch of noise N(0,
 * 1). A layer is here the output of every convolution (the published code looks at every module, so
 * that containers count twice). A channel that is constant correlates with nothing.
 */
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "nas/linalg.h"
#include "nas/scores.h"
#include "nas/trial.h"

enum { N_IMAGES = 8 }; /* for the batch statistics */

static size_t score_meco_plan_bytes(const struct machine *mc, const struct graph *g,
                                    const struct score_batch *b)
{
    (void)b;
    size_t c = 1;
    for (int i = 0; i < g->n_nodes; i++) {
        c = MAX(c, (size_t)g->nodes[i].shape.c);
    }
    return trial_bytes(mc, g, N_IMAGES, TRIAL_VALUES) + (c + 4) * c * sizeof(double) +
           N_IMAGES * shape_count(g->nodes[0].shape) * sizeof(float) + (size_t)(1 << 16);
}

/* corr[c, c] of the first image. */
static void score_meco_correlate(double *corr, double *mean, const struct tensor *f)
{
    size_t n = (size_t)f->h * (size_t)f->w, c = (size_t)f->c;
    memset(corr, 0, c * c * sizeof *corr);
    memset(mean, 0, c * sizeof *mean);
    for (size_t k = 0; k < n * c; k++) {
        mean[k % c] += (double)f->data[k] / (double)n;
    }
    for (size_t p = 0; p < n; p++) {
        const float *x = f->data + p * c;
        for (size_t i = 0; i < c; i++) {
            for (size_t j = 0; j <= i; j++) {
                corr[i * c + j] += ((double)x[i] - mean[i]) * ((double)x[j] - mean[j]);
            }
        }
    }
    for (size_t i = 0; i < c; i++) {
        mean[i] = sqrt(corr[i * c + i]);
    }
    for (size_t i = 0; i < c; i++) {
        for (size_t j = 0; j <= i; j++) {
            double scale = mean[i] * mean[j], v = scale > 0 ? corr[i * c + j] / scale : 0;
            corr[i * c + j] = corr[j * c + i] = v;
        }
    }
}

static bool score_meco_run(const struct score_job *job, double *value, struct err *e)
{
    struct trial t;
    if (!trial_open(&t, job, N_IMAGES, TRIAL_VALUES, e)) {
        return false;
    }
    const struct graph *g = t.graph;
    size_t count = N_IMAGES * shape_count(g->nodes[0].shape);
    float *x = arena_push(&t.tmp, count, sizeof *x);
    struct rng r = rng_key(job->options->seed, RNG_SCORE, 0);
    for (size_t i = 0; i < count; i++) {
        x[i] = (float)rng_normal(&r);
    }
    trial_forward(&t, x, N_IMAGES);
    *value = 0;
    for (int i = 1; i < g->n_nodes; i++) {
        struct tensor f = net_node_value(t.net, i);
        /* As many channels as pixels or more: their correlations are singular, which adds 0. */
        if (strcmp(g->nodes[i].op->name, "conv") != 0 || !f.data || f.h * f.w <= f.c) {
            continue;
        }
        struct arena tmp = t.tmp;
        size_t c = (size_t)f.c;
        double *corr = arena_push(&tmp, c * c, sizeof *corr);
        double *mean = arena_push(&tmp, c, sizeof *mean);
        double *values = arena_push(&tmp, c, sizeof *values);
        score_meco_correlate(corr, mean, &f);
        linalg_eigenvalues(values, corr, f.c);
        *value += values[0];
    }
    return true;
}

const struct score score_meco = {
    .name = "meco",
    .help = "smallest eigenvalues of the correlations between channels",
    .defaults = trial_defaults,
    .plan_bytes = score_meco_plan_bytes,
    .run = score_meco_run,
};
