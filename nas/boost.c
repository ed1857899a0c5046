#include "nas/boost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/threads.h"

enum {
    BOOST_ROUNDS = 100,
    BOOST_DEPTH = 3,
    BOOST_LEAVES = 1 << BOOST_DEPTH,
    BOOST_NODES = BOOST_LEAVES - 1, /* that may split, level by level */
    BOOST_BINS = 255
};

#define BOOST_STEP 0.1

/* What a level of a tree knows of one of its nodes and one bin of a feature. */
struct boost_cell {
    double sum; /* of residuals */
    double n;
};

/* A tree: node k splits at feature[k] after bin cut[k] into 2 k + 1 and 2 k + 2; -1 = all go left.
 */
struct boost_tree {
    int feature[BOOST_NODES];
    int cut[BOOST_NODES];
    double leaf[BOOST_LEAVES];
    double gain[BOOST_NODES];
};

struct boost_work {
    int n, n_train, d, n_classes;
    uint8_t *bin;  /* [d, n] */
    int *n_bins;   /* [d] */
    int32_t *y;    /* [n] 0 .. n_classes-1, -1 = a class that does not occur in training */
    double *score; /* [n_classes, n] */
    double *p;     /* [n_classes, n_train] softmax of the scores at the start of a round */
    struct boost_tree *trees; /* [n_classes] of this round */
    uint8_t *node;            /* [threads, n_train] where a row is on its level */
    struct boost_cell *cells; /* [threads, BOOST_LEAVES / 2, BOOST_BINS] */
};

size_t boost_bytes(const struct machine *mc, int n, int d, int card)
{
    size_t rows = (size_t)n, k = (size_t)card, n_threads = (size_t)mc->n_threads;
    return arena_round(rows * (size_t)d) + arena_round((size_t)d * sizeof(int)) +
           arena_round(rows * sizeof(int32_t)) + 2 * arena_round(k * rows * sizeof(double)) +
           arena_round(k * sizeof(struct boost_tree)) + arena_round(n_threads * rows) +
           arena_round(n_threads * BOOST_LEAVES / 2 * BOOST_BINS * sizeof(struct boost_cell)) +
           arena_round(rows * sizeof(float)) + arena_round(k * sizeof(int32_t)) +
           arena_round(k * sizeof(double));
}

static int boost_by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The cuts of a feature: halfway between neighbouring values of the training rows, all of them
 * where they are few, else those at 254 even places of the sorted rows. sorted[n_train] is changed.
 * Returns how many. */
static int boost_cuts(double cuts[BOOST_BINS], float *sorted, int n)
{
    int n_distinct = 1, n_cuts = 0;
    qsort(sorted, (size_t)n, sizeof *sorted, boost_by_value);
    for (int i = 1; i < n; i++) {
        n_distinct += sorted[i] > sorted[i - 1];
    }
    for (int i = 1, place = 1; i < n; i++) {
        if (!(sorted[i] > sorted[i - 1])) {
            continue;
        }
        if (n_distinct > BOOST_BINS) {
            /* The first step between values at or after the next place. */
            if ((int64_t)i * BOOST_BINS < (int64_t)place * n) {
                continue;
            }
            while ((int64_t)i * BOOST_BINS >= (int64_t)place * n) {
                place++;
            }
        }
        cuts[n_cuts++] = ((double)sorted[i - 1] + (double)sorted[i]) / 2;
    }
    ASSERT(n_cuts < BOOST_BINS);
    return n_cuts;
}

static void boost_bin(struct boost_work *w, const struct boost_data *data, struct arena tmp)
{
    float *column = arena_push(&tmp, (size_t)w->n, sizeof *column);
    double cuts[BOOST_BINS];
    for (int j = 0; j < w->d; j++) {
        const float *x = data->x + (size_t)j * (size_t)w->n;
        memcpy(column, x, (size_t)w->n_train * sizeof *column);
        int n_cuts = boost_cuts(cuts, column, w->n_train);
        w->n_bins[j] = n_cuts + 1;
        for (int i = 0; i < w->n; i++) {
            double v = (double)x[i];
            int low = 0, high = n_cuts; /* the first cut that is not below v */
            while (low < high) {
                int mid = (low + high) / 2;
                if (v > cuts[mid]) {
                    low = mid + 1;
                } else {
                    high = mid;
                }
            }
            w->bin[(size_t)j * (size_t)w->n + (size_t)i] = (uint8_t)low;
        }
    }
}

