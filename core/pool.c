#include "core/pool.h"

#include "core/threads.h"

#include <string.h>

bool pool_shape_init(struct pool_shape *s, struct err *e)
{
    if (s->n <= 0 || s->h <= 0 || s->w <= 0 || s->c <= 0 || s->size <= 0 || s->stride <= 0 ||
        s->pad < 0) {
        return err_set(e, ERR_INPUT,
                       "pooling %dx%dx%dx%d, window %d, stride %d, pad %d: sizes must be positive",
                       s->n, s->h, s->w, s->c, s->size, s->stride, s->pad);
    }
    if (s->size > 15 || s->pad * 2 > s->size) {
        return err_set(e, ERR_INPUT,
                       "pooling window %d with pad %d: at most 15, and pad at most half of it",
                       s->size, s->pad);
    }
    if (s->h + 2 * s->pad < s->size || s->w + 2 * s->pad < s->size) {
        return err_set(e, ERR_INPUT, "pooling window %d is larger than the padded %dx%d input",
                       s->size, s->h, s->w);
    }
    s->oh = (s->h + 2 * s->pad - s->size) / s->stride + 1;
    s->ow = (s->w + 2 * s->pad - s->size) / s->stride + 1;
    return true;
}

struct pool_job {
    const struct pool_shape *s;
    float *y;
    const float *x;
    uint8_t *index;
    const uint8_t *index_in;
    size_t hw;
    int c;
    bool add;
};

struct pool_span {
    int lo, hi;
};

/* The inputs that output o reads. */
static struct pool_span pool_span(const struct pool_shape *s, int o, int n_in)
{
    int at = o * s->stride - s->pad;
    return (struct pool_span){MAX(at, 0), MIN(at + s->size, n_in)};
}

static float pool_share(const struct pool_shape *s, struct pool_span r, struct pool_span q)
{
    int n = s->count_padding ? s->size * s->size : (r.hi - r.lo) * (q.hi - q.lo);
    return 1.0f / (float)n;
}

static void pool_avg_image(void *ctx, int i, int i_thread)
{
    const struct pool_job *j = ctx;
    const struct pool_shape *s = j->s;
    (void)i_thread;
    const float *x = j->x + (size_t)i * (size_t)s->h * (size_t)s->w * (size_t)s->c;
    float *y = j->y + (size_t)i * (size_t)s->oh * (size_t)s->ow * (size_t)s->c;
    for (int oy = 0; oy < s->oh; oy++) {
        struct pool_span r = pool_span(s, oy, s->h);
        for (int ox = 0; ox < s->ow; ox++, y += s->c) {
            struct pool_span q = pool_span(s, ox, s->w);
            float share = pool_share(s, r, q);
            memset(y, 0, (size_t)s->c * sizeof *y);
            for (int iy = r.lo; iy < r.hi; iy++) {
                for (int ix = q.lo; ix < q.hi; ix++) {
                    const float *row = x + ((size_t)iy * (size_t)s->w + (size_t)ix) * (size_t)s->c;
                    for (int c = 0; c < s->c; c++) {
                        y[c] += row[c];
                    }
                }
            }
            for (int c = 0; c < s->c; c++) {
                y[c] *= share;
            }
        }
    }
}

void pool_avg_forward(const struct machine *mc, float *y, const float *x,
                      const struct pool_shape *s)
{
    ASSERT(s->oh > 0 && s->ow > 0);
    struct pool_job j = {.s = s, .y = y, .x = x};
    threads_for(mc, s->n, pool_avg_image, &j);
}

static void pool_avg_grad_image(void *ctx, int i, int i_thread)
{
    const struct pool_job *j = ctx;
    const struct pool_shape *s = j->s;
    (void)i_thread;
    size_t in = (size_t)s->h * (size_t)s->w * (size_t)s->c;
    float *dx = j->y + (size_t)i * in;
    const float *dy = j->x + (size_t)i * (size_t)s->oh * (size_t)s->ow * (size_t)s->c;
    if (!j->add) {
        memset(dx, 0, in * sizeof *dx);
    }
    for (int oy = 0; oy < s->oh; oy++) {
        struct pool_span r = pool_span(s, oy, s->h);
        for (int ox = 0; ox < s->ow; ox++, dy += s->c) {
            struct pool_span q = pool_span(s, ox, s->w);
            float share = pool_share(s, r, q);
            for (int iy = r.lo; iy < r.hi; iy++) {
                for (int ix = q.lo; ix < q.hi; ix++) {
                    float *row = dx + ((size_t)iy * (size_t)s->w + (size_t)ix) * (size_t)s->c;
                    for (int c = 0; c < s->c; c++) {
                        row[c] += share * dy[c];
                    }
                }
            }
        }
    }
}

void pool_avg_backward(const struct machine *mc, float *dx, const float *dy,
                       const struct pool_shape *s, bool add)
{
    ASSERT(s->oh > 0 && s->ow > 0);
    struct pool_job j = {.s = s, .y = dx, .x = dy, .add = add};
    threads_for(mc, s->n, pool_avg_grad_image, &j);
}

