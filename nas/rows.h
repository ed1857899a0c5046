/* rows.h: which rows a disentanglement metric looks at: a split for fitting and testing, and rows
 * that share a factor's value. */
#ifndef NAS_ROWS_H
#define NAS_ROWS_H

#include "nas/metric.h"

/* The streams of RNG_METRIC: index = stream * 2^32 + number of the draw. */
enum rows_stream { ROWS_SPLIT, ROWS_FACTORVAE, ROWS_BETAVAE, ROWS_KL };

/* A third of the rows is for testing, drawn by the seed; of either part at most train_rows and
 * train_rows / 2 are used. */
struct rows_split {
    const uint32_t *train, *test; /* row numbers */
    int n_train, n_test;
};

void rows_split(struct rows_split *s, struct arena *keep, const struct metric_data *data,
                const struct metric_options *options);

size_t rows_split_bytes(const struct metric_data *data);

/* The rows of a split, training rows first, a column after the other. */
struct rows_columns {
    int n;      /* n_train + n_test */
    float *x;   /* [d, n] codes */
    int32_t *y; /* [n_factors, n] factors */
};

void rows_columns(struct rows_columns *c, struct arena *keep, const struct metric_data *data,
                  const struct rows_split *split);

size_t rows_columns_bytes(const struct metric_data *data, const struct metric_options *options);

/* Rows by the value of each factor. */
struct rows_groups {
    const struct metric_data *data;
    uint32_t *row[METRIC_MAX_FACTORS]; /* [n] sorted by value, then number; NULL = does not vary */
    uint32_t *first[METRIC_MAX_FACTORS]; /* [card + 1] where a value begins */
    int varying[METRIC_MAX_FACTORS];     /* the factors that vary */
    int n_varying;
};

/* ERR_INPUT where a value occurs once only: nothing can be said about what it fixes. */
MUST_USE bool rows_groups_init(struct rows_groups *g, struct arena *keep,
                               const struct metric_data *data, struct err *e);

size_t rows_groups_bytes(const struct metric_data *data);

/* A factor that varies, one of its values as often as in the data, and n rows of that value, drawn
 * independently. Returns the place of the factor in varying[]. */
struct rng;
int rows_draw(uint32_t *rows, int n, const struct rows_groups *g, struct rng *r);

#endif
