/*
 * devices.h: which hardware costs are to be found in tables: every CSV of a folder that has an
 * index or arch column, every column named DEVICE_METRIC after the fashions in use
 * (NAME_latency_ms, NAME_lat_ms, NAME_ms, NAME_latency, NAME_energy_mj, NAME_energy). Read-only
 * after opening.
 */
#ifndef NAS_DEVICES_H
#define NAS_DEVICES_H

#include "core/arena.h"

struct device {
    const char *name;   /* "fpga" */
    const char *metric; /* "latency" or "energy" */
    const char *unit;   /* "ms" or "mJ" */
    const char *path;   /* of the table */
    const char *column;
};

struct devices {
    struct device *items; /* [n] sorted by name, metric, path, column */
    int n;
};

/* All devices in *.csv of a folder; only headers are read. Files that are no such table are passed
 * over. ERR_INPUT when the folder cannot be read. */
MUST_USE bool devices_scan(struct devices *d, struct arena *keep, const char *dir, struct err *e);

/* The same for tables of blocks (column "block"), of which a network's cost is a sum. */
MUST_USE bool devices_scan_blocks(struct devices *d, struct arena *keep, const char *dir,
                                  struct err *e);

/* The one column for this device and metric. ERR_USAGE names the candidates when there are several,
 * what there is when there is none, and the nearest name. */
MUST_USE bool devices_find(const struct device **out, const struct devices *d, const char *name,
                           const char *metric, struct err *e);

/* Split a column name; false if it names no cost. name must hold strlen(column) + 1 bytes. */
bool devices_split(const char *column, char *name, const char **metric, const char **unit);

#endif
