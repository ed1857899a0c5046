/* simd_tiers.h: the kernel sets of the target machine. The Makefile's TIERS is the same list. */
#ifndef CORE_SIMD_TIERS_H
#define CORE_SIMD_TIERS_H

/* T(isa word, enum cpu_tier) for each tier, the plain one first. */
#if defined(__x86_64__)
#define SIMD_TIERS(T)                                                                              \
    T(ref, CPU_REF)                                                                                \
    T(avx2, CPU_AVX2)                                                                              \
    T(avx512, CPU_AVX512)                                                                          \
    T(avx512bf16, CPU_AVX512BF16)                                                                  \
    T(amx, CPU_AMX)
#elif defined(__aarch64__)
#define SIMD_TIERS(T) T(ref, CPU_REF) T(neon, CPU_NEON)
#else
#define SIMD_TIERS(T) T(ref, CPU_REF)
#endif

#endif
