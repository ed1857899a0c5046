#include "nas/boost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/threads.h"

enum {
    BOOST_ROUNDS = 100,
    BOOST_DEPTH = 3,
    BOOST_LEAVES = 1 << BOOST_DEPTH,
    BOOST_NODES = BOOST_LEAVES - 1, /* that may split; the children of k are 2 k + 1 and 2 k + 2 */
    BOOST_BINS = 255,
    BOOST_CHUNK = 512 /* rows whose softmax is one item of work */
};

#define BOOST_STEP 0.1

/* What a node knows of one bin of a feature. */
struct boost_cell {
    double sum; /* of residuals */
    double n;
};

struct boost_tree {
    int feature[BOOST_NODES];      /* that node k splits at; -1 = all go left */
    int cut[BOOST_NODES];          /* the last bin that goes left */
    double threshold[BOOST_NODES]; /* for rows without bins: halfway between the values on either
                                      side that are in the node */
    double gain[BOOST_NODES];      /* of squared error */
    double leaf[BOOST_LEAVES];
};

struct boost_work {
    int n, n_train, d, n_classes;
    const float *x; /* [d, n] */
    uint8_t *bin;   /* [d, n_train] */
    int *n_bins;    /* [d] */
    float *low;     /* [d, BOOST_BINS] the least value of each bin */
    float *high;    /* [d, BOOST_BINS] the greatest */
    int32_t *y;     /* [n] 0 .. n_classes-1, -1 = a class that does not occur in training */
    double *score;  /* [n_classes, n] */
    double *p;      /* [n_classes, n_train] softmax of the scores at the start of a round */
    struct boost_tree *trees; /* [n_classes] of this round */
    uint32_t *rows;           /* [threads, 2, n_train] */
    struct boost_cell *cells; /* [threads, BOOST_NODES, d, BOOST_BINS] */
};

size_t boost_bytes(const struct machine *mc, int n, int d, int card)
{
    size_t rows = (size_t)n, k = (size_t)card, n_threads = (size_t)mc->n_threads;
    size_t n_bins = (size_t)d * BOOST_BINS;
    return arena_round(rows * (size_t)d) + arena_round((size_t)d * sizeof(int)) +
           2 * arena_round(n_bins * sizeof(float)) + arena_round(rows * sizeof(int32_t)) +
           2 * arena_round(k * rows * sizeof(double)) + arena_round(k * sizeof(struct boost_tree)) +
           arena_round(n_threads * 2 * rows * sizeof(uint32_t)) +
           arena_round(n_threads * BOOST_NODES * n_bins * sizeof(struct boost_cell)) +
           arena_round(rows * sizeof(float)) + arena_round(k * sizeof(int32_t)) +
           arena_round(k * sizeof(double));
}

static int boost_by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The bins of a feature: one for each value of the training rows where they are few, else between
 * 254 even places of the sorted rows, equal values together. sorted[n] is changed. Returns how
 * many; low and high get the ends of each. */
static int boost_bins(float *low, float *high, float *sorted, int n)
{
    int n_distinct = 1, n_bins = 0;
    qsort(sorted, (size_t)n, sizeof *sorted, boost_by_value);
    for (int i = 1; i < n; i++) {
        n_distinct += sorted[i] > sorted[i - 1];
    }
    low[0] = sorted[0];
    for (int i = 1, place = 1; i < n; i++) {
        /* A bin begins at the first new value at or after the next place. */
        bool due = n_distinct <= BOOST_BINS || (int64_t)i * BOOST_BINS >= (int64_t)place * n;
        if (due && sorted[i] > sorted[i - 1]) {
            high[n_bins++] = sorted[i - 1];
            ASSERT(n_bins < BOOST_BINS);
            low[n_bins] = sorted[i];
            while ((int64_t)i * BOOST_BINS >= (int64_t)place * n) {
                place++;
            }
        }
    }
    high[n_bins++] = sorted[n - 1];
    return n_bins;
}

