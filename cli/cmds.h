/* cmds.h: the commands, by name. A new one is a file cli/cmd_NAME.c, a line here and a row in
 * cli/main.c. */
#ifndef CLI_CMDS_H
#define CLI_CMDS_H

#include "cli/cmd.h"

extern const struct cmd cmd_search, cmd_score, cmd_train, cmd_eval, cmd_cost, cmd_arch, cmd_bench,
    cmd_data, cmd_report, cmd_info, cmd_correlate, cmd_disentangle, cmd_prune;

/* The table, in the order of `hdnas --help` (cli/cmds.c). */
int cmds_count(void);
const struct cmd *cmds_at(int i);

#endif
