#include "nn/train.h"

#include "core/clock.h"
#include "core/file.h"
#include "core/threads.h"
#include "nn/checkpoint.h"
#include "nn/loss.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* One batch, filled by a background thread while the network computes on the other. */
struct batch {
    const struct feed *feed;
    uint64_t epoch;
    size_t first;
    int n;
    float *x;        /* [n, h, w, c] */
    int32_t *labels; /* [n] */
    struct thread thread;
};

static size_t batch_bytes(const struct feed *feed, int batch)
{
    return arena_round(shape_count(feed->shape) * (size_t)batch * sizeof(float)) +
           arena_round((size_t)batch * sizeof(int32_t));
}

static void batch_init(struct batch *b, struct arena *tmp, const struct feed *feed, int batch)
{
    *b = (struct batch){.feed = feed};
    b->x = arena_push(tmp, shape_count(feed->shape) * (size_t)batch, sizeof *b->x);
    b->labels = arena_push(tmp, (size_t)batch, sizeof *b->labels);
}

static void fill(void *ctx)
{
    struct batch *b = ctx;
    feed_fill(b->feed, b->epoch, b->first, b->n, b->x, b->labels);
}

/* Start filling batch number i of the epoch, if there is one. */
static bool prefetch(struct batch *b, uint64_t epoch, int i, int batch, struct err *e)
{
    b->epoch = epoch;
    b->first = (size_t)i * (size_t)batch;
    b->n = b->first < b->feed->n ? (int)MIN((size_t)batch, b->feed->n - b->first) : 0;
    return b->n == 0 || thread_open(&b->thread, fill, b, e);
}

static int count_batches(const struct feed *feed, int batch)
{
    return (int)DIV_UP(feed->n, (size_t)batch);
}

bool train_evaluate(struct net *net, const struct machine *mc, const struct feed *feed, int batch,
                    int64_t *n_correct, double *loss, struct arena tmp, struct err *e)
{
    ASSERT(feed->n > 0 && batch > 0);
    struct batch batches[2];
    batch_init(&batches[0], &tmp, feed, batch);
    batch_init(&batches[1], &tmp, feed, batch);
    int n_batches = count_batches(feed, batch);
    double total = 0;
    *n_correct = 0;
    bool ok = prefetch(&batches[0], 0, 0, batch, e);
    for (int i = 0; ok && i < n_batches; i++) {
        struct batch *b = &batches[i % 2];
        thread_close(&b->thread);
        ok = prefetch(&batches[(i + 1) % 2], 0, i + 1, batch, e);
        const float *logits = net_forward(net, mc, b->x, b->n, false);
        *n_correct += loss_count_correct(logits, b->labels, b->n, feed->n_classes);
        if (loss) {
            total +=
                loss_cross_entropy(logits, b->labels, b->n, feed->n_classes, 0, 1, NULL, NULL) *
                b->n;
        }
    }
    thread_close(&batches[0].thread);
    thread_close(&batches[1].thread);
    if (loss) {
        *loss = total / (double)feed->n;
    }
    return ok;
}

/* What must be equal for a run to go on: everything its bits depend on. */
static void settings_text(const struct train_job *job, char *text, size_t len)
{
    const struct train_config *c = job->config;
    const struct optim_config *o = &c->optim;
    const struct schedule *s = &c->schedule;
    snprintf(text, len,
             "%sepochs %d batch %d seed %llu smoothing %g images %zu optim %d %g %d %g %d %g %g %g "
             "schedule %d %.9g %.9g %g %g %g",
             job->mc->bf16 ? "bf16 " : "", c->epochs, c->batch, (unsigned long long)c->seed,
             (double)c->smoothing, job->train->n, (int)o->kind, (double)o->momentum, o->nesterov,
             (double)o->decay, o->decay_all, (double)o->beta1, (double)o->beta2, (double)o->eps,
             (int)s->kind, s->lr_max, s->lr_final, s->warmup, s->lr_start, s->step_factor);
}

/* A run under way. */
struct run {
    struct train_job *job;
    struct optim *optim;
    struct batch batches[2];
    int n_batches; /* of an epoch */
    double start_s;
    struct checkpoint checkpoint;
};

size_t train_plan_bytes(const struct train_job *job)
{
    const struct graph *g = net_graph(job->net);
    size_t bytes =
        optim_plan_bytes(g, &job->config->optim) + 2 * batch_bytes(job->train, job->config->batch);
    size_t test = job->test ? 2 * batch_bytes(job->test, job->eval_batch) : 0;
    return bytes + MAX(test, checkpoint_scratch_bytes(g));
}

/* Forward, loss, backward, update; returns the batch's mean loss. */
static double one_step(struct run *run, const struct batch *b, int64_t i_step, double lr,
                       int *n_correct)
{
    struct train_job *job = run->job;
    const struct train_objective *objective = job->objective;
    int n_classes = job->train->n_classes;
    net_set_noise(job->net, job->config->seed, (uint64_t)i_step);
    const float *logits = net_forward(job->net, job->mc, b->x, b->n, true);
    double loss = 0;
    *n_correct = loss_count_correct(logits, b->labels, b->n, n_classes);
    if (objective) {
        int64_t n_steps = (int64_t)run->n_batches * job->config->epochs;
        struct train_batch batch = {b->x, logits, b->labels, b->n, i_step, n_steps};
        loss = objective->loss(objective->ctx, job->net, &batch);
    } else {
        loss = loss_cross_entropy(logits, b->labels, b->n, n_classes, job->config->smoothing, 1,
                                  net_output_seed(job->net), NULL);
    }
    net_backward(job->net, job->mc);
    if (objective && objective->before_update) {
        objective->before_update(objective->ctx, job->net);
    }
    optim_step(run->optim, job->net, job->mc, (float)lr);
    if (objective && objective->after_update) {
        objective->after_update(objective->ctx, job->net);
    }
    return loss;
}

