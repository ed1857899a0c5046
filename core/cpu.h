/* cpu.h: what instructions this processor has, as tiers. A tier is a set of kernels, chosen at run
 * time. */
#ifndef CORE_CPU_H
#define CORE_CPU_H

#include "core/err.h"

/* Ordered within an architecture; a forced tier may only be weaker than what the processor has. */
enum cpu_tier {
    CPU_REF,        /* plain C, the definition */
    CPU_NEON,       /* AArch64 */
    CPU_AVX2,       /* AVX2 and FMA */
    CPU_AVX512,     /* AVX-512 F, BW, DQ, VL */
    CPU_AVX512BF16, /* its kernels; products of bf16 by VDPBF16PS */
    CPU_AMX,        /* the same, products of bf16 by tiles */
    CPU_N_TIERS,
};

/* "ref", "neon", "avx2", "avx512", "avx512bf16", "amx". */
const char *cpu_tier_name(enum cpu_tier tier);

/* True where this processor and operating system can run the tier. Asking for CPU_AMX asks Linux
 * for the tiles, which threads started later have too. */
bool cpu_has(enum cpu_tier tier);

/* The best tier this machine runs in fp32, and the best one with bf16. */
enum cpu_tier cpu_best(void);
enum cpu_tier cpu_best_bf16(void);

/* Parse a tier name; "auto" is cpu_best(). ERR_USAGE for unknown names and for tiers this processor
 * lacks. */
MUST_USE bool cpu_parse(const char *name, enum cpu_tier *tier, struct err *e);

/* Model name as the kernel tells, "unknown" otherwise. Copied into buf. */
void cpu_model_name(char *buf, size_t len);

/* Processors this process may run on. */
int cpu_count(void);

/* What the kernel tells of the state of the machine, for reports of measurements: "governor
 * performance, 2600 MHz, 48 C, load 1.02"; what it does not tell is left out. Copied into buf. */
void cpu_condition(char *buf, size_t len);

/* Keep the calling thread on the processor it is on, for a measurement. Fills old; false where the
 * system cannot. */
struct cpu_affinity {
    unsigned char mask[128]; /* the system's set of processors */
    bool saved;
};
bool cpu_pin(struct cpu_affinity *old);

/* Back to where it might run before. */
void cpu_unpin(const struct cpu_affinity *old);

#endif
