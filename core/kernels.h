/* kernels.h: where a machine gets its table of kernels. */
#ifndef CORE_KERNELS_H
#define CORE_KERNELS_H

#include "core/cpu.h"
#include "core/kernel.h"

/* The kernels of a tier; NULL where the target machine has no such tier. */
const struct kernels *kernels_of(enum cpu_tier tier);

#endif
