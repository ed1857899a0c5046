#include "nas/scores.h"

#include <stdio.h>
#include <string.h>

static const struct score *const table[] = {
    &score_rmi,
    &score_rmi_paper,
    &score_rmi_brief,
    &score_rmi_lite,
    &score_agg,
    &score_agg_rmi,
    &score_agg_lite,
    &score_static_params,
    &score_static_flops,
    &score_naswot,
    &score_synflow,
    &score_synflow_log,
    &score_saliency_snip,
    &score_saliency_grad_norm,
    &score_jacob_cov,
    &score_zico,
    &score_jacob_cov_epe,
    &score_ntk,
    &score_vkdnw,
    &score_az_expressivity,
    &score_az_progressivity,
    &score_az_trainability,
    &score_zen,
    &score_swap,
    &score_meco,
    &score_grasp,
    &score_fisher,
    &score_saliency_plain,
    &score_saliency_l2_norm,
};

int score_count(void)
{
    return (int)N_ELEMS(table);
}

const struct score *score_at(int i)
{
    ASSERT(i >= 0 && i < score_count());
    return table[i];
}

bool score_find(const struct score **out, const char *name, struct err *e)
{
    char known[512] = "";
    for (int i = 0; i < score_count(); i++) {
        if (strcmp(table[i]->name, name) == 0) {
            *out = table[i];
            return true;
        }
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", table[i]->name);
    }
    err_set(e, ERR_USAGE, "unknown score \"%.80s\"; known are %s", name, known);
    return err_hint(e, "hdnas info lists the scores with a line on each");
}