static bool tell_step(const struct run *run, const struct train_step *step, struct err *e)
{
    const struct train_job *job = run->job;
    if (job->on_step && !job->on_step(job->ctx, step)) {
        return err_set(e, ERR_INTERRUPTED, "stopped in epoch %d", step->epoch);
    }
    return true;
}

/* One pass over the training feed; a loss that is not finite ends it. */
static bool train_pass(struct run *run, int epoch, struct train_epoch *result, struct err *e)
{
    struct train_job *job = run->job;
    const struct train_config *c = job->config;
    int64_t n_seen = 0, n_correct = 0, n_steps = (int64_t)run->n_batches * c->epochs;
    double loss = 0;
    bool ok = prefetch(&run->batches[0], (uint64_t)epoch, 0, c->batch, e);
    for (int i = 0; ok && !job->diverged && i < run->n_batches; i++) {
        struct batch *b = &run->batches[i % 2];
        thread_close(&b->thread);
        ok = prefetch(&run->batches[(i + 1) % 2], (uint64_t)epoch, i + 1, c->batch, e);
        if (!ok) {
            break;
        }
        int batch_correct = 0;
        int64_t i_step = (int64_t)epoch * run->n_batches + i;
        result->lr = schedule_lr(&c->schedule, i_step, n_steps);
        double batch_loss = one_step(run, b, i_step, result->lr, &batch_correct);
        job->diverged = !isfinite(batch_loss);
        loss += batch_loss * b->n;
        n_correct += batch_correct;
        n_seen += b->n;
        struct train_step step = {.epoch = epoch + 1,
                                  .step = i + 1,
                                  .n_steps = run->n_batches,
                                  .loss = loss / (double)n_seen,
                                  .lr = result->lr,
                                  .accuracy = (double)n_correct / (double)n_seen,
                                  .seconds = clock_now_s() - run->start_s};
        ok = tell_step(run, &step, e);
    }
    thread_close(&run->batches[0].thread);
    thread_close(&run->batches[1].thread);
    result->loss = loss / (double)MAX(n_seen, 1);
    result->train_accuracy = (double)n_correct / (double)MAX(n_seen, 1);
    return ok;
}

static bool test_pass(struct run *run, struct train_epoch *result, struct arena tmp, struct err *e)
{
    struct train_job *job = run->job;
    result->test_accuracy = (double)NAN;
    if (!job->test) {
        return true;
    }
    struct net *net = job->net;
    if (job->eval_net) {
        net = job->eval_net;
        for (int i = 0; i < net_graph(net)->n_params; i++) {
            memcpy(net_param(net, i), net_param_const(job->net, i),
                   net_graph(net)->params[i].count * sizeof(float));
        }
        net_params_changed(net);
    }
    if (!train_evaluate(net, job->mc, job->test, job->eval_batch, &result->test_correct, NULL, tmp,
                        e)) {
        return false;
    }
    result->test_accuracy = (double)result->test_correct / (double)job->test->n;
    result->is_best = result->test_correct > run->checkpoint.best_correct;
    run->checkpoint.best_correct = MAX(run->checkpoint.best_correct, result->test_correct);
    return true;
}

static bool one_epoch(struct run *run, int epoch, struct arena tmp, struct err *e)
{
    struct train_job *job = run->job;
    struct train_epoch result = {.epoch = epoch + 1};
    double start_s = clock_now_s();
    if (!train_pass(run, epoch, &result, e)) {
        return false;
    }
    if (job->diverged) {
        return true;
    }
    if (!test_pass(run, &result, tmp, e)) {
        return false;
    }
    result.seconds = clock_now_s() - start_s;
    /* The caller's log first: killed between the two, the epoch is repeated and its line written
     * again. */
    bool go_on = !job->on_epoch || job->on_epoch(job->ctx, &result);
    run->checkpoint.epoch = epoch + 1;
    const char *path = job->config->checkpoint_path;
    if (path && !checkpoint_save(&run->checkpoint, job->net, run->optim, job->info, path, tmp, e)) {
        return false;
    }
    return go_on || err_set(e, ERR_INTERRUPTED, "stopped after epoch %d", epoch + 1);
}

bool train_run(struct train_job *job, struct arena tmp, struct err *e)
{
    const struct train_config *c = job->config;
    ASSERT(c->epochs > 0 && c->batch > 0);
    ASSERT(job->train->n > 0 && job->info);
    struct run run = {
        .job = job, .n_batches = count_batches(job->train, c->batch), .start_s = clock_now_s()};
    run.checkpoint.best_correct = -1;
    settings_text(job, run.checkpoint.settings, sizeof run.checkpoint.settings);
    run.optim = optim_new(&tmp, job->net, &c->optim);
    batch_init(&run.batches[0], &tmp, job->train, c->batch);
    batch_init(&run.batches[1], &tmp, job->train, c->batch);
    job->diverged = false;
    job->first_epoch = 0;
    if (c->resume && c->checkpoint_path && file_exists(c->checkpoint_path)) {
        if (!checkpoint_load(&run.checkpoint, job->net, run.optim, c->checkpoint_path, tmp, e)) {
            return err_wrap(e, "resuming");
        }
        job->first_epoch = run.checkpoint.epoch;
    }
    for (int epoch = job->first_epoch; epoch < c->epochs && !job->diverged; epoch++) {
        if (!one_epoch(&run, epoch, tmp, e)) {
            return false;
        }
    }
    return true;
}
