/*
 * Representation mutual information [Zheng2022]: train a fresh candidate for a few updates on one
 * batch so that its features agree with the reference's, and read how well it got.
 *
 *   loss = beta (T - sum_i CKA_i) + (1 - beta) cross-entropy,   T = number of taps that enter
 *
 * The score is minus this loss, after 150 updates (the 151st forward pass) for rmi-paper as
 * published, after 20 for rmi-brief, after 40 of the network with one cell a stage for rmi, after
 * 40 of a narrow network on small images for rmi-lite: docs/SCORES.md says what that does to the
 * agreement with accuracies.
 */
#include <math.h>
#include <string.h>

#include "core/clock.h"
#include "core/gemm.h"
#include "nas/cka.h"
#include "nas/scores.h"
#include "nn/loss.h"
#include "nn/optim.h"

/* RMI-NAS's own training: plain SGD, constant rate. */
static void score_rmi_defaults_paper(struct score_options *o)
{
    *o = (struct score_options){
        .steps = 150,
        .lr = 0.1f,
        .momentum = 0.9f,
        .decay = 5e-4f,
        .beta = 0.8,
        .tap_mask = 7,
        .init = NET_INIT_PYTORCH,
        .seed = 1,
    };
}

/* One cell a stage instead of five: orders cells better than the paper's 150 updates of 32 images
 * by every seed tried, in a twentieth of the time (docs/SCORES.md). */
static void score_rmi_defaults(struct score_options *o)
{
    score_rmi_defaults_paper(o);
    o->size.n_cells = 1;
    o->steps = 40;
}

/* A member of a panel, which has one batch for all. */
static void score_rmi_defaults_brief(struct score_options *o)
{
    score_rmi_defaults_paper(o);
    o->steps = 20;
}

/* Narrow networks on small images: nearly as telling in company as rmi-brief, in a seventh of the
 * time (docs/SCORES.md). */
static void score_rmi_defaults_lite(struct score_options *o)
{
    score_rmi_defaults_paper(o);
    o->size.width = SCORE_LITE_WIDTH;
    o->side = SCORE_LITE_SIDE;
    o->steps = 40;
}

static struct optim_config score_rmi_optim(const struct score_options *o)
{
    return (struct optim_config){
        .kind = OPTIM_SGD,
        .momentum = o ? o->momentum : 0.9f,
        .decay = o ? o->decay : 0,
        .decay_all = true,
    };
}

static size_t score_rmi_plan_bytes(const struct machine *mc, const struct graph *g,
                                   const struct score_batch *b)
{
    size_t nn = (size_t)b->n * (size_t)b->n, gram = 0;
    for (int i = 0; i < g->n_taps; i++) {
        gram = MAX(gram, cka_gram_scratch_bytes(mc, b->n, shape_count(g->nodes[g->taps[i]].shape)));
    }
    struct optim_config config = score_rmi_optim(NULL);
    return net_plan_bytes(mc, g, b->n, NET_TRAIN) + optim_plan_bytes(g, &config) + gram +
           arena_round(nn * sizeof(double)) + arena_round(nn * sizeof(float)) + (size_t)(1 << 16);
}

/* One candidate at work. */
struct rmi {
    const struct score_job *job;
    struct net *net;
    double *gram;  /* [n, n] of the tap at hand */
    float *weight; /* [n, n] gradient of CKA with respect to the features, as a matrix to multiply
                      them by */
    double last_s; /* clock at the end of the last part */
};

static void score_rmi_lap(struct rmi *r, enum score_part part)
{
    double now = clock_now_s();
    if (r->job->seconds) {
        r->job->seconds[part] += now - r->last_s;
    }
    r->last_s = now;
}

/* CKA of each tap; with `seeds`, also the loss's gradient on the taps. */
static void score_rmi_taps(struct rmi *r, struct score_step *step, bool seeds)
{
    const struct score_job *job = r->job;
    const struct score_options *o = job->options;
    int n = job->batch->n;
    for (int i = 0; i < net_graph(r->net)->n_taps; i++) {
        step->cka[i] = 0;
        if (i >= job->batch->n_taps || !(o->tap_mask >> i & 1)) {
            continue;
        }
        struct tensor x = net_tap(r->net, i);
        cka_gram(job->mc, r->gram, &x, job->tmp);
        step->cka[i] = cka_value(r->gram, job->batch->gram[i], n);
        if (seeds && isfinite(step->cka[i])) {
            int d = x.h * x.w * x.c;
            cka_gradient(r->weight, r->gram, job->batch->gram[i], n, -o->beta);
            gemm(job->mc, false, false, n, d, n, 1, r->weight, n, x.data, d, 0,
                 net_tap_seed(r->net, i), d);
        }
    }
}

