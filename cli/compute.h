/*
 * compute.h: the machine that a command computes on, from the options that every command has: the
 * kernels (--cpu), the precision, the threads, and the tuned table of algorithms (--tune-file, HDNAS_TUNE).
 */
#ifndef CLI_COMPUTE_H
#define CLI_COMPUTE_H

#include "cli/options.h"
#include "core/machine.h"

/* A tuned table that is asked for and cannot be read is an error; what it decides is recorded by
 * its checksum (compute_tune_sha256), as another table gives other bits. */
MUST_USE bool compute_open(struct machine *mc, const struct options *o, struct arena *keep,
                           struct err *e);

/* What decides the bits of results here: "avx512", "avx512bf16 bf16", with a tuned table "avx512
 * tuned SHA256". */
const char *compute_kernels(const struct machine *mc, struct arena *keep);

/* "" without a tuned table. */
const char *compute_tune_sha256(const struct machine *mc);

/* Copy the tuned table into the folder of a run, as tune.csv; nothing to do without one. */
MUST_USE bool compute_keep_tune(const struct machine *mc, const char *dir, struct arena tmp,
                                struct err *e);

#endif
