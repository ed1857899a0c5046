#include "cli/report_data.h"

#include "cli/report_refined.h"
#include "core/file.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const size_t report_data_max_config = (size_t)4 << 20; /* a manifest is a few KiB */

const char *report_data_config(const struct report_data *d, const char *key, const char *inner)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(d->config, key);
    if (inner) {
        item = cJSON_GetObjectItemCaseSensitive(item, inner);
    }
    return cJSON_GetStringValue(item);
}

/* A file that is one JSON object. */
static bool report_data_read_json(cJSON **out, struct arena *keep, const char *path, struct err *e)
{
    unsigned char *bytes;
    size_t n;
    if (!file_read(keep, path, report_data_max_config, &bytes, &n, e)) {
        return err_hint(e, "hdnas report wants the folder that hdnas search --out wrote");
    }
    const char *end = NULL;
    *out = cJSON_ParseWithLengthOpts((const char *)bytes, n, &end, 0);
    if (!*out) {
        return err_set(e, ERR_INPUT, "%s: offset %td: this is no JSON", path,
                       end ? end - (const char *)bytes : 0);
    }
    return cJSON_IsObject(*out) || err_set(e, ERR_INPUT, "%s: expected a JSON object", path);
}

/* What the cost is called: told outright, else the device and what its unit measures, else a
 * table's column. */
static const char *report_data_cost_name(const struct report_data *d, struct arena *keep)
{
    const char *name = report_data_config(d, "cost_name", NULL);
    const char *device = report_data_config(d, "options", "device");
    const char *source = report_data_config(d, "cost_source", NULL);
    const char *metric = strcmp(d->unit, "ms") == 0   ? " latency"
                         : strcmp(d->unit, "mJ") == 0 ? " energy"
                                                      : "";
    if (name) {
        return name;
    }
    if (!device) {
        return "cost";
    }
    if (strncmp(device, "table:", 6) != 0) {
        return arena_printf(keep, "%s%s", device, metric);
    }
    const char *column = source ? strrchr(source, ':') : NULL;
    return column ? column + 1 : device + 6;
}

static bool report_data_read_config(struct report_data *d, struct arena *keep, struct err *e)
{
    if (!report_data_read_json(&d->config, keep, arena_printf(keep, "%s/config.json", d->dir), e)) {
        return false;
    }
    const char *unit = report_data_config(d, "cost_unit", NULL);
    d->unit = unit ? unit : "";
    d->cost_name = report_data_cost_name(d, keep);
    return true;
}

/* More limits than a page can show; a search takes 64. */
enum { REPORT_DATA_MAX_LIMITS = 1000 };

/* "best" of summary.json: one object a limit; anything else in it is passed over. */
static bool report_data_read_limits(struct report_data *d, struct arena *keep, const cJSON *best,
                                    struct err *e)
{
    const cJSON *item;
    int n = cJSON_IsArray(best) ? MIN(cJSON_GetArraySize(best), REPORT_DATA_MAX_LIMITS) : 0;
    d->limits = arena_try(keep, (size_t)n + 1, sizeof *d->limits, e);
    if (!d->limits) {
        return false;
    }
    cJSON_ArrayForEach(item, best)
    {
        const char *arch = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "arch"));
        double limit = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(item, "constraint"));
        if (d->n_limits == n || !isfinite(limit)) {
            continue;
        }
        struct report_limit *l = &d->limits[d->n_limits++];
        *l = (struct report_limit){
            .limit = limit,
            .arch = arch ? arena_strdup(keep, arch) : "",
            .score = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(item, "score")),
            .cost = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(item, "cost")),
            .accuracy =
                cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(item, "true_accuracy")),
            .optimum = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(item, "optimum")),
            .regret = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(item, "regret")),
        };
        l->met = isfinite(l->score) && isfinite(l->cost);
    }
    return true;
}

static bool report_data_read_summary(struct report_data *d, struct arena *keep, struct err *e)
{
    cJSON *root = NULL;
    bool ok = report_data_read_json(&root, keep, arena_printf(keep, "%s/summary.json", d->dir), e);
    d->true_hypervolume =
        cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(root, "true_hypervolume"));
    d->true_front_hypervolume =
        cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(root, "true_front_hypervolume"));
    ok = ok && report_data_read_limits(d, keep, cJSON_GetObjectItemCaseSensitive(root, "best"), e);
    cJSON_Delete(root);
    return ok;
}

/* Every file is read as a log: a run that was killed leaves a line cut short. */
static bool report_data_open(struct csv *csv, struct arena *keep, const struct report_data *d,
                             const char *file, struct err *e)
{
    return csv_read_log(csv, keep, arena_printf(keep, "%s/%s", d->dir, file), e);
}

static bool report_data_column(const struct csv *csv, const char *name, int *col, struct err *e)
{
    return csv_find(col, csv, name, e) ||
           err_hint(e, "docs/formats.md lists the columns of every file");
}

