#include "nas/fresh.h"

/* Random tries before walking: with a 256th of the space left, all but 2 % of the calls end here.
 */
static const int max_tries = 1000;

/* Spaces up to this size are walked: a second at most. */
static const int64_t max_walk = 10000000;

void fresh_init(struct fresh *f, const struct space *space, struct arena *keep)
{
    *f = (struct fresh){.space = space};
    archmap_init(&f->asked, keep);
    f->dry = space->size < 0 || space->size > max_walk;
}

bool fresh_add(struct fresh *f, const struct arch *a)
{
    if (archmap_get(&f->asked, a)) {
        return false;
    }
    archmap_set(&f->asked, a, 0);
    return true;
}

bool fresh_random(struct fresh *f, struct arch *a, struct rng *r)
{
    for (int i = 0; i < max_tries; i++) {
        space_random(f->space, a, r);
        if (fresh_add(f, a)) {
            return true;
        }
    }
    while (!f->dry) {
        *a = f->next;
        f->dry = !space_next(f->space, &f->next);
        if (fresh_add(f, a)) {
            return true;
        }
    }
    return false;
}
