/*
 * machine.h: what a computation runs on: a table of kernels for one CPU tier, and how many threads.
 * Passed const to everything that computes; a worker over candidates is given a copy with one
 * thread.
 */
#ifndef CORE_MACHINE_H
#define CORE_MACHINE_H

#include "core/cpu.h"

struct kernels;
struct choice;

struct machine {
    const struct kernels *k; /* core/kernel.h: the inner loops of the tier */
    enum cpu_tier tier;
    int n_threads;               /* >= 1; results do not depend on it */
    const struct choice *choice; /* core/choice.h: a tuned table; NULL = conv's own choice */
    bool bf16; /* convolutions may round what they multiply to bf16 (conv_bf16.c) */
};

/* tier: "auto", "ref", ...; n_threads: 0 = all processors. Pins BLAS to one thread. */
MUST_USE bool machine_init(struct machine *mc, const char *tier, int n_threads, struct err *e);

/* The same with a precision: "fp32", "bf16", or "auto", which is fp32 (docs/BF16.md says why). With
 * bf16 the tier "auto" is the best that has instructions for it. */
MUST_USE bool machine_init_precision(struct machine *mc, const char *tier, const char *precision,
                                     int n_threads, struct err *e);

/* "fp32" or "bf16". */
const char *machine_precision(const struct machine *mc);

/* The same machine with one thread: for work inside a parallel region. */
struct machine machine_serial(const struct machine *mc);

#endif
