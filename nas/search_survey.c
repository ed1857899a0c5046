/* A survey of the space, then what its smoothed scores promise (nas/infill.h). */
#include "nas/infill.h"

static void survey_init(void *state, const struct space *s, const struct search_options *o,
                        struct arena *keep)
{
    infill_init(state, INFILL_SURVEY, s, o, keep);
}

const struct search search_survey = {
    .name = "survey",
    .help = "score and cost, for scores that err: three quarters of all at random, then what the "
            "smoothed scores of the whole space promise",
    .state_bytes = infill_state_bytes,
    .init = survey_init,
    .ask = infill_ask,
    .tell = infill_tell,
    .population = infill_population,
    .generation = infill_generation,
};
