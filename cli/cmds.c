#include "cli/cmds.h"

/* In the order of `hdnas --help`: what one does first comes first. */
static const struct cmd *const cmds[] = {
    &cmd_search,
    &cmd_score,
    &cmd_correlate,
    &cmd_train,
    &cmd_prune,
    &cmd_eval,
    &cmd_cost,
    &cmd_disentangle,
    &cmd_arch,
    &cmd_data,
    &cmd_report,
    &cmd_bench,
    &cmd_info,
};

int cmds_count(void)
{
    return (int)N_ELEMS(cmds);
}

const struct cmd *cmds_at(int i)
{
    ASSERT(i >= 0 && i < cmds_count());
    return cmds[i];
}
