/*
 * FactorVAE score [Kim2018, sec. 4]: a factor is fixed at a value that the data has, 64 rows of
 * that value are drawn, and the code whose variance among them, as a share of its variance over all
 * rows, is least casts a vote: (code, factor). A classifier that answers each code with the factor
 * it voted for most, learned from options->draws votes, is tested on half as many new ones.
 *
 * 1 where each factor has a code of its own; 1 / factors for codes of noise; 0 where no code
 * varies. Codes whose variance is below 1e-12 of the largest do not vote. Factors that do not vary
 * are never chosen. [Locatello2019] draws new images with the factor fixed; rows drawn with
 * replacement from all that have the value stand for them here.
 */
#include "core/rng.h"
#include "core/threads.h"
#include "nas/metrics.h"
#include "nas/rows.h"

enum { METRIC_FACTORVAE_BATCH = 64 };

struct metric_factorvae_work {
    const struct metric_job *job;
    struct rows_groups groups;
    double *variance; /* [d] over all rows; 0 = does not vote */
    int *code;        /* [votes] */
    int *factor;      /* [votes] place in groups.varying */
};

static double metric_factorvae_variance(const struct metric_data *data, int code,
                                        const uint32_t *rows, int n)
{
    double start = 0, sum = 0, square = 0;
    for (int i = 0; i < n; i++) {
        size_t row = rows ? rows[i] : (size_t)i;
        double v = (double)data->codes[row * (size_t)data->d + (size_t)code];
        start = i == 0 ? v : start;
        sum += v - start;
        square += (v - start) * (v - start);
    }
    return MAX(square - sum * sum / n, 0) / (n - 1);
}

static void metric_factorvae_vote(void *ctx, int i, int i_thread)
{
    (void)i_thread;
    const struct metric_factorvae_work *w = ctx;
    const struct metric_data *data = w->job->data;
    uint32_t rows[METRIC_FACTORVAE_BATCH];
    struct rng r =
        rng_key(w->job->options->seed, RNG_METRIC, (uint64_t)ROWS_FACTORVAE << 32 | (uint64_t)i);
    double least = 0;
    int best = -1;
    w->factor[i] = rows_draw(rows, METRIC_FACTORVAE_BATCH, &w->groups, &r);
    for (int j = 0; j < data->d; j++) {
        if (w->variance[j] > 0) {
            double v =
                metric_factorvae_variance(data, j, rows, METRIC_FACTORVAE_BATCH) / w->variance[j];
            if (best < 0 || v < least) {
                best = j;
                least = v;
            }
        }
    }
    w->code[i] = best;
}

static size_t metric_factorvae_plan_bytes(const struct machine *mc, const struct metric_data *data,
                                          const struct metric_options *options)
{
    (void)mc;
    size_t n_votes = (size_t)options->draws + (size_t)options->draws / 2;
    size_t d = (size_t)data->d, f = (size_t)data->n_factors;
    return rows_groups_bytes(data) + arena_round(d * sizeof(double)) +
           2 * arena_round(n_votes * sizeof(int)) + arena_round(d * f * sizeof(uint32_t)) +
           arena_round(d * sizeof(int));
}

/* Share of the last n_test votes that the majority of the first n_train foretells. */
static double metric_factorvae_share(const struct metric_factorvae_work *w, int n_train, int n_test,
                                     struct arena tmp)
{
    size_t d = (size_t)w->job->data->d, n_factors = (size_t)w->groups.n_varying;
    uint32_t *count = arena_push_zero(&tmp, d * n_factors, sizeof *count);
    int *answer = arena_push_zero(&tmp, d, sizeof *answer);
    int n_right = 0;
    for (int i = 0; i < n_train; i++) {
        count[(size_t)w->code[i] * n_factors + (size_t)w->factor[i]]++;
    }
    for (size_t j = 0; j < d; j++) {
        for (size_t f = 1; f < n_factors; f++) {
            if (count[j * n_factors + f] > count[j * n_factors + (size_t)answer[j]]) {
                answer[j] = (int)f;
            }
        }
    }
    for (int i = n_train; i < n_train + n_test; i++) {
        n_right += answer[w->code[i]] == w->factor[i];
    }
    return (double)n_right / n_test;
}

static bool metric_factorvae_run(const struct metric_job *job, double *values, struct err *e)
{
    const struct metric_data *data = job->data;
    struct arena tmp = job->tmp;
    struct metric_factorvae_work w = {.job = job};
    int n_train = job->options->draws, n_test = n_train / 2;
    ASSERT(n_test >= 1);
    w.variance = arena_push(&tmp, (size_t)data->d, sizeof *w.variance);
    w.code = arena_push(&tmp, (size_t)(n_train + n_test), sizeof *w.code);
    w.factor = arena_push(&tmp, (size_t)(n_train + n_test), sizeof *w.factor);
    if (!rows_groups_init(&w.groups, &tmp, data, e)) {
        return false;
    }
    double most = 0;
    for (int j = 0; j < data->d; j++) {
        w.variance[j] = metric_factorvae_variance(data, j, NULL, data->n);
        most = MAX(most, w.variance[j]);
    }
    for (int j = 0; j < data->d; j++) {
        w.variance[j] = w.variance[j] > 1e-12 * most ? w.variance[j] : 0;
    }
    values[0] = 0;
    if (most > 0) {
        threads_for(job->mc, n_train + n_test, metric_factorvae_vote, &w);
        values[0] = metric_factorvae_share(&w, n_train, n_test, tmp);
    }
    return true;
}

static const char *const metric_factorvae_values[] = {"factorvae"};

const struct metric metric_factorvae = {
    .name = "factorvae",
    .help = "whether the code that varies least tells which factor was fixed [Kim2018]",
    .needs_factors = true,
    .min_factors = 2,
    .n_values = 1,
    .value_names = metric_factorvae_values,
    .plan_bytes = metric_factorvae_plan_bytes,
    .run = metric_factorvae_run,
};
