#include "nas/indicators.h"

#include "nas/ranked.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct point {
    double x[3];
};

static int point_compare(const void *pa, const void *pb)
{
    const struct point *a = pa, *b = pb;
    for (int k = 0; k < 3; k++) {
        if (a->x[k] != b->x[k]) {
            return a->x[k] < b->x[k] ? -1 : 1;
        }
    }
    return 0;
}

/*
 * Area of the staircase: sorted by x ascending, y must fall. A new point (x, y) takes the place of
 * those it dominates. Returns the area gained; stairs[*n] stays a staircase. O(n) a point.
 */
static double stairs_add(double (*stairs)[2], int *n, double x, double y, const double *ref)
{
    int first = 0;
    while (first < *n && stairs[first][0] < x) {
        first++;
    }
    if (first > 0 && stairs[first - 1][1] <= y) {
        return 0; /* dominated by a step to its left */
    }
    if (first < *n && stairs[first][0] == x && stairs[first][1] <= y) {
        return 0;
    }
    double gain = 0, top = first > 0 ? stairs[first - 1][1] : ref[1], left = x;
    int last = first;
    for (; last < *n && stairs[last][1] >= y; last++) {
        if (stairs[last][0] > left) { /* no difference of equal infinities */
            gain += (stairs[last][0] - left) * (top - y);
        }
        left = stairs[last][0];
        top = stairs[last][1];
    }
    double right = last < *n ? stairs[last][0] : ref[0];
    gain += (right - left) * (top - y);
    memmove(stairs + first + 1, stairs + last, (size_t)(*n - last) * sizeof *stairs);
    stairs[first][0] = x;
    stairs[first][1] = y;
    *n += 1 - (last - first);
    return gain;
}

double indicators_hypervolume(const double *obj, int n, int n_obj, const double *ref,
                              struct arena tmp)
{
    ASSERT(n_obj == 2 || n_obj == 3);
    struct point *p = arena_push(&tmp, (size_t)n, sizeof *p);
    int n_in = 0;
    for (int i = 0; i < n; i++) {
        const double *x = obj + (size_t)i * (size_t)n_obj;
        bool inside = true;
        for (int k = 0; k < n_obj; k++) {
            ASSERT(!isnan(x[k]));
            inside = inside && x[k] < ref[k];
        }
        if (inside) { /* the last objective first: it is the one that is swept */
            p[n_in++] = (struct point){{x[n_obj - 1], x[0], n_obj == 3 ? x[1] : 0}};
        }
    }
    qsort(p, (size_t)n_in, sizeof *p, point_compare);
    double volume = 0;
    if (n_obj == 2) { /* from the lowest y up: only points left of all before add a strip */
        double left = ref[0];
        for (int i = 0; i < n_in; i++) {
            if (p[i].x[1] < left) {
                volume += (left - p[i].x[1]) * (ref[1] - p[i].x[0]);
                left = p[i].x[1];
            }
        }
        return volume;
    }
    double(*stairs)[2] = arena_push(&tmp, (size_t)n_in, sizeof *stairs);
    double area = 0;
    int n_stairs = 0;
    for (int i = 0; i < n_in; i++) {
        area += stairs_add(stairs, &n_stairs, p[i].x[1], p[i].x[2], ref);
        double above = i + 1 < n_in ? p[i + 1].x[0] : ref[2];
        if (above > p[i].x[0]) {
            volume += area * (above - p[i].x[0]);
        }
    }
    return volume;
}

/* Mean over z of the distance to the nearest a; plus: only what a is worse in counts. */
static double mean_distance(const double *a, int n_a, const double *z, int n_z, int n_obj,
                            bool plus)
{
    ASSERT(n_a > 0 && n_z > 0);
    double sum = 0;
    for (int i = 0; i < n_z; i++) {
        double nearest = INFINITY;
        for (int j = 0; j < n_a; j++) {
            double square = 0;
            for (int k = 0; k < n_obj; k++) {
                double d = a[(size_t)j * (size_t)n_obj + (size_t)k] -
                           z[(size_t)i * (size_t)n_obj + (size_t)k];
                d = plus && d < 0 ? 0 : d;
                square += d * d;
            }
            nearest = fmin(nearest, square);
        }
        sum += sqrt(nearest);
    }
    return sum / n_z;
}

double indicators_igd(const double *a, int n_a, const double *z, int n_z, int n_obj)
{
    return mean_distance(a, n_a, z, n_z, n_obj, false);
}

