#include "core/norm.h"

#include "core/kernel.h"
#include "core/threads.h"

#include <string.h>

/*
 * Rows are cut into parts (at most NORM_MAX_PARTS, by size alone) and a part into blocks that stay
 * in L1. A block is summed in float by the kernel, around the mean of the blocks before it (the
 * first one around its own), blocks and parts are combined in double, in index order: mean and
 * squares by the formula for the union of two samples [Chan1979]. Where a block lies far from those
 * before it, what its float squares lose is little beside the distance, which is part of the
 * variance.
 */
enum { NORM_BLOCK_FLOATS = 4096, NORM_MAX_PARTS = 64, NORM_MIN_PART_FLOATS = 16384 };

struct norm_job {
    const struct kernels *k;
    float *y;
    const float *x, *dy, *mean, *scale, *shift, *b;
    float *block;  /* [n_threads, 3, c] */
    double *parts; /* [n_parts, 2, c] */
    size_t n_rows, rows_a_part, rows_a_block;
    int c;
    bool relu, add;
};

static int norm_parts(size_t n_rows, int c)
{
    size_t parts = DIV_UP(n_rows * (size_t)c, (size_t)NORM_MIN_PART_FLOATS);
    return (int)MAX((size_t)1, MIN(parts, (size_t)NORM_MAX_PARTS));
}

static struct norm_job norm_job(const struct machine *mc, size_t n_rows, int c)
{
    ASSERT(c > 0);
    size_t n_parts = (size_t)norm_parts(n_rows, c);
    return (struct norm_job){.k = mc->k,
                             .n_rows = n_rows,
                             .c = c,
                             .rows_a_part = MAX((size_t)1, DIV_UP(n_rows, n_parts)),
                             .rows_a_block = MAX((size_t)8, (size_t)NORM_BLOCK_FLOATS / (size_t)c)};
}

size_t norm_scratch_bytes(const struct machine *mc, size_t n_pixels, int c)
{
    return arena_round((size_t)mc->n_threads * 3 * (size_t)c * sizeof(float)) +
           arena_round((size_t)norm_parts(n_pixels, c) * 2 * (size_t)c * sizeof(double)) +
           arena_round(2 * (size_t)c * sizeof(double));
}

static void norm_scratch(struct norm_job *j, const struct machine *mc, struct arena *tmp)
{
    j->block = arena_push(tmp, (size_t)mc->n_threads * 3 * (size_t)j->c, sizeof(float));
    j->parts =
        arena_push(tmp, (size_t)norm_parts(j->n_rows, j->c) * 2 * (size_t)j->c, sizeof(double));
}

/* (n, mean, m2) of a union from those of its two halves. */
static void norm_add(double *mean, double *m2, double n, double other_mean, double other_m2,
                     double other_n)
{
    double delta = other_mean - *mean, total = n + other_n;
    *mean += delta * (other_n / total);
    *m2 += other_m2 + delta * delta * (n * other_n / total);
}

static void norm_part_range(const struct norm_job *j, int i_part, size_t *first, size_t *last)
{
    *first = MIN(j->n_rows, (size_t)i_part * j->rows_a_part);
    *last = MIN(j->n_rows, *first + j->rows_a_part);
}

/* The mean of some rows, or a number near it. */
static void norm_near_mean(const struct norm_job *j, float *mean, size_t at, size_t rows)
{
    memset(mean, 0, (size_t)j->c * sizeof *mean);
    j->k->norm_row_sum_f32(mean, j->x + at * (size_t)j->c, rows, j->c);
    j->k->vec_scale_f32(mean, 1 / (float)rows, mean, (size_t)j->c);
}

static void norm_stats_part(void *ctx, int i_part, int i_thread)
{
    const struct norm_job *j = ctx;
    size_t c = (size_t)j->c, first, last;
    norm_part_range(j, i_part, &first, &last);
    float *around = j->block + (size_t)i_thread * 3 * c, *s = around + c, *s2 = s + c;
    double *mean = j->parts + (size_t)i_part * 2 * c, *m2 = mean + c;
    memset(mean, 0, 2 * c * sizeof *mean);
    for (size_t at = first; at < last; at += j->rows_a_block) {
        size_t rows = MIN(j->rows_a_block, last - at);
        double n = (double)rows, before = (double)(at - first);
        if (at == first) {
            norm_near_mean(j, around, at, rows);
        }
        j->k->norm_moments_f32(s, s2, around, j->x + at * c, rows, j->c);
        for (size_t i = 0; i < c; i++) {
            double off = (double)s[i] / n;
            double own_m2 = MAX(0.0, (double)s2[i] - off * (double)s[i]);
            own_m2 = (double)s2[i] != (double)s2[i] ? (double)s2[i] : own_m2; /* NaN is passed on */
            norm_add(&mean[i], &m2[i], before, (double)around[i] + off, own_m2, n);
            around[i] = (float)mean[i];
        }
    }
}

void norm_part(const struct machine *mc, double *part, const float *x, size_t n_pixels, int c,
               struct arena tmp)
{
    ASSERT(n_pixels > 0);
    struct norm_job j = norm_job(mc, n_pixels, c);
    j.x = x;
    norm_scratch(&j, mc, &tmp);
    int n_parts = norm_parts(n_pixels, c);
    threads_for(mc, n_parts, norm_stats_part, &j);
    memcpy(part, j.parts, 2 * (size_t)c * sizeof *part);
    for (int p = 1; p < n_parts; p++) {
        const double *other = j.parts + (size_t)p * 2 * (size_t)c;
        size_t first, last;
        norm_part_range(&j, p, &first, &last);
        for (int i = 0; i < c && last > first; i++) {
            norm_add(&part[i], &part[c + i], (double)first, other[i], other[c + i],
                     (double)(last - first));
        }
    }
}

