#include "nas/panel.h"

#include <math.h>
#include <string.h>

#include "core/threads.h"
#include "nas/fresh.h"

double panel_rank(const struct panel_scale *s, double value)
{
    double all = s->n_sample + 1, floor = s->n_missing + 0.5;
    if (!isfinite(value) || s->n == 0) {
        return (s->n_missing + 1) / 2.0 / all;
    }
    const double *v = s->value, *r = s->rank;
    int top = s->n - 1;
    double range = v[top] - v[0], unit = range > 0 ? range / s->n : 1;
    if (value < v[0]) {
        return (floor + (r[0] - floor) * unit / (unit + v[0] - value)) / all;
    }
    if (value >= v[top]) {
        double over = value - v[top];
        return (r[top] + (s->n_sample + 0.5 - r[top]) * over / (unit + over)) / all;
    }
    int low = 0, high = top; /* v[low] <= value < v[high] */
    while (high - low > 1) {
        int middle = (low + high) / 2;
        *(value < v[middle] ? &high : &low) = middle;
    }
    return (r[low] + (r[high] - r[low]) * (value - v[low]) / (v[high] - v[low])) / all;
}

void panel_scale_new(struct panel_scale *s, struct arena *keep, const double *values, int n_sample)
{
    double *value = arena_push(keep, (size_t)n_sample, sizeof *value);
    double *rank = arena_push(keep, (size_t)n_sample, sizeof *rank);
    int n = 0, n_distinct = 0;
    for (int i = 0; i < n_sample; i++) {
        if (!isfinite(values[i])) {
            continue;
        }
        int at = n++;
        for (; at > 0 && value[at - 1] > values[i]; at--) {
            value[at] = value[at - 1];
        }
        value[at] = values[i];
    }
    int n_missing = n_sample - n;
    for (int i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && value[end] == value[i]; end++) {
        }
        value[n_distinct] = value[i];
        rank[n_distinct++] = n_missing + (i + end + 1) / 2.0;
    }
    *s = (struct panel_scale){n_sample, n_missing, n_distinct, value, rank};
}

/* A calibration at work. */
struct panel_work {
    const struct panel_sample *sample;
    const struct score_panel *panel;
    struct arch *archs;    /* [n] */
    double *values;        /* [n_members, n] */
    struct err *errors;    /* [n] */
    struct arena *workers; /* [n_threads] */
};

static bool panel_work(void *ctx, int i, int worker)
{
    struct panel_work *w = ctx;
    const struct panel_sample *sample = w->sample;
    struct machine mc = machine_serial(sample->mc);
    struct model_spec spec = *sample->model;
    spec.size = w->panel->member[0].options.size; /* judged as one network: the same for all */
    struct err *e = &w->errors[i];
    struct arena tmp = w->workers[worker];
    struct graph *graph;
    if (sample->stop && sample->stop(sample->ctx)) {
        return err_set(e, ERR_INTERRUPTED, "stopped while calibrating");
    }
    sample->space->model(&w->archs[i], &spec);
    if (!model_build(&graph, &tmp, &spec, e)) {
        return false;
    }
    for (int k = 0; k < w->panel->n_members; k++) {
        const struct panel_member *m = &w->panel->member[k];
        struct score_job job = {
            .mc = &mc,
            .graph = graph,
            .batch = sample->batch,
            .options = &m->options,
            .tmp = tmp,
        };
        size_t want = m->score->plan_bytes(&mc, graph, sample->batch);
        if (want > tmp.cap - tmp.used) {
            err_set(e, ERR_FAILED, "%s needs %zu MiB a worker, %zu are allowed", m->score->name,
                    want >> 20, (tmp.cap - tmp.used) >> 20);
            return err_hint(e, "raise --memory, or lower --batch-size or --threads");
        }
        if (!m->score->run(&job, &w->values[k * sample->n + i], e)) {
            return false;
        }
    }
    return true;
}

static void panel_done(void *ctx, int i)
{
    const struct panel_work *w = ctx;
    if (w->sample->on_done) {
        w->sample->on_done(w->sample->ctx, i + 1);
    }
}

/* Connected architectures, each once; returns how many there are, at most n. */
static int panel_draw(struct arch *archs, const struct panel_sample *sample, struct arena tmp)
{
    /* Apart from those that searches and hdnas correlate draw by the same seed. */
    const uint64_t first = (uint64_t)1 << 32;
    struct fresh fresh;
    int n = 0;
    fresh_init(&fresh, sample->space, &tmp);
    for (uint64_t d = 0; n < sample->n; d++) {
        struct rng r = rng_key(sample->seed, RNG_ARCH, first + d);
        if (!fresh_random(&fresh, &archs[n], &r)) {
            break;
        }
        n += sample->space->connected(&archs[n]);
    }
    return n;
}

bool panel_calibrate(struct score_panel *panel, struct arena *keep,
                     const struct panel_sample *given, struct err *e)
{
    struct panel_sample sample = *given;
    ASSERT(sample.n > 0 && panel->n_members > 0 && panel->n_members <= PANEL_MAX_MEMBERS);
    size_t n = (size_t)sample.n, n_workers = (size_t)sample.mc->n_threads;
    struct panel_work w = {.sample = &sample, .panel = panel};
    w.archs = arena_push(keep, n, sizeof *w.archs);
    w.values = arena_push(keep, n * (size_t)panel->n_members, sizeof *w.values);
    w.errors = arena_push_zero(keep, n, sizeof *w.errors);
    w.workers = arena_push_zero(keep, n_workers, sizeof *w.workers);
    bool ok = true;
    for (size_t i = 0; ok && i < n_workers; i++) {
        ok = arena_init(&w.workers[i], sample.worker_bytes, e);
    }
    if (ok) {
        sample.n = panel_draw(w.archs, &sample, w.workers[0]);
        ok = sample.n >= 2 || err_set(e, ERR_INPUT, "space %s has too few networks to rank among",
                                      sample.space->name);
    }
    int n_done = ok ? threads_ordered(sample.mc, sample.n, NULL, panel_work, panel_done, &w) : 0;
    if (ok && n_done < sample.n) {
        *e = w.errors[n_done];
        ok = false;
    }
    for (size_t i = 0; i < n_workers; i++) {
        arena_release(&w.workers[i]);
    }
    for (int k = 0; ok && k < panel->n_members; k++) {
        panel_scale_new(&panel->member[k].scale, keep, w.values + k * sample.n, sample.n);
    }
    return ok;
}
