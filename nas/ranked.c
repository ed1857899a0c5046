#include "nas/ranked.h"

#include <math.h>
#include <stdlib.h>

static int ranked_compare(const void *pa, const void *pb)
{
    const struct ranked *a = pa, *b = pb;
    if (a->value != b->value) {
        return a->value < b->value ? -1 : 1;
    }
    return (a->i > b->i) - (a->i < b->i);
}

void ranked_sort(struct ranked *sorted, int n)
{
    for (int i = 0; i < n; i++) {
        ASSERT(!isnan(sorted[i].value));
    }
    qsort(sorted, (size_t)n, sizeof *sorted, ranked_compare);
}

void ranked_mid(double *rank, const double *value, int n, struct arena tmp)
{
    struct ranked *sorted = arena_push(&tmp, (size_t)n, sizeof *sorted);
    for (int i = 0; i < n; i++) {
        sorted[i] = (struct ranked){value[i], i};
    }
    ranked_sort(sorted, n);
    for (int first = 0; first < n;) {
        int last = first;
        while (last < n && sorted[last].value == sorted[first].value) {
            last++;
        }
        for (int i = first; i < last; i++) {
            rank[sorted[i].i] = 0.5 * (first + last - 1);
        }
        first = last;
    }
}
