/*
 * progress.h: one line on a terminal that tells how far a long job is: bar, count, rate, time left,
 * best so far. On a pipe, with --quiet or with TERM=dumb it says nothing. Redrawn at most ten times
 * a second.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "core/base.h"

#include <stdio.h>

struct progress {
    FILE *f;           /* NULL = silent */
    const char *label; /* "search" */
    const char *unit;  /* "evaluations" */
    int64_t first;     /* done before this job began (a resumed run): not counted in the rate */
    int64_t n;         /* in all; 0 = not known */
    double start_s, shown_s;
    bool visible; /* a line stands on the terminal */
};

/* label, unit: not owned. quiet: as options.quiet. */
void progress_open(struct progress *p, const char *label, const char *unit, int64_t first,
                   int64_t n, bool quiet);

/* done: how many by now. note: "best 2.713", NULL = none. Not from several threads at once. */
void progress_show(struct progress *p, int64_t done, const char *note);

/* Take the line away, so that something else can be printed; the next progress_show puts it back.
 */
void progress_clear(struct progress *p);

/* The same for good. */
void progress_close(struct progress *p);

/* "1:05", "2:03:04", "3.2 s": a time for people. */
void progress_time(char *buf, size_t len, double seconds);

#endif
