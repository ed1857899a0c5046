/*
 * fetch.h: public data sets from their official addresses. A file counts only once its checksum is
 * right, and nothing is put in place before every file of the set is.
 */
#ifndef DATA_FETCH_H
#define DATA_FETCH_H

#include "core/arena.h"

enum { FETCH_MAX_FILES = 6 };

/* A file to download. */
struct fetch_file {
    const char *name;     /* after the base address, and in the folder */
    const char *checksum; /* hex: 32 digits are MD5, 64 are SHA-256 */
};

/* A file inside an archive. */
struct fetch_member {
    const char *name;
    size_t max_bytes;
    const char *checksum; /* NULL = not known; the archive's has been verified anyhow */
};

struct fetch_set {
    const char *name;                         /* "cifar10": also the format of its SPEC */
    const char *bases[3];                     /* addresses, tried in turn; each ends in a slash */
    struct fetch_file files[FETCH_MAX_FILES]; /* name NULL ends */
    struct fetch_member
        members[FETCH_MAX_FILES]; /* if any: files[0] is a .tar.gz that holds them */
};

/* The sets that can be fetched: i = 0 .. fetch_sets_count()-1. */
int fetch_sets_count(void);
const struct fetch_set *fetch_sets_at(int i);

/* ERR_USAGE names the known ones. */
MUST_USE bool fetch_sets_find(const struct fetch_set **set, const char *name, struct err *e);

struct fetch_options {
    const char *dir;  /* where to; made if it is not there */
    const char *base; /* instead of the official addresses; NULL = those */
    /* Called a few times a second; total 0 = not known. False stops the download. NULL = none. */
    bool (*progress)(void *ctx, const char *file, size_t n_done, size_t n_total);
    void *ctx;
    int timeout_s; /* without a byte; 0 = 60 */
};

/*
 * Download what is not yet there with the right checksum, verify, put in place. A broken download
 * leaves a .part file that the next try goes on from; a wrong checksum leaves nothing. ERR_FAILED
 * where the network or the disk says no, ERR_INPUT for a wrong checksum or a bad archive,
 * ERR_INTERRUPTED where progress said stop.
 */
MUST_USE bool fetch_run(const struct fetch_set *set, const struct fetch_options *options,
                        struct arena tmp, struct err *e);

#endif
