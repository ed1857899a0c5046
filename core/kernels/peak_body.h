/* peak_body.h: the measure of a machine: twelve chains hide the latency of every processor so far
 * (two units of four or five cycles). */
#include "core/kernels/declare.h"

enum { PEAK_ACC = 12, PEAK_COPY = 8 };

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

float SIMD_NAME(peak_read_f32)(const float *x, size_t n)
{
    v_f32 acc[PEAK_ACC];
    V_FOR (j, PEAK_ACC) {
        acc[j] = v_zero();
    }
    size_t i = 0;
    for (; i + PEAK_ACC * VL <= n; i += PEAK_ACC * VL) {
        V_FOR (j, PEAK_ACC) {
            acc[j] = v_add(acc[j], v_load(x + i + (size_t)j * VL));
        }
    }
    for (; i < n; i += VL) {
        acc[0] = v_add(acc[0], v_load_part(x + i, v_first((ptrdiff_t)(n - i))));
    }
    V_FOR (j, PEAK_ACC - 1) {
        acc[0] = v_add(acc[0], acc[j + 1]);
    }
    return (float)v_sum64(v_add64(v_low64(acc[0]), v_high64(acc[0])));
}

void SIMD_NAME(peak_copy_f32)(float *y, const float *x, size_t n)
{
    size_t i = 0;
    for (; i + PEAK_COPY * VL <= n; i += PEAK_COPY * VL) {
        V_FOR (j, PEAK_COPY) {
            v_store(y + i + (size_t)j * VL, v_load(x + i + (size_t)j * VL));
        }
    }
    for (; i < n; i += VL) {
        const v_mask m = v_first((ptrdiff_t)(n - i));
        v_store_part(y + i, m, v_load_part(x + i, m));
    }
}