static void pool_max_image(void *ctx, int i, int i_thread)
{
    const struct pool_job *j = ctx;
    const struct pool_shape *s = j->s;
    (void)i_thread;
    const float *x = j->x + (size_t)i * (size_t)s->h * (size_t)s->w * (size_t)s->c;
    size_t out = (size_t)i * (size_t)s->oh * (size_t)s->ow * (size_t)s->c;
    float *y = j->y + out;
    uint8_t *index = j->index + out;
    for (int oy = 0; oy < s->oh; oy++) {
        struct pool_span r = pool_span(s, oy, s->h);
        for (int ox = 0; ox < s->ow; ox++, y += s->c, index += s->c) {
            struct pool_span q = pool_span(s, ox, s->w);
            int y0 = oy * s->stride - s->pad, x0 = ox * s->stride - s->pad;
            for (int c = 0; c < s->c; c++) {
                const float *at =
                    x + ((size_t)r.lo * (size_t)s->w + (size_t)q.lo) * (size_t)s->c + c;
                float best = *at;
                int where = (r.lo - y0) * s->size + (q.lo - x0);
                for (int iy = r.lo; iy < r.hi; iy++) {
                    for (int ix = q.lo; ix < q.hi; ix++) {
                        float v =
                            x[((size_t)iy * (size_t)s->w + (size_t)ix) * (size_t)s->c + (size_t)c];
                        if (v > best || (v != v && best == best)) { /* the first NaN wins */
                            best = v;
                            where = (iy - y0) * s->size + (ix - x0);
                        }
                    }
                }
                y[c] = best;
                index[c] = (uint8_t)where;
            }
        }
    }
}

void pool_max_forward(const struct machine *mc, float *y, uint8_t *index, const float *x,
                      const struct pool_shape *s)
{
    ASSERT(s->oh > 0 && s->ow > 0);
    struct pool_job j = {.s = s, .y = y, .x = x, .index = index};
    threads_for(mc, s->n, pool_max_image, &j);
}

static void pool_max_grad_image(void *ctx, int i, int i_thread)
{
    const struct pool_job *j = ctx;
    const struct pool_shape *s = j->s;
    (void)i_thread;
    size_t in = (size_t)s->h * (size_t)s->w * (size_t)s->c;
    size_t out = (size_t)i * (size_t)s->oh * (size_t)s->ow * (size_t)s->c;
    float *dx = j->y + (size_t)i * in;
    const float *dy = j->x + out;
    const uint8_t *index = j->index_in + out;
    if (!j->add) {
        memset(dx, 0, in * sizeof *dx);
    }
    for (int oy = 0; oy < s->oh; oy++) {
        for (int ox = 0; ox < s->ow; ox++, dy += s->c, index += s->c) {
            for (int c = 0; c < s->c; c++) {
                int iy = oy * s->stride - s->pad + index[c] / s->size;
                int ix = ox * s->stride - s->pad + index[c] % s->size;
                dx[((size_t)iy * (size_t)s->w + (size_t)ix) * (size_t)s->c + (size_t)c] += dy[c];
            }
        }
    }
}

void pool_max_backward(const struct machine *mc, float *dx, const float *dy, const uint8_t *index,
                       const struct pool_shape *s, bool add)
{
    ASSERT(s->oh > 0 && s->ow > 0);
    struct pool_job j = {.s = s, .y = dx, .x = dy, .index_in = index, .add = add};
    threads_for(mc, s->n, pool_max_grad_image, &j);
}

static void pool_global_image(void *ctx, int i, int i_thread)
{
    const struct pool_job *j = ctx;
    (void)i_thread;
    const float *x = j->x + (size_t)i * j->hw * (size_t)j->c;
    float *y = j->y + (size_t)i * (size_t)j->c;
    memset(y, 0, (size_t)j->c * sizeof *y);
    for (size_t p = 0; p < j->hw; p++) {
        for (int c = 0; c < j->c; c++) {
            y[c] += x[p * (size_t)j->c + (size_t)c];
        }
    }
    for (int c = 0; c < j->c; c++) {
        y[c] *= 1.0f / (float)j->hw;
    }
}

void pool_global_forward(const struct machine *mc, float *y, const float *x, int n, size_t hw,
                         int c)
{
    ASSERT(hw > 0 && c > 0);
    struct pool_job j = {.y = y, .x = x, .hw = hw, .c = c};
    threads_for(mc, n, pool_global_image, &j);
}

static void pool_global_grad_image(void *ctx, int i, int i_thread)
{
    const struct pool_job *j = ctx;
    (void)i_thread;
    float *dx = j->y + (size_t)i * j->hw * (size_t)j->c;
    const float *dy = j->x + (size_t)i * (size_t)j->c;
    for (size_t p = 0; p < j->hw; p++) {
        for (int c = 0; c < j->c; c++) {
            float d = dy[c] * (1.0f / (float)j->hw);
            float *at = &dx[p * (size_t)j->c + (size_t)c];
            *at = j->add ? *at + d : d;
        }
    }
}

void pool_global_backward(const struct machine *mc, float *dx, const float *dy, int n, size_t hw,
                          int c, bool add)
{
    ASSERT(hw > 0 && c > 0);
    struct pool_job j = {.y = dx, .x = dy, .hw = hw, .c = c, .add = add};
    threads_for(mc, n, pool_global_grad_image, &j);
}
