/* NSGA-II [Deb2002] with score and cost alone: what mo-hdnas is measured against. */
#include "nas/evolution.h"

static void nsga2_init(void *state, const struct space *s, const struct search_options *o,
                       struct arena *keep)
{
    evolution_init(state, s, o, false, keep);
}

const struct search search_nsga2 = {
    .name = "nsga2",
    .help = "two objectives: score and cost (NSGA-II)",
    .state_bytes = evolution_state_bytes,
    .init = nsga2_init,
    .ask = evolution_ask,
    .tell = evolution_tell,
    .population = evolution_population,
    .generation = evolution_generation,
};
