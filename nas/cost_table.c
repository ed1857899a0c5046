/*
 * Costs from tables: table:FILE[:COLUMN], or a device named by a column of some table in the folder
 * of tables (nas/devices.h). A missing or negative value means that the device cannot run the
 * network: HW-NAS-Bench writes -1 for what its Edge TPU refused, which must never pass for cheap.
 */
#include "nas/cost.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/csv.h"
#include "nas/devices.h"
#include "nas/lookup.h"

static bool table_match(const struct cost_options *o)
{
    (void)o;
    return true;
}

static const char *table_metric(const struct cost_options *o)
{
    return o->metric ? o->metric : "latency";
}

/* The one column of a file that is a cost of the wanted metric. */
static bool table_only_column(char **column, struct arena *keep, const char *path,
                              const char *metric, struct err *e)
{
    struct arena tmp = *keep;
    struct csv t;
    char found[240] = "";
    int n = 0, which = -1;
    if (!csv_read(&t, &tmp, path, e)) {
        return false;
    }
    for (int i = 0; i < t.n_cols; i++) {
        const char *its_metric, *unit;
        char *name = arena_push(&tmp, strlen(t.names[i]) + 1, 1);
        if (devices_split(t.names[i], name, &its_metric, &unit) &&
            strcmp(its_metric, metric) == 0) {
            size_t used = strlen(found);
            snprintf(found + used, sizeof found - used, "%s%s", n ? ", " : "", t.names[i]);
            which = i;
            n++;
        }
    }
    if (n != 1) {
        err_set(e, ERR_USAGE, "%s has %s column of %s%s%s", path, n ? "more than one" : "no",
                metric, n ? ": " : "", found);
        return err_hint(e, "say which: --device table:FILE:COLUMN");
    }
    /* The text lies in memory that is about to be used again. */
    char text[256];
    snprintf(text, sizeof text, "%s", t.names[which]);
    *column = arena_strdup(keep, text);
    return true;
}

static bool table_find(const char **path, const char **column, struct arena *keep,
                       const struct cost_options *o, struct err *e)
{
    if (strncmp(o->device, "table:", 6) == 0) {
        char *file, *col;
        lookup_split(keep, o->device + 6, &file, &col);
        if (!col && !table_only_column(&col, keep, file, table_metric(o), e)) {
            return false;
        }
        *path = file;
        *column = col;
        return true;
    }
    ASSERT(o->tables_dir); /* without one the name is a predictor's */
    struct devices devices;
    const struct device *device;
    if (!devices_scan(&devices, keep, o->tables_dir, e) ||
        !devices_find(&device, &devices, o->device, table_metric(o), e)) {
        return false;
    }
    *path = device->path;
    *column = device->column;
    return true;
}

static bool table_open(struct cost *c, struct arena *keep, const struct cost_options *o,
                       struct err *e)
{
    const char *path = NULL, *column = NULL, *metric = "", *unit = "";
    struct lookup *lookup = arena_push_zero(keep, 1, sizeof *lookup);
    if (!table_find(&path, &column, keep, o, e) ||
        !lookup_open(lookup, keep, o->space, path, column, e)) {
        return false;
    }
    if (lookup->n == 0) {
        return err_set(e, ERR_INPUT, "%s: column %s is empty", path, column);
    }
    char *name = arena_push(keep, strlen(column) + 1, 1);
    bool known = devices_split(column, name, &metric, &unit);
    snprintf(c->name, sizeof c->name, "%s%s%s", known ? name : column, known ? " " : "", metric);
    snprintf(c->unit, sizeof c->unit, "%s", unit);
    snprintf(c->source, sizeof c->source, "%s:%s", path, column);
    memcpy(c->sha256, lookup->sha256, sizeof c->sha256);
    c->state = lookup;
    return true;
}

static bool table_of(const struct cost *c, const struct arch *a, double *value, struct arena tmp)
{
    (void)tmp;
    *value = lookup_get(c->state, a);
    return *value >= 0;
}

const struct cost_kind cost_table = {
    .name = "table",
    .help = "table:FILE[:COLUMN], or a device named in a table of --tables",
    .parallel_safe = true,
    .has_energy = true,
    .match = table_match,
    .open = table_open,
    .of = table_of,
};
