/* MO-HDNAS [Sinha2024]: score up, cost down, cost diversity up, by NSGA-II. */
#include "nas/evolution.h"

static void mo_hdnas_init(void *state, const struct space *s, const struct search_options *o,
                          struct arena *keep)
{
    evolution_init(state, s, o, true, keep);
}

const struct search search_mo_hdnas = {
    .name = "mo-hdnas",
    .help = "three objectives: score, cost and diversity of cost (NSGA-II)",
    .state_bytes = evolution_state_bytes,
    .init = mo_hdnas_init,
    .ask = evolution_ask,
    .tell = evolution_tell,
    .population = evolution_population,
    .generation = evolution_generation,
};
