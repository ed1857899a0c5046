/* Surrogate-assisted search: guesses at exact scores choose what to evaluate (nas/infill.h). */
#include "nas/infill.h"

static void surrogate_init(void *state, const struct space *s, const struct search_options *o,
                           struct arena *keep)
{
    infill_init(state, INFILL_SURROGATE, s, o, keep);
}

const struct search search_surrogate = {
    .name = "surrogate",
    .help = "score and cost, asking what guesses of scores from the rest promise most",
    .state_bytes = infill_state_bytes,
    .init = surrogate_init,
    .ask = infill_ask,
    .tell = infill_tell,
    .population = infill_population,
    .generation = infill_generation,
};
