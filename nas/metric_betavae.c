/*
 * BetaVAE score [Higgins2017, sec. 3]: a factor is fixed at a value, 64 pairs of rows of that value
 * are drawn, and the mean distance |z - z'| of their codes is one example; a linear classifier must
 * tell which factor it was. Multinomial logistic regression with the penalty |W|^2 / 2
 * (scikit-learn's C = 1) as [Locatello2019] takes it, from options->draws examples, tested on half
 * as many.
 *
 * 1 where the factors can be told apart, which does not ask that codes be aligned with them; 1 /
 * factors for codes of noise. The loss is convex; L-BFGS [Nocedal1980] of eight pairs, with a
 * diagonal to begin from, finds it.
 */
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "core/threads.h"
#include "nas/linalg.h"
#include "nas/metrics.h"
#include "nas/rows.h"

enum { METRIC_BETAVAE_BATCH = 64, METRIC_BETAVAE_PAIRS = 8, METRIC_BETAVAE_STEPS = 200 };

struct metric_betavae_work {
    const struct metric_job *job;
    struct rows_groups groups;
    int d, n_classes, n_train, n_test;
    double *x;        /* [n_train + n_test, d] */
    int *y;           /* [n_train + n_test] */
    int n_parameters; /* (d + 1) n_classes: weights of a class, then its bias */
};

static void metric_betavae_example(void *ctx, int i, int i_thread)
{
    (void)i_thread;
    const struct metric_betavae_work *w = ctx;
    const struct metric_data *data = w->job->data;
    uint32_t rows[2 * METRIC_BETAVAE_BATCH];
    struct rng r =
        rng_key(w->job->options->seed, RNG_METRIC, (uint64_t)ROWS_BETAVAE << 32 | (uint64_t)i);
    double *x = w->x + (size_t)i * (size_t)w->d;
    w->y[i] = rows_draw(rows, 2 * METRIC_BETAVAE_BATCH, &w->groups, &r);
    for (int j = 0; j < w->d; j++) {
        double sum = 0;
        for (int k = 0; k < METRIC_BETAVAE_BATCH; k++) {
            sum += fabs((double)data->codes[(size_t)rows[2 * k] * (size_t)w->d + (size_t)j] -
                        (double)data->codes[(size_t)rows[2 * k + 1] * (size_t)w->d + (size_t)j]);
        }
        x[j] = sum / METRIC_BETAVAE_BATCH;
    }
}

/* logits[n_classes] of an example. */
static void metric_betavae_logits(double *logits, const struct metric_betavae_work *w,
                                  const double *parameters, const double *x)
{
    for (int k = 0; k < w->n_classes; k++) {
        const double *row = parameters + k * (w->d + 1);
        logits[k] = row[w->d];
        for (int j = 0; j < w->d; j++) {
            logits[k] += row[j] * x[j];
        }
    }
}

/* The loss and its gradient[n_parameters]. */
static double metric_betavae_loss(double *gradient, const struct metric_betavae_work *w,
                                  const double *parameters)
{
    double loss = 0, logits[METRIC_MAX_FACTORS];
    for (int k = 0; k < w->n_classes; k++) {
        for (int j = 0; j <= w->d; j++) {
            double v = j < w->d ? parameters[k * (w->d + 1) + j] : 0;
            gradient[k * (w->d + 1) + j] = v;
            loss += v * v / 2;
        }
    }
    for (int i = 0; i < w->n_train; i++) {
        const double *x = w->x + (size_t)i * (size_t)w->d;
        double most = -INFINITY, sum = 0;
        metric_betavae_logits(logits, w, parameters, x);
        double of_class = logits[w->y[i]];
        for (int k = 0; k < w->n_classes; k++) {
            most = fmax(most, logits[k]);
        }
        for (int k = 0; k < w->n_classes; k++) {
            logits[k] = exp(logits[k] - most);
            sum += logits[k];
        }
        loss += log(sum) + most - of_class;
        for (int k = 0; k < w->n_classes; k++) {
            double off = logits[k] / sum - (k == w->y[i]);
            double *row = gradient + k * (w->d + 1);
            for (int j = 0; j < w->d; j++) {
                row[j] += off * x[j];
            }
            row[w->d] += off;
        }
    }
    return loss;
}

