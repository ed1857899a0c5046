#include "nas/workload.h"

#include "core/threads.h"

/* Turns at the end that go by length, for each worker: more than a generation's for two. */
enum { SORTED_PER_WORKER = 16 };

/* Longest first; equal ones by index: a total order. */
static void sort_turns(const struct workload *w, int first)
{
    for (int i = first + 1; i < w->n; i++) {
        int item = w->turns[i], at = i;
        for (; at > first && w->items[w->turns[at - 1]].length < w->items[item].length; at--) {
            w->turns[at] = w->turns[at - 1];
        }
        w->turns[at] = item;
    }
}

size_t workload_plan_bytes(int n, int n_workers)
{
    return arena_round((size_t)n * sizeof(int)) + arena_round((size_t)n * sizeof(bool)) +
           arena_round((size_t)n_workers * sizeof(struct workload_slot));
}

void workload_init(struct workload *w, struct arena *keep, const struct workload_item *items, int n,
                   int n_workers, size_t cap)
{
    ASSERT(n >= 0 && n_workers > 0);
    *w = (struct workload){.items = items, .n = n, .n_workers = n_workers, .cap = cap};
    w->turns = arena_push(keep, (size_t)n, sizeof *w->turns);
    w->begun = arena_push_zero(keep, (size_t)n, sizeof *w->begun);
    w->slots = arena_push_zero(keep, (size_t)n_workers, sizeof *w->slots);
    for (int i = 0; i < n; i++) {
        w->turns[i] = i;
    }
    /* Those with nothing to compute are not counted. */
    int first = n;
    for (int long_ones = 0; first > 0 && long_ones < SORTED_PER_WORKER * n_workers; first--) {
        long_ones += items[first - 1].length > 0;
    }
    sort_turns(w, first);
}

/* Is [at, at + bytes) free of all slots? *next: where the one in the way ends, *before: where it
 * begins. */
static bool is_free(const struct workload *w, size_t at, size_t bytes, size_t *next, size_t *before)
{
    for (int i = 0; i < w->n_workers; i++) {
        const struct workload_slot *s = &w->slots[i];
        if (s->bytes > 0 && at < s->at + s->bytes && s->at < at + bytes) {
            *next = s->at + s->bytes;
            *before = s->at;
            return false;
        }
    }
    return true;
}

/* Even workers from the low end, odd ones from the high end: two never leave a gap between them. */
static bool find_place(const struct workload *w, int worker, size_t bytes, size_t *at)
{
    size_t next = 0, before = 0;
    if (bytes > w->cap) {
        return false;
    }
    *at = worker % 2 == 0 ? 0 : w->cap - bytes;
    while (!is_free(w, *at, bytes, &next, &before)) {
        if (worker % 2 == 0 ? next + bytes > w->cap : before < bytes) {
            return false;
        }
        *at = worker % 2 == 0 ? next : before - bytes;
    }
    return true;
}

int workload_claim(struct workload *w, int worker)
{
    struct workload_slot *slot = &w->slots[worker];
    *slot = (struct workload_slot){0};
    for (; w->n_first < w->n && w->begun[w->n_first]; w->n_first++) {
    }
    for (int i = w->n_first; i < w->n; i++) {
        const struct workload_item *item = &w->items[w->turns[i]];
        size_t bytes = item->bytes <= w->cap ? arena_round(item->bytes) : 0, at = 0;
        if (!w->begun[i] && (bytes == 0 || find_place(w, worker, bytes, &at))) {
            w->begun[i] = true;
            *slot = (struct workload_slot){at, bytes};
            return w->turns[i];
        }
    }
    return w->n_first < w->n ? THREADS_WAIT : THREADS_NONE;
}

struct arena workload_arena(const struct workload *w, const struct arena *range, int worker)
{
    const struct workload_slot *slot = &w->slots[worker];
    ASSERT(range->cap >= w->cap);
    return (struct arena){.base = range->base + slot->at, .cap = slot->bytes, .n_left = -1};
}
