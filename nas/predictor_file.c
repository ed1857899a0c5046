#include "nas/predictor_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/csv.h"
#include "core/file.h"

static const char *const reading_names[SPACE_N_READINGS] = {"written", "used", "live"};
static const char *const columns[] = {
    "space",    "device",  "metric",   "unit",  "reading", "fitted",
    "spearman", "within5", "within10", "least", "base",
};
enum { N_COLUMNS = (int)N_ELEMS(columns) };

static int weight_count(const struct space *s)
{
    int n = 0;
    for (int i = 0; i < s->n_genes; i++) {
        n += s->n_choices[i];
    }
    return n;
}

static const char *cell_of(const struct csv *t, size_t row, const char *column)
{
    return csv_cell(t, row, csv_column(t, column));
}

static bool check_columns(const struct csv *t, const struct space *space, struct err *e)
{
    for (int i = 0; i < N_COLUMNS + weight_count(space); i++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", i - N_COLUMNS);
        const char *wanted = i < N_COLUMNS ? columns[i] : name;
        if (csv_column(t, wanted) < 0) {
            err_set(e, ERR_INPUT, "%s: line 1: no column '%s'", t->path, wanted);
            return err_hint(e, "hdnas cost --fit makes files of predictors, for one space each");
        }
    }
    return true;
}

static bool number_in(const struct csv *t, size_t row, const char *column, bool may_be_empty,
                      double *value, struct err *e)
{
    *value = NAN;
    return (may_be_empty && !cell_of(t, row, column)[0]) ||
           csv_number(t, row, csv_column(t, column), value, e);
}

static bool copy_text(char *out, size_t size, const struct csv *t, size_t row, const char *column,
                      struct err *e)
{
    const char *text = cell_of(t, row, column);
    if (!*text || strlen(text) >= size) {
        return err_set(e, ERR_INPUT, "%s: line %zu: %s '%.40s' is empty or too long", t->path,
                       row + 2, column, text);
    }
    strcpy(out, text);
    return true;
}

static bool read_row(struct predictor *p, const struct csv *t, size_t row, struct err *e)
{
    double fitted;
    char name[16];
    if (strcmp(cell_of(t, row, "space"), p->space->name) != 0) {
        return err_set(e, ERR_INPUT, "%s: line %zu: space %.40s, not %s", t->path, row + 2,
                       cell_of(t, row, "space"), p->space->name);
    }
    int reading = 0;
    while (reading < SPACE_N_READINGS &&
           strcmp(cell_of(t, row, "reading"), reading_names[reading]) != 0) {
        reading++;
    }
    if (reading == SPACE_N_READINGS) {
        return err_set(e, ERR_INPUT,
                       "%s: line %zu: reading '%.40s': written, used or live expected", t->path,
                       row + 2, cell_of(t, row, "reading"));
    }
    p->reading = (enum space_reading)reading;
    if (!copy_text(p->device, sizeof p->device, t, row, "device", e) ||
        !copy_text(p->metric, sizeof p->metric, t, row, "metric", e) ||
        !copy_text(p->unit, sizeof p->unit, t, row, "unit", e) ||
        !number_in(t, row, "fitted", false, &fitted, e) ||
        !number_in(t, row, "spearman", true, &p->error.spearman, e) ||
        !number_in(t, row, "within5", true, &p->error.within5, e) ||
        !number_in(t, row, "within10", true, &p->error.within10, e) ||
        !number_in(t, row, "least", false, &p->least, e) ||
        !number_in(t, row, "base", false, &p->base, e)) {
        return false;
    }
    if (fitted < 0 || fitted > 1e9) {
        return err_set(e, ERR_INPUT, "%s: line %zu: fitted to %g measurements", t->path, row + 2,
                       fitted);
    }
    p->n_fitted = (int)fitted;
    for (int i = 0; i < weight_count(p->space); i++) {
        snprintf(name, sizeof name, "w%d", i);
        if (!number_in(t, row, name, true, &p->weight[i], e)) {
            return false;
        }
    }
    return true;
}

static bool no_device(const struct csv *t, const char *device, const char *metric, int n_found,
                      struct err *e)
{
    char known[300] = "";
    for (size_t row = 0; row < t->n_rows; row++) {
        size_t used = strlen(known);
        if (strcmp(cell_of(t, row, "metric"), metric) == 0 && used + 72 < sizeof known) {
            snprintf(known + used, sizeof known - used, "%s%.60s", used ? ", " : "",
                     cell_of(t, row, "device"));
        }
    }
    if (!device) {
        return err_set(e, ERR_USAGE, "%s predicts the %s of %d devices; say which: %s", t->path,
                       metric, n_found, known);
    }
    err_set(e, ERR_USAGE, "no device '%.60s' whose %s is predicted", device, metric);
    return err_hint(e, "predicted are: %s", known[0] ? known : "none");
}

