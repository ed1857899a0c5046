/* sample.h: a fair, small part of a data set, written as IDX files that the project reads again. */
#ifndef DATA_SAMPLE_H
#define DATA_SAMPLE_H

#include "data/dataset.h"

/*
 * Choose n images, n / n_classes of each class (a remainder goes to the first classes), those with
 * the lowest keys (seed, RNG_SHUFFLE, index), and write them in the order of their keys to
 * dir/train-* or dir/t10k-*, gzipped. The same bytes every time. ERR_INPUT where a class has too
 * few images.
 */
MUST_USE bool sample_write(const struct dataset *ds, enum dataset_split split, size_t n,
                           uint64_t seed, const char *dir, struct arena tmp, struct err *e);

#endif
