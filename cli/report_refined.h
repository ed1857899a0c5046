/* report_refined.h: the section of a run's page about the networks of its shortlist that were
 * trained a little: the front by what was measured, beside the score. */
#ifndef CLI_REPORT_REFINED_H
#define CLI_REPORT_REFINED_H

#include "cli/report_data.h"
#include "cli/text.h"

/* Read RUN/refined.csv. */
MUST_USE bool report_refined_read(struct report_data *d, struct arena *keep, struct err *e);

/* Append the section; nothing where nothing was trained. */
void report_refined(struct text *out, const struct report_data *d);

#endif
