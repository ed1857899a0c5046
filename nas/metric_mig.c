/*
 * Mutual information gap [Chen2018, sec. 4]: how much more the best code knows of a factor than the
 * second best, as a share of what there is to know,
 *
 *   MIG = mean over factors f of (I(best; f) - I(second; f)) / H(f)
 *
 * 1 needs as many bins as the factor has values: else log(bins) / log(card) at most.
 */
#include "nas/metrics.h"
#include "nas/mutual.h"

static bool metric_mig_run(const struct metric_job *job, double *values, struct err *e)
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
        double best = 0, second = 0; /* of one code: the second knows nothing */
        if (entropy[f] <= 0) {
            continue; /* a factor that does not vary */
        }
        for (int j = 0; j < data->d; j++) {
            double v = mutual[j * n_factors + f];
            second = MAX(second, MIN(v, best));
            best = MAX(best, v);
        }
        sum += (best - second) / entropy[f];
        n_counted++;
    }
    ASSERT(n_counted >= 1); /* metric_applies */
    values[0] = sum / n_counted;
    return true;
}

static const char *const metric_mig_values[] = {"mig"};

const struct metric metric_mig = {
    .name = "mig",
    .help = "mutual information gap: lead of the best code over the second [Chen2018]",
    .needs_factors = true,
    .min_factors = 1,
    .n_values = 1,
    .value_names = metric_mig_values,
    .plan_bytes = mutual_plan_bytes,
    .run = metric_mig_run,
};
