/*
 * fresh.h: what a search has asked already, and architectures it has not. A small space may run
 * dry: after many random tries all of it is walked once, so "nothing left" is certain.
 */
#ifndef NAS_FRESH_H
#define NAS_FRESH_H

#include "nas/archmap.h"

struct fresh {
    const struct space *space;
    struct archmap asked;
    struct arch next; /* where the walk goes on; everything before it was asked */
    bool dry;         /* the walk is over */
};

void fresh_init(struct fresh *f, const struct space *space, struct arena *keep);

/* Remember a; false if it was there. */
bool fresh_add(struct fresh *f, const struct arch *a);

/* A random architecture never asked before, remembered; false when there is none (or, in a space
 * beyond walking, none was found). */
bool fresh_random(struct fresh *f, struct arch *a, struct rng *r);

#endif
