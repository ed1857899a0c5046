/*
 * tuner.h: hdnas bench --tune: every algorithm of every convolution, measured in turns, and a table
 * of the best ones for --tune-file (core/choice.h reads it). Another algorithm than hdnas's own
 * choice must be faster by more than the noise to be taken.
 */
#ifndef CLI_TUNER_H
#define CLI_TUNER_H

#include "cli/options.h"
#include "cli/problems.h"
#include "cli/timer.h"

/* Another algorithm is taken from this speed-up on; below it, times of two runs change places. */
#define TUNER_GAIN 1.03

/* Measure, print the table (CSV, or --json) and write it to --out. Problems other than convolutions
 * are passed over, and so is a shape that differs from an earlier one in its images only: a choice
 * is for any number of them. ERR_USAGE where none is left. keep: words of the table; tmp: as in
 * timer_problem. */
MUST_USE bool tuner_run(struct timer *t, const struct problems *problems, const struct options *o,
                        struct arena *keep, struct arena tmp, struct err *e);

#endif
