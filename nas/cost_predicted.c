/*
 * Costs that are predicted from what a few measurements taught of a device (nas/predictor.h):
 * predict:FILE[:DEVICE] from a file that `hdnas cost --fit` made, predict:DEVICE from what ships
 * with hdnas, and DEVICE alone where no folder of tables is given. Never taken for a measurement:
 * the cost's name and source say so.
 */
#include "nas/cost.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "nas/lookup.h"
#include "nas/predictor_file.h"

static bool predicted_match(const struct cost_options *o)
{
    return strncmp(o->device, "predict:", 8) == 0 ||
           (!o->tables_dir && strncmp(o->device, "table:", 6) != 0);
}

/* FILE:DEVICE, FILE, or DEVICE in the built-in file. */
static bool predicted_find(char **path, const char **device, struct arena *keep,
                           const struct cost_options *o, struct err *e)
{
    bool outright = strncmp(o->device, "predict:", 8) == 0;
    const char *name = o->device + (outright ? 8 : 0);
    char *column;
    if (outright) {
        lookup_split(keep, name, path, &column);
        if (column || file_exists(name)) {
            *device = column;
            return true;
        }
    }
    *device = name;
    return predictor_file_path(path, keep, e);
}

/* A name alone that is no predicted device may have been meant as any other. */
static bool unknown_device(const struct cost_options *o, struct err *e)
{
    err_set(e, ERR_USAGE, "unknown device '%.80s'", o->device);
    return err_hint(e, "known: local, flops, params, table:FILE[:COLUMN], those of --tables DIR or "
                       "HDNAS_TABLES; hdnas cost --list shows them");
}

static bool predicted_open(struct cost *c, struct arena *keep, const struct cost_options *o,
                           struct err *e)
{
    const char *metric = o->metric ? o->metric : "latency", *device = NULL;
    bool outright = strncmp(o->device, "predict:", 8) == 0;
    struct predictor *p = arena_push_zero(keep, 1, sizeof *p);
    char *path = NULL;
    if (!predicted_find(&path, &device, keep, o, e)) {
        return outright ? false : unknown_device(o, e);
    }
    if (!predictor_file_read(p, o->space, path, device, metric, *keep, e)) {
        return outright || e->code != ERR_USAGE ? false : unknown_device(o, e);
    }
    if (!file_sha256(path, c->sha256, e)) {
        return false;
    }
    snprintf(c->name, sizeof c->name, "%s %s (predicted)", p->device, p->metric);
    snprintf(c->unit, sizeof c->unit, "%s", p->unit);
    snprintf(c->source, sizeof c->source,
             "predicted by %s from %d measurements; on others Spearman %.3f, %.0f %% within 10 %%",
             path, p->n_fitted, p->error.spearman, 100 * p->error.within10);
    c->state = p;
    return true;
}

static bool predicted_of(const struct cost *c, const struct arch *a, double *value,
                         struct arena tmp)
{
    (void)tmp;
    *value = predictor_cost(c->state, a);
    return !isnan(*value);
}

const struct cost_kind cost_predicted = {
    .name = "predicted",
    .help = "predict:FILE[:DEVICE], or a device that ships with hdnas (nb201), without --tables",
    .parallel_safe = true,
    .has_energy = true,
    .match = predicted_match,
    .open = predicted_open,
    .of = predicted_of,
};