bool predictor_file_read(struct predictor *p, const struct space *space, const char *path,
                         const char *device, const char *metric, struct arena tmp, struct err *e)
{
    struct csv t;
    size_t found = 0;
    int n_found = 0;
    *p = (struct predictor){.space = space};
    if (weight_count(space) > PREDICTOR_MAX_WEIGHTS) {
        return err_set(e, ERR_USAGE, "space %s has too many choices for predictors", space->name);
    }
    if (!csv_read(&t, &tmp, path, e) || !check_columns(&t, space, e)) {
        return false;
    }
    for (size_t row = 0; row < t.n_rows; row++) {
        if (strcmp(cell_of(&t, row, "metric"), metric) == 0 &&
            (!device || strcmp(cell_of(&t, row, "device"), device) == 0)) {
            found = row;
            n_found++;
        }
    }
    if (n_found > 1 && device) {
        return err_set(e, ERR_INPUT, "%s: line %zu: %s (%s) is there twice", path, found + 2,
                       device, metric);
    }
    return n_found == 1 ? read_row(p, &t, found, e) : no_device(&t, device, metric, n_found, e);
}

bool predictor_file_path(char **path, struct arena *keep, struct err *e)
{
    return file_share_path(keep, "predictors-nb201.csv", path, e);
}

bool predictor_file_list(struct predictor **all, int *n, struct arena *keep, struct err *e)
{
    const struct space *space;
    char *path;
    struct csv t;
    if (!space_find(&space, "nb201", e) || !predictor_file_path(&path, keep, e) ||
        !csv_read(&t, keep, path, e) || !check_columns(&t, space, e)) {
        return false;
    }
    *n = (int)t.n_rows;
    *all = arena_try(keep, t.n_rows, sizeof **all, e);
    bool ok = *all;
    for (size_t row = 0; ok && row < t.n_rows; row++) {
        (*all)[row] = (struct predictor){.space = space};
        ok = read_row(&(*all)[row], &t, row, e);
    }
    return ok;
}

/* Seven digits: a millionth of the largest weight is beyond every measurement. */
static char *number(struct arena *keep, double value)
{
    return isnan(value) ? arena_strdup(keep, "") : arena_printf(keep, "%.7g", value);
}

static char *row_text(const struct predictor *p, struct arena *keep)
{
    char *s = arena_printf(keep, "%s,%s,%s,%s,%s,%d,%s,%s,%s,%s,%s", p->space->name, p->device,
                           p->metric, p->unit, reading_names[p->reading], p->n_fitted,
                           number(keep, p->error.spearman), number(keep, p->error.within5),
                           number(keep, p->error.within10), number(keep, p->least),
                           number(keep, p->base));
    for (int i = 0; i < weight_count(p->space); i++) {
        s = arena_printf(keep, "%s,%s", s, number(keep, p->weight[i]));
    }
    return arena_printf(keep, "%s\n", s);
}

bool predictor_file_write(const struct predictor *p, const char *path, struct arena tmp,
                          struct err *e)
{
    char *text = arena_strdup(&tmp, "");
    for (int i = 0; i < N_COLUMNS; i++) {
        text = arena_printf(&tmp, "%s%s%s", text, i ? "," : "", columns[i]);
    }
    for (int i = 0; i < weight_count(p->space); i++) {
        text = arena_printf(&tmp, "%s,w%d", text, i);
    }
    text = arena_printf(&tmp, "%s\n", text);
    bool written = false;
    if (file_exists(path)) {
        struct csv t;
        struct predictor *other = arena_push(&tmp, 1, sizeof *other);
        if (!csv_read(&t, &tmp, path, e) || !check_columns(&t, p->space, e)) {
            return false;
        }
        for (size_t row = 0; row < t.n_rows; row++) {
            *other = (struct predictor){.space = p->space};
            if (!read_row(other, &t, row, e)) {
                return false;
            }
            bool mine = strcmp(other->device, p->device) == 0 &&
                        strcmp(other->metric, p->metric) == 0;
            text = arena_printf(&tmp, "%s%s", text, row_text(mine ? p : other, &tmp));
            written = written || mine;
        }
    }
    text = written ? text : arena_printf(&tmp, "%s%s", text, row_text(p, &tmp));
    return file_write(path, text, strlen(text), e);
}
