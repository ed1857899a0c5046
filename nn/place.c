#include "nn/place.h"

#include <stdlib.h>

/* Between buffers. Feature maps are powers of two long: without a gap equal pixels of all maps
 * would fall into the same sets of the caches, and a load would wait for a store 4 KiB multiples
 * away (training steps at batch 32: 2 to 8 %). */
static const size_t place_apart = 4096 + ARENA_ALIGN;

void place_init(struct place *p, struct arena *keep, int capacity)
{
    ASSERT(p && capacity >= 0);
    *p = (struct place){.capacity = capacity};
    p->buffers = arena_push(keep, (size_t)capacity, sizeof *p->buffers);
    p->order = arena_push(keep, (size_t)capacity, sizeof *p->order);
}

void place_add(struct place *p, size_t *at, size_t bytes, int birth, int death)
{
    ASSERT(p->n < p->capacity);
    ASSERT(birth <= death);
    *at = 0;
    p->buffers[p->n++] = (struct place_buffer){
        .at = at, .bytes = arena_round(bytes) + place_apart, .birth = birth, .death = death};
}

/* Largest first; of equals, the first added: a total order. */
static int by_size(const void *a, const void *b)
{
    const struct place_buffer *x = a, *y = b;
    if (x->bytes != y->bytes) {
        return x->bytes < y->bytes ? 1 : -1;
    }
    return x->birth != y->birth ? (x->birth < y->birth ? -1 : 1)
                                : (x->at < y->at ? -1 : x->at > y->at);
}

/* The lowest offset where b fits among the n placed buffers, visited by rising offset through
 * `order`. */
static size_t lowest_gap(const struct place *p, const struct place_buffer *b, int n)
{
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        const struct place_buffer *other = &p->buffers[p->order[i]];
        if (!p->apart && (other->death < b->birth || other->birth > b->death)) {
            continue;
        }
        if (*other->at >= at + b->bytes) {
            break;
        }
        at = MAX(at, *other->at + other->bytes);
    }
    return at;
}

size_t place_solve(struct place *p)
{
    size_t end = 0;
    qsort(p->buffers, (size_t)p->n, sizeof *p->buffers, by_size);
    for (int i = 0; i < p->n; i++) {
        struct place_buffer *b = &p->buffers[i];
        *b->at = lowest_gap(p, b, i);
        end = MAX(end, *b->at + b->bytes);
        int j = i;
        for (; j > 0 && *p->buffers[p->order[j - 1]].at > *b->at; j--) {
            p->order[j] = p->order[j - 1];
        }
        p->order[j] = i;
    }
    return end;
}
