/* codes.h: codes of images and the factors they were made from, as `hdnas disentangle` reads them
 * from CSV: a row an image, a column a code or factor. */
#ifndef CLI_CODES_H
#define CLI_CODES_H

#include "nas/metric.h"

struct codes {
    struct metric_data data;   /* passed metric_check */
    const char **code_names;   /* [data.d] */
    const char **factor_names; /* [data.n_factors] */
};

/*
 * Read both files. Columns of codes_path whose name begins with "logvar" are the log variances of
 * the others, in the same order: none, or one for each. The values of a factor may be any numbers:
 * each column is replaced by the ranks of its different values. factors_path NULL: no factors.
 * ERR_INPUT names path, line, column.
 */
MUST_USE bool codes_read(struct codes *c, struct arena *keep, const char *codes_path,
                         const char *factors_path, struct err *e);

#endif
