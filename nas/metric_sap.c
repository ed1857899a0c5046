/*
 * Separated attribute predictability [Kumar2018, sec. 3]: how much better the best single code
 * predicts a factor than the second best, mean over the factors. Two ways to predict:
 *
 *   sap     a linear support vector machine on one code, share of test rows it gets right, as
 *           [Locatello2019] takes it: one class against the rest, C = 0.01, squared hinge loss,
 *           bias penalised like the weight, C of a class times rows / (classes x its rows)
 *   sap_r2  the squared correlation of code and factor over all rows, for factors whose values
 *           have an order
 *
 * sap depends on the scale of the codes (C does), sap_r2 does not. Factors that do not vary are
 * left out. A machine of two parameters is a convex, piecewise quadratic problem: Newton's method
 * with halved steps finds it to rounding, in some five steps.
 */
#include <math.h>
#include <string.h>

#include "core/threads.h"
#include "nas/metrics.h"
#include "nas/rows.h"

#define METRIC_SAP_C 0.01

struct metric_sap_work {
    const struct metric_data *data;
    struct rows_split split;
    struct rows_columns columns;
    double *line;  /* [d, most, 2] weight and bias of each class: each code has its own */
    double *share; /* [d, n_factors] of test rows right */
    int most;      /* the largest card */
};

/* One line: minimise (w^2 + b^2) / 2 + sum_i C_i max(0, 1 - t_i (w x_i + b))^2, t = 1 for rows of
 * the class, C_i = c[t > 0]. */
struct metric_sap_problem {
    const float *x;
    const int32_t *y;
    int n;
    int32_t class;
    double c[2];
};

/* The loss at (w, b); its gradient g[2] and Hessian h[3] = (ww, wb, bb) where asked for. */
static double metric_sap_loss(const struct metric_sap_problem *p, double w, double b, double *g,
                              double *h)
{
    double loss = (w * w + b * b) / 2, gw = w, gb = b, hww = 1, hwb = 0, hbb = 1;
    for (int i = 0; i < p->n; i++) {
        double x = (double)p->x[i], t = p->y[i] == p->class ? 1 : -1, c = p->c[t > 0];
        double slack = 1 - t * (w * x + b);
        if (slack > 0) {
            loss += c * slack * slack;
            gw -= 2 * c * t * slack * x;
            gb -= 2 * c * t * slack;
            hww += 2 * c * x * x;
            hwb += 2 * c * x;
            hbb += 2 * c;
        }
    }
    if (g) {
        g[0] = gw;
        g[1] = gb;
        h[0] = hww;
        h[1] = hwb;
        h[2] = hbb;
    }
    return loss;
}

static void metric_sap_fit(const struct metric_sap_problem *p, double line[2])
{
    enum { MAX_STEPS = 100, MAX_HALVINGS = 40 };
    double w = 0, b = 0, g[2], h[3];
    double loss = metric_sap_loss(p, w, b, g, h);
    for (int step = 0; step < MAX_STEPS; step++) {
        double det = h[0] * h[2] - h[1] * h[1]; /* at least 1 */
        double dw = -(h[2] * g[0] - h[1] * g[1]) / det, db = -(h[0] * g[1] - h[1] * g[0]) / det;
        double t = 1, next = 0;
        int halvings = 0;
        for (; halvings < MAX_HALVINGS; halvings++, t /= 2) {
            next = metric_sap_loss(p, w + t * dw, b + t * db, NULL, NULL);
            if (next < loss) {
                break;
            }
        }
        if (halvings == MAX_HALVINGS) {
            break; /* rounding is all that is left */
        }
        w += t * dw;
        b += t * db;
        bool done = loss - next <= 1e-14 * loss;
        loss = metric_sap_loss(p, w, b, g, h);
        if (done) {
            break;
        }
    }
    line[0] = w;
    line[1] = b;
}

/* Lines for the classes that occur among the training rows; how many do. line[2 k + 1] is NAN for
 * the others. With two classes there is one line, and its negative. */
static int metric_sap_fit_all(double *line, const float *x, const int32_t *y, int n, int card)
{
    int n_classes = 0, last = 0, first = -1;
    double count[METRIC_MAX_CARD];
    memset(count, 0, sizeof count);
    for (int i = 0; i < n; i++) {
        count[y[i]]++;
    }
    for (int k = 0; k < card; k++) {
        n_classes += count[k] > 0;
        last = count[k] > 0 ? k : last;
        first = first < 0 && count[k] > 0 ? k : first;
        line[2 * k + 1] = NAN;
    }
    for (int k = 0; k < card && n_classes >= 2; k++) {
        if (count[k] <= 0 || (n_classes == 2 && k != last)) {
            continue;
        }
        struct metric_sap_problem p = {.x = x, .y = y, .n = n, .class = k};
        p.c[1] = METRIC_SAP_C * n / (n_classes * count[k]);
        p.c[0] = n_classes == 2 ? METRIC_SAP_C * n / (2 * count[first]) : METRIC_SAP_C;
        metric_sap_fit(&p, line + 2 * k);
    }
    if (n_classes == 2) {
        line[2 * first] = -line[2 * last];
        line[2 * first + 1] = -line[2 * last + 1];
    }
    if (n_classes == 1) {
        line[2 * last] = line[2 * last + 1] = 0;
    }
    return n_classes;
}

