/* verdict.h: what is known of one architecture after its evaluation. A result, not an error: the
 * search goes on. */
#ifndef NAS_VERDICT_H
#define NAS_VERDICT_H

#include "core/base.h"

enum verdict_status {
    VERDICT_OK,
    VERDICT_DISCONNECTED, /* the output does not depend on the input */
    VERDICT_UNSUPPORTED,  /* the device cannot run it: no cost */
    VERDICT_DIVERGED,     /* its score is not a number */
    VERDICT_OVER_BUDGET,  /* it needs more memory than allowed */
};

struct verdict {
    enum verdict_status status; /* anything but OK is infeasible */
    double score; /* higher is better; finite where status is OK, else the worst seen: -DBL_MAX */
    double cost;  /* lower is better; +DBL_MAX where there is none */
    double violation; /* >= 0; how far from feasible, for constraint handling; 0 = feasible */
    double seconds;   /* time it took; never part of a result */
};

#endif
