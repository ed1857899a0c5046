#include "core/machine.h"

#include "core/gemm.h"
#include "core/kernels.h"

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

struct machine machine_serial(const struct machine *mc)
{
    struct machine serial = *mc;
    serial.n_threads = 1;
    return serial;
}
