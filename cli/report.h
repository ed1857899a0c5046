/*
 * report.h: the page of a run, made from the files of its folder alone (docs/formats.md), so that
 * whatever is drawn can be drawn again later. Writes RUN/report.html (self-contained: nothing is
 * fetched) and RUN/front.svg.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "core/arena.h"

/* Needs config.json, evals.csv, front.csv and generations.csv; draws truth.csv and time.csv where
 * they are. ERR_INPUT names the file and the column or line that is missing or bad; ERR_FAILED
 * where the page cannot be written. */
MUST_USE bool report_make(const char *run_dir, struct arena tmp, struct err *e);

#endif
