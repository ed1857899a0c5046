/*
 * pool.h: scores that several runs share. A score does not depend on the device, the search or its
 * seed of draws, so what one run has computed the next need not compute again. A text file: a first
 * line, the settings that the scores were made with, one "name value" a line, the line
 * "arch,score,seconds", then a line a network. Another setting is refused.
 *
 * Several processes may use one file at a time: each line is added under a lock, and what others
 * have added since is read in between (pool_refresh).
 */
#ifndef NAS_POOL_H
#define NAS_POOL_H

#include "core/file.h"
#include "nas/archmap.h"

enum { POOL_MAX_SETTINGS = 32 };

/* A line of the head. Neither has a line break; name has no space. */
struct pool_setting {
    const char *name, *value;
};

struct pool {
    const struct space *space;
    const struct pool_setting *settings; /* [n_settings] not owned */
    int n_settings;
    struct arena known, scratch; /* of its own: a file may be larger than a small --memory */
    struct archmap scores;       /* NaN = the network has no score */
    struct file_log log;         /* fd -1 = closed */
    size_t n_read, n_lines;      /* bytes and lines of the file that are known */
};

/* Open or begin the file. ERR_USAGE when its settings are others, ERR_INPUT with path and line when
 * it is no pool. A last line that a crash has cut is removed. Close it in every case. */
MUST_USE bool pool_open(struct pool *p, const struct space *space, const char *path,
                        const struct pool_setting *settings, int n_settings, struct err *e);

/* Safe on a pool filled with zeros. */
void pool_close(struct pool *p);

/* Read what other processes have added. Cheap when there is nothing. */
MUST_USE bool pool_refresh(struct pool *p, struct err *e);

/* Whether the score is known, NaN included. */
bool pool_get(const struct pool *p, const struct arch *a, double *score);

/* Remember a score and write its line; nothing to do where it is known. */
MUST_USE bool pool_add(struct pool *p, const struct arch *a, double score, double seconds,
                       struct err *e);

#endif
