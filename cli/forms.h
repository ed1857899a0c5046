/* forms.h: what hdnas bench --list prints: the forms of problems, the usual ones, every kernel with
 * its tiers, and the algorithms of convolutions. */
#ifndef CLI_FORMS_H
#define CLI_FORMS_H

#include "cli/options.h"

/* As text, whose lines other than problems begin with #, or as JSON. */
void forms_print(const struct options *o, struct arena *keep);

#endif
