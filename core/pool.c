#include "core/pool.h"

#include "core/kernel.h"
#include "core/threads.h"

#include <string.h>

/* Windows are at most this wide and high. */
enum { POOL_MAX_SIZE = 15 };

bool pool_shape_init(struct pool_shape *s, struct err *e)
{
    if (s->n <= 0 || s->h <= 0 || s->w <= 0 || s->c <= 0 || s->size <= 0 || s->stride <= 0 ||
        s->pad < 0) {
        return err_set(e, ERR_INPUT,
                       "pooling %dx%dx%dx%d, window %d, stride %d, pad %d: sizes must be positive",
                       s->n, s->h, s->w, s->c, s->size, s->stride, s->pad);
    }
    if (s->size > POOL_MAX_SIZE || s->pad * 2 > s->size) {
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
    const struct machine *mc;
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

/* share[n]: what one of n real columns (or rows) counts. */
static void pool_shares(const struct pool_shape *s, float share[POOL_MAX_SIZE + 1])
{
    for (int n = 0; n <= s->size; n++) {
        share[n] = 1.0f / (float)(s->count_padding || n == 0 ? s->size : n);
    }
}

static void pool_avg_image(void *ctx, int i, int i_thread)
{
    const struct pool_job *j = ctx;
    const struct pool_shape *s = j->s;
    (void)i_thread;
    float share[POOL_MAX_SIZE + 1], row_scale[POOL_MAX_SIZE];
    const float *rows[POOL_MAX_SIZE];
    size_t in_row = (size_t)s->w * (size_t)s->c, out_row = (size_t)s->ow * (size_t)s->c;
    pool_shares(s, share);
    struct kernel_pool p = {.rows = rows,
                            .row_scale = row_scale,
                            .n_in = s->w,
                            .n_out = s->ow,
                            .c = s->c,
                            .size = s->size,
                            .stride = s->stride,
                            .pad = s->pad,
                            .share = share};
    for (int oy = 0; oy < s->oh; oy++) {
        struct pool_span r = pool_span(s, oy, s->h);
        p.n_rows = r.hi - r.lo;
        for (int n = 0; n < p.n_rows; n++) {
            rows[n] = j->x + ((size_t)i * (size_t)s->h + (size_t)(r.lo + n)) * in_row;
            row_scale[n] = share[p.n_rows];
        }
        p.y = j->y + ((size_t)i * (size_t)s->oh + (size_t)oy) * out_row;
        j->mc->k->pool_row_f32(&p);
    }
}

void pool_avg_forward(const struct machine *mc, float *y, const float *x,
                      const struct pool_shape *s)
{
    ASSERT(s->oh > 0 && s->ow > 0);
    struct pool_job j = {.mc = mc, .s = s, .y = y, .x = x};
    threads_for(mc, s->n, pool_avg_image, &j);
}

static void pool_avg_grad_image(void *ctx, int i, int i_thread)
{
    const struct pool_job *j = ctx;
    const struct pool_shape *s = j->s;
    (void)i_thread;
    float share[POOL_MAX_SIZE + 1], row_scale[POOL_MAX_SIZE];
    const float *rows[POOL_MAX_SIZE];
    size_t in_row = (size_t)s->w * (size_t)s->c, out_row = (size_t)s->ow * (size_t)s->c;
    pool_shares(s, share);
    struct kernel_pool p = {.rows = rows,
                            .row_scale = row_scale,
                            .n_in = s->ow,
                            .n_out = s->w,
                            .c = s->c,
                            .size = s->size,
                            .stride = s->stride,
                            .pad = s->pad,
                            .share = share,
                            .back = true,
                            .into = j->add};
    for (int iy = 0; iy < s->h; iy++) {
        /* The outputs whose windows hold row iy. */
        int first = iy + s->pad - s->size + 1;
        int lo = first <= 0 ? 0 : DIV_UP(first, s->stride);
        int hi = MIN(s->oh, (iy + s->pad) / s->stride + 1);
        p.n_rows = MAX(0, hi - lo);
        for (int n = 0; n < p.n_rows; n++) {
            struct pool_span r = pool_span(s, lo + n, s->h);
            rows[n] = j->x + ((size_t)i * (size_t)s->oh + (size_t)(lo + n)) * out_row;
            row_scale[n] = share[r.hi - r.lo];
        }
        p.y = j->y + ((size_t)i * (size_t)s->h + (size_t)iy) * in_row;
        j->mc->k->pool_row_f32(&p);
    }
}

void pool_avg_backward(const struct machine *mc, float *dx, const float *dy,
                       const struct pool_shape *s, bool add)
{
    ASSERT(s->oh > 0 && s->ow > 0);
    struct pool_job j = {.mc = mc, .s = s, .y = dx, .x = dy, .add = add};
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
    size_t c = (size_t)j->c;
    float *y = j->y + (size_t)i * c;
    memset(y, 0, c * sizeof *y);
    j->mc->k->norm_row_sum_f32(y, j->x + (size_t)i * j->hw * c, j->hw, j->c);
    j->mc->k->vec_scale_f32(y, 1.0f / (float)j->hw, y, c);
}

void pool_global_forward(const struct machine *mc, float *y, const float *x, int n, size_t hw,
                         int c)
{
    ASSERT(hw > 0 && c > 0);
    struct pool_job j = {.mc = mc, .y = y, .x = x, .hw = hw, .c = c};
    threads_for(mc, n, pool_global_image, &j);
}

static void pool_global_grad_image(void *ctx, int i, int i_thread)
{
    const struct pool_job *j = ctx;
    (void)i_thread;
    size_t c = (size_t)j->c;
    float *dx = j->y + (size_t)i * j->hw * c, share = 1.0f / (float)j->hw;
    const float *dy = j->x + (size_t)i * c;
    for (size_t p = 0; p < j->hw; p++, dx += c) {
        if (j->add) {
            j->mc->k->vec_axpy_f32(dx, share, dy, c);
        } else {
            j->mc->k->vec_scale_f32(dx, share, dy, c);
        }
    }
}

void pool_global_backward(const struct machine *mc, float *dx, const float *dy, int n, size_t hw,
                          int c, bool add)
{
    ASSERT(hw > 0 && c > 0);
    struct pool_job j = {.mc = mc, .y = dx, .x = dy, .hw = hw, .c = c, .add = add};
    threads_for(mc, n, pool_global_grad_image, &j);
}
