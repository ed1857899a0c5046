/*
 * manifest.h: RUN/config.json, what a run was made of: the command line, every option, versions,
 * processor, kernels, BLAS, and the SHA-256 of every input. A resumed run must be made of the same.
 */
#ifndef CLI_MANIFEST_H
#define CLI_MANIFEST_H

#include "cli/options.h"
#include "core/machine.h"

/* Facts that decide the bits of a run besides its options. */
struct manifest {
    const char *tier; /* kernels in use, "avx512" */
    const char *blas;
    const char *data_sha256, *reference_sha256, *cost_sha256, *truth_sha256; /* "" without one */
    const char *score_sha256; /* of a table of scores; NULL or "" without one */
    const char *precision;    /* of convolutions, core/machine.h; NULL: fp32 */
    const char *tune_sha256;  /* of a tuned table; NULL or "" without one */
    const char *reference_arch;                                              /* "" without one */
    const char *cost_source, *cost_name, *cost_unit;
};

/* Write config.json for a new run, and a copy of the tuned table where the machine has one. */
MUST_USE bool manifest_write(const char *dir, const struct options *o, const struct manifest *m,
                             const struct machine *mc, struct arena tmp, struct err *e);

/* The options of an earlier run, with those given now added where they do not change its results
 * (threads, memory, quiet, json). ERR_USAGE where another one given now differs from the run's. */
MUST_USE bool manifest_options(struct options *out, struct arena *keep, const char *dir,
                               const struct options *given, struct err *e);

/* ERR_INPUT where today's facts are not those of the run. */
MUST_USE bool manifest_check(const char *dir, const struct manifest *m, struct arena tmp,
                             struct err *e);

#endif
