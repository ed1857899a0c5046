/* Multiply-adds of one image in millions, which the field calls MFLOPs. */
#include "nas/cost.h"

#include <stdio.h>
#include <string.h>

struct flops_state {
    const struct space *space;
    struct model_spec model;
};

static bool flops_match(const struct cost_options *o)
{
    return strcmp(o->device, "flops") == 0 || strcmp(o->device, "macs") == 0;
}

static bool flops_open(struct cost *c, struct arena *keep, const struct cost_options *o,
                       struct err *e)
{
    (void)e;
    struct flops_state *state = arena_push_zero(keep, 1, sizeof *state);
    *state = (struct flops_state){o->space, o->model};
    c->state = state;
    snprintf(c->name, sizeof c->name, "multiply-adds");
    snprintf(c->unit, sizeof c->unit, "MFLOP");
    snprintf(c->source, sizeof c->source,
             "counted: multiply-adds of one %dx%dx%d image, in millions", o->model.input.h,
             o->model.input.w, o->model.input.c);
    return true;
}

static bool flops_of(const struct cost *c, const struct arch *a, double *value, struct arena tmp)
{
    (void)tmp;
    const struct flops_state *state = c->state;
    *value = (double)state->space->macs(a, &state->model) / 1e6;
    return true;
}

const struct cost_kind cost_flops = {
    .name = "flops",
    .help = "multiply-adds of one image, in millions",
    .parallel_safe = true,
    .match = flops_match,
    .open = flops_open,
    .of = flops_of,
};