/* A column of numbers that must be there. */
static bool report_data_numbers(double **out, struct arena *keep, const struct csv *csv,
                                const char *name, struct err *e)
{
    int col;
    if (!report_data_column(csv, name, &col, e)) {
        return false;
    }
    *out = arena_try(keep, csv->n_rows + 1, sizeof **out, e);
    if (!*out) {
        return false;
    }
    for (size_t i = 0; i < csv->n_rows; i++) {
        if (!csv_number(csv, i, col, &(*out)[i], e)) {
            return false;
        }
    }
    return true;
}

static bool report_data_read_evals(struct report_data *d, struct arena *keep, struct err *e)
{
    struct csv csv;
    int feasible, score, cost;
    if (!report_data_open(&csv, keep, d, "evals.csv", e) ||
        !report_data_column(&csv, "feasible", &feasible, e) ||
        !report_data_column(&csv, "score", &score, e) ||
        !report_data_column(&csv, "cost", &cost, e)) {
        return false;
    }
    d->n_evals = (int)csv.n_rows;
    d->cloud_score = arena_try(keep, csv.n_rows + 1, sizeof *d->cloud_score, e);
    d->cloud_cost =
        d->cloud_score ? arena_try(keep, csv.n_rows + 1, sizeof *d->cloud_cost, e) : NULL;
    if (!d->cloud_cost) {
        return false;
    }
    for (size_t i = 0; i < csv.n_rows; i++) {
        double is_feasible, *x = &d->cloud_cost[d->n_cloud], *y = &d->cloud_score[d->n_cloud];
        if (!csv_number(&csv, i, feasible, &is_feasible, e)) {
            return false;
        }
        if (is_feasible == 0) { /* its score and cost may be empty */
            d->n_infeasible++;
            continue;
        }
        if (!csv_number(&csv, i, score, y, e) || !csv_number(&csv, i, cost, x, e)) {
            return false;
        }
        d->n_cloud++;
    }
    return true;
}

static int report_data_by_cost(const void *a, const void *b)
{
    const struct report_member *p = a, *q = b;
    if (p->cost != q->cost) {
        return p->cost < q->cost ? -1 : 1;
    }
    if (p->score != q->score) {
        return p->score < q->score ? -1 : 1;
    }
    return strcmp(p->arch, q->arch); /* a total order: the page does not depend on qsort */
}

/* Decimals after which the largest of n values shows four digits. */
static int report_data_decimals(const double *values, size_t n)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs(values[i]));
    }
    int before = largest > 0 ? (int)floor(log10(largest)) + 1 : 1;
    return MAX(0, MIN(4 - before, 9));
}

static bool report_data_read_front(struct report_data *d, struct arena *keep, struct err *e)
{
    struct csv csv;
    int index, arch;
    double *score, *cost, *diversity, *params, *macs;
    if (!report_data_open(&csv, keep, d, "front.csv", e) ||
        !report_data_column(&csv, "index", &index, e) ||
        !report_data_column(&csv, "arch", &arch, e) ||
        !report_data_numbers(&score, keep, &csv, "score", e) ||
        !report_data_numbers(&cost, keep, &csv, "cost", e) ||
        !report_data_numbers(&diversity, keep, &csv, "diversity", e) ||
        !report_data_numbers(&params, keep, &csv, "params", e) ||
        !report_data_numbers(&macs, keep, &csv, "macs", e)) {
        return false;
    }
    int accuracy = csv_column(&csv, "true_accuracy");
    d->n_front = (int)csv.n_rows;
    if (csv.n_rows > REPORT_DATA_MAX_FRONT) {
        return err_set(e, ERR_INPUT, "%s: a front of %zu members; at most %d can be drawn",
                       csv.path, csv.n_rows, REPORT_DATA_MAX_FRONT);
    }
    d->front = arena_try(keep, csv.n_rows + 1, sizeof *d->front, e);
    if (!d->front) {
        return false;
    }
    for (size_t i = 0; i < csv.n_rows; i++) {
        struct report_member *m = &d->front[i];
        *m = (struct report_member){.index = csv_cell(&csv, i, index),
                                    .arch = csv_cell(&csv, i, arch),
                                    .score = score[i],
                                    .cost = cost[i],
                                    .diversity = diversity[i],
                                    .params = params[i],
                                    .macs = macs[i],
                                    .accuracy = NAN};
        if (accuracy >= 0 && csv_cell(&csv, i, accuracy)[0]) {
            if (!csv_number(&csv, i, accuracy, &m->accuracy, e)) {
                return false;
            }
            d->has_accuracy = true;
        }
    }
    d->cost_decimals = report_data_decimals(cost, csv.n_rows);
    d->score_decimals = report_data_decimals(score, csv.n_rows);
    d->diversity_decimals = report_data_decimals(diversity, csv.n_rows);
    qsort(d->front, csv.n_rows, sizeof *d->front, report_data_by_cost);
    return true;
}

