/*
 * Latency on this very machine: our engine, one image, one thread, evaluation mode (batch norm
 * folded). The thread is kept on its processor; after warm-up runs the median of the timed runs
 * counts. A spread beyond a tenth of the median means that something else was running: up to two
 * more rounds are measured, and the calmest one counts.
 */
#include "nas/cost.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "nn/net.h"

enum { N_WARM_UPS = 10, N_RUNS = 41, N_ROUNDS = 3 };

/* Interquartile range over median above which a round is repeated. */
static const double max_spread = .1;

struct local_state {
    const struct space *space;
    struct model_spec model;
    struct machine mc;       /* one thread */
    int n_measured, n_noisy; /* so far; one measurement at a time (parallel_safe is false) */
    double worst_spread;     /* of the rounds that counted */
};

static bool local_match(const struct cost_options *o)
{
    return strcmp(o->device, "local") == 0;
}

static bool local_open(struct cost *c, struct arena *keep, const struct cost_options *o,
                       struct err *e)
{
    ASSERT(o->mc);
    struct local_state *state = arena_push_zero(keep, 1, sizeof *state);
    *state =
        (struct local_state){.space = o->space, .model = o->model, .mc = machine_serial(o->mc)};
    /* Build one network now: an input shape the space cannot take is an error here, and cannot be
     * one later. */
    struct arch a = {{0}};
    struct arena tmp = *keep;
    struct graph *graph;
    struct model_spec spec = o->model;
    o->space->model(&a, &spec);
    if (!model_build(&graph, &tmp, &spec, e)) {
        return err_wrap(e, "device local");
    }
    char cpu[160];
    cpu_model_name(cpu, sizeof cpu);
    c->state = state;
    snprintf(c->name, sizeof c->name, "local latency");
    snprintf(c->unit, sizeof c->unit, "ms");
    snprintf(
        c->source, sizeof c->source,
        "measured: %s, tier %s, 1 thread, fp32, 1 image of %dx%dx%d, median of %d runs after %d",
        cpu, cpu_tier_name(o->mc->tier), o->model.input.h, o->model.input.w, o->model.input.c,
        N_RUNS, N_WARM_UPS);
    return true;
}

static int double_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median of a round in seconds; *spread: interquartile range over median. */
static double local_round(struct net *net, const struct machine *mc, const float *x, double *spread)
{
    double seconds[N_RUNS];
    for (int i = -N_WARM_UPS; i < N_RUNS; i++) {
        double start = clock_now_s();
        net_forward(net, mc, x, 1, false);
        double time = clock_now_s() - start;
        if (i >= 0) {
            seconds[i] = time;
        }
    }
    qsort(seconds, N_RUNS, sizeof *seconds, double_compare);
    double median = seconds[N_RUNS / 2];
    *spread = (seconds[3 * N_RUNS / 4] - seconds[N_RUNS / 4]) / median;
    return median;
}

static bool local_of(const struct cost *c, const struct arch *a, double *value, struct arena tmp)
{
    struct local_state *state = c->state;
    struct model_spec spec = state->model;
    struct graph *graph;
    struct net *net;
    struct err e;
    state->space->model(a, &spec);
    if (!model_build(&graph, &tmp, &spec, &e)) {
        return false; /* this one the machine cannot build */
    }
    size_t x_count = shape_count(spec.input);
    size_t need =
        net_plan_bytes(&state->mc, graph, 1, NET_EVAL) + arena_round(x_count * sizeof(float));
    if (need > tmp.cap - tmp.used || !net_new(&net, &tmp, &state->mc, graph, 1, NET_EVAL, &e)) {
        return false; /* nor has it the memory to run this */
    }
    net_init_params(net, NET_INIT_PYTORCH, 1);
    float *x = arena_push(&tmp, x_count, sizeof *x);
    struct rng r = rng_key(1, RNG_SYNTH, 0);
    for (size_t i = 0; i < x_count; i++) {
        x[i] = (float)rng_normal(&r);
    }
    struct cpu_affinity before;
    cpu_pin(&before); /* where it cannot be pinned the spread will tell */
    double best = 0, best_spread = 0;
    for (int round = 0; round < N_ROUNDS && (round == 0 || best_spread > max_spread); round++) {
        double spread, seconds = local_round(net, &state->mc, x, &spread);
        if (round == 0 || spread < best_spread) {
            best = seconds;
            best_spread = spread;
        }
    }
    cpu_unpin(&before);
    state->n_measured++;
    state->n_noisy += best_spread > max_spread;
    state->worst_spread = fmax(state->worst_spread, best_spread);
    *value = round(1e9 * best) / 1e6; /* the clock counts nanoseconds */
    return true;
}

static void local_remark(const struct cost *c, char text[256])
{
    const struct local_state *state = c->state;
    char condition[128];
    cpu_condition(condition, sizeof condition);
    snprintf(text, 256, "%d of %d measurements spread by more than %.0f %% (worst %.0f %%)%s; %s",
             state->n_noisy, state->n_measured, 100 * max_spread, 100 * state->worst_spread,
             10 * state->n_noisy > state->n_measured ? ": the machine was busy" : "", condition);
}

const struct cost_kind cost_local = {
    .name = "local",
    .help = "latency on this machine, our engine, one image, one thread",
    .match = local_match,
    .open = local_open,
    .of = local_of,
    .remark = local_remark,
};
