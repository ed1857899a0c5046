/* report_config.h: the section of a run's page that says how it was made: the command and
 * config.json. */
#ifndef CLI_REPORT_CONFIG_H
#define CLI_REPORT_CONFIG_H

#include "cli/report_data.h"
#include "cli/text.h"

/* Append the section. Nested values beyond the second level are shown as JSON. */
void report_config(struct text *out, const struct report_data *d, struct arena tmp);

#endif
