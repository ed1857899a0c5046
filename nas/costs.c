/* The table of hardware costs: one row a room. The first that knows the device takes it. */
#include "nas/cost.h"

#include <string.h>

extern const struct cost_kind cost_params, cost_flops, cost_local, cost_blocks, cost_predicted,
    cost_table;

static const struct cost_kind *const kinds[] = {
    &cost_params, &cost_flops,
    &cost_local,
    &cost_blocks,    /* takes every other name in fbnet, but for table:... and predict:... */
    &cost_predicted, /* takes every other name where no folder of tables is given */
    &cost_table,     /* takes every other name: its errors say what there is */
};

int cost_kind_count(void)
{
    return (int)N_ELEMS(kinds);
}

const struct cost_kind *cost_kind_at(int i)
{
    ASSERT(i >= 0 && i < cost_kind_count());
    return kinds[i];
}

bool cost_open(struct cost *c, struct arena *keep, const struct cost_options *o, struct err *e)
{
    ASSERT(o->space && o->device);
    *c = (struct cost){0};
    if (o->metric && strcmp(o->metric, "latency") != 0 && strcmp(o->metric, "energy") != 0) {
        return err_set(e, ERR_USAGE, "unknown metric '%.40s': latency or energy expected",
                       o->metric);
    }
    bool energy = o->metric && strcmp(o->metric, "energy") == 0;
    for (int i = 0; i < cost_kind_count(); i++) {
        if (!kinds[i]->match(o)) {
            continue;
        }
        if (energy && !kinds[i]->has_energy) {
            return err_set(e, ERR_USAGE, "device %s has no energy", kinds[i]->name);
        }
        c->kind = kinds[i];
        return kinds[i]->open(c, keep, o, e);
    }
    return err_set(e, ERR_USAGE, "unknown device '%.80s'", o->device);
}
