/*
 * SWAP [Peng2024]: the number of different sample-wise activation patterns, one per ReLU unit: on
 * which images of the batch it is on. Without the published regularisation by size.
 */
#include "nas/relu_code.h"
#include "nas/scores.h"

static size_t score_swap_plan_bytes(const struct machine *mc, const struct graph *g,
                                    const struct score_batch *b)
{
    return trial_bytes(mc, g, b->n, TRIAL_VALUES) + relu_code_patterns_bytes(g);
}

static bool score_swap_run(const struct score_job *job, double *value, struct err *e)
{
    struct trial t;
    int n = job->batch->n;
    if (!trial_open(&t, job, n, TRIAL_VALUES, e)) {
        return false;
    }
    trial_forward(&t, job->batch->x, n);
    *value = (double)relu_code_patterns(&t, n, t.tmp);
    return true;
}

const struct score score_swap = {
    .name = "swap",
    .help = "number of different patterns in which ReLU units respond to the batch",
    .needs_batch = true,
    .defaults = trial_defaults,
    .plan_bytes = score_swap_plan_bytes,
    .run = score_swap_run,
};
