/*
 * kernel.h: the contract of the inner loops. core/kernel.def lists them; each exists as name__ref
 * (plain C, the definition) and as name__ISA for every tier of the target machine. A kernel takes
 * pointers and counts, accepts counts of zero, touches no byte outside what it is given, allocates
 * nothing, starts no thread and cannot fail.
 */
#ifndef CORE_KERNEL_H
#define CORE_KERNEL_H

#include "core/base.h"

/* Activations; the first five are those of vec.h in the same order. */
enum kernel_act {
    KERNEL_RELU,
    KERNEL_RELU6,
    KERNEL_HSWISH,
    KERNEL_SIGMOID,
    KERNEL_TANH,
    KERNEL_NO_ACT,
};

/* Constants of one SGD step: v = momentum v + (grad + decay w); w -= lr (nesterov ? g + momentum v
 * : v). */
struct kernel_sgd {
    float lr, momentum, decay;
    bool nesterov;
};

/* Constants of one Adam step; step_size and root_correction hold the bias corrections of that step.
 */
struct kernel_adam {
    float beta1, beta2, eps, decay;
    float step_size;       /* lr / (1 - beta1^t) */
    float root_correction; /* 1 / sqrt(1 - beta2^t) */
};

/* The table: one function pointer a kernel. */
struct kernels {
    const char *isa;
#define KERNEL(result, name, args) result(*name) args;
#include "core/kernel.def"
#undef KERNEL
};

#endif
