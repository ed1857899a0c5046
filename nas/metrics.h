/* metrics.h: the rooms behind nas/metric.h, as nas/metrics.c lists them. */
#ifndef NAS_METRICS_H
#define NAS_METRICS_H

#include "nas/metric.h"

extern const struct metric metric_mig, metric_dci, metric_sap, metric_modularity;
extern const struct metric metric_factorvae, metric_betavae;
extern const struct metric metric_spread, metric_kl;

#endif
