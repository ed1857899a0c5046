#include "nas/linalg.h"

#include <math.h>

static void linalg_swap_rows(double *a, int n, int i, int j)
{
    for (int k = 0; k < n; k++) {
        double t = a[i * n + k];
        a[i * n + k] = a[j * n + k];
        a[j * n + k] = t;
    }
}

double linalg_log_det(double *a, int n)
{
    double sum = 0;
    for (int k = 0; k < n; k++) {
        int pivot = k;
        for (int i = k + 1; i < n; i++) {
            pivot = fabs(a[i * n + k]) > fabs(a[pivot * n + k]) ? i : pivot;
        }
        double p = a[pivot * n + k];
        if (p == 0 || isnan(p)) {
            return p == 0 ? -INFINITY : NAN;
        }
        if (pivot != k) {
            linalg_swap_rows(a, n, pivot, k);
        }
        sum += log(fabs(p));
        for (int i = k + 1; i < n; i++) {
            double f = a[i * n + k] / p;
            for (int j = k + 1; f != 0 && j < n; j++) {
                a[i * n + j] -= f * a[k * n + j];
            }
        }
    }
    return sum;
}

/* Rotate rows and columns p and q so that a[p][q] becomes zero. */
static void linalg_rotate(double *a, int n, int p, int q)
{
    double apq = a[p * n + q];
    double theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
    double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
    double c = 1 / sqrt(t * t + 1), s = t * c;
    for (int k = 0; k < n; k++) {
        double x = a[k * n + p], y = a[k * n + q];
        a[k * n + p] = c * x - s * y;
        a[k * n + q] = s * x + c * y;
    }
    for (int k = 0; k < n; k++) {
        double x = a[p * n + k], y = a[q * n + k];
        a[p * n + k] = c * x - s * y;
        a[q * n + k] = s * x + c * y;
    }
}

void linalg_eigenvalues(double *values, double *a, int n)
{
    enum { MAX_SWEEPS = 30 }; /* convergence is quadratic: five to nine are what is seen */
    double all = 0;
    for (int i = 0; i < n * n; i++) {
        all += a[i] * a[i];
    }
    /* What is left off the diagonal moves no eigenvalue by more than its norm: stop at 1e-15 of the
     * whole. */
    double off = all, enough = 1e-30 * all;
    for (int sweep = 0; sweep < MAX_SWEEPS && off > enough; sweep++) {
        off = 0;
        for (int p = 0; p < n; p++) {
            for (int q = p + 1; q < n; q++) {
                double x = a[p * n + q];
                off += x * x;
                if (x * x > enough / ((double)n * n)) {
                    linalg_rotate(a, n, p, q);
                }
            }
        }
    }
    for (int i = 0; i < n; i++) {
        double v = a[i * n + i];
        int at = i;
        for (; at > 0 && values[at - 1] > v; at--) {
            values[at] = values[at - 1];
        }
        values[at] = v;
    }
}

double linalg_norm(const double *a, int m, int n, double *scratch)
{
    int k = MIN(m, n);
    double *gram = scratch, *values = scratch + k * k;
    for (int i = 0; i < k; i++) {
        for (int j = 0; j <= i; j++) {
            double sum = 0;
            for (int l = 0; l < MAX(m, n); l++) {
                sum += m <= n ? a[i * n + l] * a[j * n + l] : a[l * n + i] * a[l * n + j];
            }
            gram[i * k + j] = gram[j * k + i] = sum;
        }
    }
    linalg_eigenvalues(values, gram, k);
    return k > 0 ? sqrt(fmax(values[k - 1], 0)) : 0;
}
