#include "cli/codes.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/csv.h"

static bool codes_is_logvar(const char *name)
{
    return strncmp(name, "logvar", 6) == 0;
}

static bool codes_limits(const struct csv *csv, int n_wide, int most_wide, const char *what,
                         struct err *e)
{
    if (csv->n_rows < METRIC_MIN_ROWS || csv->n_rows > METRIC_MAX_ROWS) {
        return err_set(e, ERR_INPUT, "%s: expected %d to %d rows after the header, found %zu",
                       csv->path, METRIC_MIN_ROWS, METRIC_MAX_ROWS, csv->n_rows);
    }
    if (n_wide < 1 || n_wide > most_wide) {
        return err_set(e, ERR_INPUT, "%s: expected 1 to %d columns of %s, found %d", csv->path,
                       most_wide, what, n_wide);
    }
    return true;
}

/* One column into out[n, stride]. */
static bool codes_column(float *out, size_t stride, const struct csv *csv, int col, double most,
                         struct err *e)
{
    for (size_t i = 0; i < csv->n_rows; i++) {
        double value;
        if (!csv_number(csv, i, col, &value, e)) {
            return false;
        }
        if (fabs(value) > most) {
            /* Quoted fields may hold line ends, so this is the row's number, not the line's. */
            return err_set(e, ERR_INPUT,
                           "%s: row %zu, column %s: expected at most %g either way, found %g",
                           csv->path, i + 1, csv->names[col], most, value);
        }
        out[i * stride] = (float)value;
    }
    return true;
}

static bool codes_read_codes(struct codes *c, struct arena *keep, const struct csv *csv,
                             struct err *e)
{
    int n_logvar = 0;
    for (int k = 0; k < csv->n_cols; k++) {
        n_logvar += codes_is_logvar(csv->names[k]);
    }
    int d = csv->n_cols - n_logvar, i_code = 0, i_logvar = 0;
    if (!codes_limits(csv, d, METRIC_MAX_CODES, "codes", e)) {
        return false;
    }
    if (n_logvar != 0 && n_logvar != d) {
        return err_set(e, ERR_INPUT,
                       "%s: expected as many columns logvar... as codes, or none; found %d and %d",
                       csv->path, n_logvar, d);
    }
    size_t bytes = (size_t)d * sizeof(float);
    float *codes = arena_try(keep, csv->n_rows, bytes, e);
    float *logvar = codes && n_logvar ? arena_try(keep, csv->n_rows, bytes, e) : NULL;
    if (!codes || (n_logvar && !logvar)) {
        return false;
    }
    c->code_names = arena_push(keep, (size_t)d, sizeof *c->code_names);
    for (int k = 0; k < csv->n_cols; k++) {
        bool is_logvar = codes_is_logvar(csv->names[k]);
        if (!is_logvar) {
            c->code_names[i_code] = csv->names[k];
        }
        float *out = is_logvar ? logvar + i_logvar++ : codes + i_code++;
        if (!codes_column(out, (size_t)d, csv, k, (double)FLT_MAX, e)) {
            return false;
        }
    }
    c->data = (struct metric_data){.n = (int)csv->n_rows, .d = d, .codes = codes, .logvar = logvar};
    return true;
}

static int codes_by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Ranks of the values of a column into out[n, stride]; *card of them. */
static bool codes_ranks(int32_t *out, size_t stride, int32_t *card, const struct csv *csv, int col,
                        struct arena tmp, struct err *e)
{
    size_t n = csv->n_rows, n_values = 0;
    double *value = arena_try(&tmp, 2 * n, sizeof *value, e), *sorted = value ? value + n : NULL;
    if (!value) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!csv_number(csv, i, col, &value[i], e)) {
            return false;
        }
    }
    memcpy(sorted, value, n * sizeof *value);
    qsort(sorted, n, sizeof *sorted, codes_by_value);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || sorted[i] > sorted[n_values - 1]) {
            sorted[n_values++] = sorted[i];
        }
    }
    if (n_values > METRIC_MAX_CARD) {
        err_set(e, ERR_INPUT, "%s: column %s: expected at most %d different values, found %zu",
                csv->path, csv->names[col], METRIC_MAX_CARD, n_values);
        return err_hint(e, "cut a continuous factor into classes first");
    }
    for (size_t i = 0; i < n; i++) {
        const double *at = bsearch(&value[i], sorted, n_values, sizeof *sorted, codes_by_value);
        out[i * stride] = (int32_t)(at - sorted);
    }
    *card = (int32_t)n_values;
    return true;
}

static bool codes_read_factors(struct codes *c, struct arena *keep, const struct csv *csv,
                               struct err *e)
{
    size_t n_factors = (size_t)csv->n_cols;
    if (!codes_limits(csv, csv->n_cols, METRIC_MAX_FACTORS, "factors", e)) {
        return false;
    }
    if (csv->n_rows != (size_t)c->data.n) {
        return err_set(e, ERR_INPUT, "%s: expected %d rows, one for each row of codes, found %zu",
                       csv->path, c->data.n, csv->n_rows);
    }
    int32_t *factors = arena_try(keep, csv->n_rows, n_factors * sizeof *factors, e);
    if (!factors) {
        return false;
    }
    int32_t *cards = arena_push(keep, n_factors, sizeof *cards);
    c->factor_names = arena_push(keep, n_factors, sizeof *c->factor_names);
    for (size_t f = 0; f < n_factors; f++) {
        c->factor_names[f] = csv->names[f];
        if (!codes_ranks(factors + f, n_factors, &cards[f], csv, (int)f, *keep, e)) {
            return false;
        }
    }
    c->data.n_factors = csv->n_cols;
    c->data.factors = factors;
    c->data.cards = cards;
    return true;
}

bool codes_read(struct codes *c, struct arena *keep, const char *codes_path,
                const char *factors_path, struct err *e)
{
    struct csv csv;
    *c = (struct codes){.code_names = NULL};
    if (!csv_read(&csv, keep, codes_path, e) || !codes_read_codes(c, keep, &csv, e)) {
        return false;
    }
    if (factors_path &&
        (!csv_read(&csv, keep, factors_path, e) || !codes_read_factors(c, keep, &csv, e))) {
        return false;
    }
    return metric_check(&c->data, e) || err_wrap(e, "%s", codes_path);
}
