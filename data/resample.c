#include "data/resample.h"

#include <math.h>
#include <string.h>

/* For output i of `side`: the first of n_taps source positions and their weights, which add up
 * to 1. */
struct resample_taps {
    int n_taps;
    int *first;     /* [side] */
    float *weights; /* [side, n_taps] */
};

static bool resample_plan(struct resample_taps *taps, int side, int n_source, struct arena *keep,
                          struct err *e)
{
    double scale = (double)n_source / side;
    double support = scale > 1 ? scale : 1;
    taps->n_taps = MIN(2 * (int)ceil(support) + 1, n_source);
    taps->first = arena_try(keep, (size_t)side, sizeof *taps->first, e);
    taps->weights =
        taps->first ? arena_try(keep, (size_t)side * (size_t)taps->n_taps, sizeof *taps->weights, e)
                    : NULL;
    if (!taps->weights) {
        return false;
    }
    for (int i = 0; i < side; i++) {
        double centre = (i + 0.5) * scale - 0.5; /* pixel k covers k - 0.5 .. k + 0.5 */
        int first = (int)ceil(centre - support);
        first = MAX(0, MIN(first, n_source - taps->n_taps));
        float *w = taps->weights + (size_t)i * (size_t)taps->n_taps;
        double sum = 0;
        for (int k = 0; k < taps->n_taps; k++) {
            double distance = fabs(first + k - centre) / support;
            sum += distance < 1 ? 1 - distance : 0;
        }
        ASSERT(sum > 0);
        for (int k = 0; k < taps->n_taps; k++) {
            double distance = fabs(first + k - centre) / support;
            w[k] = distance < 1 ? (float)((1 - distance) / sum) : 0;
        }
        taps->first[i] = first;
    }
    return true;
}

/* One row of the square, side pixels from n_source. */
static void resample_row(float *out, const uint8_t *row, int side, const struct resample_taps *taps)
{
    for (int x = 0; x < side; x++) {
        const float *w = taps->weights + (size_t)x * (size_t)taps->n_taps;
        const uint8_t *p = row + 3 * (size_t)taps->first[x];
        float r = 0, g = 0, b = 0;
        for (int k = 0; k < taps->n_taps; k++, p += 3) {
            r += w[k] * (float)p[0];
            g += w[k] * (float)p[1];
            b += w[k] * (float)p[2];
        }
        out[3 * x] = r;
        out[3 * x + 1] = g;
        out[3 * x + 2] = b;
    }
}

bool resample_square(uint8_t *out, int side, const uint8_t *rgb, int w, int h, struct arena tmp,
                     struct err *e)
{
    ASSERT(out && rgb && side > 0 && w > 0 && h > 0);
    int n = MIN(w, h);
    const uint8_t *square = rgb + 3 * ((size_t)((h - n) / 2) * (size_t)w + (size_t)((w - n) / 2));
    size_t row_floats = 3 * (size_t)side;
    if (n == side) {
        for (int y = 0; y < side; y++) {
            memcpy(out + (size_t)y * row_floats, square + 3 * (size_t)y * (size_t)w, row_floats);
        }
        return true;
    }
    struct resample_taps taps;
    float *rows = NULL; /* [n, side, 3]: narrowed, not yet lowered */
    if (!resample_plan(&taps, side, n, &tmp, e) ||
        !(rows = arena_try(&tmp, (size_t)n * row_floats, sizeof *rows, e))) {
        return false;
    }
    for (int y = 0; y < n; y++) {
        resample_row(rows + (size_t)y * row_floats, square + 3 * (size_t)y * (size_t)w, side,
                     &taps);
    }
    for (int y = 0; y < side; y++) {
        const float *weights = taps.weights + (size_t)y * (size_t)taps.n_taps;
        const float *first = rows + (size_t)taps.first[y] * row_floats;
        for (size_t i = 0; i < row_floats; i++) {
            float sum = 0.5f; /* rounds to nearest below */
            for (int k = 0; k < taps.n_taps; k++) {
                sum += weights[k] * first[(size_t)k * row_floats + i];
            }
            out[(size_t)y * row_floats + i] = (uint8_t)(sum > 255 ? 255 : sum);
        }
    }
    return true;
}
