/* scores.h: the rooms behind nas/score.h, as nas/scores.c lists them. */
#ifndef NAS_SCORES_H
#define NAS_SCORES_H

#include "nas/score.h"

extern const struct score score_rmi, score_rmi_paper;
extern const struct score score_static_params, score_static_flops;

#endif
