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
    int n_threads; /* >= 1; results do not depend on it */
    const struct choice *choice; /* core/choice.h: a tuned table; NULL = conv's own choice */
};

/* tier: "auto", "ref", ...; n_threads: 0 = all processors. Pins BLAS to one thread. */
MUST_USE bool machine_init(struct machine *mc, const char *tier, int n_threads, struct err *e);

/* The same machine with one thread: for work inside a parallel region. */
struct machine machine_serial(const struct machine *mc);

#endif