static bool report_data_read_generations(struct report_data *d, struct arena *keep, struct err *e)
{
    struct csv csv;
    if (!report_data_open(&csv, keep, d, "generations.csv", e)) {
        return false;
    }
    d->n_generations = (int)csv.n_rows;
    return report_data_numbers(&d->generation, keep, &csv, "generation", e) &&
           report_data_numbers(&d->evals, keep, &csv, "evals", e) &&
           report_data_numbers(&d->unique, keep, &csv, "unique", e) &&
           report_data_numbers(&d->front_size, keep, &csv, "front_size", e) &&
           report_data_numbers(&d->hypervolume, keep, &csv, "hypervolume", e) &&
           report_data_numbers(&d->diversity, keep, &csv, "diversity", e) &&
           report_data_numbers(&d->seconds, keep, &csv, "seconds", e);
}

struct report_data_point {
    double cost, accuracy;
};

static int report_data_by_point(const void *a, const void *b)
{
    const struct report_data_point *p = a, *q = b;
    if (p->cost != q->cost) {
        return p->cost < q->cost ? -1 : 1;
    }
    return (p->accuracy > q->accuracy) - (p->accuracy < q->accuracy);
}

/* By its number, or by its values where two networks tie. */
static bool report_data_same(const struct report_member *m, const char *index, double cost,
                             double accuracy)
{
    return (m->index[0] && strcmp(m->index, index) == 0) ||
           (m->cost == cost && m->accuracy == accuracy);
}

/* The true front, and which members of ours are on it. */
static bool report_data_read_truth(struct report_data *d, struct arena *keep, struct err *e)
{
    struct csv csv;
    int index;
    double *cost, *accuracy;
    if (!report_data_open(&csv, keep, d, "truth.csv", e) ||
        !report_data_column(&csv, "index", &index, e) ||
        !report_data_numbers(&cost, keep, &csv, "cost", e) ||
        !report_data_numbers(&accuracy, keep, &csv, "accuracy", e)) {
        return false;
    }
    for (int m = 0; m < d->n_front; m++) {
        for (size_t i = 0; i < csv.n_rows; i++) {
            d->front[m].on_true_front |=
                report_data_same(&d->front[m], csv_cell(&csv, i, index), cost[i], accuracy[i]);
        }
    }
    struct report_data_point *points = arena_try(keep, csv.n_rows + 1, sizeof *points, e);
    if (!points) {
        return false;
    }
    for (size_t i = 0; i < csv.n_rows; i++) {
        points[i] = (struct report_data_point){cost[i], accuracy[i]};
    }
    qsort(points, csv.n_rows, sizeof *points, report_data_by_point);
    for (size_t i = 0; i < csv.n_rows; i++) {
        cost[i] = points[i].cost;
        accuracy[i] = points[i].accuracy;
    }
    d->n_truth = (int)csv.n_rows;
    d->truth_cost = cost;
    d->truth_accuracy = accuracy;
    return true;
}

static bool report_data_read_times(struct report_data *d, struct arena *keep, struct err *e)
{
    struct csv csv;
    int part;
    if (!report_data_open(&csv, keep, d, "time.csv", e) ||
        !report_data_column(&csv, "part", &part, e) ||
        !report_data_numbers(&d->time_s, keep, &csv, "seconds", e)) {
        return false;
    }
    d->n_times = (int)csv.n_rows;
    d->time_part = arena_try(keep, csv.n_rows + 1, sizeof *d->time_part, e);
    if (!d->time_part) {
        return false;
    }
    for (size_t i = 0; i < csv.n_rows; i++) {
        d->time_part[i] = csv_cell(&csv, i, part);
        if (d->time_s[i] < 0) {
            return err_set(e, ERR_INPUT, "%s: line %zu: expected seconds >= 0, found %g", csv.path,
                           i + 2, d->time_s[i]);
        }
    }
    return true;
}

static bool report_data_optional(struct report_data *d, struct arena *keep, const char *file,
                                 bool (*read)(struct report_data *, struct arena *, struct err *),
                                 struct err *e)
{
    return !file_exists(arena_printf(keep, "%s/%s", d->dir, file)) || read(d, keep, e);
}

bool report_data_read(struct report_data *d, struct arena *keep, const char *dir, struct err *e)
{
    ASSERT(d && dir);
    char *clean = arena_strdup(keep, dir);
    for (size_t n = strlen(clean); n > 1 && clean[n - 1] == '/'; n--) {
        clean[n - 1] = 0;
    }
    const char *slash = strrchr(clean, '/');
    *d = (struct report_data){.dir = clean,
                              .name = slash && slash[1] ? slash + 1 : clean,
                              .true_hypervolume = NAN,
                              .true_front_hypervolume = NAN};
    bool ok = report_data_read_config(d, keep, e) && report_data_read_evals(d, keep, e) &&
              report_data_read_front(d, keep, e) && report_data_read_generations(d, keep, e) &&
              report_data_optional(d, keep, "truth.csv", report_data_read_truth, e) &&
              report_data_optional(d, keep, "refined.csv", report_refined_read, e) &&
              report_data_optional(d, keep, "time.csv", report_data_read_times, e) &&
              report_data_optional(d, keep, "summary.json", report_data_read_summary, e);
    if (!ok) {
        report_data_release(d);
    }
    return ok;
}

void report_data_release(struct report_data *d)
{
    cJSON_Delete(d->config);
    d->config = NULL;
}
