/* scores.h: the rooms behind nas/score.h, as nas/scores.c lists them. */
#ifndef NAS_SCORES_H
#define NAS_SCORES_H

#include "nas/score.h"

extern const struct score score_agg, score_agg_rmi, score_agg_lite;
extern const struct score score_rmi, score_rmi_paper, score_rmi_brief, score_rmi_lite;
extern const struct score score_static_params, score_static_flops;
extern const struct score score_naswot, score_synflow, score_synflow_log, score_jacob_cov, score_zico;
extern const struct score score_saliency_snip, score_saliency_grad_norm, score_saliency_plain, score_saliency_l2_norm;
extern const struct score score_az_expressivity, score_az_progressivity, score_az_trainability;
extern const struct score score_jacob_cov_epe, score_ntk, score_vkdnw;
extern const struct score score_grasp, score_fisher, score_zen, score_swap, score_meco;

#endif
