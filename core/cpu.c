#define _GNU_SOURCE
#include "core/cpu.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const tier_names[CPU_N_TIERS] = {"ref",    "neon",       "avx2",
                                                    "avx512", "avx512bf16", "amx"};

const char *cpu_tier_name(enum cpu_tier tier)
{
    ASSERT(tier >= 0 && tier < CPU_N_TIERS);
    return tier_names[tier];
}

#if defined(__x86_64__)
static void cpu_cpuid(unsigned leaf, unsigned sub, unsigned r[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
                     : "a"(leaf), "c"(sub));
}

/* Leaf 7, subleaf 1, EAX: bit 5 is AVX512-BF16. What the operating system saves of the registers is
 * that of AVX-512. */
static bool cpu_has_vdpbf16(void)
{
    unsigned r[4];
    cpu_cpuid(0, 0, r);
    if (r[0] < 7) {
        return false;
    }
    cpu_cpuid(7, 0, r);
    if (r[0] < 1) {
        return false;
    }
    cpu_cpuid(7, 1, r);
    return r[0] >> 5 & 1;
}

/* Leaf 7, EDX: bit 22 is AMX-BF16, bit 24 AMX-TILE. The system must save both tile states (XCR0
 * bits 17 and 18) and let this process have them, for which Linux wants to be asked. */
static bool cpu_has_tiles(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    unsigned r[4], low, high;
    cpu_cpuid(7, 0, r);
    if (!(r[3] >> 22 & 1) || !(r[3] >> 24 & 1)) {
        return false;
    }
    cpu_cpuid(1, 0, r);
    if (!(r[2] >> 27 & 1)) { /* OSXSAVE: xgetbv exists */
        return false;
    }
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
#if defined(__linux__)
    return (low >> 17 & 3) == 3 &&
           syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
#else
    return false;
#endif
}
#endif

bool cpu_has(enum cpu_tier tier)
{
#if defined(__x86_64__)
    switch (tier) {
    case CPU_REF:
        return true;
    case CPU_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case CPU_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               cpu_has(CPU_AVX2);
    case CPU_AVX512BF16:
        return cpu_has(CPU_AVX512) && cpu_has_vdpbf16();
    case CPU_AMX:
        return cpu_has(CPU_AVX512BF16) && cpu_has_tiles();
    default:
        return false;
    }
#elif defined(__aarch64__)
    return tier == CPU_REF || tier == CPU_NEON;
#else
    return tier == CPU_REF;
#endif
}

static enum cpu_tier cpu_best_until(enum cpu_tier last)
{
    enum cpu_tier best = CPU_REF;
    for (int t = 0; t <= (int)last; t++) {
        if (cpu_has((enum cpu_tier)t)) {
            best = (enum cpu_tier)t;
        }
    }
    return best;
}

enum cpu_tier cpu_best(void)
{
    return cpu_best_until(CPU_AVX512); /* the tiers after it have its kernels in fp32 */
}

enum cpu_tier cpu_best_bf16(void)
{
    return cpu_best_until(CPU_AMX);
}

bool cpu_parse(const char *name, enum cpu_tier *tier, struct err *e)
{
    ASSERT(name && tier);
    if (strcmp(name, "auto") == 0) {
        *tier = cpu_best();
        return true;
    }
    for (int t = 0; t < CPU_N_TIERS; t++) {
        if (strcmp(name, tier_names[t]) == 0) {
            if (!cpu_has((enum cpu_tier)t)) {
                err_set(e, ERR_USAGE, "--cpu %s: this processor cannot run that tier", name);
                return err_hint(e, "the best here is %s", cpu_tier_name(cpu_best()));
            }
            *tier = (enum cpu_tier)t;
            return true;
        }
    }
    return err_set(e, ERR_USAGE,
                   "--cpu %s: expected auto, ref, neon, avx2, avx512, "
                   "avx512bf16 or amx",
                   name);
}

void cpu_model_name(char *buf, size_t len)
{
    snprintf(buf, len, "unknown");
    FILE *f = fopen("/proc/cpuinfo", "r");
    if (!f) {
        return;
    }
    char line[256];
    while (fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon) {
            colon[strcspn(colon, "\n")] = 0;
            snprintf(buf, len, "%s", colon + 2);
            break;
        }
    }
    fclose(f);
}

int cpu_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        return CPU_COUNT(&set);
    }
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

/* First line of a file of the kernel's; false where there is none. */
static bool cpu_line(const char *path, char *line, int len)
{
    FILE *f = fopen(path, "r");
    bool ok = f && fgets(line, len, f);
    if (f) {
        fclose(f);
    }
    if (ok) {
        line[strcspn(line, "\n")] = 0;
    }
    return ok;
}

void cpu_condition(char *buf, size_t len)
{
    char line[64], governor[64] = "", mhz[32] = "", celsius[32] = "", load[32] = "";
    if (cpu_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", line, sizeof line)) {
        snprintf(governor, sizeof governor, "governor %.40s, ", line);
    }
    if (cpu_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", line, sizeof line)) {
        snprintf(mhz, sizeof mhz, "%.0f MHz, ", strtod(line, NULL) / 1e3);
    }
    if (cpu_line("/sys/class/thermal/thermal_zone0/temp", line, sizeof line)) {
        snprintf(celsius, sizeof celsius, "%.0f C, ", strtod(line, NULL) / 1e3);
    }
    if (cpu_line("/proc/loadavg", line, sizeof line)) {
        snprintf(load, sizeof load, "load %.2f", strtod(line, NULL));
    }
    snprintf(buf, len, "%s%s%s%s", governor, mhz, celsius, load);
}

bool cpu_pin(struct cpu_affinity *old)
{
    *old = (struct cpu_affinity){{0}, false};
    cpu_set_t before, one;
    _Static_assert(sizeof before <= sizeof old->mask, "the set of processors must fit");
    int cpu = sched_getcpu();
    if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof before, &before) != 0) {
        return false;
    }
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0) {
        return false;
    }
    memcpy(old->mask, &before, sizeof before);
    old->saved = true;
    return true;
}

void cpu_unpin(const struct cpu_affinity *old)
{
    if (old->saved) {
        cpu_set_t before;
        memcpy(&before, old->mask, sizeof before);
        sched_setaffinity(0, sizeof before, &before); /* it was allowed before */
    }
}
