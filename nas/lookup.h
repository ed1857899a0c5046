/*
 * lookup.h: one column of a benchmark table as a function of the architecture: a CSV whose rows are
 * named by a column "index" (the space's own numbers), "arch" or "arch_ops" (its strings). Read and
 * checked whole, read-only after.
 */
#ifndef NAS_LOOKUP_H
#define NAS_LOOKUP_H

#include "nas/archmap.h"

struct lookup {
    const struct space *space;
    const char *path, *column;
    char sha256[65];
    double *by_index;       /* [space->size], NaN = no value; NULL in spaces beyond counting */
    struct archmap by_arch; /* those */
    int64_t n;              /* rows with a value */
};

/* Empty cells, "-", "nan", "na", "none", "null" and "-inf" are missing values. ERR_INPUT with path and line
 * for an index outside the space, a text that is no architecture, the same architecture twice, a
 * value that is no number; ERR_USAGE for a column that is not there. */
MUST_USE bool lookup_open(struct lookup *l, struct arena *keep, const struct space *space,
                          const char *path, const char *column, struct err *e);

/* NaN where the table has no value. */
double lookup_get(const struct lookup *l, const struct arch *a);

/* Split FILE[:COLUMN]; column is NULL without one. A file whose name has a colon is taken as it is
 * where it exists. */
void lookup_split(struct arena *keep, const char *spec, char **path, char **column);

#endif
