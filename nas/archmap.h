/* archmap.h: a hash table from architectures to numbers. Grows in its arena; entries are never
 * removed. */
#ifndef NAS_ARCHMAP_H
#define NAS_ARCHMAP_H

#include "core/arena.h"
#include "nas/space.h"

struct archmap_entry {
    struct arch arch;
    double value;
    bool used;
};

struct archmap {
    struct arena *keep;
    struct archmap_entry *entries; /* [cap], open addressing, cap a power of two */
    size_t cap, n;
};

void archmap_init(struct archmap *map, struct arena *keep);

/* What keep must have for n entries, the tables outgrown by the way included. */
size_t archmap_bytes(int n);

/* The value's place, or NULL. Valid until the next archmap_set. */
double *archmap_get(const struct archmap *map, const struct arch *a);

void archmap_set(struct archmap *map, const struct arch *a, double value);

#endif
