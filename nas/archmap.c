#include "nas/archmap.h"

#include <string.h>

enum { FIRST_CAP = 256 };

size_t archmap_bytes(int n)
{
    /* A table is less than half full, so the last has at most four places an entry; those before it
     * are half of the next. */
    return arena_round(2 * (4 * (size_t)n + FIRST_CAP) * sizeof(struct archmap_entry));
}

void archmap_init(struct archmap *map, struct arena *keep)
{
    *map = (struct archmap){.keep = keep, .cap = FIRST_CAP};
    map->entries = arena_push_zero(keep, map->cap, sizeof *map->entries);
}

/* FNV-1a over the genes. */
static size_t archmap_hash(const struct arch *a)
{
    uint64_t h = 14695981039346656037u;
    for (int i = 0; i < SPACE_MAX_GENES; i++) {
        h = (h ^ a->gene[i]) * 1099511628211u;
    }
    return (size_t)(h ^ h >> 32);
}

static struct archmap_entry *archmap_slot(const struct archmap *map, const struct arch *a)
{
    size_t i = archmap_hash(a) & (map->cap - 1);
    while (map->entries[i].used && memcmp(&map->entries[i].arch, a, sizeof *a) != 0) {
        i = (i + 1) & (map->cap - 1);
    }
    return &map->entries[i];
}

double *archmap_get(const struct archmap *map, const struct arch *a)
{
    struct archmap_entry *slot = archmap_slot(map, a);
    return slot->used ? &slot->value : NULL;
}

void archmap_set(struct archmap *map, const struct arch *a, double value)
{
    if (2 * (map->n + 1) > map->cap) {
        struct archmap old = *map;
        map->cap *= 2;
        map->entries = arena_push_zero(map->keep, map->cap, sizeof *map->entries);
        for (size_t i = 0; i < old.cap; i++) {
            if (old.entries[i].used) {
                *archmap_slot(map, &old.entries[i].arch) = old.entries[i];
            }
        }
    }
    struct archmap_entry *slot = archmap_slot(map, a);
    map->n += !slot->used;
    *slot = (struct archmap_entry){.arch = *a, .value = value, .used = true};
}
