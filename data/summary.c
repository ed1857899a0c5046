#include "data/summary.h"

#include <math.h>
#include <string.h>

bool summary_of(struct summary *s, struct arena *keep, const struct dataset *ds, struct err *e)
{
    ASSERT(s && keep && ds && ds->n > 0);
    *s = (struct summary){.n_of_class = NULL};
    s->n_of_class = arena_try(keep, (size_t)ds->n_classes, sizeof *s->n_of_class, e);
    if (!s->n_of_class) {
        return false;
    }
    memset(s->n_of_class, 0, (size_t)ds->n_classes * sizeof *s->n_of_class);
    for (size_t i = 0; i < ds->n; i++) {
        s->n_of_class[ds->labels[i]]++;
    }
    /* 2^64 / 255^2 pixels fit: no memory holds more. */
    uint64_t sum[FEED_MAX_CHANNELS] = {0}, square[FEED_MAX_CHANNELS] = {0};
    size_t n_channels = (size_t)ds->shape.c;
    size_t n_pixels = ds->n * (size_t)ds->shape.h * (size_t)ds->shape.w;
    const uint8_t *p = ds->pixels;
    for (size_t i = 0; i < n_pixels; i++) {
        for (size_t c = 0; c < n_channels; c++, p++) {
            sum[c] += *p;
            square[c] += (uint64_t)*p * *p;
        }
    }
    for (size_t c = 0; c < n_channels; c++) {
        double mean = (double)sum[c] / (double)n_pixels;
        double var = (double)square[c] / (double)n_pixels - mean * mean;
        s->mean[c] = mean / 255;
        s->std[c] = sqrt(MAX(var, 0)) / 255;
    }
    return true;
}
