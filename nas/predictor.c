#include "nas/predictor.h"

#include <math.h>
#include <string.h>

#include "nas/indicators.h"

/* Ridges to choose from, in units of the costs' spread: every device of the published tables has
 * its best among them for 10 to 900 measurements. */
static const double ridges[] = {1e-3, 1e-2, .1, 1};

/* The share that all genes have in common is worth this many of their own: two were better than
 * one or four with ten measurements. */
static const double common = 2;

/* A choice that this many failed networks have, and no other, is why they failed. */
enum { MIN_FAILED = 3 };

/* Features: 1, one of each gene's choices, how often each choice is there (where all genes have the
 * same ones). */
struct design {
    const struct space *space;
    int n_weights, n_common, d;
    double *x;            /* [n, d] */
    const double *cost;   /* [n] */
    double *w;            /* [n] 1 / cost, mean 1: errors count in proportion */
    double mean;          /* of the costs, so weighted */
    double *a, *b;        /* [d, d] Cholesky factor; [d] solution */
    double *left_out;     /* [n] prediction of each from the others */
    int n;
};

static int weight_count(const struct space *s)
{
    int n = 0;
    for (int i = 0; i < s->n_genes; i++) {
        n += s->n_choices[i];
    }
    return n;
}

static void read_arch(const struct space *s, const struct arch *a, enum space_reading reading,
                      struct arch *out)
{
    *out = *a;
    if (s->prune) {
        s->prune(a, reading, out);
    }
}

static void fill_features(struct design *g, const struct arch *archs, enum space_reading reading)
{
    memset(g->x, 0, (size_t)g->n * (size_t)g->d * sizeof *g->x);
    for (int i = 0; i < g->n; i++) {
        struct arch a;
        double *x = g->x + (size_t)i * (size_t)g->d;
        int at = 1;
        read_arch(g->space, &archs[i], reading, &a);
        x[0] = 1;
        for (int k = 0; k < g->space->n_genes; k++) {
            x[at + a.gene[k]] = 1;
            at += g->space->n_choices[k];
            if (g->n_common > 0) {
                x[1 + g->n_weights + a.gene[k]] += common;
            }
        }
    }
}

/* a[d, d] = X' W^2 X + ridge I as its Cholesky factor (lower triangle). */
static void factor(struct design *g, double ridge)
{
    int d = g->d;
    memset(g->a, 0, (size_t)d * (size_t)d * sizeof *g->a);
    for (int i = 0; i < g->n; i++) {
        const double *x = g->x + (size_t)i * (size_t)d;
        double w2 = g->w[i] * g->w[i];
        for (int r = 0; r < d; r++) {
            for (int c = 0; x[r] != 0 && c <= r; c++) {
                g->a[r * d + c] += w2 * x[r] * x[c];
            }
        }
    }
    for (int r = 0; r < d; r++) {
        g->a[r * d + r] += ridge;
        for (int c = 0; c <= r; c++) {
            double sum = g->a[r * d + c];
            for (int k = 0; k < c; k++) {
                sum -= g->a[r * d + k] * g->a[c * d + k];
            }
            g->a[r * d + c] = r == c ? sqrt(sum) : sum / g->a[c * d + c];
        }
    }
}

/* y <- L^-1 y. */
static void forward(const struct design *g, double *y)
{
    for (int r = 0; r < g->d; r++) {
        for (int k = 0; k < r; k++) {
            y[r] -= g->a[r * g->d + k] * y[k];
        }
        y[r] /= g->a[r * g->d + r];
    }
}

/* Fit with this ridge; the mean square of weighted errors, each measurement left out. For ridge
 * regression that needs no second fit: e / (1 - h), h its leverage. */
static double solve(struct design *g, double ridge, double *y)
{
    int d = g->d;
    factor(g, ridge);
    memset(g->b, 0, (size_t)d * sizeof *g->b);
    for (int i = 0; i < g->n; i++) {
        for (int k = 0; k < d; k++) {
            g->b[k] += g->w[i] * g->w[i] * g->x[i * d + k] * (g->cost[i] - g->mean);
        }
    }
    forward(g, g->b);
    for (int r = d - 1; r >= 0; r--) {
        for (int k = r + 1; k < d; k++) {
            g->b[r] -= g->a[k * d + r] * g->b[k];
        }
        g->b[r] /= g->a[r * d + r];
    }
    double sum = 0;
    for (int i = 0; i < g->n; i++) {
        double leverage = 0, value = g->mean;
        for (int k = 0; k < d; k++) {
            y[k] = g->w[i] * g->x[i * d + k];
            value += g->b[k] * g->x[i * d + k];
        }
        forward(g, y);
        for (int k = 0; k < d; k++) {
            leverage += y[k] * y[k];
        }
        double error = (g->cost[i] - value) / fmax(1 - leverage, 1e-9);
        g->left_out[i] = g->cost[i] - error;
        sum += g->w[i] * g->w[i] * error * error;
    }
    return sum / g->n;
}

static void take(struct predictor *p, const struct design *g)
{
    int at = 0;
    p->base = g->mean + g->b[0];
    for (int i = 0; i < g->space->n_genes; i++) {
        for (int k = 0; k < g->space->n_choices[i]; k++, at++) {
            p->weight[at] = g->b[1 + at] + (g->n_common ? common * g->b[1 + g->n_weights + k] : 0);
        }
    }
}

