/* archlist.h: architectures named on the command line, or one a line on standard input where none
 * is. */
#ifndef CLI_ARCHLIST_H
#define CLI_ARCHLIST_H

#include "cli/options.h"
#include "core/arena.h"
#include "nas/space.h"

/* ERR_USAGE without any; ERR_INPUT names the line of standard input. "-" as the only argument is
 * standard input. */
MUST_USE bool archlist_read(struct arch **archs, int *n, struct arena *keep,
                            const struct space *space, const struct options *o, struct err *e);

#endif
