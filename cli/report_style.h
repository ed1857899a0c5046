/* report_style.h: the looks of a run's page: a style sheet, and the few lines of script that sort
 * its table. */
#ifndef CLI_REPORT_STYLE_H
#define CLI_REPORT_STYLE_H

#include "cli/text.h"

/* The content of the style element: the page, and what its charts need. */
void report_style(struct text *out);

/* The content of the script element. Without it the page only cannot sort. */
void report_style_script(struct text *out);

#endif
