/*
 * relu_code.h: which units of a network's ReLUs are on, image by image, as bits [Mellor2021]. A
 * ReLU that several convolutions read stands for as many "ReLU-Conv-BN" modules of the published
 * networks and counts so often.
 */
#ifndef NAS_RELU_CODE_H
#define NAS_RELU_CODE_H

#include "nas/trial.h"

/* Units of all ReLUs that are computed, each as often as it counts. */
size_t relu_code_units(const struct graph *g);

/* How often node's units count: 0 where it is no ReLU. */
int relu_code_times(const struct graph *g, int node);

/* agree[n, n]: the number of units that two images have in the same state, after trial_forward with
 * TRIAL_VALUES. ReLUs of a known zero add nothing. O(n^2 units / 64). */
void relu_code_agree(double *agree, const struct trial *t, int n, struct arena tmp);
size_t relu_code_agree_bytes(const struct graph *g, int n);

/* How many different patterns the units show over the images, one bit an image: a unit's column of
 * the codes. Exact up to 64 images, by 64-bit hashes beyond. O(n units). */
int64_t relu_code_patterns(const struct trial *t, int n, struct arena tmp);
size_t relu_code_patterns_bytes(const struct graph *g);

#endif
