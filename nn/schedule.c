#include "nn/schedule.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

/* From a to b along half a cosine; share in [0, 1]. */
static double cosine(double a, double b, double share)
{
    return b + (a - b) * (1 + cos(pi * share)) / 2;
}

/* As PyTorch's OneCycleLR (cosine, two phases) [Smith2019]: up to lr_max at step warmup n - 1, down
 * at step n - 1. */
static double one_cycle(const struct schedule *s, int64_t step, int64_t n_steps)
{
    double start = s->lr_start > 0 ? s->lr_start : s->lr_max / 25;
    double peak = s->warmup * (double)n_steps - 1, end = (double)n_steps - 1;
    if (peak > 0 && (double)step <= peak) {
        return cosine(start, s->lr_max, (double)step / peak);
    }
    peak = peak > 0 ? peak : 0;
    return end > peak ? cosine(s->lr_max, s->lr_final, ((double)step - peak) / (end - peak))
                      : s->lr_max;
}

double schedule_lr(const struct schedule *s, int64_t step, int64_t n_steps)
{
    ASSERT(n_steps > 0 && step >= 0);
    ASSERT(s->warmup >= 0 && s->warmup <= 1);
    step = step < n_steps ? step : n_steps - 1;
    if (s->kind == SCHEDULE_ONE_CYCLE) {
        return one_cycle(s, step, n_steps);
    }
    int64_t n_warm = (int64_t)(s->warmup * (double)n_steps);
    if (step < n_warm) {
        return s->lr_max * (double)(step + 1) / (double)(n_warm + 1);
    }
    double share = (double)(step - n_warm) / (double)(n_steps - n_warm);
    double lr = s->lr_max;
    switch (s->kind) {
    case SCHEDULE_COSINE:
        return cosine(s->lr_max, s->lr_final, share);
    case SCHEDULE_STEP:
        for (int i = 0; i < s->n_milestones; i++) {
            lr *= (double)step >= s->milestones[i] * (double)n_steps ? s->step_factor : 1;
        }
        return lr;
    case SCHEDULE_CONSTANT:
    case SCHEDULE_ONE_CYCLE:
        break;
    }
    return lr;
}
