#include "nas/mutual.h"

#include <math.h>
#include <string.h>

size_t mutual_plan_bytes(const struct machine *mc, const struct metric_data *data,
                         const struct metric_options *options)
{
    size_t most = 0, n_bins = (size_t)options->bins, n_factors = (size_t)data->n_factors;
    (void)mc;
    for (int f = 0; f < data->n_factors; f++) {
        most = MAX(most, (size_t)data->cards[f]);
    }
    return arena_round((size_t)data->n * sizeof(int32_t)) +
           arena_round(n_bins * most * sizeof(uint32_t)) + arena_round(n_bins * sizeof(uint32_t)) +
           arena_round(most * sizeof(uint32_t)) + arena_round(n_factors * sizeof(double)) +
           arena_round((size_t)data->d * n_factors * sizeof(double));
}

void mutual_bins(int32_t *bin, const struct metric_data *data, int code, int n_bins)
{
    const float *x = data->codes + code;
    size_t d = (size_t)data->d;
    double low = (double)x[0], high = low;
    for (int i = 1; i < data->n; i++) {
        double v = (double)x[(size_t)i * d];
        low = MIN(low, v);
        high = MAX(high, v);
    }
    double step = (high - low) / n_bins;
    for (int i = 0; i < data->n; i++) {
        double v = (double)x[(size_t)i * d];
        int k = step > 0 ? (int)((v - low) / step) : 0;
        k = MIN(MAX(k, 0), n_bins - 1);
        /* The edges decide, not the rounding of the quotient: bin k begins at low + k step. */
        while (k > 0 && v < low + k * step) {
            k--;
        }
        while (k < n_bins - 1 && v >= low + (k + 1) * step && step > 0) {
            k++;
        }
        bin[i] = k;
    }
}

static double mutual_entropy(const uint32_t *count, int n_values, int n)
{
    double sum = 0;
    for (int v = 0; v < n_values; v++) {
        if (count[v] > 0) {
            double p = (double)count[v] / n;
            sum -= p * log(p);
        }
    }
    return sum;
}

void mutual_matrix(double *mutual, double *entropy, const struct metric_data *data, int n_bins,
                   struct arena tmp)
{
    int n = data->n, n_factors = data->n_factors, most = 0;
    ASSERT(n > 0 && n_bins >= 2 && n_factors > 0);
    for (int f = 0; f < n_factors; f++) {
        most = MAX(most, data->cards[f]);
    }
    int32_t *bin = arena_push(&tmp, (size_t)n, sizeof *bin);
    uint32_t *joint = arena_push(&tmp, (size_t)n_bins * (size_t)most, sizeof *joint);
    uint32_t *of_bin = arena_push(&tmp, (size_t)n_bins, sizeof *of_bin);
    uint32_t *of_value = arena_push(&tmp, (size_t)most, sizeof *of_value);
    for (int j = 0; j < data->d; j++) {
        mutual_bins(bin, data, j, n_bins);
        memset(of_bin, 0, (size_t)n_bins * sizeof *of_bin);
        for (int i = 0; i < n; i++) {
            of_bin[bin[i]]++;
        }
        double of_code = mutual_entropy(of_bin, n_bins, n);
        for (int f = 0; f < n_factors; f++) {
            int card = data->cards[f];
            memset(joint, 0, (size_t)n_bins * (size_t)card * sizeof *joint);
            memset(of_value, 0, (size_t)card * sizeof *of_value);
            for (int i = 0; i < n; i++) {
                int32_t value = data->factors[(size_t)i * (size_t)n_factors + (size_t)f];
                joint[bin[i] * card + value]++;
                of_value[value]++;
            }
            entropy[f] = mutual_entropy(of_value, card, n);
            double both = mutual_entropy(joint, n_bins * card, n);
            /* I = H(code) + H(factor) - H(both). Sums of some hundred terms of order 1: what is
             * below 1e-12 is rounding. */
            double information = of_code + entropy[f] - both;
            mutual[j * n_factors + f] = information > 1e-12 ? information : 0;
        }
    }
}
