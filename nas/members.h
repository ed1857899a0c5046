/* members.h: populations of searches that do not rank for themselves: chi and front of each member.
 */
#ifndef NAS_MEMBERS_H
#define NAS_MEMBERS_H

#include "nas/search.h"

/* Fill diversity (chi over the feasible ones [Sinha2024]) and rank (fronts of score and cost,
 * infeasible last). */
void members_rate(struct search_member *members, int n, struct arena tmp);

size_t members_scratch_bytes(int n);

#endif
