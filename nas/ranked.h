/* ranked.h: numbers in order, and where each of them stood. */
#ifndef NAS_RANKED_H
#define NAS_RANKED_H

#include "core/arena.h"

struct ranked {
    double value;
    int i;
};

/* Ascending; equal values keep the order of i. No value may be NaN. O(n log n). */
void ranked_sort(struct ranked *sorted, int n);

/* rank[n] of value[n], 0 = the lowest; equal values share the mean of their places. */
void ranked_mid(double *rank, const double *value, int n, struct arena tmp);

#endif
