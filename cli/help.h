/* help.h: what --help prints, from the tables of commands and options: nothing is told twice. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/cmd.h"

#include <stdio.h>

/* hdnas --help: what it is for, the commands, how to begin, exit codes, environment. */
void help_program(FILE *f);

/* hdnas CMD --help: usage, what it does, options with defaults, examples, exit codes. */
void help_command(FILE *f, const struct cmd *cmd);

#endif
