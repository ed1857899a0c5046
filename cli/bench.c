#include "cli/bench.h"

#include "core/rng.h"

#include <math.h>

float *bench_data(struct arena *keep, size_t n, uint64_t index, struct err *e)
{
    float *data = arena_try(keep, MAX(n, (size_t)1), sizeof *data, e);
    struct rng r = rng_key(1, RNG_TEST, index);
    for (size_t i = 0; data && i < n; i++) {
        data[i] = (float)((int)(rng_u64(&r) >> 33) % 3 - 1);
    }
    return data;
}

bool bench_compare(const float *a, const float *b, size_t n, double tolerance, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)a[i] - (double)b[i]);
        if (!(difference <= tolerance)) {
            return err_set(e, ERR_FAILED, "element %zu is %.9g, the reference %.9g", i,
                           (double)a[i], (double)b[i]);
        }
    }
    return true;
}