void norm_unite(float *mean, float *var, const double *parts, const size_t *rows, int n_parts,
                int c)
{
    for (int i = 0; i < c; i++) {
        double sum_mean = 0, sum_m2 = 0, before = 0;
        for (int p = 0; p < n_parts; p++) {
            const double *part = parts + (size_t)p * 2 * (size_t)c;
            norm_add(&sum_mean, &sum_m2, before, part[i], part[c + i], (double)rows[p]);
            before += (double)rows[p];
        }
        mean[i] = (float)sum_mean;
        var[i] = (float)(sum_m2 / before);
    }
}

void norm_stats(const struct machine *mc, float *mean, float *var, const float *x, size_t n_pixels,
                int c, struct arena tmp)
{
    double *part = arena_push(&tmp, 2 * (size_t)c, sizeof *part);
    norm_part(mc, part, x, n_pixels, c, tmp);
    norm_unite(mean, var, part, &n_pixels, 1, c);
}

static void norm_apply_part(void *ctx, int i_part, int i_thread)
{
    const struct norm_job *j = ctx;
    size_t c = (size_t)j->c, first, last;
    (void)i_thread;
    norm_part_range(j, i_part, &first, &last);
    j->k->norm_apply_f32(j->y + first * c, j->x + first * c, j->scale, j->shift, last - first, j->c,
                         j->relu, j->add);
}

void norm_apply(const struct machine *mc, float *y, const float *x, const float *scale,
                const float *shift, size_t n_pixels, int c, bool relu, bool add)
{
    struct norm_job j = norm_job(mc, n_pixels, c);
    j.y = y;
    j.x = x;
    j.scale = scale;
    j.shift = shift;
    j.relu = relu;
    j.add = add;
    threads_for(mc, norm_parts(n_pixels, c), norm_apply_part, &j);
}

static void norm_sums_part(void *ctx, int i_part, int i_thread)
{
    const struct norm_job *j = ctx;
    size_t c = (size_t)j->c, first, last;
    norm_part_range(j, i_part, &first, &last);
    float *s = j->block + (size_t)i_thread * 3 * c, *sx = s + c;
    double *sum = j->parts + (size_t)i_part * 2 * c;
    memset(sum, 0, 2 * c * sizeof *sum);
    for (size_t at = first; at < last; at += j->rows_a_block) {
        size_t rows = MIN(j->rows_a_block, last - at);
        struct kernel_norm_grad g = {
            .x = j->x + at * c, .dy = j->dy + at * c, .mean = j->mean, .n_rows = rows, .c = j->c};
        j->k->norm_grad_sums_f32(s, sx, &g);
        for (size_t i = 0; i < c; i++) {
            sum[i] += (double)s[i];
            sum[c + i] += (double)sx[i];
        }
    }
}

static void norm_grad_part(void *ctx, int i_part, int i_thread)
{
    const struct norm_job *j = ctx;
    size_t c = (size_t)j->c, first, last;
    (void)i_thread;
    norm_part_range(j, i_part, &first, &last);
    struct kernel_norm_grad g = {.x = j->x + first * c,
                                 .dy = j->dy + first * c,
                                 .mean = j->mean,
                                 .n_rows = last - first,
                                 .c = j->c};
    j->k->norm_grad_f32(j->y + first * c, &g, j->scale, j->b, j->shift, j->add);
}

void norm_backward(const struct machine *mc, float *dx, float *dgamma, float *dbeta, const float *x,
                   const float *dy, const float *mean, const float *rstd, const float *gamma,
                   size_t n_pixels, int c, bool add, struct arena tmp)
{
    ASSERT(n_pixels > 0);
    struct norm_job j = norm_job(mc, n_pixels, c);
    j.x = x;
    j.dy = dy;
    j.mean = mean;
    j.add = add;
    norm_scratch(&j, mc, &tmp);
    int n_parts = norm_parts(n_pixels, c);
    threads_for(mc, n_parts, norm_sums_part, &j);
    /* dx = a dy + b (x - mean) + d; the scratch of thread 0 is free again and holds a, b, d. */
    float *a = j.block, *b = a + c, *d = b + c;
    for (int i = 0; i < c; i++) {
        double sum = 0, sum_x = 0;
        for (int p = 0; p < n_parts; p++) {
            sum += j.parts[(size_t)p * 2 * (size_t)c + (size_t)i];
            sum_x += j.parts[(size_t)p * 2 * (size_t)c + (size_t)c + (size_t)i];
        }
        double r = (double)rstd[i], g = (double)gamma[i], n = (double)n_pixels;
        dgamma[i] = (float)(sum_x * r);
        dbeta[i] = (float)sum;
        a[i] = (float)(g * r);
        b[i] = (float)(-g * r * r * r * sum_x / n);
        d[i] = (float)(-g * r * sum / n);
    }
    if (dx) {
        j.y = dx;
        j.scale = a;
        j.b = b;
        j.shift = d;
        threads_for(mc, n_parts, norm_grad_part, &j);
    }
}