static void metric_sap_code(void *ctx, int j, int i_thread)
{
    (void)i_thread;
    const struct metric_sap_work *w = ctx;
    int n_train = w->split.n_train, n = w->columns.n;
    const float *x = w->columns.x + (size_t)j * (size_t)n;
    double *line = w->line + (size_t)j * 2 * (size_t)w->most;
    for (int f = 0; f < w->data->n_factors; f++) {
        const int32_t *y = w->columns.y + (size_t)f * (size_t)n;
        int card = w->data->cards[f], n_right = 0;
        metric_sap_fit_all(line, x, y, n_train, card);
        for (int i = n_train; i < n; i++) {
            int best = -1;
            double most = 0;
            for (int k = 0; k < card; k++) {
                double v = line[2 * k] * (double)x[i] + line[2 * k + 1];
                if (!isnan(line[2 * k + 1]) && (best < 0 || v > most)) {
                    best = k;
                    most = v;
                }
            }
            n_right += best == y[i];
        }
        w->share[j * w->data->n_factors + f] = (double)n_right / w->split.n_test;
    }
}

/* Squared correlation of code j and factor f over all rows; 0 where either does not vary. */
static double metric_sap_r2(const struct metric_data *data, int j, int f)
{
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    const float *x = data->codes + j;
    const int32_t *y = data->factors + f;
    size_t d = (size_t)data->d, n_factors = (size_t)data->n_factors;
    double x0 = (double)x[0];
    for (size_t i = 0; i < (size_t)data->n; i++) {
        mx += (double)x[i * d] - x0;
        my += y[i * n_factors];
    }
    mx = x0 + mx / data->n;
    my /= data->n;
    for (size_t i = 0; i < (size_t)data->n; i++) {
        double dx = (double)x[i * d] - mx, dy = y[i * n_factors] - my;
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    return xx > 0 && yy > 0 ? xy * xy / (xx * yy) : 0;
}

/* Mean over the factors that vary of best less second best; 0 is second where there is one code. */
static double metric_sap_gap(const double *table, const struct metric_data *data)
{
    double sum = 0;
    int n_counted = 0;
    for (int f = 0; f < data->n_factors; f++) {
        double best = 0, second = 0;
        bool varies = metric_varies(data, f);
        for (int j = 0; varies && j < data->d; j++) {
            double v = table[j * data->n_factors + f];
            second = MAX(second, MIN(v, best));
            best = MAX(best, v);
        }
        sum += best - second;
        n_counted += varies;
    }
    ASSERT(n_counted >= 1); /* metric_applies */
    return sum / n_counted;
}

static size_t metric_sap_plan_bytes(const struct machine *mc, const struct metric_data *data,
                                    const struct metric_options *options)
{
    (void)mc;
    size_t d = (size_t)data->d, f = (size_t)data->n_factors, most = 0;
    for (int k = 0; k < data->n_factors; k++) {
        most = MAX(most, (size_t)data->cards[k]);
    }
    return rows_split_bytes(data) + rows_columns_bytes(data, options) +
           arena_round(d * 2 * most * sizeof(double)) + arena_round(d * f * sizeof(double));
}

static bool metric_sap_run(const struct metric_job *job, double *values, struct err *e)
{
    (void)e;
    const struct metric_data *data = job->data;
    struct arena tmp = job->tmp;
    struct metric_sap_work w = {.data = data};
    size_t d = (size_t)data->d, n_factors = (size_t)data->n_factors;
    for (int f = 0; f < data->n_factors; f++) {
        w.most = MAX(w.most, data->cards[f]);
    }
    rows_split(&w.split, &tmp, data, job->options);
    rows_columns(&w.columns, &tmp, data, &w.split);
    w.line = arena_push(&tmp, d * 2 * (size_t)w.most, sizeof *w.line);
    w.share = arena_push(&tmp, d * n_factors, sizeof *w.share);
    threads_for(job->mc, data->d, metric_sap_code, &w);
    values[0] = metric_sap_gap(w.share, data);
    for (int j = 0; j < data->d; j++) {
        for (int f = 0; f < data->n_factors; f++) {
            w.share[j * data->n_factors + f] = metric_sap_r2(data, j, f);
        }
    }
    values[1] = metric_sap_gap(w.share, data);
    return true;
}

static const char *const metric_sap_values[] = {"sap", "sap_r2"};

const struct metric metric_sap = {
    .name = "sap",
    .help = "separated attribute predictability: lead of the best code in predicting [Kumar2018]",
    .needs_factors = true,
    .min_factors = 1,
    .n_values = 2,
    .value_names = metric_sap_values,
    .plan_bytes = metric_sap_plan_bytes,
    .run = metric_sap_run,
};
