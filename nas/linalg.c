#include "nas/linalg.h"

#include <float.h>
#include <math.h>

static void linalg_swap_rows(double *a, int n, int i, int j)
{
    for (int k = 0; k < n; k++) {
        double t = a[i * n + k];
        a[i * n + k] = a[j * n + k];
        a[j * n + k] = t;
    }
}

double linalg_dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += a[i] * b[i];
    }
    return sum;
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

/* Bring the symmetric a to tridiagonal form by reflections: diagonal in d[n], next to it in e[n],
 * which ends with a zero; e may be a's first row. */
static void linalg_tridiagonal(double *d, double *e, double *a, int n)
{
    for (int k = 0; k < n; k++) {
        double *v = a + k * n, *p = d, off = 0, last = 0; /* v[k + 1 ..], p[k + 1 ..] are free */
        d[k] = a[k * n + k];
        for (int i = k + 1; i < n; i++) {
            v[i] = a[i * n + k];
            off += i > k + 1 ? v[i] * v[i] : 0;
        }
        last = k + 1 < n ? v[k + 1] : 0;
        if (off > 0) {
            double norm = sqrt(off + last * last), alpha = last > 0 ? -norm : norm;
            double scale, half = 0;
            v[k + 1] -= alpha;
            scale = 2 / (off + v[k + 1] * v[k + 1]);
            for (int i = k + 1; i < n; i++) {
                p[i] = 0;
                for (int j = k + 1; j < n; j++) {
                    p[i] += a[i * n + j] * v[j];
                }
                p[i] *= scale;
                half += scale / 2 * p[i] * v[i];
            }
            for (int i = k + 1; i < n; i++) {
                p[i] -= half * v[i];
            }
            for (int i = k + 1; i < n; i++) {
                for (int j = k + 1; j < n; j++) {
                    a[i * n + j] -= v[i] * p[j] + p[i] * v[j];
                }
            }
            last = alpha;
        }
        e[k] = last;
    }
}

/* One step of the implicit QL method on rows l .. m, shifted by an eigenvalue of the first two. */
static void linalg_ql_step(double *d, double *e, int l, int m)
{
    double g = (d[l + 1] - d[l]) / (2 * e[l]), r = hypot(g, 1);
    double s = 1, c = 1, p = 0;
    g = d[m] - d[l] + e[l] / (g + (g >= 0 ? r : -r));
    for (int i = m - 1; i >= l; i--) {
        double f = s * e[i], b = c * e[i];
        e[i + 1] = r = hypot(f, g);
        if (r == 0) { /* the matrix falls apart here */
            d[i + 1] -= p;
            e[m] = 0;
            return;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
    }
    d[l] -= p;
    e[l] = g;
    e[m] = 0;
}

void linalg_eigenvalues(double *values, double *a, int n)
{
    enum { MAX_STEPS = 60 }; /* an eigenvalue takes two or three */
    double *e = a;
    linalg_tridiagonal(values, e, a, n);
    for (int l = 0; l < n; l++) {
        for (int step = 0; step < MAX_STEPS; step++) {
            int m = l;
            while (m + 1 < n &&
                   fabs(e[m]) > DBL_EPSILON * (fabs(values[m]) + fabs(values[m + 1]))) {
                m++;
            }
            if (m == l) {
                break;
            }
            linalg_ql_step(values, e, l, m);
        }
    }
    for (int i = 1; i < n; i++) {
        double v = values[i];
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
