/*
 * tar.h: a few named files out of a gzipped tar archive (ustar and what GNU and pax tar make of
 * it). Sizes are capped, names are compared and never used as paths.
 */
#ifndef DATA_TAR_H
#define DATA_TAR_H

#include "core/arena.h"

struct tar_member {
    const char *name; /* the part after the last slash */
    size_t max_bytes;
    unsigned char *bytes; /* out: in the arena */
    size_t n;             /* out */
};

/* Read all members into memory. ERR_INPUT where one is missing, there twice or too long, and where
 * the archive is damaged or cut off. */
MUST_USE bool tar_read_gz(const char *path, struct tar_member *members, int n_members,
                          struct arena *keep, struct err *e);

#endif
