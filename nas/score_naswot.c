/*
 * NASWOT [Mellor2021]: log |det K|, K[i, j] = number of ReLU units that images i and j find in the
 * same state. A network that tells the images of a batch apart by which of its linear pieces they
 * fall on scores high.
 */
#include <math.h>

#include "nas/linalg.h"
#include "nas/relu_code.h"
#include "nas/scores.h"

static size_t score_naswot_plan_bytes(const struct machine *mc, const struct graph *g,
                                      const struct score_batch *b)
{
    return trial_bytes(mc, g, b->n, TRIAL_VALUES) + relu_code_agree_bytes(g, b->n) +
           arena_round((size_t)b->n * (size_t)b->n * sizeof(double));
}

static bool score_naswot_run(const struct score_job *job, double *value, struct err *e)
{
    struct trial t;
    int n = job->batch->n;
    if (!trial_open(&t, job, n, TRIAL_VALUES, e)) {
        return false;
    }
    trial_forward(&t, job->batch->x, n);
    double *k = arena_push(&t.tmp, (size_t)n * (size_t)n, sizeof *k);
    relu_code_agree(k, &t, n, t.tmp);
    *value = linalg_log_det(k, n);
    /* Two images with the same code (a dead network): worse than all others, and no number. */
    *value = isfinite(*value) ? *value : NAN;
    return true;
}

const struct score score_naswot = {
    .name = "naswot",
    .help = "log-determinant of the kernel of ReLU codes",
    .needs_batch = true,
    .defaults = trial_defaults,
    .plan_bytes = score_naswot_plan_bytes,
    .run = score_naswot_run,
};