double indicators_igd_plus(const double *a, int n_a, const double *z, int n_z, int n_obj)
{
    return mean_distance(a, n_a, z, n_z, n_obj, true);
}

void indicators_diversity(double *chi, const double *cost, int n)
{
    double mean = 0, square = 0;
    for (int i = 0; i < n; i++) {
        mean += cost[i] / n;
    }
    for (int i = 0; i < n; i++) {
        square += (cost[i] - mean) * (cost[i] - mean);
    }
    for (int i = 0; i < n; i++) {
        chi[i] = n * (cost[i] - mean) * (cost[i] - mean) + square; /* n var = square */
    }
}

struct pair {
    double a, b;
};

static int pair_compare(const void *px, const void *py)
{
    const struct pair *x = px, *y = py;
    if (x->a != y->a) {
        return x->a < y->a ? -1 : 1;
    }
    return (x->b > y->b) - (x->b < y->b);
}

/* Sort b[n] by merging; returns how many pairs stood the wrong way round. */
static int64_t count_inversions(double *b, double *other, int n)
{
    int64_t n_swaps = 0;
    for (int width = 1; width < n; width *= 2) {
        for (int lo = 0; lo < n; lo += 2 * width) {
            int mid = MIN(lo + width, n), hi = MIN(lo + 2 * width, n);
            int i = lo, j = mid;
            for (int k = lo; k < hi; k++) {
                if (i < mid && (j >= hi || b[i] <= b[j])) {
                    other[k] = b[i++];
                } else {
                    n_swaps += mid - i;
                    other[k] = b[j++];
                }
            }
        }
        memcpy(b, other, (size_t)n * sizeof *b);
    }
    return n_swaps;
}

static int64_t pairs_of(int64_t n)
{
    return n * (n - 1) / 2;
}

/* [Knight1966]: sort by a, count the exchanges that sorting by b takes. tau-b = (P - Q) / sqrt((N -
 * Ta)(N - Tb)). */
double indicators_kendall(const double *a, const double *b, int n, struct arena tmp)
{
    struct pair *p = arena_push(&tmp, (size_t)n, sizeof *p);
    double *sorted = arena_push(&tmp, (size_t)n, sizeof *sorted);
    double *other = arena_push(&tmp, (size_t)n, sizeof *other);
    for (int i = 0; i < n; i++) {
        ASSERT(!isnan(a[i]) && !isnan(b[i]));
        p[i] = (struct pair){a[i], b[i]};
    }
    qsort(p, (size_t)n, sizeof *p, pair_compare);
    int64_t ties_a = 0, ties_b = 0, ties_both = 0;
    int run_a = 0, run_both = 0; /* where the present run of equal ones began */
    for (int i = 1; i <= n; i++) {
        if (i == n || p[i].a != p[i - 1].a) {
            ties_a += pairs_of(i - run_a);
            run_a = i;
        }
        if (i == n || p[i].a != p[i - 1].a || p[i].b != p[i - 1].b) {
            ties_both += pairs_of(i - run_both);
            run_both = i;
        }
    }
    for (int i = 0; i < n; i++) {
        sorted[i] = p[i].b;
    }
    int64_t discordant = count_inversions(sorted, other, n);
    for (int i = 1, run = 0; i <= n; i++) {
        if (i == n || sorted[i] != sorted[i - 1]) {
            ties_b += pairs_of(i - run);
            run = i;
        }
    }
    int64_t all = pairs_of(n);
    if (n < 2 || ties_a == all || ties_b == all) {
        return NAN; /* one of them orders nothing */
    }
    double concordant_less_discordant =
        (double)(all - ties_a - ties_b + ties_both - 2 * discordant);
    return concordant_less_discordant / sqrt((double)(all - ties_a) * (double)(all - ties_b));
}

double indicators_spearman(const double *a, const double *b, int n, struct arena tmp)
{
    double *ra = arena_push(&tmp, (size_t)n, sizeof *ra);
    double *rb = arena_push(&tmp, (size_t)n, sizeof *rb);
    ranked_mid(ra, a, n, tmp);
    ranked_mid(rb, b, n, tmp);
    double mean = 0.5 * (n - 1), aa = 0, bb = 0,
           ab = 0; /* the mean rank is the same with and without ties */
    for (int i = 0; i < n; i++) {
        aa += (ra[i] - mean) * (ra[i] - mean);
        bb += (rb[i] - mean) * (rb[i] - mean);
        ab += (ra[i] - mean) * (rb[i] - mean);
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa) / sqrt(bb) : NAN;
}
