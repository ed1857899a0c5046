#include "nas/cka.h"

#include <math.h>

#include "core/gemm.h"

size_t cka_gram_scratch_bytes(const struct machine *mc, int n, size_t d)
{
    return gemm_gram_scratch_bytes(mc, n, d);
}

void cka_centre(double *gram, int n)
{
    ASSERT(n > 0);
    /* The matrix is symmetric: the means of rows are the means of columns. They fit on the stack a
     * row at a time only by subtracting twice, so first rows, then columns. */
    for (int pass = 0; pass < 2; pass++) {
        size_t step = pass == 0 ? 1 : (size_t)n;
        size_t next = pass == 0 ? (size_t)n : 1;
        for (int i = 0; i < n; i++) {
            double *line = gram + (size_t)i * next;
            double sum = 0;
            for (int j = 0; j < n; j++) {
                sum += line[(size_t)j * step];
            }
            double mean = sum / n;
            for (int j = 0; j < n; j++) {
                line[(size_t)j * step] -= mean;
            }
        }
    }
}

void cka_gram(const struct machine *mc, double *gram, const struct tensor *x, struct arena tmp)
{
    gemm_gram(mc, gram, x->data, x->n, (size_t)x->h * (size_t)x->w * (size_t)x->c, tmp);
    cka_centre(gram, x->n);
}

static double cka_dot(const double *a, const double *b, int n)
{
    double sum = 0;
    for (size_t i = 0; i < (size_t)n * (size_t)n; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

double cka_value(const double *g, const double *t, int n)
{
    double norms = sqrt(cka_dot(g, g, n)) * sqrt(cka_dot(t, t, n));
    return norms > 0 ? cka_dot(g, t, n) / norms : NAN;
}

void cka_gradient(float *weight, const double *g, const double *t, int n, double scale)
{
    double norm_g = sqrt(cka_dot(g, g, n)), norm_t = sqrt(cka_dot(t, t, n));
    double value = cka_dot(g, t, n) / (norm_g * norm_t);
    for (size_t i = 0; i < (size_t)n * (size_t)n; i++) {
        weight[i] = (float)(2 * scale * (t[i] / norm_t - value * g[i] / norm_g) / norm_g);
    }
}
