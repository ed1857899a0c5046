/* kernels.h: where a machine gets its table of kernels. */
#ifndef CORE_KERNELS_H
#define CORE_KERNELS_H

#include "core/cpu.h"
#include "core/kernel.h"

/* The kernels of a tier; NULL where the target machine has no such tier. */
const struct kernels *kernels_of(enum cpu_tier tier);

/* The names of all kernels, in the order of core/kernel.def and kernel_bf16.def; every tier has
 * each of them. */
int kernels_count(void);
const char *kernels_name(int i);

#endif