static void boost_bin(struct boost_work *w, struct arena tmp)
{
    float *column = arena_push(&tmp, (size_t)w->n_train, sizeof *column);
    for (int j = 0; j < w->d; j++) {
        const float *x = w->x + (size_t)j * (size_t)w->n;
        float *low = w->low + (size_t)j * BOOST_BINS, *high = w->high + (size_t)j * BOOST_BINS;
        memcpy(column, x, (size_t)w->n_train * sizeof *column);
        w->n_bins[j] = boost_bins(low, high, column, w->n_train);
        for (int i = 0; i < w->n_train; i++) {
            int first = 0, last = w->n_bins[j] - 1;
            while (first < last) { /* the first bin that does not end below x */
                int mid = (first + last) / 2;
                if (x[i] > high[mid]) {
                    first = mid + 1;
                } else {
                    last = mid;
                }
            }
            w->bin[(size_t)j * (size_t)w->n_train + (size_t)i] = (uint8_t)first;
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

/* A tree while it grows: its rows sorted into nodes. */
struct boost_grower {
    const struct boost_work *w;
    struct boost_tree *tree;
    const double *residual;   /* [n_train] */
    uint32_t *rows, *spare;   /* [n_train] */
    struct boost_cell *cells; /* [BOOST_NODES, d, BOOST_BINS] */
    int first[BOOST_NODES + BOOST_LEAVES], n[BOOST_NODES + BOOST_LEAVES]; /* of each node's rows */
};

static struct boost_cell *boost_cells(const struct boost_grower *g, int node, int feature)
{
    return g->cells + ((size_t)node * (size_t)g->w->d + (size_t)feature) * BOOST_BINS;
}

/* Sums of the node's residuals by feature and bin. */
static void boost_count(const struct boost_grower *g, int node)
{
    const struct boost_work *w = g->w;
    const uint32_t *rows = g->rows + g->first[node];
    for (int j = 0; j < w->d; j++) {
        const uint8_t *bin = w->bin + (size_t)j * (size_t)w->n_train;
        struct boost_cell *cells = boost_cells(g, node, j);
        memset(cells, 0, (size_t)w->n_bins[j] * sizeof *cells);
        for (int i = 0; i < g->n[node]; i++) {
            struct boost_cell *cell = &cells[bin[rows[i]]];
            cell->sum += g->residual[rows[i]];
            cell->n++;
        }
    }
}

/* The other child's are what is left of the parent's. */
static void boost_subtract(const struct boost_grower *g, int node, int sibling)
{
    for (int j = 0; j < g->w->d; j++) {
        struct boost_cell *out = boost_cells(g, node, j);
        const struct boost_cell *all = boost_cells(g, (node - 1) / 2, j);
        const struct boost_cell *other = boost_cells(g, sibling, j);
        for (int b = 0; b < g->w->n_bins[j]; b++) {
            out[b].sum = all[b].sum - other[b].sum;
            out[b].n = all[b].n - other[b].n;
        }
    }
}

/* The best split of a node: of equal ones the first feature, the lowest cut. */
static void boost_find(const struct boost_grower *g, int node)
{
    const struct boost_work *w = g->w;
    struct boost_tree *t = g->tree;
    double best = 0;
    for (int j = 0; j < w->d; j++) {
        const struct boost_cell *cells = boost_cells(g, node, j);
        struct boost_cell all = {0}, left = {0};
        int n_bins = w->n_bins[j], next = 0;
        for (int b = 0; b < n_bins; b++) {
            all.sum += cells[b].sum;
            all.n += cells[b].n;
        }
        for (int b = 0; b < n_bins - 1; b++) {
            left.sum += cells[b].sum;
            left.n += cells[b].n;
            double right_n = all.n - left.n;
            if (cells[b].n <= 0 || right_n <= 0) {
                continue;
            }
            double off = left.sum / left.n - (all.sum - left.sum) / right_n;
            double gain = off * off * left.n * right_n / all.n;
            /* What rounding makes is no split (residuals are at most 1, their sums good to n times
             * 1e-16), and is no lead over an equal one. */
            if (gain > 1e-12 && gain > best * (1 + 1e-9)) {
                best = gain;
                t->feature[node] = j;
                t->cut[node] = b;
                t->gain[node] = gain;
            }
        }
        if (t->feature[node] == j) {
            for (next = t->cut[node] + 1; cells[next].n <= 0; next++) {
            }
            t->threshold[node] = ((double)w->high[(size_t)j * BOOST_BINS + (size_t)t->cut[node]] +
                                  (double)w->low[(size_t)j * BOOST_BINS + (size_t)next]) /
                                 2;
        }
    }
}

/* Sort the node's rows into its children, keeping their order. */
static void boost_part(struct boost_grower *g, int node)
{
    int feature = g->tree->feature[node], n_left = 0, n_right = 0;
    uint32_t *rows = g->rows + g->first[node];
    for (int i = 0; i < g->n[node]; i++) {
        if (feature < 0 ||
            g->w->bin[(size_t)feature * (size_t)g->w->n_train + rows[i]] <= g->tree->cut[node]) {
            rows[n_left++] = rows[i];
        } else {
            g->spare[n_right++] = rows[i];
        }
    }
    memcpy(rows + n_left, g->spare, (size_t)n_right * sizeof *rows);
    g->first[2 * node + 1] = g->first[node];
    g->n[2 * node + 1] = n_left;
    g->first[2 * node + 2] = g->first[node] + n_left;
    g->n[2 * node + 2] = n_right;
}

static void boost_grow(struct boost_grower *g)
{
    for (int node = 0; node < BOOST_NODES; node++) {
        g->tree->feature[node] = -1;
        g->tree->cut[node] = 0;
        g->tree->gain[node] = g->tree->threshold[node] = 0;
    }
    for (int i = 0; i < g->w->n_train; i++) {
        g->rows[i] = (uint32_t)i;
    }
    g->first[0] = 0;
    g->n[0] = g->w->n_train;
    boost_count(g, 0);
    boost_find(g, 0);
    for (int node = 0; node < BOOST_NODES; node++) {
        int left = 2 * node + 1, right = left + 1;
        boost_part(g, node);
        if (left < BOOST_NODES && g->tree->feature[node] >= 0) {
            int small = g->n[left] <= g->n[right] ? left : right, large = left + right - small;
            boost_count(g, small);
            boost_subtract(g, large, small);
            boost_find(g, left);
            boost_find(g, right);
        }
    }
}

/* The leaf of row i, below all levels. */
static int boost_leaf(const struct boost_tree *t, const struct boost_work *w, int i)
{
    int at = 0;
    for (int level = 0; level < BOOST_DEPTH; level++) {
        int k = (1 << level) - 1 + at, feature = t->feature[k];
        at = 2 * at + (feature >= 0 &&
                       (double)w->x[(size_t)feature * (size_t)w->n + (size_t)i] > t->threshold[k]);
    }
    return at;
}

/* One tree, for one class: fitted to the residuals, and added to the scores of all rows. */
static void boost_tree_fit(void *ctx, int i_class, int i_thread)
{
    const struct boost_work *w = ctx;
    size_t n_train = (size_t)w->n_train;
    double *residual = w->p + (size_t)i_class * n_train; /* becomes it, in place */
    double *score = w->score + (size_t)i_class * (size_t)w->n;
    double share = (double)(w->n_classes - 1) / w->n_classes;
    struct boost_grower g = {
        .w = w,
        .tree = &w->trees[i_class],
        .residual = residual,
        .rows = w->rows + (size_t)i_thread * 2 * n_train,
        .spare = w->rows + ((size_t)i_thread * 2 + 1) * n_train,
        .cells = w->cells + (size_t)i_thread * BOOST_NODES * (size_t)w->d * BOOST_BINS,
    };
    for (int i = 0; i < w->n_train; i++) {
        residual[i] = (w->y[i] == i_class) - residual[i];
    }
    boost_grow(&g);
    for (int k = 0; k < BOOST_LEAVES; k++) {
        /* One Newton step: (K - 1) / K sum r / sum p (1 - p), and p (1 - p) = |r| (1 - |r|). */
        const uint32_t *rows = g.rows + g.first[BOOST_NODES + k];
        double top = 0, below = 0;
        for (int i = 0; i < g.n[BOOST_NODES + k]; i++) {
            double r = fabs(residual[rows[i]]);
            top += residual[rows[i]];
            below += r * (1 - r);
        }
        g.tree->leaf[k] = below > 1e-150 ? BOOST_STEP * share * top / below : 0;
        for (int i = 0; i < g.n[BOOST_NODES + k]; i++) {
            score[rows[i]] += g.tree->leaf[k];
        }
    }
    for (int i = w->n_train; i < w->n; i++) {
        score[i] += g.tree->leaf[boost_leaf(g.tree, w, i)];
    }
}

/* Probabilities of a chunk of training rows. */
static void boost_softmax(void *ctx, int i_chunk, int i_thread)
{
    (void)i_thread;
    const struct boost_work *w = ctx;
    size_t n = (size_t)w->n, n_train = (size_t)w->n_train, first = (size_t)i_chunk * BOOST_CHUNK;
    int n_rows = (int)MIN(n_train - first, (size_t)BOOST_CHUNK);
    double most[BOOST_CHUNK], sum[BOOST_CHUNK] = {0};
    memcpy(most, w->score + first, (size_t)n_rows * sizeof *most);
    for (int k = 1; k < w->n_classes; k++) {
        const double *score = w->score + (size_t)k * n + first;
        for (int i = 0; i < n_rows; i++) {
            most[i] = MAX(most[i], score[i]);
        }
    }
    for (int k = 0; k < w->n_classes; k++) {
        const double *score = w->score + (size_t)k * n + first;
        double *p = w->p + (size_t)k * n_train + first;
        for (int i = 0; i < n_rows; i++) {
            p[i] = exp(score[i] - most[i]);
            sum[i] += p[i];
        }
    }
    for (int k = 0; k < w->n_classes; k++) {
        double *p = w->p + (size_t)k * n_train + first;
        for (int i = 0; i < n_rows; i++) {
            p[i] /= sum[i];
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
        .n = data->n_train + data->n_test, .n_train = data->n_train, .d = data->d, .x = data->x};
    size_t n = (size_t)w.n, card = (size_t)data->card, n_threads = (size_t)mc->n_threads;
    w.bin = arena_push(&tmp, (size_t)w.n_train * (size_t)w.d, 1);
    w.n_bins = arena_push(&tmp, (size_t)w.d, sizeof *w.n_bins);
    w.low = arena_push(&tmp, (size_t)w.d * BOOST_BINS, sizeof *w.low);
    w.high = arena_push(&tmp, (size_t)w.d * BOOST_BINS, sizeof *w.high);
    w.y = arena_push(&tmp, n, sizeof *w.y);
    w.score = arena_push(&tmp, card * n, sizeof *w.score);
    w.p = arena_push(&tmp, card * n, sizeof *w.p);
    w.trees = arena_push(&tmp, card, sizeof *w.trees);
    w.rows = arena_push(&tmp, n_threads * 2 * n, sizeof *w.rows);
    w.cells = arena_push(&tmp, n_threads * BOOST_NODES * (size_t)w.d * BOOST_BINS, sizeof *w.cells);
    boost_bin(&w, tmp);
    boost_classes(&w, data, tmp);
    double sum = 0;
    memset(result->importance, 0, (size_t)w.d * sizeof *result->importance);
    for (int round = 0; round < BOOST_ROUNDS && w.n_classes >= 2; round++) {
        threads_for(mc, DIV_UP(w.n_train, BOOST_CHUNK), boost_softmax, &w);
        threads_for(mc, w.n_classes, boost_tree_fit, &w);
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
