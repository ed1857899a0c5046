/*
 * correlate_values.h: scores of many architectures, one score after the other, each value kept in
 * DIR/values.csv as it comes: the same command goes on after an interruption. Isomorphic
 * architectures share a value, unless they are to be scored as given.
 */
#ifndef CLI_CORRELATE_VALUES_H
#define CLI_CORRELATE_VALUES_H

#include "cli/correlate.h"
#include "cli/judge.h"
#include "cli/progress.h"
#include "core/file.h"
#include "nas/archmap.h"

enum { CORRELATE_VALUES_WORKERS = 256 };

struct correlate_values {
    const struct options *o;
    struct arena *keep;
    struct machine mc;
    const struct space *space;
    const struct arch *archs; /* [n] not owned */
    int n;
    struct arch *classes; /* [n_classes] canonical ones that depend on their input, each once */
    int n_classes;
    struct judge judge;   /* of the score at work */
    struct archmap known; /* values of the score at work */
    double seconds;       /* of the score at work, all its evaluations */
    int n_timed;          /* how many they were */
    int *todo;            /* [n_todo] into classes */
    int n_todo;
    double *value, *took; /* [n_todo] */
    struct err *errors;   /* [n_todo] */
    struct file_log log;  /* values.csv; fd -1 without --out */
    struct err log_err;
    struct progress progress;
    struct arena workers[CORRELATE_VALUES_WORKERS];
};

/* For archs[n] (not copied), by the options of hdnas correlate. ERR_USAGE where --out holds values
 * made with other settings. v is filled with zeros before; close it in every case. */
MUST_USE bool correlate_values_open(struct correlate_values *v, const struct options *o,
                                    struct arena *keep, const struct machine *mc,
                                    const struct space *space, const struct arch *archs, int n,
                                    struct err *e);
void correlate_values_close(struct correlate_values *v);

/* Fill the column of that name: NaN where the score has no number or the output ignores the input.
 * ERR_INTERRUPTED after a signal. */
MUST_USE bool correlate_values_score(struct correlate_values *v, struct correlate_column *column,
                                     struct err *e);

#endif
