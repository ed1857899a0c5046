/*
 * Modularity [Ridgeway2018, sec. 3]: whether each code knows of one factor only. With m the mutual
 * information of a code and each factor, and b the best factor,
 *
 *   modularity = mean over codes of 1 - sum over f != b of m_f^2 / (m_b^2 (factors - 1))
 *
 * A code that knows nothing at all counts 0 [Locatello2019]. Noise knows a little of every factor
 * by chance, mostly of those with many values: codes of noise do not score 0.
 */
#include "nas/metrics.h"
#include "nas/mutual.h"

static bool metric_modularity_run(const struct metric_job *job, double *values, struct err *e)
{
    (void)e;
    const struct metric_data *data = job->data;
    struct arena tmp = job->tmp;
    int n_factors = data->n_factors, n_counted = 0;
    double *mutual = arena_push(&tmp, (size_t)data->d * (size_t)n_factors, sizeof *mutual);
    double *entropy = arena_push(&tmp, (size_t)n_factors, sizeof *entropy);
    double sum = 0;
    mutual_matrix(mutual, entropy, data, job->options->bins, tmp);
    for (int f = 0; f < n_factors; f++) {
        n_counted += entropy[f] > 0;
    }
    ASSERT(n_counted >= 2); /* metric_applies */
    for (int j = 0; j < data->d; j++) {
        double best = 0, all = 0;
        for (int f = 0; f < n_factors; f++) {
            double v = mutual[j * n_factors + f];
            best = MAX(best, v * v);
            all += v * v;
        }
        sum += best > 0 ? 1 - (all - best) / (best * (n_counted - 1)) : 0;
    }
    values[0] = sum / data->d;
    return true;
}

static const char *const metric_modularity_values[] = {"modularity"};

const struct metric metric_modularity = {
    .name = "modularity",
    .help = "whether each code knows of one factor only [Ridgeway2018]",
    .needs_factors = true,
    .min_factors = 2,
    .n_values = 1,
    .value_names = metric_modularity_values,
    .plan_bytes = mutual_plan_bytes,
    .run = metric_modularity_run,
};
