#include "core/machine.h"

#include "core/gemm.h"
#include "core/kernels.h"

#include <string.h>

bool machine_init(struct machine *mc, const char *tier, int n_threads, struct err *e)
{
    ASSERT(mc && tier);
    ASSERT(n_threads >= 0);
    *mc = (struct machine){.n_threads = n_threads > 0 ? n_threads : cpu_count()};
    if (!cpu_parse(tier, &mc->tier, e)) {
        return false;
    }
    mc->k = kernels_of(mc->tier);
    ASSERT(mc->k);
    return gemm_blas_init(e);
}

bool machine_init_precision(struct machine *mc, const char *tier, const char *precision,
                            int n_threads, struct err *e)
{
    ASSERT(tier && precision);
    bool bf16 = strcmp(precision, "bf16") == 0;
    if (!bf16 && strcmp(precision, "fp32") != 0 && strcmp(precision, "auto") != 0) {
        return err_set(e, ERR_USAGE, "--precision %s: expected fp32, bf16 or auto", precision);
    }
    if (bf16 && strcmp(tier, "auto") == 0) {
        tier = cpu_tier_name(cpu_best_bf16());
    }
    if (!machine_init(mc, tier, n_threads, e)) {
        return false;
    }
    mc->bf16 = bf16;
    return true;
}

const char *machine_precision(const struct machine *mc)
{
    return mc->bf16 ? "bf16" : "fp32";
}

struct machine machine_serial(const struct machine *mc)
{
    struct machine serial = *mc;
    serial.n_threads = 1;
    return serial;
}
