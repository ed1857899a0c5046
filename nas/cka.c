#include "nas/cka.h"

#include <math.h>

#include "core/gemm.h"
#include "nas/linalg.h"

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

double cka_value(const double *g, const double *t, int n)
{
    size_t size = (size_t)n * (size_t)n;
    double norms = sqrt(linalg_dot(g, g, size)) * sqrt(linalg_dot(t, t, size));
    return norms > 0 ? linalg_dot(g, t, size) / norms : NAN;
}

void cka_gradient(float *weight, const double *g, const double *t, int n, double scale)
{
    size_t size = (size_t)n * (size_t)n;
    double norm_g = sqrt(linalg_dot(g, g, size)), norm_t = sqrt(linalg_dot(t, t, size));
    double value = linalg_dot(g, t, size) / (norm_g * norm_t);
    for (size_t i = 0; i < size; i++) {
        weight[i] = (float)(2 * scale * (t[i] / norm_t - value * g[i] / norm_g) / norm_g);
    }
}
