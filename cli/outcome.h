/* outcome.h: what hdnas search tells when it is over: tables on standard output or JSON,
 * RUN/summary.json, RUN/truth.csv and the page. */
#ifndef CLI_OUTCOME_H
#define CLI_OUTCOME_H

#include "cli/refine.h"

/* ERR_INFEASIBLE where none of the limits was met; everything is told and written all the same. */
MUST_USE bool outcome_tell(struct session *s, const struct run_result *result,
                           const struct refine_result *refined, struct err *e);

#endif
