/* problems.h: lists of benchmark problems: from arguments, files and standard input, and out of
 * networks. */
#ifndef CLI_PROBLEMS_H
#define CLI_PROBLEMS_H

#include "cli/json.h"
#include "cli/options.h"

struct problems {
    struct arena *keep;
    const char **list; /* [n] */
    int n, cap;
};

/* What is measured where no problem is named: the convolutions and steps that scoring on
 * NAS-Bench-201 spends its time in. */
int problems_usual_count(void);
const char *problems_usual(int i);

/* Arguments: problems, files of problems (one a line, # begins a comment), - for standard input;
 * none: the usual ones. ERR_USAGE where there is none at all. */
MUST_USE bool problems_gather(struct problems *p, const struct options *o, struct arena *keep,
                              struct err *e);

/* The distinct convolutions, transposed ones and linear layers of the networks that the arguments
 * name, in the order they come, for so many images of --image. */
MUST_USE bool problems_of_nets(struct problems *p, const struct options *o, int n_images,
                               struct arena *keep, struct err *e);

#endif
