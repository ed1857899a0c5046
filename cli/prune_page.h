/* prune_page.h: RUN/report.html of a `hdnas prune` run, from the files of its folder alone: one
 * page that fetches nothing. */
#ifndef CLI_PRUNE_PAGE_H
#define CLI_PRUNE_PAGE_H

#include "core/arena.h"

/* True for a folder that hdnas prune wrote. */
bool prune_page_is(const char *dir, struct arena tmp);

/* Write the page. ERR_INPUT names the file and line that cannot be understood. */
MUST_USE bool prune_page_make(const char *dir, struct arena tmp, struct err *e);

#endif
