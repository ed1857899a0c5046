/*
 * Fisher [Turner2020] as collected by [Abdelfattah2021]: at the output a of every convolution and
 * linear layer, with its gradient g of the batch's mean cross-entropy,
 *
 *   score = sum over layers and channels of w_c / 2 mean over images of (sum over pixels a g)^2
 *
 * w_c: weights of the channel. The published code hands a channel's number to each of its weights
 * before it adds them up.
 */
#include "nas/scores.h"
#include "nas/tape.h"
#include "nn/loss.h"

#include <string.h>

static size_t score_fisher_plan_bytes(const struct machine *mc, const struct graph *g,
                                      const struct score_batch *b)
{
    return trial_bytes(mc, g, 1, 0) + tape_bytes(mc, g, b->n) +
           arena_round((size_t)b->n * (size_t)b->n_classes * sizeof(float));
}

static double score_fisher_layer(const struct tensor *a, const float *g)
{
    double sum = 0;
    size_t pixels = (size_t)a->h * (size_t)a->w, c = (size_t)a->c;
    for (size_t i = 0; i < (size_t)a->n; i++) {
        for (size_t k = 0; k < c; k++) {
            double s = 0;
            for (size_t p = i * pixels; p < (i + 1) * pixels; p++) {
                s += (double)a->data[p * c + k] * (double)g[p * c + k];
            }
            sum += s * s;
        }
    }
    return sum / 2 / a->n;
}

static bool score_fisher_run(const struct score_job *job, double *value, struct err *e)
{
    struct trial t;
    struct tape tape;
    const struct score_batch *b = job->batch;
    if (!trial_open(&t, job, 1, 0, e)) {
        return false;
    }
    const struct graph *g = t.graph;
    float *seed = arena_push(&t.tmp, (size_t)b->n * (size_t)b->n_classes, sizeof *seed);
    tape_forward(&tape, &t, &t.tmp, b->x, b->n);
    loss_cross_entropy(tape.x[g->output], b->labels, b->n, b->n_classes, 0, 1, seed, NULL);
    tape_backward(&tape, 0, g->output, seed);
    *value = 0;
    for (int i = 1; i < g->n_nodes; i++) {
        const char *name = g->nodes[i].op->name;
        if (tape.dx[i] && (strcmp(name, "conv") == 0 || strcmp(name, "linear") == 0)) {
            struct tensor a = tape_value(&tape, i);
            size_t weights = g->params[g->nodes[i].first_param].count / (size_t)a.c;
            *value += (double)weights * score_fisher_layer(&a, tape.dx[i]);
        }
    }
    return true;
}

const struct score score_fisher = {
    .name = "fisher",
    .help = "Fisher information of every channel, from activations and their gradients",
    .needs_batch = true,
    .defaults = trial_defaults,
    .plan_bytes = score_fisher_plan_bytes,
    .run = score_fisher_run,
};
