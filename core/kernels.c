#include "core/kernels.h"

#include "core/simd_tiers.h"

#define DECLARE(isa, tier) extern const struct kernels kernels_table__##isa;
SIMD_TIERS(DECLARE)
#undef DECLARE

const struct kernels *kernels_of(enum cpu_tier tier)
{
    static const struct kernels *const tables[CPU_N_TIERS] = {
#define ROW(isa, tier) [tier] = &kernels_table__##isa,
        SIMD_TIERS(ROW)
#undef ROW
    };
    ASSERT(tier >= 0 && tier < CPU_N_TIERS);
    return tables[tier];
}

static const char *const kernels_names[] = {
#define KERNEL(result, name, args) #name,
#include "core/kernel.def"
#include "core/kernel_bf16.def"
#undef KERNEL
};

int kernels_count(void)
{
    return (int)N_ELEMS(kernels_names);
}

const char *kernels_name(int i)
{
    ASSERT(i >= 0 && i < kernels_count());
    return kernels_names[i];
}
