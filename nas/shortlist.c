#include "nas/shortlist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "nas/front.h"
#include "nas/ranked.h"
#include "nas/stairs.h"

/* What shortlist_expected supposes of a score's mistakes: independent, normal, of this share of the
 * scores' deviation. Chosen on CIFAR-10's accuracies, judged on CIFAR-100's
 * (docs/REPRODUCTION.md). */
static const double mistake = .05;

/* It takes so many draws of them, and looks at so many networks for each one to name: the fronts
 * behind hold none that a likely mistake would bring forward. */
enum { N_DRAWS = 64, N_NEAR = 6 };

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

/* Puts k in its place among chosen[n], ascending cost. */
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
    double *own = arena_push(&tmp, (size_t)want, 2 * sizeof *own);
    for (int n_own = 0; n_own < want; n_own++) {
        int best = -1;
        double most = -1;
        for (int i = 0; i < n; i++) {
            double g = idx[i] < 0 ? -1 : stairs_gain(own, n_own, x[2 * idx[i]], x[2 * idx[i] + 1]);
            if (g > most) {
                most = g;
                best = i;
            }
        }
        stairs_insert(own, n_own, x[2 * idx[best]], x[2 * idx[best] + 1]);
        insert(out, n_out + n_own, x, idx[best]);
        idx[best] = -1;
    }
}

/* x[2 i]: how far value[i] is from the best, 0, towards the worst, 1. */
static void place(double *x, const double *value, int n, bool up)
{
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < n; i++) {
        ASSERT(isfinite(value[i]));
        low = fmin(low, value[i]);
        high = fmax(high, value[i]);
    }
    for (int i = 0; i < n; i++) {
        x[2 * i] = high > low ? (up ? high - value[i] : value[i] - low) / (high - low) : 0;
    }
}

/* Networks of which front after front is taken away. */
struct fronts {
    const double *x; /* [n, 2] */
    double *left;    /* [n_left, 2] */
    int *which;      /* [n_left] */
    int n_left;
};

static struct fronts fronts_of(const double *x, int n, struct arena *tmp)
{
    struct fronts f = {.x = x, .n_left = n};
    f.left = arena_push(tmp, (size_t)n, 2 * sizeof *f.left);
    f.which = arena_push(tmp, (size_t)n, sizeof *f.which);
    for (int i = 0; i < n; i++) {
        f.which[i] = i;
    }
    return f;
}

/* Indices of the next front; returns how many. */
static int peel(struct fronts *f, int *out, struct arena tmp)
{
    for (int i = 0; i < f->n_left; i++) {
        f->left[2 * i] = f->x[2 * f->which[i]];
        f->left[2 * i + 1] = f->x[2 * f->which[i] + 1];
    }
    int n = front_filter(out, f->left, f->n_left, 2, true, tmp), n_kept = 0, at = 0;
    for (int i = 0; i < f->n_left; i++) {
        if (at < n && out[at] == i) {
            out[at++] = f->which[i];
        } else {
            f->which[n_kept++] = f->which[i];
        }
    }
    f->n_left = n_kept;
    return n;
}

int shortlist_choose(int *out, int n_out, const double *score, const double *cost, int n,
                     struct arena tmp)
{
    ASSERT(n >= 0 && n_out >= 0);
    size_t size = (size_t)n;
    double *x = arena_push(&tmp, size, 2 * sizeof *x), *rank = arena_push(&tmp, size, sizeof *rank);
    int *idx = arena_push(&tmp, size, sizeof *idx);
    ranks(rank, score, n, tmp);
    for (int i = 0; i < n; i++) {
        x[2 * i] = 1 - rank[i];
    }
    place(x + 1, cost, n, false);
    struct fronts fronts = fronts_of(x, n, &tmp);
    int n_chosen = 0;
    while (n_chosen < n_out && fronts.n_left > 0) {
        int n_front = peel(&fronts, idx, tmp), want = MIN(n_front, n_out - n_chosen);
        choose_from(out, n_chosen, want, x, idx, n_front, tmp);
        n_chosen += want;
    }
    return n_chosen;
}

/* What the networks named so far leave to be gained: of each draw the least error among those that
 * cost no more than a step. The steps are all costs there are, ascending; the last ends at 1. */
struct steps {
    double *least; /* [N_DRAWS, n_steps] */
    double *width; /* [n_steps] */
    int n_steps;
};

/* The hypervolume up to (1, 1) that a network adds, mean over the draws of its error[N_DRAWS]. */
static double expected_gain(const struct steps *s, const double *error, int step)
{
    double sum = 0;
    for (int d = 0; d < N_DRAWS; d++) {
        const double *least = s->least + (size_t)d * (size_t)s->n_steps;
        for (int i = step; i < s->n_steps && least[i] > error[d]; i++) {
            sum += s->width[i] * (least[i] - error[d]);
        }
    }
    return sum / N_DRAWS;
}

static void steps_add(struct steps *s, const double *error, int step)
{
    for (int d = 0; d < N_DRAWS; d++) {
        double *least = s->least + (size_t)d * (size_t)s->n_steps;
        for (int i = step; i < s->n_steps && least[i] > error[d]; i++) {
            least[i] = error[d];
        }
    }
}

