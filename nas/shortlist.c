#include "nas/shortlist.h"

#include <math.h>
#include <stdlib.h>

#include "nas/front.h"
#include "nas/ranked.h"

/* rank[n] in [0, 1), 0 = the lowest value; equal values share the lowest of their places. */
static void ranks(double *rank, const double *value, int n, struct arena tmp)
{
    struct ranked *sorted = arena_push(&tmp, (size_t)n, sizeof *sorted);
    for (int i = 0; i < n; i++) {
        ASSERT(isfinite(value[i]));
        sorted[i] = (struct ranked){value[i], i};
    }
    ranked_sort(sorted, n);
    for (int i = 0, first = 0; i < n; i++) {
        first = sorted[i].value == sorted[first].value ? first : i;
        rank[sorted[i].i] = (double)first / n;
    }
}

/* Of points x[n, 2] (error, cost in [0, 1]) the hypervolume up to (1, 1) that point k would add to
 * the chosen ones, by a walk along the staircase: chosen[n_chosen] ascending cost. */
static double gain(const double *x, const int *chosen, int n_chosen, int k)
{
    double error = x[2 * k], cost = x[2 * k + 1], sum = 0, best = 1;
    for (int i = 0; i <= n_chosen; i++) {
        double next = i < n_chosen ? x[2 * chosen[i] + 1] : 1;
        if (next > cost) {
            sum += (next - cost) * fmax(0, best - error);
            cost = next;
        }
        best = i < n_chosen ? fmin(best, x[2 * chosen[i]]) : best;
    }
    return sum;
}

static void insert(int *chosen, int n, const double *x, int k)
{
    int at = n;
    for (; at > 0 && x[2 * chosen[at - 1] + 1] > x[2 * k + 1]; at--) {
        chosen[at] = chosen[at - 1];
    }
    chosen[at] = k;
}

/* Of the front's members idx[n] those that add most beside each other, want of them. */
static void choose_from(int *out, int n_out, int want, const double *x, int *idx, int n,
                        struct arena tmp)
{
    /* What earlier fronts have is no rival. */
    int *own = arena_push(&tmp, (size_t)want, sizeof *own);
    for (int n_own = 0; n_own < want; n_own++) {
        int best = -1;
        double most = -1;
        for (int i = 0; i < n; i++) {
            double g = idx[i] < 0 ? -1 : gain(x, own, n_own, idx[i]);
            if (g > most) {
                most = g;
                best = i;
            }
        }
        insert(own, n_own, x, idx[best]);
        insert(out, n_out + n_own, x, idx[best]);
        idx[best] = -1;
    }
}

int shortlist_choose(int *out, int n_out, const double *score, const double *cost, int n,
                     struct arena tmp)
{
    ASSERT(n >= 0 && n_out >= 0);
    size_t size = (size_t)n;
    double *x = arena_push(&tmp, size, 2 * sizeof *x), *rank = arena_push(&tmp, size, sizeof *rank);
    double *left = arena_push(&tmp, size, 2 * sizeof *left), low = INFINITY, high = -INFINITY;
    int *which = arena_push(&tmp, size, sizeof *which), *idx = arena_push(&tmp, size, sizeof *idx);
    ranks(rank, score, n, tmp);
    for (int i = 0; i < n; i++) {
        ASSERT(isfinite(cost[i]));
        low = fmin(low, cost[i]);
        high = fmax(high, cost[i]);
        which[i] = i;
    }
    for (int i = 0; i < n; i++) {
        x[2 * i] = 1 - rank[i];
        x[2 * i + 1] = high > low ? (cost[i] - low) / (high - low) : 0;
    }
    int n_chosen = 0, n_left = n;
    while (n_chosen < n_out && n_left > 0) {
        for (int i = 0; i < n_left; i++) {
            left[2 * i] = x[2 * which[i]];
            left[2 * i + 1] = x[2 * which[i] + 1];
        }
        int n_front = front_filter(idx, left, n_left, 2, true, tmp), n_kept = 0, at = 0;
        for (int i = 0; i < n_left; i++) {
            if (at < n_front && idx[at] == i) {
                idx[at++] = which[i];
            } else {
                which[n_kept++] = which[i];
            }
        }
        n_left = n_kept;
        int want = MIN(n_front, n_out - n_chosen);
        choose_from(out, n_chosen, want, x, idx, n_front, tmp);
        n_chosen += want;
    }
    return n_chosen;
}

size_t shortlist_bytes(int n)
{
    /* Here: 7 numbers a network and sorting; on a front: three points. All below 16. */
    return 16 * arena_round((size_t)n * sizeof(double)) + 4096;
}
