/*
 * constraint.h: limits of the hardware cost: --constraint 5ms or 2,3,3.5ms, read in the unit of the
 * device, and what a run answers to them.
 */
#ifndef CLI_CONSTRAINT_H
#define CLI_CONSTRAINT_H

#include "cli/json.h"
#include "nas/run.h"
#include "nas/truth.h"

enum { CONSTRAINT_MAX = 64 };

/* Numbers separated by commas, each with or without a unit; the last one's unit is that of those
 * without any, and none at all is the device's own. limit[CONSTRAINT_MAX] in `unit`, as they were
 * given. Prefixes are known (us, ms, s; uJ, mJ, J; kFLOP, MFLOP, GFLOP; k, M params). ERR_USAGE
 * otherwise. */
MUST_USE bool constraint_parse(double *limit, int *n, const char *text, const char *unit,
                               struct err *e);

/* The answer to a limit: the best score within, smoothed where the run's are. NULL where nothing
 * costs so little; the front is never empty, and its first member is then the least violating. */
const struct run_member *constraint_best(const struct run_result *result, double limit);

/* What all of it is told with. */
struct constraint_report {
    const struct run_config *config; /* constraints and space */
    const struct run_result *result;
    const struct cost *cost;
    const struct truth *truth; /* NULL, or priced: regret against the exact optimum is told */
};

/* "best": [...], one object a limit. */
void constraint_json(const struct constraint_report *r, struct json *j);

/* A table, and the mean regret where it is known. */
void constraint_print(const struct constraint_report *r, struct arena tmp, FILE *f);

/* ERR_INFEASIBLE where none of the limits was met; it names the least violating network. */
MUST_USE bool constraint_met(const struct constraint_report *r, struct err *e);

#endif
