/*
 * cmd.h: the contract of a command: a row of help and one function. Only commands print and choose exit codes: data on
 * stdout, talk on stderr.
 */
#ifndef CLI_CMD_H
#define CLI_CMD_H

#include "cli/options.h"
#include "core/arena.h"

struct cmd {
    const char *name;     /* "search" */
    const char *summary;  /* one line for hdnas --help */
    const char *usage;    /* "hdnas search [options]" */
    const char *examples; /* shown by hdnas CMD --help; one per line */
    const struct option_spec *options;
    int n_options;
    /* Options are parsed; args are what is left. The arena is the command's. False = e is filled. */
    bool (*run)(const struct options *o, struct arena *keep, struct err *e);
};

#endif
