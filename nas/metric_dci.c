/*
 * Disentanglement, completeness, informativeness [Eastwood2018]. R[code, factor] is how important a
 * code is to gradient-boosted trees (nas/boost.h) that tell the factor's values apart, each column
 * of sum 1. With P a row or a column of R made to sum 1:
 *
 *   dci_disentanglement  mean over codes of 1 - H(P_code) / log factors, weighted by the code's
 *                        share of all importance: each code serves one factor
 *   dci_completeness     the same over factors, 1 - H(P_factor) / log codes: each factor is served
 *                        by one code
 *   dci_informativeness  share of test rows told rightly, mean over the factors
 *
 * As [Locatello2019] takes it. The paper itself uses lasso or random forests and an error instead.
 * Factors that do not vary are left out. Where there is one code completeness is 1; where nothing
 * splits both are 0.
 */
#include <math.h>

#include "nas/boost.h"
#include "nas/metrics.h"
#include "nas/rows.h"

static size_t metric_dci_plan_bytes(const struct machine *mc, const struct metric_data *data,
                                    const struct metric_options *options)
{
    int n = MIN(data->n, options->train_rows + options->train_rows / 2), card = 0;
    size_t d = (size_t)data->d;
    for (int f = 0; f < data->n_factors; f++) {
        card = MAX(card, data->cards[f]);
    }
    return rows_split_bytes(data) + rows_columns_bytes(data, options) +
           arena_round(d * sizeof(double)) +
           arena_round(d * (size_t)data->n_factors * sizeof(double)) +
           boost_bytes(mc, n, data->d, card);
}

/* 1 - H(p) / log n of n numbers `stride` apart, made to sum 1; 0 where they are all 0. */
static double metric_dci_focus(const double *p, int n, int stride)
{
    double sum = 0, entropy = 0;
    for (int k = 0; k < n; k++) {
        sum += p[k * stride];
    }
    for (int k = 0; k < n && sum > 0; k++) {
        double share = p[k * stride] / sum;
        entropy -= share > 0 ? share * log(share) : 0;
    }
    return sum > 0 ? (n > 1 ? fmax(1 - entropy / log(n), 0) : 1) : 0;
}

/* r[d, n_factors] */
static void metric_dci_sums(double values[2], const double *r, int d, int n_factors)
{
    double all = 0;
    values[0] = values[1] = 0;
    for (int k = 0; k < d * n_factors; k++) {
        all += r[k];
    }
    for (int j = 0; j < d && all > 0; j++) {
        double sum = 0;
        for (int f = 0; f < n_factors; f++) {
            sum += r[j * n_factors + f];
        }
        values[0] += sum / all * metric_dci_focus(r + j * n_factors, n_factors, 1);
    }
    for (int f = 0; f < n_factors && all > 0; f++) {
        double sum = 0;
        for (int j = 0; j < d; j++) {
            sum += r[j * n_factors + f];
        }
        values[1] += sum / all * metric_dci_focus(r + f, d, n_factors);
    }
}

static bool metric_dci_run(const struct metric_job *job, double *values, struct err *e)
{
    (void)e;
    const struct metric_data *data = job->data;
    struct arena tmp = job->tmp;
    struct rows_split split;
    struct rows_columns columns;
    rows_split(&split, &tmp, data, job->options);
    rows_columns(&columns, &tmp, data, &split);
    int n_counted = 0, n_factors = data->n_factors;
    size_t d = (size_t)data->d, n = (size_t)columns.n;
    double *importance = arena_push(&tmp, d, sizeof *importance);
    double *r = arena_push(&tmp, d * (size_t)n_factors, sizeof *r);
    double right = 0;
    /* r is filled with stride n_factors, then closed up to the factors that vary. */
    for (int f = 0; f < n_factors; f++) {
        const int32_t *y = columns.y + (size_t)f * n;
        size_t i = 1;
        while (i < n && y[i] == y[0]) {
            i++;
        }
        if (i == n) {
            continue;
        }
        struct boost_data boost = {.x = columns.x,
                                   .y = y,
                                   .n_train = split.n_train,
                                   .n_test = split.n_test,
                                   .d = data->d,
                                   .card = data->cards[f]};
        struct boost_result result = {.importance = importance};
        boost_fit(job->mc, &result, &boost, tmp);
        right += result.right;
        for (size_t j = 0; j < d; j++) {
            r[j * (size_t)n_factors + (size_t)n_counted] = importance[j];
        }
        n_counted++;
    }
    if (n_counted < 2) {
        return err_set(e, ERR_INPUT, "fewer than two factors vary among the %zu rows that are used",
                       n);
    }
    for (size_t j = 0; j < d; j++) {
        for (size_t f = 0; f < (size_t)n_counted; f++) {
            r[j * (size_t)n_counted + f] = r[j * (size_t)n_factors + f];
        }
    }
    metric_dci_sums(values, r, data->d, n_counted);
    values[2] = right / n_counted;
    return true;
}

static const char *const metric_dci_values[] = {"dci_disentanglement", "dci_completeness",
                                                "dci_informativeness"};

const struct metric metric_dci = {
    .name = "dci",
    .help = "disentanglement, completeness, informativeness by boosted trees [Eastwood2018]",
    .needs_factors = true,
    .min_factors = 2,
    .n_values = 3,
    .value_names = metric_dci_values,
    .plan_bytes = metric_dci_plan_bytes,
    .run = metric_dci_run,
};