/* Forward pass number step->step; fills the rest of the step. */
static void score_rmi_forward(struct rmi *r, struct score_step *step, bool seeds)
{
    const struct score_job *job = r->job;
    const struct score_options *o = job->options;
    const float *logits = net_forward(r->net, job->mc, job->batch->x, job->batch->n, true);
    step->cross_entropy =
        loss_cross_entropy(logits, job->batch->labels, job->batch->n, job->batch->n_classes, 0,
                           (float)(1 - o->beta), seeds ? net_output_seed(r->net) : NULL, NULL);
    score_rmi_lap(r, SCORE_FORWARD);
    score_rmi_taps(r, step, seeds);
    score_rmi_lap(r, SCORE_GRAM);
    double gap = 0;
    for (int i = 0; i < job->batch->n_taps; i++) {
        gap += o->tap_mask >> i & 1 ? 1 - step->cka[i] : 0;
    }
    step->loss = o->beta * gap + (1 - o->beta) * step->cross_entropy;
    if (job->on_step) {
        job->on_step(job->ctx, step);
    }
}

static bool score_rmi_start(struct net *net, const struct score_job *job, struct arena tmp,
                            struct err *e)
{
    net_init_params(net, job->options->init, job->options->seed);
    if (job->init_path && !weights_load(net, job->init_path, tmp, e)) {
        return false;
    }
    return !job->save_init_path || weights_save(net, job->info, job->save_init_path, tmp, e);
}

static bool score_rmi_run(const struct score_job *outer, double *value, struct err *e)
{
    struct score_job job = *outer;
    const struct score_options *o = job.options;
    ASSERT(job.batch->n_taps <= SCORE_MAX_TAPS && o->steps >= 0);
    if (job.graph->n_taps < job.batch->n_taps) {
        return err_set(e, ERR_INPUT, "the candidate has %d taps, the reference %d",
                       job.graph->n_taps, job.batch->n_taps);
    }
    struct rmi r = {.job = &job, .last_s = clock_now_s()};
    size_t nn = (size_t)job.batch->n * (size_t)job.batch->n;
    struct optim_config config = score_rmi_optim(o);
    if (!net_new(&r.net, &job.tmp, job.mc, job.graph, job.batch->n, NET_TRAIN, e)) {
        return false;
    }
    struct optim *optim = optim_new(&job.tmp, r.net, &config);
    r.gram = arena_push(&job.tmp, nn, sizeof *r.gram);
    r.weight = arena_push(&job.tmp, nn, sizeof *r.weight);
    if (!score_rmi_start(r.net, &job, job.tmp, e)) {
        return false;
    }
    score_rmi_lap(&r, SCORE_BUILD);

    struct score_step step = {0};
    for (step.step = 0; step.step < o->steps; step.step++) {
        score_rmi_forward(&r, &step, true);
        if (!isfinite(step.loss)) {
            *value = NAN;
            return true;
        }
        net_backward(r.net, job.mc);
        score_rmi_lap(&r, SCORE_BACKWARD);
        optim_step(optim, r.net, job.mc, o->lr);
        score_rmi_lap(&r, SCORE_UPDATE);
    }
    score_rmi_forward(&r, &step, false);
    *value = -step.loss;
    return true;
}

const struct score score_rmi = {
    .name = "rmi",
    .help =
        "similarity to the reference's features, one cell a stage: minus the mixed loss after 40 "
        "updates on 16 images",
    .needs_reference = true,
    .batch = 16,
    .defaults = score_rmi_defaults,
    .plan_bytes = score_rmi_plan_bytes,
    .run = score_rmi_run,
};

const struct score score_rmi_paper = {
    .name = "rmi-paper",
    .help = "RMI-NAS's own protocol: the same after 150 updates on 32 images",
    .needs_reference = true,
    .defaults = score_rmi_defaults_paper,
    .plan_bytes = score_rmi_plan_bytes,
    .run = score_rmi_run,
};

const struct score score_rmi_brief = {
    .name = "rmi-brief",
    .help = "the same after 20 updates on 32 images: what agg-rmi has of it",
    .needs_reference = true,
    .defaults = score_rmi_defaults_brief,
    .plan_bytes = score_rmi_plan_bytes,
    .run = score_rmi_run,
};

const struct score score_rmi_lite = {
    .name = "rmi-lite",
    .help = "the same of a network half as wide on 16 images of 16x16, after 40 updates: what "
            "agg-lite has of it",
    .needs_reference = true,
    .batch = SCORE_LITE_BATCH,
    .defaults = score_rmi_defaults_lite,
    .plan_bytes = score_rmi_plan_bytes,
    .run = score_rmi_run,
};
