/* schedule.h: learning-rate schedules, pure functions of the step. */
#ifndef NN_SCHEDULE_H
#define NN_SCHEDULE_H

#include "core/base.h"

enum schedule_kind { SCHEDULE_CONSTANT, SCHEDULE_STEP, SCHEDULE_COSINE, SCHEDULE_ONE_CYCLE };

struct schedule {
    enum schedule_kind kind;
    double lr_max;
    double lr_final; /* cosine, one-cycle: where it ends */
    double warmup; /* one-cycle: share of the run spent rising (0.3); others: linear warm-up share,
                      0 = none */
    double lr_start;      /* one-cycle: lr_max / 25 unless set */
    double step_factor;   /* step: multiply by this ... */
    double milestones[8]; /* ... at these shares of the run */
    int n_milestones;
};

/* Learning rate at step i of n (0-based). */
double schedule_lr(const struct schedule *s, int64_t step, int64_t n_steps);

#endif