/* What L-BFGS remembers: steps s and changes of the gradient y, newest last. */
struct metric_betavae_memory {
    double *s, *y; /* [pairs, n_parameters] */
    double rho[METRIC_BETAVAE_PAIRS];
    int n;
};

/* direction = -H gradient by the two loops; diagonal: of the first H. */
static void metric_betavae_direction(double *direction, const struct metric_betavae_memory *memory,
                                     const double *gradient, const double *diagonal, int n)
{
    double alpha[METRIC_BETAVAE_PAIRS];
    for (int i = 0; i < n; i++) {
        direction[i] = -gradient[i];
    }
    for (int k = memory->n - 1; k >= 0; k--) {
        const double *s = memory->s + (size_t)k * (size_t)n, *y = memory->y + (size_t)k * (size_t)n;
        alpha[k] = memory->rho[k] * linalg_dot(s, direction, (size_t)n);
        for (int i = 0; i < n; i++) {
            direction[i] -= alpha[k] * y[i];
        }
    }
    for (int i = 0; i < n; i++) {
        direction[i] *= diagonal[i];
    }
    for (int k = 0; k < memory->n; k++) {
        const double *s = memory->s + (size_t)k * (size_t)n, *y = memory->y + (size_t)k * (size_t)n;
        double beta = memory->rho[k] * linalg_dot(y, direction, (size_t)n);
        for (int i = 0; i < n; i++) {
            direction[i] += (alpha[k] - beta) * s[i];
        }
    }
}

static void metric_betavae_remember(struct metric_betavae_memory *memory, const double *step,
                                    const double *change, int n)
{
    double product = linalg_dot(step, change, (size_t)n);
    size_t bytes = (size_t)n * sizeof(double), one = (size_t)n;
    if (product <= 0) {
        return; /* rounding: the loss is strictly convex but for the biases' common shift */
    }
    if (memory->n == METRIC_BETAVAE_PAIRS) {
        memmove(memory->s, memory->s + one, (METRIC_BETAVAE_PAIRS - 1) * bytes);
        memmove(memory->y, memory->y + one, (METRIC_BETAVAE_PAIRS - 1) * bytes);
        memmove(memory->rho, memory->rho + 1, (METRIC_BETAVAE_PAIRS - 1) * sizeof *memory->rho);
        memory->n--;
    }
    memcpy(memory->s + (size_t)memory->n * one, step, bytes);
    memcpy(memory->y + (size_t)memory->n * one, change, bytes);
    memory->rho[memory->n++] = 1 / product;
}