/* Number the classes that occur in training, in order; scores start at the log of their shares. */
static void boost_classes(struct boost_work *w, const struct boost_data *data, struct arena tmp)
{
    int32_t *number = arena_push(&tmp, (size_t)data->card, sizeof *number);
    double *count = arena_push_zero(&tmp, (size_t)data->card, sizeof *count);
    for (int i = 0; i < w->n_train; i++) {
        count[data->y[i]]++;
    }
    w->n_classes = 0;
    for (int k = 0; k < data->card; k++) {
        number[k] = count[k] > 0 ? w->n_classes++ : -1;
    }
    for (int i = 0; i < w->n; i++) {
        w->y[i] = number[data->y[i]];
    }
    for (int k = 0; k < data->card; k++) {
        for (int i = 0; number[k] >= 0 && i < w->n; i++) {
            w->score[(size_t)number[k] * (size_t)w->n + (size_t)i] = log(count[k] / w->n_train);
        }
    }
}

/* The best split of each node of a level. Of equal ones the first feature, the lowest cut. node:
 * [n_train] place on the level. */
static void boost_split_level(struct boost_tree *t, int level, const struct boost_work *w,
                              const double *residual, const uint8_t *node, struct boost_cell *cells)
{
    int n_nodes = 1 << level, first = n_nodes - 1;
    double best[BOOST_LEAVES];
    for (int k = 0; k < n_nodes; k++) {
        t->feature[first + k] = -1;
        t->cut[first + k] = BOOST_BINS;
        t->gain[first + k] = 0;
        best[k] = 0;
    }
    for (int j = 0; j < w->d; j++) {
        const uint8_t *bin = w->bin + (size_t)j * (size_t)w->n;
        int n_bins = w->n_bins[j];
        memset(cells, 0, (size_t)(n_nodes * n_bins) * sizeof *cells);
        for (int i = 0; i < w->n_train; i++) {
            struct boost_cell *cell = &cells[node[i] * n_bins + bin[i]];
            cell->sum += residual[i];
            cell->n++;
        }
        for (int k = 0; k < n_nodes; k++) {
            struct boost_cell all = {0}, left = {0};
            for (int b = 0; b < n_bins; b++) {
                all.sum += cells[k * n_bins + b].sum;
                all.n += cells[k * n_bins + b].n;
            }
            for (int b = 0; b < n_bins - 1; b++) {
                left.sum += cells[k * n_bins + b].sum;
                left.n += cells[k * n_bins + b].n;
                double right_n = all.n - left.n;
                if (left.n <= 0 || right_n <= 0 || cells[k * n_bins + b].n <= 0) {
                    continue;
                }
                double off = left.sum / left.n - (all.sum - left.sum) / right_n;
                double gain = off * off * left.n * right_n / all.n;
                /* What rounding makes is no split: residuals are at most 1, their sums good to
                 * n times 1e-16. */
                if (gain > 1e-12 && gain > best[k]) {
                    best[k] = gain;
                    t->feature[first + k] = j;
                    t->cut[first + k] = b;
                    t->gain[first + k] = gain;
                }
            }
        }
    }
}

/* Where row i falls on the level below node `at` of a level that begins with node `first`. */
static inline int boost_child(const struct boost_tree *t, const struct boost_work *w, int first,
                              int at, int i)
{
    int feature = t->feature[first + at];
    int right =
        feature >= 0 && w->bin[(size_t)feature * (size_t)w->n + (size_t)i] > t->cut[first + at];
    return 2 * at + right;
}

