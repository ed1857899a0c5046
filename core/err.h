/*
 * err.h: what went wrong in the world (files, options, formats), in one sentence with path, offset,
 * expected and found. Functions that can meet the world return MUST_USE bool and fill a `struct
 * err` when they return false. Nothing here prints or exits: only cli/ does.
 */
#ifndef CORE_ERR_H
#define CORE_ERR_H

#include "core/base.h"

/* Each code is the exit code of the program. */
enum err_code {
    ERR_NONE = 0,
    ERR_FAILED = 1,      /* the system said no: disk full, out of memory, a peer did not answer */
    ERR_USAGE = 2,       /* a wrong option or argument */
    ERR_INPUT = 3,       /* a file or a value in it is bad */
    ERR_INFEASIBLE = 4,  /* nothing satisfies the constraints */
    ERR_INTERRUPTED = 5, /* stopped by a signal, state is on disk */
};

struct err {
    enum err_code code;
    char text[480]; /* one sentence, no newline, no full stop at the end */
    char hint[160]; /* what to try next; may be empty */
};

/* Fill e and return false, so that `return err_set(e, ...)` reads well. A long text is cut, never
 * overrun. */
bool err_set(struct err *e, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Put words before the text ("reading weights: ..."); keeps the code; returns false. */
bool err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Set the hint; returns false. */
bool err_hint(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
