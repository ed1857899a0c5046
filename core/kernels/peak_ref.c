/* peak_ref.c: the measure of a machine in plain C. */
#include "core/simd_ref.h"

#include "core/kernels/declare.h"

double peak_fma_f32__ref(float *value, size_t n)
{
    enum { ACC = 8 };
    float acc[ACC] = {0}, half = 0.5f;
    for (size_t i = 0; i < n; i++) {
        for (int j = 0; j < ACC; j++) {
            acc[j] = acc[j] * half + 1;
        }
    }
    *value = acc[0];
    for (int j = 1; j < ACC; j++) {
        *value = *value < acc[j] ? acc[j] : *value;
    }
    return 2.0 * ACC * (double)n;
}

float peak_read_f32__ref(const float *x, size_t n)
{
    enum { ACC = 8 };
    float acc[ACC] = {0}, sum = 0;
    for (size_t i = 0; i < n; i++) {
        acc[i % ACC] += x[i];
    }
    for (int j = 0; j < ACC; j++) {
        sum += acc[j];
    }
    return sum;
}

void peak_copy_f32__ref(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i];
    }
}
