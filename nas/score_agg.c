/*
 * A panel of scores, one of each kind of evidence, none of them weighed:
 *
 *   agg = sum over members of log rank,   rank in (0, 1) among random networks (nas/panel.h)
 *
 *   swap             how many pieces the function has: patterns of ReLUs
 *   meco             how different the channels of a feature map are
 *   logsynflow       how strong paths are, weight by weight; grows with size
 *   az-expressivity  over how many directions features spread
 *   az-trainability  how evenly gradients pass a block
 *   rmi-brief        (agg-rmi) how soon features agree with a trained network's
 *   rmi-lite         (agg-lite) the same of narrow networks on small images, as all members there
 *
 * The logarithm makes the sum a veto: to be last in one respect costs more than to be first in
 * another earns [Lee2024]. Members see the same batch; where one needs a reference, the batch is
 * the reference's choice.
 */
#include <math.h>

#include "nas/panel.h"
#include "nas/scores.h"

static const char *const score_agg_members[] = {
    "swap", "meco", "logsynflow", "az-expressivity", "az-trainability", NULL,
};

static const char *const score_agg_members_rmi[] = {
    "swap", "meco", "logsynflow", "az-expressivity", "az-trainability", "rmi-brief", NULL,
};

static const char *const score_agg_members_lite[] = {
    "swap", "meco", "logsynflow", "az-expressivity", "az-trainability", "rmi-lite", NULL,
};

static void score_agg_defaults(struct score_options *o)
{
    *o = (struct score_options){.seed = 1}; /* members have their own */
}

static void score_agg_defaults_lite(struct score_options *o)
{
    score_agg_defaults(o);
    o->size.width = SCORE_LITE_WIDTH;
    o->side = SCORE_LITE_SIDE;
}

static size_t score_agg_plan_bytes(const struct machine *mc, const struct graph *g,
                                   const struct score_batch *b)
{
    size_t most = 0;
    for (int i = 0; i < b->panel->n_members; i++) {
        most = MAX(most, b->panel->member[i].score->plan_bytes(mc, g, b));
    }
    return most;
}

static bool score_agg_run(const struct score_job *job, double *value, struct err *e)
{
    const struct score_panel *panel = job->batch->panel;
    int n_missing = 0;
    *value = 0;
    for (int i = 0; i < panel->n_members; i++) {
        struct score_job member = *job;
        double v;
        member.options = &panel->member[i].options;
        member.save_init_path = i == 0 ? job->save_init_path : NULL;
        member.on_step = NULL;
        if (!panel->member[i].score->run(&member, &v, e)) {
            return false;
        }
        n_missing += !isfinite(v);
        *value += log(panel_rank(&panel->member[i].scale, v));
    }
    *value = n_missing < panel->n_members ? *value : NAN;
    return true;
}

const struct score score_agg = {
    .name = "agg",
    .help = "sum of log ranks of swap, meco, logsynflow and two of AZ-NAS among random networks",
    .needs_batch = true,
    .members = score_agg_members,
    .defaults = score_agg_defaults,
    .plan_bytes = score_agg_plan_bytes,
    .run = score_agg_run,
};

const struct score score_agg_rmi = {
    .name = "agg-rmi",
    .help = "agg and rmi",
    .needs_reference = true,
    .members = score_agg_members_rmi,
    .defaults = score_agg_defaults,
    .plan_bytes = score_agg_plan_bytes,
    .run = score_agg_run,
};

const struct score score_agg_lite = {
    .name = "agg-lite",
    .help = "agg and rmi of networks half as wide on 16 images of 16x16: nearly as good in a "
            "seventh of the time",
    .needs_reference = true,
    .batch = SCORE_LITE_BATCH,
    .members = score_agg_members_lite,
    .defaults = score_agg_defaults_lite,
    .plan_bytes = score_agg_plan_bytes,
    .run = score_agg_run,
};
