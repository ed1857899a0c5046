/* Parameters: how much has to be stored. */
#include "nas/cost.h"

#include <stdio.h>
#include <string.h>

struct params_state {
    const struct space *space;
    struct model_spec model;
};

static bool params_match(const struct cost_options *o)
{
    return strcmp(o->device, "params") == 0;
}

static bool params_open(struct cost *c, struct arena *keep, const struct cost_options *o,
                        struct err *e)
{
    (void)e;
    struct params_state *state = arena_push_zero(keep, 1, sizeof *state);
    *state = (struct params_state){o->space, o->model};
    c->state = state;
    snprintf(c->name, sizeof c->name, "parameters");
    snprintf(c->unit, sizeof c->unit, "params");
    snprintf(c->source, sizeof c->source, "counted: trained parameters, %d classes",
             o->model.n_classes);
    return true;
}

static bool params_of(const struct cost *c, const struct arch *a, double *value, struct arena tmp)
{
    (void)tmp;
    const struct params_state *state = c->state;
    *value = (double)state->space->params(a, &state->model);
    return true;
}

const struct cost_kind cost_params = {
    .name = "params",
    .help = "number of parameters",
    .parallel_safe = true,
    .match = params_match,
    .open = params_open,
    .of = params_of,
};
