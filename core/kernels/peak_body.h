/* peak_body.h: the measure of a machine: twelve chains hide the latency of every processor so far
 * (two units of four or five cycles). */
#include "core/kernels/declare.h"

enum { PEAK_ACC = 12 };

double SIMD_NAME(peak_fma_f32)(float *value, size_t n)
{
    v_f32 acc[PEAK_ACC], half = v_set1(0.5f), one = v_set1(1);
    V_FOR (j, PEAK_ACC) {
        acc[j] = v_set1((float)j); /* all different, lest the compiler make one of them */
    }
    for (size_t i = 0; i < n; i++) {
        V_FOR (j, PEAK_ACC) {
            acc[j] = v_fma(acc[j], half, one);
        }
    }
    V_FOR (j, PEAK_ACC - 1) {
        acc[0] = v_at_least(acc[0], acc[j + 1]);
    }
    v_store_part(value, v_first(1), acc[0]);
    return 2.0 * VL * PEAK_ACC * (double)n;
}
