/* Scores that need no numbers: the size of the network. The baselines every other score has to
 * beat. */
#include "nas/scores.h"

static void score_static_defaults(struct score_options *o)
{
    (void)o;
}

static size_t score_static_plan_bytes(const struct machine *mc, const struct graph *g,
                                      const struct score_batch *b)
{
    (void)mc, (void)g, (void)b;
    return 0;
}

static bool score_static_run_params(const struct score_job *job, double *value, struct err *e)
{
    (void)e;
    *value = (double)graph_param_count(job->graph);
    return true;
}

static bool score_static_run_flops(const struct score_job *job, double *value, struct err *e)
{
    (void)e;
    *value = (double)graph_macs(job->graph);
    return true;
}

const struct score score_static_params = {
    .name = "params",
    .help = "number of trained parameters",
    .no_weights = true,
    .defaults = score_static_defaults,
    .plan_bytes = score_static_plan_bytes,
    .run = score_static_run_params,
};

const struct score score_static_flops = {
    .name = "flops",
    .help = "multiply-adds of one image",
    .no_weights = true,
    .defaults = score_static_defaults,
    .plan_bytes = score_static_plan_bytes,
    .run = score_static_run_flops,
};
