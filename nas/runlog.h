/*
 * runlog.h: evals.csv, the memory of a run: one line per evaluation, flushed before the next
 * question. Reading it back gives the very numbers that were written.
 */
#ifndef NAS_RUNLOG_H
#define NAS_RUNLOG_H

#include "core/file.h"
#include "nas/space.h"
#include "nas/verdict.h"

struct runlog_row {
    int eval, generation; /* from 1 */
    struct arch arch;
    double score, cost; /* NaN = empty: there is none */
    double diversity;
    bool feasible, cached;
    double seconds;
};

/* Start a new log with its header, or (append) go on with one that runlog_read has read. */
MUST_USE bool runlog_open(struct file_log *log, const char *path, bool append, struct err *e);
MUST_USE bool runlog_write(struct file_log *log, const struct space *space,
                           const struct runlog_row *row, struct err *e);

/* Read every complete line; a line that was cut by a crash is removed from the file. */
MUST_USE bool runlog_read(struct runlog_row **rows, int *n, struct arena *keep,
                          const struct space *space, const char *path, struct err *e);

#endif
