/*
 * session.h: one run of hdnas search, from its options to everything that nas/run.h wants: the
 * folder, the machine, what candidates are judged by, their cost, the truth they are judged
 * against, and config.json.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/constraint.h"
#include "cli/judge.h"
#include "cli/progress.h"
#include "nas/lookup.h"
#include "nas/run.h"
#include "nas/truth.h"

struct session {
    const struct options *o;
    struct options resumed; /* the options of the run that is gone on with */
    struct arena *keep;
    const char *dir;
    bool resume;
    struct machine mc;
    struct judge judge;
    struct lookup scores; /* --score table:FILE:COLUMN; no space without it */
    struct pool pool;     /* closed without --pool */
    struct cost cost;
    struct truth truth;
    bool has_truth;
    double limits[CONSTRAINT_MAX];
    struct run_config config;
    struct progress progress;
};

/* Everything but the search itself; a new run's folder is made and config.json written. Close it in
 * every case. ERR_USAGE where options contradict each other or the run that is resumed. */
MUST_USE bool session_open(struct session *s, const struct options *o, struct arena *keep,
                           struct err *e);
void session_close(struct session *s);

#endif