/* Choices as written that every network with them failed for. */
static void mark_failed(struct predictor *p, const struct arch *archs, const double *cost, int n)
{
    int at = 0;
    for (int i = 0; i < p->space->n_genes; i++) {
        for (int k = 0; k < p->space->n_choices[i]; k++, at++) {
            int failed = 0, ran = 0;
            for (int j = 0; j < n; j++) {
                if (archs[j].gene[i] == k) {
                    failed += isnan(cost[j]);
                    ran += !isnan(cost[j]);
                }
            }
            p->weight[at] = failed >= MIN_FAILED && ran == 0 ? NAN : p->weight[at];
        }
    }
}

static void weigh(struct design *g)
{
    double sum = 0, sum_w = 0, sum_w2 = 0, sum_w2c = 0;
    for (int i = 0; i < g->n; i++) {
        sum += g->cost[i] / g->n;
    }
    for (int i = 0; i < g->n; i++) {
        g->w[i] = 1 / fmax(g->cost[i], 1e-3 * sum);
        sum_w += g->w[i] / g->n;
    }
    for (int i = 0; i < g->n; i++) {
        g->w[i] /= sum_w;
        sum_w2 += g->w[i] * g->w[i];
        sum_w2c += g->w[i] * g->w[i] * g->cost[i];
    }
    g->mean = sum_w2c / sum_w2;
}

bool predictor_fit(struct predictor *p, const struct space *space, const struct arch *archs,
                   const double *cost, int n, struct arena tmp, struct err *e)
{
    struct design g = {.space = space, .n_weights = weight_count(space)};
    bool same = true;
    for (int i = 0; i < space->n_genes; i++) {
        same = same && space->n_choices[i] == space->n_choices[0];
    }
    g.n_common = same ? space->n_choices[0] : 0;
    g.d = 1 + g.n_weights + g.n_common;
    if (g.n_weights > PREDICTOR_MAX_WEIGHTS) {
        return err_set(e, ERR_USAGE, "space %s has more than %d choices: no predictor for it",
                       space->name, PREDICTOR_MAX_WEIGHTS);
    }
    size_t size = (size_t)n, d = (size_t)g.d;
    struct arch *ran = arena_push(&tmp, size, sizeof *ran);
    double *kept = arena_push(&tmp, size, sizeof *kept);
    double least = INFINITY;
    for (int i = 0; i < n; i++) {
        if (!isnan(cost[i])) {
            ran[g.n] = archs[i];
            kept[g.n++] = cost[i];
            least = fmin(least, cost[i]);
        }
    }
    if (g.n < 3 || least <= 0) {
        return err_set(e, ERR_INFEASIBLE,
                       "%d of %d costs can be learnt from: three above zero are needed", g.n, n);
    }
    g.cost = kept;
    g.x = arena_push(&tmp, size * d, sizeof *g.x);
    g.w = arena_push(&tmp, size, sizeof *g.w);
    g.a = arena_push(&tmp, d * d, sizeof *g.a);
    g.b = arena_push(&tmp, d, sizeof *g.b);
    g.left_out = arena_push(&tmp, size, sizeof *g.left_out);
    double *y = arena_push(&tmp, d, sizeof *y), best = INFINITY;
    weigh(&g);
    p->space = space;
    p->n_fitted = g.n;
    p->least = least / 2;
    for (int reading = 0; reading < (space->prune ? SPACE_N_READINGS : 1); reading++) {
        fill_features(&g, ran, (enum space_reading)reading);
        for (size_t k = 0; k < N_ELEMS(ridges); k++) {
            double error = solve(&g, ridges[k], y);
            if (error < best) {
                best = error;
                p->reading = (enum space_reading)reading;
                p->error = predictor_judge(g.left_out, kept, g.n, tmp);
                take(p, &g);
            }
        }
    }
    mark_failed(p, archs, cost, n);
    return true;
}

double predictor_cost(const struct predictor *p, const struct arch *a)
{
    struct arch read;
    double sum = p->base;
    const double *weight = p->weight;
    read_arch(p->space, a, p->reading, &read);
    for (int i = 0; i < p->space->n_genes; i++) {
        sum += isnan(weight[a->gene[i]]) ? NAN : weight[read.gene[i]];
        weight += p->space->n_choices[i];
    }
    return isnan(sum) ? NAN : fmax(sum, p->least);
}

struct predictor_error predictor_judge(const double *predicted, const double *measured, int n,
                                       struct arena tmp)
{
    double *x = arena_push(&tmp, (size_t)n, sizeof *x), *y = arena_push(&tmp, (size_t)n, sizeof *y);
    struct predictor_error error = {NAN, NAN, NAN};
    int n_both = 0, n5 = 0, n10 = 0;
    for (int i = 0; i < n; i++) {
        if (isfinite(predicted[i]) && isfinite(measured[i])) {
            double off = fabs(predicted[i] - measured[i]) / fabs(measured[i]);
            n5 += off <= .05;
            n10 += off <= .1;
            x[n_both] = predicted[i];
            y[n_both++] = measured[i];
        }
    }
    if (n_both > 0) {
        error.spearman = indicators_spearman(x, y, n_both, tmp);
        error.within5 = (double)n5 / n_both;
        error.within10 = (double)n10 / n_both;
    }
    return error;
}
