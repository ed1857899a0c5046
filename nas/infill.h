/*
 * infill.h: searches that choose what to evaluate next by guesses, score up, cost down. The scores
 * of architectures not yet evaluated are guessed from those that were, and so are their costs where
 * they can only be measured; else they are asked for. The next generation are those that would add
 * most hypervolume to the front [Emmerich2006, in spirit]; each one chosen counts as if it were as
 * guessed when the next is chosen. A tenth is drawn at random. Scores enter by rank: their scale
 * does not matter. The functions are those of nas/search.h, for its rooms.
 */
#ifndef NAS_INFILL_H
#define NAS_INFILL_H

#include "nas/search.h"

enum infill_by {
    /* Exact scores: after a random first generation all are chosen, score at mean + sd
     * (nas/surrogate.h), so that what is unknown has a chance. */
    INFILL_SURROGATE,
    /* Scores that err: whoever goes by them finds their mistakes, and what he has seen by the way
     * no longer tells how scores spread. So three quarters of all are drawn at random; the front is
     * of smoothed scores (nas/smooth.h) and so are the guesses, of the whole space where it can be
     * walked. */
    INFILL_SURVEY
};

size_t infill_state_bytes(const struct space *s, const struct search_options *o);
void infill_init(void *state, enum infill_by by, const struct space *s,
                 const struct search_options *o, struct arena *keep);
int infill_ask(void *state, struct arch *out, int max);
void infill_tell(void *state, const struct arch *archs, const struct verdict *verdicts, int n);
int infill_population(const void *state, struct search_member *out, int max);
int infill_generation(const void *state);

#endif
