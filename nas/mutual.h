/*
 * mutual.h: mutual information of codes and factors, as disentanglement metrics take it: a code is
 * cut into bins of equal width from its least to its greatest value, probabilities are counted
 * [Locatello2019]. In nats, never corrected for the bias of about (bins - 1)(card - 1) / (2 n).
 */
#ifndef NAS_MUTUAL_H
#define NAS_MUTUAL_H

#include "nas/metric.h"

/* bin[n] 0 .. n_bins-1 of column `code` of the codes; all 0 where it does not vary. */
void mutual_bins(int32_t *bin, const struct metric_data *data, int code, int n_bins);

/* mutual[d, n_factors] and the entropy[n_factors] of the factors. O(n d n_factors). */
void mutual_matrix(double *mutual, double *entropy, const struct metric_data *data, int n_bins,
                   struct arena tmp);

/* Scratch of a metric that takes mutual_matrix and nothing else, its results included: a
 * plan_bytes of nas/metric.h. */
size_t mutual_plan_bytes(const struct machine *mc, const struct metric_data *data,
                         const struct metric_options *options);

#endif
