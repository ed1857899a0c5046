#include "nas/metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct metric *const table[] = {
    &metric_mig,       &metric_dci,     &metric_sap,    &metric_modularity,
    &metric_factorvae, &metric_betavae, &metric_spread, &metric_kl,
};

int metric_count(void)
{
    return (int)N_ELEMS(table);
}

const struct metric *metric_at(int i)
{
    ASSERT(i >= 0 && i < metric_count());
    return table[i];
}

bool metric_find(const struct metric **out, const char *name, struct err *e)
{
    char known[256] = "";
    for (int i = 0; i < metric_count(); i++) {
        if (strcmp(table[i]->name, name) == 0) {
            *out = table[i];
            return true;
        }
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", table[i]->name);
    }
    return err_set(e, ERR_USAGE, "unknown metric \"%.80s\"; known are %s", name, known);
}

struct metric_options metric_defaults(void)
{
    return (struct metric_options){
        .seed = 1,
        .bins = 20,
        .train_rows = 10000,
        .draws = 10000,
        .active_above = 0.01,
    };
}

static bool metric_check_codes(const struct metric_data *data, struct err *e)
{
    /* Beyond these exp(-logvar) and mu^2 exp(-logvar) leave what a double holds. */
    enum { MAX_LOGVAR = 80 };
    for (int i = 0; i < data->n; i++) {
        for (int j = 0; j < data->d; j++) {
            size_t at = (size_t)i * (size_t)data->d + (size_t)j;
            if (!isfinite(data->codes[at])) {
                return err_set(e, ERR_INPUT, "row %d, code %d: expected a finite number, found %g",
                               i, j, (double)data->codes[at]);
            }
            if (data->logvar && !(fabsf(data->logvar[at]) <= MAX_LOGVAR)) {
                return err_set(e, ERR_INPUT,
                               "row %d, code %d: expected a log variance from %d to %d, found %g",
                               i, j, -MAX_LOGVAR, MAX_LOGVAR, (double)data->logvar[at]);
            }
        }
    }
    return true;
}

static bool metric_check_factors(const struct metric_data *data, struct err *e)
{
    for (int f = 0; f < data->n_factors; f++) {
        if (data->cards[f] < 1 || data->cards[f] > METRIC_MAX_CARD) {
            return err_set(e, ERR_INPUT, "factor %d: expected 1 to %d values, found %d", f,
                           METRIC_MAX_CARD, (int)data->cards[f]);
        }
    }
    for (int i = 0; i < data->n; i++) {
        for (int f = 0; f < data->n_factors; f++) {
            int32_t value = data->factors[(size_t)i * (size_t)data->n_factors + (size_t)f];
            if (value < 0 || value >= data->cards[f]) {
                return err_set(e, ERR_INPUT, "row %d, factor %d: expected 0 to %d, found %d", i, f,
                               (int)data->cards[f] - 1, (int)value);
            }
        }
    }
    return true;
}

bool metric_check(const struct metric_data *data, struct err *e)
{
    ASSERT(data && (data->n_factors == 0 || (data->factors && data->cards)));
    if (data->n < METRIC_MIN_ROWS || data->n > METRIC_MAX_ROWS) {
        return err_set(e, ERR_INPUT, "expected %d to %d rows, found %d", METRIC_MIN_ROWS,
                       METRIC_MAX_ROWS, data->n);
    }
    if (data->d < 1 || data->d > METRIC_MAX_CODES) {
        return err_set(e, ERR_INPUT, "expected 1 to %d codes a row, found %d", METRIC_MAX_CODES,
                       data->d);
    }
    if (data->n_factors < 0 || data->n_factors > METRIC_MAX_FACTORS) {
        return err_set(e, ERR_INPUT, "expected at most %d factors, found %d", METRIC_MAX_FACTORS,
                       data->n_factors);
    }
    return metric_check_codes(data, e) && metric_check_factors(data, e);
}

bool metric_varies(const struct metric_data *data, int factor)
{
    const int32_t *v = data->factors + factor;
    for (int i = 1; i < data->n; i++) {
        if (v[(size_t)i * (size_t)data->n_factors] != v[0]) {
            return true;
        }
    }
    return false;
}

bool metric_applies(const struct metric *m, const struct metric_data *data, struct err *e)
{
    if (m->needs_logvar && !data->logvar) {
        return err_set(e, ERR_USAGE, "%s needs the log variances of the codes", m->name);
    }
    if (m->needs_factors && data->n_factors == 0) {
        return err_set(e, ERR_USAGE, "%s needs the factors of the images", m->name);
    }
    int n_varying = 0;
    for (int f = 0; m->needs_factors && f < data->n_factors; f++) {
        n_varying += metric_varies(data, f);
    }
    if (m->needs_factors && n_varying < m->min_factors) {
        return err_set(e, ERR_INPUT,
                       "%s: expected at least %d factor%s of more than one value, found %d",
                       m->name, m->min_factors, m->min_factors == 1 ? "" : "s", n_varying);
    }
    return true;
}

bool metric_measure(const struct metric *m, const struct metric_job *job, double *values,
                    struct err *e)
{
    ASSERT(m->n_values <= METRIC_MAX_VALUES && job->options->bins >= 2 &&
           job->options->train_rows >= 1);
    if (!metric_applies(m, job->data, e)) {
        return false;
    }
    if (!m->run(job, values, e)) {
        return err_wrap(e, "%s", m->name);
    }
    for (int i = 0; i < m->n_values; i++) {
        ASSERT(isfinite(values[i]));
    }
    return true;
}
