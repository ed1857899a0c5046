/* report_limits.h: the section of a run's page about the limits of the cost that were asked for: how
 * many of the evaluated networks keep each, the best within, and how far that is from the optimum. */
#ifndef CLI_REPORT_LIMITS_H
#define CLI_REPORT_LIMITS_H

#include "cli/report_data.h"
#include "cli/text.h"

/* Append the section; nothing without limits. tmp: scratch, not a copy of out's arena. */
void report_limits(struct text *out, const struct report_data *d, struct arena tmp);

#endif
