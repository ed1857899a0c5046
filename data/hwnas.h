/*
 * hwnas.h: HW-NAS-Bench's official pickle [Li2021] as CSV tables: a dict "nasbench201" of data sets
 * of metrics of 15,625 numbers, and a dict "fbnet" of metrics of blocks.
 */
#ifndef DATA_HWNAS_H
#define DATA_HWNAS_H

#include "core/arena.h"

struct hwnas_table {
    const char *path; /* of the CSV that was written */
    const char *what; /* "nasbench201 cifar10", "fbnet" */
    size_t n_rows;
    int n_metrics;
};

enum { HWNAS_MAX_TABLES = 16 };

/* Write DIR/<data set>/hwnasbench_nb201.csv (columns index and one a metric) for each data set, and
 * DIR/fbnet/hwnasbench_fbnet.csv (column block). A folder a data set, because a device of --tables
 * may be in one table only. tables[HWNAS_MAX_TABLES]. ERR_INPUT for what is not that pickle; then
 * nothing, or whole tables, are written. */
MUST_USE bool hwnas_import(struct hwnas_table *tables, int *n, struct arena *keep, const char *file,
                           const char *dir, struct err *e);

#endif
