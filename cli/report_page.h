/* report_page.h: the page of a run as HTML that is also well-formed XML; nothing is fetched, it
 * prints, it fits a phone. report_page.c is its text, report_style.c its looks. */
#ifndef CLI_REPORT_PAGE_H
#define CLI_REPORT_PAGE_H

#include "cli/report_data.h"
#include "cli/text.h"

/* Append the whole page. tmp: scratch, not a copy of out's arena. */
void report_page(struct text *out, const struct report_data *d, struct arena tmp);

#endif