/* near[n] ascending cost; step[n]: where each begins. */
static struct steps steps_of(int *step, const double *x, const int *near, int n, struct arena *tmp)
{
    struct steps s = {.width = arena_push(tmp, (size_t)n, sizeof *s.width)};
    for (int i = 0; i < n; i++) {
        double cost = x[2 * near[i] + 1];
        if (i == 0 || cost > x[2 * near[i - 1] + 1]) {
            s.n_steps++;
        }
        step[i] = s.n_steps - 1;
        double next = i + 1 < n ? x[2 * near[i + 1] + 1] : 1;
        s.width[step[i]] = next - cost;
    }
    s.least = arena_push(tmp, N_DRAWS * (size_t)s.n_steps, sizeof *s.least);
    for (size_t i = 0; i < N_DRAWS * (size_t)s.n_steps; i++) {
        s.least[i] = 1;
    }
    return s;
}

/* Front after front until they hold so many networks: near[up to n], ascending cost. */
static int find_near(int *near, int most, const double *x, int n, struct arena tmp)
{
    struct fronts fronts = fronts_of(x, n, &tmp);
    int *front = arena_push(&tmp, (size_t)n, sizeof *front), n_near = 0;
    while (n_near < most && fronts.n_left > 0) {
        int n_front = peel(&fronts, front, tmp);
        for (int i = 0; i < n_front; i++) {
            insert(near, n_near++, x, front[i]);
        }
    }
    return n_near;
}

/* Of the errors of x[n, 2]. */
static double deviation(const double *x, int n)
{
    double mean = 0, square = 0;
    for (int i = 0; i < n; i++) {
        mean += x[2 * i] / n;
    }
    for (int i = 0; i < n; i++) {
        square += (x[2 * i] - mean) * (x[2 * i] - mean) / n;
    }
    return sqrt(square);
}

/* Networks that may be named. */
struct near {
    int *which, *step; /* [n] ascending cost */
    double *error;     /* [n, N_DRAWS] */
    double *most;      /* [n] that it can gain yet; below 0: it is named */
    bool *fresh;       /* [n] and that much it does gain */
    int n;
};

static double *errors_of(const struct near *c, int i)
{
    return c->error + (size_t)i * N_DRAWS;
}

/* What a network gains only falls with every other that is named, so it is worked out anew only
 * where what it once was might still be the most. */
static int most_gaining(struct near *c, const struct steps *s)
{
    memset(c->fresh, 0, (size_t)c->n * sizeof *c->fresh);
    for (;;) {
        int best = 0;
        for (int i = 1; i < c->n; i++) {
            best = c->most[i] > c->most[best] ? i : best;
        }
        if (c->fresh[best]) {
            return best;
        }
        c->most[best] = expected_gain(s, errors_of(c, best), c->step[best]);
        c->fresh[best] = true;
    }
}

int shortlist_expected(int *out, int n_out, const double *score, const double *cost, int n,
                       struct arena tmp)
{
    ASSERT(n >= 0 && n_out >= 0);
    double *x = arena_push(&tmp, (size_t)n, 2 * sizeof *x);
    place(x, score, n, true);
    place(x + 1, cost, n, false);
    double sd = mistake * deviation(x, n);
    struct near c = {.which = arena_push(&tmp, (size_t)n, sizeof *c.which)};
    c.n = find_near(c.which, (int)MIN((int64_t)N_NEAR * n_out, n), x, n, tmp);
    if (c.n <= n_out) {
        memcpy(out, c.which, (size_t)c.n * sizeof *out);
        return c.n;
    }
    c.step = arena_push(&tmp, (size_t)c.n, sizeof *c.step);
    c.error = arena_push(&tmp, (size_t)c.n, N_DRAWS * sizeof *c.error);
    c.most = arena_push(&tmp, (size_t)c.n, sizeof *c.most);
    c.fresh = arena_push(&tmp, (size_t)c.n, sizeof *c.fresh);
    struct steps steps = steps_of(c.step, x, c.which, c.n, &tmp);
    for (int i = 0; i < c.n; i++) {
        struct rng r = rng_key(0, RNG_SHORTLIST, (uint64_t)c.which[i]);
        double *error = errors_of(&c, i);
        for (int d = 0; d < N_DRAWS; d++) {
            error[d] = x[2 * c.which[i]] + sd * rng_normal(&r);
        }
        c.most[i] = INFINITY;
    }
    int n_chosen = 0;
    for (; n_chosen < n_out; n_chosen++) {
        int best = most_gaining(&c, &steps);
        steps_add(&steps, errors_of(&c, best), c.step[best]);
        c.most[best] = -1;
        insert(out, n_chosen, x, c.which[best]);
    }
    return n_chosen;
}

size_t shortlist_bytes(int n)
{
    /* Here: at most 10 numbers a network, its draws and the steps', and sorting; on a front: three
     * points. */
    return (20 + 2 * N_DRAWS) * arena_round((size_t)n * sizeof(double)) + 4096;
}
