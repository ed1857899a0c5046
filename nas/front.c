#include "nas/front.h"

#include "nas/ranked.h"

#include <math.h>
#include <stdlib.h>

bool front_dominates(const double *a, const double *b, int n_obj)
{
    bool better = false;
    for (int k = 0; k < n_obj; k++) {
        if (a[k] > b[k]) {
            return false;
        }
        better = better || a[k] < b[k];
    }
    return better;
}

bool front_dominates_constrained(const double *a, double violation_a, const double *b,
                                 double violation_b, int n_obj)
{
    if (violation_a > 0 || violation_b > 0) {
        return violation_a < violation_b;
    }
    return front_dominates(a, b, n_obj);
}

static void front_assert_numbers(const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ASSERT(!isnan(x[i]));
    }
}

/* Of the individuals of one sort: does i beat j. */
struct contest {
    const double *obj, *violation;
    int n_obj;
};

static bool contest_won(const struct contest *c, int i, int j)
{
    const double *a = c->obj + (size_t)i * (size_t)c->n_obj,
                 *b = c->obj + (size_t)j * (size_t)c->n_obj;
    if (!c->violation) {
        return front_dominates(a, b, c->n_obj);
    }
    return front_dominates_constrained(a, c->violation[i], b, c->violation[j], c->n_obj);
}

int front_sort(int *rank, const double *obj, const double *violation, int n, int n_obj,
               struct arena tmp)
{
    ASSERT(n >= 0 && n_obj >= 1);
    front_assert_numbers(obj, (size_t)n * (size_t)n_obj);
    if (violation) {
        front_assert_numbers(violation, (size_t)n);
    }
    struct contest contest = {obj, violation, n_obj};
    /* n_above[i]: how many not yet ranked beat i. Taking a front away lowers it; at 0 it is i's
     * turn. */
    int *n_above = arena_push_zero(&tmp, (size_t)n, sizeof *n_above);
    int *order = arena_push(&tmp, (size_t)n, sizeof *order); /* ranked ones, front by front */
    for (int i = 0; i < n; i++) {
        rank[i] = -1;
        for (int j = 0; j < i; j++) {
            if (contest_won(&contest, j, i)) {
                n_above[i]++;
            } else {
                n_above[j] += contest_won(&contest, i, j);
            }
        }
    }
    int n_fronts = 0;
    for (int n_ranked = 0; n_ranked < n; n_fronts++) {
        int first = n_ranked;
        for (int i = 0; i < n; i++) {
            if (rank[i] < 0 && n_above[i] == 0) {
                rank[i] = n_fronts;
                order[n_ranked++] = i;
            }
        }
        ASSERT(n_ranked > first);
        for (int at = first; at < n_ranked; at++) {
            for (int j = 0; j < n; j++) {
                n_above[j] -= rank[j] < 0 && contest_won(&contest, order[at], j);
            }
        }
    }
    return n_fronts;
}

void front_crowding(double *crowding, const double *obj, const int *idx, int n, int n_obj,
                    struct arena tmp)
{
    struct ranked *sorted = arena_push(&tmp, (size_t)n, sizeof *sorted);
    for (int i = 0; i < n; i++) {
        crowding[i] = 0;
    }
    for (int k = 0; k < n_obj; k++) {
        double low = INFINITY, high = -INFINITY; /* of the finite values */
        for (int i = 0; i < n; i++) {
            double value = obj[(size_t)idx[i] * (size_t)n_obj + (size_t)k];
            sorted[i] = (struct ranked){value, i};
            low = isfinite(value) ? fmin(low, value) : low;
            high = isfinite(value) ? fmax(high, value) : high;
        }
        ranked_sort(sorted, n);
        if (n == 0 || sorted[0].value == sorted[n - 1].value) {
            continue; /* it tells nobody apart */
        }
        crowding[sorted[0].i] = INFINITY;
        crowding[sorted[n - 1].i] = INFINITY;
        for (int i = 1; i + 1 < n; i++) {
            double below = sorted[i - 1].value, above = sorted[i + 1].value;
            if (below == above) {
                continue; /* also keeps inf - inf out */
            }
            double gap = above - below;
            crowding[sorted[i].i] += isfinite(gap) && high > low ? gap / (high - low) : gap;
        }
    }
}

struct point {
    const double *x;
    int n_obj, i;
};

/* By the first objective, then the next; equal points by index. */
static int point_compare(const void *pa, const void *pb)
{
    const struct point *a = pa, *b = pb;
    for (int k = 0; k < a->n_obj; k++) {
        if (a->x[k] != b->x[k]) {
            return a->x[k] < b->x[k] ? -1 : 1;
        }
    }
    return (a->i > b->i) - (a->i < b->i);
}

static bool point_same(const struct point *a, const struct point *b)
{
    for (int k = 0; k < a->n_obj; k++) {
        if (a->x[k] != b->x[k]) {
            return false;
        }
    }
    return true;
}

static int int_compare(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/*
 * In the sorted order a point can be dominated only by one before it, and then by one that was
 * kept. With two objectives the last one kept decides: it has the lowest second value so far.
 */
int front_filter(int *out, const double *obj, int n, int n_obj, bool unique, struct arena tmp)
{
    ASSERT(n >= 0 && n_obj >= 1);
    front_assert_numbers(obj, (size_t)n * (size_t)n_obj);
    struct point *sorted = arena_push(&tmp, (size_t)n, sizeof *sorted);
    struct point *kept = arena_push(&tmp, (size_t)n, sizeof *kept);
    for (int i = 0; i < n; i++) {
        sorted[i] = (struct point){obj + (size_t)i * (size_t)n_obj, n_obj, i};
    }
    qsort(sorted, (size_t)n, sizeof *sorted, point_compare);
    int n_kept = 0;
    for (int i = 0; i < n; i++) {
        bool drop = false;
        for (int j = n_kept - 1; j >= 0 && !drop; j--) {
            drop = (unique && point_same(&kept[j], &sorted[i])) ||
                   front_dominates(kept[j].x, sorted[i].x, n_obj);
            if (n_obj <= 2) {
                break;
            }
        }
        if (!drop) {
            kept[n_kept++] = sorted[i];
        }
    }
    for (int i = 0; i < n_kept; i++) {
        out[i] = kept[i].i;
    }
    qsort(out, (size_t)n_kept, sizeof *out, int_compare);
    return n_kept;
}
