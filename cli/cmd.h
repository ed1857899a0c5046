/*
 * cmd.h: the contract of a command: a row of help and one function. Rooms cli/cmd_*.c, table
 * cli/cmds.c, names cli/cmds.h. Only commands print: data on stdout, talk on stderr. The code of
 * the error is the exit code.
 */
#ifndef CLI_CMD_H
#define CLI_CMD_H

#include "cli/options.h"
#include "core/arena.h"

struct cmd {
    const char *name;    /* "search" */
    const char *summary; /* one line for hdnas --help */
    const char *usage;   /* "hdnas search [options]" */
    const char *about;   /* what it is for and what it writes; paragraphs are filled, NULL = none */
    const char *examples; /* shown by hdnas CMD --help; one per line */
    const struct option_spec *options;
    int n_options;
    bool light; /* has no parallel loop: starts without telling the threads how to wait */
    /* Options are parsed; args are what is left. The arena is the command's. False = e is filled.
     */
    bool (*run)(const struct options *o, struct arena *keep, struct err *e);
};

#endif