/* One tree, for one class: fitted to the residuals, and added to the scores of all rows. */
static void boost_tree_grow(void *ctx, int class, int i_thread)
{
    const struct boost_work *w = ctx;
    struct boost_tree *t = &w->trees[class];
    size_t n_train = (size_t)w->n_train;
    uint8_t *node = w->node + (size_t)i_thread * n_train;
    struct boost_cell *cells = w->cells + (size_t)i_thread * BOOST_LEAVES / 2 * BOOST_BINS;
    double *residual = w->p + (size_t) class * n_train; /* becomes it, in place */
    double top[BOOST_LEAVES] = {0}, below[BOOST_LEAVES] = {0};
    for (int i = 0; i < w->n_train; i++) {
        residual[i] = (w->y[i] == class) - residual[i];
    }
    memset(node, 0, n_train);
    for (int level = 0; level < BOOST_DEPTH; level++) {
        boost_split_level(t, level, w, residual, node, cells);
        for (int i = 0; i < w->n_train; i++) {
            node[i] = (uint8_t)boost_child(t, w, (1 << level) - 1, node[i], i);
        }
    }
    /* One Newton step a leaf: (K - 1) / K sum r / sum p (1 - p), p (1 - p) = |r| (1 - |r|). */
    for (int i = 0; i < w->n_train; i++) {
        double r = fabs(residual[i]);
        top[node[i]] += residual[i];
        below[node[i]] += r * (1 - r);
    }
    for (int k = 0; k < BOOST_LEAVES; k++) {
        double share = (double)(w->n_classes - 1) / w->n_classes;
        t->leaf[k] = below[k] > 1e-150 ? BOOST_STEP * share * top[k] / below[k] : 0;
    }
    double *score = w->score + (size_t) class * (size_t)w->n;
    for (int i = 0; i < w->n; i++) {
        int at = 0;
        for (int level = 0; level < BOOST_DEPTH; level++) {
            at = boost_child(t, w, (1 << level) - 1, at, i);
        }
        score[i] += t->leaf[at];
    }
}

static void boost_softmax(struct boost_work *w)
{
    for (int i = 0; i < w->n_train; i++) {
        double most = w->score[i], sum = 0;
        for (int k = 1; k < w->n_classes; k++) {
            most = fmax(most, w->score[(size_t)k * (size_t)w->n + (size_t)i]);
        }
        for (int k = 0; k < w->n_classes; k++) {
            double v = exp(w->score[(size_t)k * (size_t)w->n + (size_t)i] - most);
            w->p[(size_t)k * (size_t)w->n_train + (size_t)i] = v;
            sum += v;
        }
        for (int k = 0; k < w->n_classes; k++) {
            w->p[(size_t)k * (size_t)w->n_train + (size_t)i] /= sum;
        }
    }
}

/* Share of rows first .. first+n-1 whose class has the highest score. */
static double boost_right(const struct boost_work *w, int first, int n)
{
    int n_right = 0;
    for (int i = first; i < first + n; i++) {
        int best = 0;
        for (int k = 1; k < w->n_classes; k++) {
            if (w->score[(size_t)k * (size_t)w->n + (size_t)i] >
                w->score[(size_t)best * (size_t)w->n + (size_t)i]) {
                best = k;
            }
        }
        n_right += best == w->y[i];
    }
    return n > 0 ? (double)n_right / n : 0;
}

void boost_fit(const struct machine *mc, struct boost_result *result, const struct boost_data *data,
               struct arena tmp)
{
    ASSERT(data->n_train >= 2 && data->n_test >= 0 && data->d >= 1 && data->card >= 1);
    struct boost_work w = {
        .n = data->n_train + data->n_test, .n_train = data->n_train, .d = data->d};
    size_t n = (size_t)w.n, card = (size_t)data->card, n_threads = (size_t)mc->n_threads;
    w.bin = arena_push(&tmp, n * (size_t)w.d, 1);
    w.n_bins = arena_push(&tmp, (size_t)w.d, sizeof *w.n_bins);
    w.y = arena_push(&tmp, n, sizeof *w.y);
    w.score = arena_push(&tmp, card * n, sizeof *w.score);
    w.p = arena_push(&tmp, card * n, sizeof *w.p);
    w.trees = arena_push(&tmp, card, sizeof *w.trees);
    w.node = arena_push(&tmp, n_threads * n, 1);
    w.cells = arena_push(&tmp, n_threads * BOOST_LEAVES / 2 * BOOST_BINS, sizeof *w.cells);
    boost_bin(&w, data, tmp);
    boost_classes(&w, data, tmp);
    double sum = 0;
    memset(result->importance, 0, (size_t)w.d * sizeof *result->importance);
    for (int round = 0; round < BOOST_ROUNDS && w.n_classes >= 2; round++) {
        boost_softmax(&w);
        threads_for(mc, w.n_classes, boost_tree_grow, &w);
        for (int k = 0; k < w.n_classes; k++) {
            for (int at = 0; at < BOOST_NODES; at++) {
                const struct boost_tree *t = &w.trees[k];
                if (t->feature[at] >= 0) {
                    result->importance[t->feature[at]] += t->gain[at];
                    sum += t->gain[at];
                }
            }
        }
    }
    for (int j = 0; j < w.d && sum > 0; j++) {
        result->importance[j] /= sum;
    }
    result->train_right = boost_right(&w, 0, w.n_train);
    result->right = boost_right(&w, w.n_train, data->n_test);
}
