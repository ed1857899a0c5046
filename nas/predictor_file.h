/*
 * predictor_file.h: predictors as CSV, a device a row: space, device, metric, unit, reading,
 * fitted, spearman, within5, within10, least, base, and the weights w0, w1 ... of every choice of every
 * gene, empty where the device cannot run it. A file holds one space.
 */
#ifndef NAS_PREDICTOR_FILE_H
#define NAS_PREDICTOR_FILE_H

#include "nas/predictor.h"

/* The predictor of a device (NULL: the only one there is of this metric). ERR_USAGE names those
 * that there are, ERR_INPUT path and line. */
MUST_USE bool predictor_file_read(struct predictor *p, const struct space *space, const char *path,
                                  const char *device, const char *metric, struct arena tmp,
                                  struct err *e);

/* Where those that ship with hdnas are, and all of them (nb201). */
MUST_USE bool predictor_file_path(char **path, struct arena *keep, struct err *e);
MUST_USE bool predictor_file_list(struct predictor **all, int *n, struct arena *keep,
                                  struct err *e);

/* Put it into the file: in place of the one for the same device and metric, or behind the others.
 */
MUST_USE bool predictor_file_write(const struct predictor *p, const char *path, struct arena tmp,
                                   struct err *e);

#endif
