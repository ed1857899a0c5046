/*
 * questions.h: one round of questions of a search. They may be handed out in parts, and verdicts
 * come back in parts, without any effect on what is asked next.
 */
#ifndef NAS_QUESTIONS_H
#define NAS_QUESTIONS_H

#include "nas/search.h"

struct questions {
    struct arch *archs;       /* [cap] */
    struct verdict *verdicts; /* [cap] */
    int n, n_given, n_told, cap;
};

void questions_init(struct questions *q, int cap, struct arena *keep);

/* Forget the round. */
void questions_reset(struct questions *q);

void questions_add(struct questions *q, const struct arch *a);

/* True while verdicts are missing. */
bool questions_open(const struct questions *q);

/* For search.ask and search.tell. The verdicts of all that was given must be told before more is
 * asked. */
int questions_give(struct questions *q, struct arch *out, int max);
void questions_tell(struct questions *q, const struct arch *archs, const struct verdict *verdicts,
                    int n);

/* How a search sees a verdict: 0 = feasible; infeasible ones always have some violation, even where
 * nobody said how much. */
double questions_violation(const struct verdict *v);

#endif
