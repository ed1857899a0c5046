/* cost_fit.h: hdnas cost --fit FILE: learn a device's costs from some architectures drawn at
 * random, tell how good the predictions are, and keep the predictor in a file. */
#ifndef CLI_COST_FIT_H
#define CLI_COST_FIT_H

#include "cli/options.h"
#include "nas/cost.h"

/* Options of hdnas cost. */
/* clang-format off: one row an option */
#define COST_FIT_OPTIONS \
    {"fit", OPTION_TEXT, "FILE", NULL, \
     "learn to predict the device from --sample architectures and add it to this file instead", \
     0, 0}, \
    {"sample", OPTION_INT, "N", "100", "architectures drawn for --fit", 3, 100000}, \
    {"name", OPTION_TEXT, "NAME", NULL, "what --fit calls the device (default: its own name)", 0, 0}
/* clang-format on */

/* Prices are asked one after the other. ERR_INFEASIBLE where the device runs too few. */
MUST_USE bool cost_fit(const struct options *o, const struct cost *c, const struct space *space,
                       struct arena *keep, struct err *e);

#endif