/* The minimum, to a step that gains less than 1e-10 of the loss. */
static const double *metric_betavae_fit(const struct metric_betavae_work *w, struct arena *keep)
{
    int n = w->n_parameters;
    size_t count = (size_t)n;
    double *at = arena_push_zero(keep, count, sizeof *at);
    double *next = arena_push(keep, count, sizeof *next);
    double *gradient = arena_push(keep, count, sizeof *gradient);
    double *next_gradient = arena_push(keep, count, sizeof *next_gradient);
    double *direction = arena_push(keep, count, sizeof *direction);
    double *diagonal = arena_push(keep, count, sizeof *diagonal);
    struct metric_betavae_memory memory = {
        .s = arena_push(keep, count * METRIC_BETAVAE_PAIRS, sizeof *memory.s),
        .y = arena_push(keep, count * METRIC_BETAVAE_PAIRS, sizeof *memory.y),
    };
    for (int j = 0; j <= w->d; j++) {
        /* The second derivative of the loss by a weight is at most 1 + sum x^2 / 4. */
        double sum = j < w->d ? 4 : 0;
        for (int i = 0; i < w->n_train; i++) {
            double v = j < w->d ? w->x[(size_t)i * (size_t)w->d + (size_t)j] : 1;
            sum += v * v;
        }
        for (int k = 0; k < w->n_classes; k++) {
            diagonal[k * (w->d + 1) + j] = 4 / sum;
        }
    }
    double loss = metric_betavae_loss(gradient, w, at);
    for (int step = 0; step < METRIC_BETAVAE_STEPS; step++) {
        metric_betavae_direction(direction, &memory, gradient, diagonal, n);
        double slope = linalg_dot(direction, gradient, (size_t)n), t = 1, new_loss = loss;
        for (int halvings = 0; halvings < 30; halvings++, t /= 2) {
            for (int i = 0; i < n; i++) {
                next[i] = at[i] + t * direction[i];
            }
            new_loss = metric_betavae_loss(next_gradient, w, next);
            if (new_loss <= loss + 1e-4 * t * slope) {
                break;
            }
        }
        if (!(new_loss < loss - 1e-10 * loss)) {
            break;
        }
        loss = new_loss;
        for (int i = 0; i < n; i++) {
            direction[i] *= t;
            gradient[i] = next_gradient[i] - gradient[i];
            at[i] = next[i];
        }
        metric_betavae_remember(&memory, direction, gradient, n);
        memcpy(gradient, next_gradient, count * sizeof *gradient);
    }
    return at;
}

static size_t metric_betavae_plan_bytes(const struct machine *mc, const struct metric_data *data,
                                        const struct metric_options *options)
{
    (void)mc;
    size_t n = (size_t)options->draws + (size_t)options->draws / 2, d = (size_t)data->d;
    size_t n_parameters = (d + 1) * (size_t)data->n_factors;
    return rows_groups_bytes(data) + arena_round(n * d * sizeof(double)) +
           arena_round(n * sizeof(int)) + 6 * arena_round(n_parameters * sizeof(double)) +
           2 * arena_round(n_parameters * METRIC_BETAVAE_PAIRS * sizeof(double));
}

static bool metric_betavae_run(const struct metric_job *job, double *values, struct err *e)
{
    struct arena tmp = job->tmp;
    struct metric_betavae_work w = {.job = job,
                                    .d = job->data->d,
                                    .n_train = job->options->draws,
                                    .n_test = job->options->draws / 2};
    size_t n = (size_t)w.n_train + (size_t)w.n_test;
    double logits[METRIC_MAX_FACTORS];
    int n_right = 0;
    w.x = arena_push(&tmp, n * (size_t)w.d, sizeof *w.x);
    w.y = arena_push(&tmp, n, sizeof *w.y);
    if (!rows_groups_init(&w.groups, &tmp, job->data, e)) {
        return false;
    }
    w.n_classes = w.groups.n_varying;
    w.n_parameters = (w.d + 1) * w.n_classes;
    threads_for(job->mc, (int)n, metric_betavae_example, &w);
    const double *parameters = metric_betavae_fit(&w, &tmp);
    for (size_t i = (size_t)w.n_train; i < n; i++) {
        int best = 0;
        metric_betavae_logits(logits, &w, parameters, w.x + i * (size_t)w.d);
        for (int k = 1; k < w.n_classes; k++) {
            best = logits[k] > logits[best] ? k : best;
        }
        n_right += best == w.y[i];
    }
    values[0] = (double)n_right / w.n_test;
    return true;
}

static const char *const metric_betavae_values[] = {"betavae"};

const struct metric metric_betavae = {
    .name = "betavae",
    .help = "whether distances within pairs tell which factor they share [Higgins2017]",
    .needs_factors = true,
    .min_factors = 2,
    .n_values = 1,
    .value_names = metric_betavae_values,
    .plan_bytes = metric_betavae_plan_bytes,
    .run = metric_betavae_run,
};
