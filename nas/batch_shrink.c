#include "nas/batch_shrink.h"

/* How much of source pixel p lies in [from, to). */
static double share(int p, double from, double to)
{
    return MAX(0.0, MIN(p + 1.0, to) - MAX((double)p, from));
}

/* The mean of channel i over rows [y0, y1) and columns [x0, x1) of an image. */
static double area_mean(const float *image, const struct shape *s, int i, double y0, double y1,
                        double x0, double x1)
{
    double sum = 0;
    for (int y = (int)y0; y < s->h && y < y1; y++) {
        double row = 0;
        for (int x = (int)x0; x < s->w && x < x1; x++) {
            row += share(x, x0, x1) * (double)image[((ptrdiff_t)y * s->w + x) * s->c + i];
        }
        sum += share(y, y0, y1) * row;
    }
    return sum / ((y1 - y0) * (x1 - x0));
}

bool batch_shrink(struct score_batch *batch, int side, struct arena *keep, struct err *e)
{
    struct shape from = batch->shape, to = {side, side, from.c};
    ASSERT(side > 0 && side <= from.h && side <= from.w);
    float *out = arena_try(keep, (size_t)batch->n * shape_count(to), sizeof *out, e);
    if (!out) {
        return false;
    }
    double dy = (double)from.h / side, dx = (double)from.w / side;
    for (int n = 0; n < batch->n; n++) {
        const float *image = batch->x + (size_t)n * shape_count(from);
        float *p = out + (size_t)n * shape_count(to);
        for (int y = 0; y < side; y++) {
            for (int x = 0; x < side; x++) {
                for (int i = 0; i < from.c; i++) {
                    *p++ = (float)area_mean(image, &from, i, y * dy, (y + 1) * dy, x * dx,
                                            (x + 1) * dx);
                }
            }
        }
    }
    batch->x = out;
    batch->shape = to;
    return true;
}
