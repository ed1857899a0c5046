/* place.h: buffers with lifetimes share one block of memory. Inside nn only. */
#ifndef NN_PLACE_H
#define NN_PLACE_H

#include "core/arena.h"

struct place_buffer {
    size_t *at; /* where its offset goes */
    size_t bytes;
    int birth, death; /* first and last moment of use, both included */
};

struct place {
    struct place_buffer *buffers; /* [capacity] */
    int n, capacity;
    bool apart; /* no two share memory, whatever their lifetimes */
    int *order; /* [capacity] scratch of place_solve */
};

void place_init(struct place *p, struct arena *keep, int capacity);

/* A buffer that is in use from birth to death; *at is set by place_solve. */
void place_add(struct place *p, size_t *at, size_t bytes, int birth, int death);

/*
 * Give every buffer an offset (a multiple of ARENA_ALIGN) so that no two alive at the same moment
 * overlap; returns the bytes of the block. Largest first, each at the lowest free offset. O(n^2 log
 * n).
 */
size_t place_solve(struct place *p);

#endif
