#include "nas/rows.h"

#include <string.h>

#include "core/rng.h"

size_t rows_split_bytes(const struct metric_data *data)
{
    return arena_round((size_t)data->n * sizeof(uint32_t));
}

void rows_split(struct rows_split *s, struct arena *keep, const struct metric_data *data,
                const struct metric_options *options)
{
    ASSERT(data->n >= METRIC_MIN_ROWS && options->train_rows >= 2);
    uint32_t *order = arena_push(keep, (size_t)data->n, sizeof *order);
    struct rng r = rng_key(options->seed, RNG_METRIC, (uint64_t)ROWS_SPLIT << 32);
    rng_permutation(&r, order, (uint32_t)data->n);
    int n_test = data->n / 3, n_train = data->n - n_test;
    *s = (struct rows_split){
        .train = order,
        .test = order + n_train,
        .n_train = MIN(n_train, options->train_rows),
        .n_test = MIN(n_test, options->train_rows / 2),
    };
}

size_t rows_columns_bytes(const struct metric_data *data, const struct metric_options *options)
{
    size_t most = (size_t)options->train_rows + (size_t)options->train_rows / 2;
    size_t n = MIN((size_t)data->n, most);
    return arena_round((size_t)data->d * n * sizeof(float)) +
           arena_round((size_t)data->n_factors * n * sizeof(int32_t));
}

void rows_columns(struct rows_columns *c, struct arena *keep, const struct metric_data *data,
                  const struct rows_split *split)
{
    size_t d = (size_t)data->d, n_factors = (size_t)data->n_factors;
    size_t n_train = (size_t)split->n_train, n = n_train + (size_t)split->n_test;
    c->n = (int)n;
    c->x = arena_push(keep, d * n, sizeof *c->x);
    c->y = arena_push(keep, n_factors * n, sizeof *c->y);
    for (size_t i = 0; i < n; i++) {
        size_t row = i < n_train ? split->train[i] : split->test[i - n_train];
        for (size_t j = 0; j < d; j++) {
            c->x[j * n + i] = data->codes[row * d + j];
        }
        for (size_t f = 0; f < n_factors; f++) {
            c->y[f * n + i] = data->factors[row * n_factors + f];
        }
    }
}

size_t rows_groups_bytes(const struct metric_data *data)
{
    size_t bytes = 0;
    for (int f = 0; f < data->n_factors; f++) {
        bytes += arena_round((size_t)data->n * sizeof(uint32_t)) +
                 arena_round(((size_t)data->cards[f] + 1) * sizeof(uint32_t));
    }
    return bytes;
}

static inline int32_t rows_value(const struct metric_data *data, size_t row, int factor)
{
    return data->factors[row * (size_t)data->n_factors + (size_t)factor];
}

bool rows_groups_init(struct rows_groups *g, struct arena *keep, const struct metric_data *data,
                      struct err *e)
{
    *g = (struct rows_groups){.data = data};
    for (int f = 0; f < data->n_factors; f++) {
        int card = data->cards[f], n_present = 0;
        uint32_t *first = arena_push_zero(keep, (size_t)card + 1, sizeof *first);
        uint32_t *row = arena_push(keep, (size_t)data->n, sizeof *row);
        for (int i = 0; i < data->n; i++) {
            first[rows_value(data, (size_t)i, f) + 1]++;
        }
        for (int v = 0; v < card; v++) {
            n_present += first[v + 1] > 0;
        }
        if (n_present < 2) {
            continue;
        }
        for (int v = 0; v < card; v++) {
            if (first[v + 1] == 1) {
                err_set(e, ERR_INPUT,
                        "factor %d has the value %d in one row only: expected at least two rows of "
                        "each value",
                        f, v);
                return err_hint(e, "more rows, or fewer values");
            }
            first[v + 1] += first[v];
        }
        /* Counting sort: each value's rows are filled from its end, in descending order. */
        for (int i = data->n - 1; i >= 0; i--) {
            row[--first[rows_value(data, (size_t)i, f) + 1]] = (uint32_t)i;
        }
        /* first[v + 1] now is where v begins. */
        memmove(first, first + 1, (size_t)card * sizeof *first);
        first[card] = (uint32_t)data->n;
        g->row[f] = row;
        g->first[f] = first;
        g->varying[g->n_varying++] = f;
    }
    ASSERT(g->n_varying >= 1); /* metric_applies */
    return true;
}

int rows_draw(uint32_t *rows, int n, const struct rows_groups *g, struct rng *r)
{
    int which = (int)rng_below(r, (uint64_t)g->n_varying), f = g->varying[which];
    int32_t value = rows_value(g->data, rng_below(r, (uint64_t)g->data->n), f);
    uint32_t first = g->first[f][value], n_rows = g->first[f][value + 1] - first;
    for (int i = 0; i < n; i++) {
        rows[i] = g->row[f][first + rng_below(r, n_rows)];
    }
    return which;
}
