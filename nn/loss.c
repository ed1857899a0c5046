#include "nn/loss.h"

#include <math.h>

static double log_sum_exp(const float *row, int n)
{
    double max = row[0];
    for (int i = 1; i < n; i++) {
        max = row[i] > max ? row[i] : max;
    }
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += exp(row[i] - max);
    }
    return max + log(sum);
}

double loss_cross_entropy(const float *logits, const int32_t *labels, int n, int n_classes,
                          float smoothing, float weight, float *dlogits, float *per_image)
{
    ASSERT(n > 0 && n_classes > 0);
    ASSERT(smoothing >= 0 && smoothing <= 1);
    double total = 0, off = (double)smoothing / n_classes, on = 1 - (double)smoothing;
    for (int i = 0; i < n; i++) {
        const float *row = logits + (size_t)i * (size_t)n_classes;
        ASSERT(labels[i] >= 0 && labels[i] < n_classes);
        double lse = log_sum_exp(row, n_classes);
        double loss = on * (lse - (double)row[labels[i]]);
        for (int k = 0; smoothing > 0 && k < n_classes; k++) {
            loss += off * (lse - (double)row[k]);
        }
        for (int k = 0; dlogits && k < n_classes; k++) {
            double target = off + (k == labels[i] ? on : 0);
            dlogits[(size_t)i * (size_t)n_classes + (size_t)k] =
                (float)((double)weight / n * (exp((double)row[k] - lse) - target));
        }
        if (per_image) {
            per_image[i] = (float)loss;
        }
        total += loss;
    }
    return total / n;
}

double loss_mse(const float *x, const float *target, size_t count, float weight, float *dx)
{
    ASSERT(count > 0);
    double sum = 0, factor = 2 * (double)weight / (double)count;
    for (size_t i = 0; i < count; i++) {
        double d = (double)x[i] - (double)target[i];
        sum += d * d;
        if (dx) {
            dx[i] = (float)(factor * d);
        }
    }
    return sum / (double)count;
}

/* -t log s(x) - (1 - t) log(1 - s(x)) = max(x, 0) - x t + log(1 + exp(-|x|)); its slope is s(x) -
 * t. */
double loss_bce(const float *x, const float *target, size_t count, float weight, float *dx)
{
    ASSERT(count > 0);
    double sum = 0, factor = (double)weight / (double)count;
    for (size_t i = 0; i < count; i++) {
        double v = x[i], t = target[i], e = exp(-fabs(v));
        sum += (v > 0 ? v : 0) - v * t + log1p(e);
        if (dx) {
            double sigmoid = v >= 0 ? 1 / (1 + e) : e / (1 + e);
            dx[i] = (float)(factor * (sigmoid - t));
        }
    }
    return sum / (double)count;
}

double loss_kl(const float *mu, const float *logvar, int n, int dims, float weight, float *dmu,
               float *dlogvar)
{
    ASSERT(n > 0 && dims > 0);
    double sum = 0, factor = (double)weight / n;
    for (size_t i = 0; i < (size_t)n * (size_t)dims; i++) {
        double m = mu[i], v = logvar[i], variance = exp(v);
        sum += (m * m + variance - 1 - v) / 2;
        if (dmu) {
            dmu[i] = (float)(factor * m);
            dlogvar[i] = (float)(factor * (variance - 1) / 2);
        }
    }
    return sum / n;
}

int loss_count_correct(const float *logits, const int32_t *labels, int n, int n_classes)
{
    ASSERT(n >= 0 && n_classes > 0);
    int n_correct = 0;
    for (int i = 0; i < n; i++) {
        const float *row = logits + (size_t)i * (size_t)n_classes;
        int best = 0;
        for (int k = 1; k < n_classes; k++) {
            best = row[k] > row[best] ? k : best;
        }
        n_correct += best == labels[i];
    }
    return n_correct;
}
