#include "core/norm_sum.h"

#include "core/kernel.h"
#include "core/threads.h"

#include <string.h>

/*
 * Rows are cut into parts (by size alone: the unit of threads and of the order of sums), for
 * backward into blocks of 8 KiB a tensor, so that the three or four tensors of a block stay in an
 * L1 of 32 KiB between the kernels that pass over them one after the other.
 */
enum { BLOCK_FLOATS = 2048, MAX_PARTS = 64, MIN_PART_FLOATS = 16384 };

struct job {
    const struct kernels *k;
    const struct norm_sum *s;
    const float *y;  /* forward's output */
    float *out, *dy; /* forward writes; backward reads and masks */
    const float *g;  /* dy as gather left it */
    float *blocks;   /* [n_threads, block_floats] a masked gradient */
    float *sums;     /* [n_threads, 2, c] of a block */
    double *parts;   /* [n_parts, 1 + n_terms, c] sum dy; sum dy (x_i - mean_i) */
    size_t rows_a_part, rows_a_block;
};

static int count_parts(size_t n_pixels, int c)
{
    size_t parts = DIV_UP(n_pixels * (size_t)c, (size_t)MIN_PART_FLOATS);
    return (int)MAX((size_t)1, MIN(parts, (size_t)MAX_PARTS));
}

static size_t block_rows(int c)
{
    return MAX((size_t)8, (size_t)BLOCK_FLOATS / (size_t)c);
}

static struct job new_job(const struct machine *mc, const struct norm_sum *s)
{
    ASSERT(s->c > 0 && s->c <= NORM_SUM_MAX_CHANNELS && s->n_pixels > 0);
    ASSERT(s->n_terms >= 1 && s->n_terms <= NORM_SUM_MAX);
    return (struct job){.k = mc->k,
                        .s = s,
                        .rows_a_block = block_rows(s->c),
                        .rows_a_part = DIV_UP(s->n_pixels, (size_t)count_parts(s->n_pixels, s->c))};
}

_Static_assert((int)NORM_SUM_MAX <= (int)KERNEL_NORM_SUM_MAX, "as many terms");

static void forward_part(void *ctx, int i_part, int i_thread)
{
    const struct job *j = ctx;
    const struct norm_sum *s = j->s;
    size_t first = MIN(s->n_pixels, (size_t)i_part * j->rows_a_part);
    size_t rows = MIN(s->n_pixels - first, j->rows_a_part), at = first * (size_t)s->c;
    struct kernel_norm_sum sum = {
        .y = j->out + at, .shift = s->shift, .n_rows = rows, .c = s->c, .relu = s->relu};
    (void)i_thread;
    for (int i = 0; i < s->n_terms; i++) {
        if (s->terms[i].scale && s->terms[i].x) {
            sum.scale[sum.n_scaled] = s->terms[i].scale;
            sum.x[sum.n_scaled++] = s->terms[i].x + at;
        }
    }
    for (int i = 0; i < s->n_terms; i++) {
        if (!s->terms[i].scale && s->terms[i].x) {
            sum.x[sum.n_scaled + sum.n_plain++] = s->terms[i].x + at;
        }
    }
    j->k->norm_sum_f32(&sum);
}

void norm_sum_forward(const struct machine *mc, float *y, const struct norm_sum *s)
{
    struct job j = new_job(mc, s);
    j.out = y;
    threads_for(mc, count_parts(s->n_pixels, s->c), forward_part, &j);
}

/* Alone, a normalised term makes ReLU's mask again from x, which is read anyway. */
static bool remakes_mask(const struct norm_sum *s)
{
    return s->relu && s->n_terms == 1 && s->terms[0].scale;
}

/* A map of zeros, normalised: what of dy passes ReLU, in `block`. */
static const float *constant_block(const struct job *j, size_t at, size_t rows, float *block)
{
    size_t c = (size_t)j->s->c;
    for (size_t r = 0; r < rows; r++) {
        memcpy(block + r * c, j->s->shift, c * sizeof *block);
    }
    j->k->vec_act_grad_f32(block, block, j->dy + at * c, rows * c, KERNEL_RELU, false);
    return block;
}

/* The gradient of the sum for a block: dy where ReLU let it through; masked in place, because
 * plain terms hand it on, unless the mask is made again later. */
static const float *masked_block(const struct job *j, size_t at, size_t rows, float *block)
{
    const struct norm_sum *s = j->s;
    size_t first = at * (size_t)s->c, n = rows * (size_t)s->c;
    float *dy = j->dy + first;
    if (remakes_mask(s)) {
        return s->terms[0].x ? dy : constant_block(j, at, rows, block);
    }
    if (s->relu) {
        j->k->vec_act_grad_f32(dy, j->y + first, dy, n, KERNEL_RELU, false);
    }
    return dy;
}

/* What the kernels of backward read of a normalised term. */
static struct kernel_norm_grad term_block(const struct job *j, const struct norm_sum_term *t,
                                          const float *dy, size_t at, size_t rows)
{
    bool remade = remakes_mask(j->s);
    return (struct kernel_norm_grad){.x = t->x + at * (size_t)j->s->c,
                                     .dy = dy,
                                     .mean = t->mean,
                                     .scale = remade ? t->scale : NULL,
                                     .shift = remade ? j->s->shift : NULL,
                                     .n_rows = rows,
                                     .c = j->s->c};
}

/* dx of the plain terms. */
static void hand_on(const struct job *j, const float *g, size_t at, size_t n)
{
    for (int i = 0; i < j->s->n_terms; i++) {
        const struct norm_sum_term *t = &j->s->terms[i];
        float *dx = t->dx ? t->dx + at : NULL;
        if (t->scale || !dx || dx == g) {
            continue;
        }
        if (t->add) {
            j->k->vec_axpy_f32(dx, 1, g, n);
        } else {
            memcpy(dx, g, n * sizeof *dx);
        }
    }
}

static void add_to(double *sum, const float *part, int c)
{
    for (int i = 0; i < c; i++) {
        sum[i] += (double)part[i];
    }
}

static void sums_part(void *ctx, int i_part, int i_thread)
{
    const struct job *j = ctx;
    const struct norm_sum *s = j->s;
    size_t c = (size_t)s->c;
    float *block = j->blocks + (size_t)i_thread * j->rows_a_block * c;
    float *sum = j->sums + (size_t)i_thread * 2 * c;
    double *part = j->parts + (size_t)i_part * (size_t)(1 + s->n_terms) * c;
    memset(part, 0, (size_t)(1 + s->n_terms) * c * sizeof *part);
    size_t begin = MIN(s->n_pixels, (size_t)i_part * j->rows_a_part);
    size_t end = MIN(s->n_pixels, begin + j->rows_a_part);
    for (size_t at = begin; at < end; at += j->rows_a_block) {
        size_t rows = MIN(j->rows_a_block, end - at);
        const float *g = masked_block(j, at, rows, block);
        hand_on(j, g, at * c, rows * c);
        bool summed = false;
        for (int i = 0; i < s->n_terms; i++) {
            const struct norm_sum_term *t = &s->terms[i];
            if (t->scale && t->x) {
                struct kernel_norm_grad n = term_block(j, t, g, at, rows);
                j->k->norm_grad_sums_f32(sum, sum + c, &n);
                add_to(part + (size_t)(1 + i) * c, sum + c, s->c);
                if (!summed) {
                    add_to(part, sum, s->c);
                }
                summed = true;
            }
        }
        if (!summed) {
            memset(sum, 0, c * sizeof *sum);
            j->k->norm_row_sum_f32(sum, g, rows, s->c);
            add_to(part, sum, s->c);
        }
    }
}

static void gradients_part(void *ctx, int i_part, int i_thread)
{
    const struct job *j = ctx;
    const struct norm_sum *s = j->s;
    size_t c = (size_t)s->c;
    (void)i_thread;
    size_t begin = MIN(s->n_pixels, (size_t)i_part * j->rows_a_part);
    size_t end = MIN(s->n_pixels, begin + j->rows_a_part);
    for (size_t at = begin; at < end; at += j->rows_a_block) {
        size_t rows = MIN(j->rows_a_block, end - at);
        for (int i = 0; i < s->n_terms; i++) {
            const struct norm_sum_term *t = &s->terms[i];
            if (t->scale && t->dx) {
                struct kernel_norm_grad n = term_block(j, t, j->g + at * c, at, rows);
                j->k->norm_grad_f32(t->dx + at * c, &n, t->slopes, t->slopes + c, t->slopes + 2 * c,
                                    t->add);
            }
        }
    }
}

size_t norm_sum_part_doubles(int n_terms, int c)
{
    return (size_t)(1 + n_terms) * (size_t)c;
}

void norm_sum_settle(const struct norm_sum *s, const double *sums, int n_parts, size_t n_pixels,
                     bool train)
{
    size_t c = (size_t)s->c, step = norm_sum_part_doubles(s->n_terms, s->c);
    double n = (double)n_pixels;
    for (int i = 0; i < s->n_terms; i++) {
        const struct norm_sum_term *t = &s->terms[i];
        for (size_t k = 0; t->scale && k < c; k++) {
            double sum = 0, sum_x = 0;
            for (int p = 0; p < n_parts; p++) {
                sum += sums[(size_t)p * step + k];
                sum_x += sums[(size_t)p * step + (size_t)(1 + i) * c + k];
            }
            double r = (double)t->rstd[k], g = (double)t->gamma[k];
            t->slopes[k] = (float)(g * r);
            t->slopes[c + k] = train ? (float)(-g * r * r * r * sum_x / n) : 0;
            t->slopes[2 * c + k] = train ? (float)(-g * r * sum / n) : 0;
            if (t->dgamma) {
                /* A term of zeros: with its own statistics xhat is 0, with running ones a constant.
                 */
                t->dgamma[k] = (float)(t->x ? sum_x * r : -(double)t->mean[k] * r * sum);
                t->dbeta[k] = (float)sum;
            }
        }
    }
}

size_t norm_sum_scratch_bytes(const struct machine *mc, size_t n_pixels, int c)
{
    size_t n_threads = (size_t)mc->n_threads, row = (size_t)c;
    return arena_round(n_threads * block_rows(c) * row * sizeof(float)) +
           arena_round(n_threads * 2 * row * sizeof(float)) +
           arena_round((size_t)count_parts(n_pixels, c) * norm_sum_part_doubles(NORM_SUM_MAX, c) *
                       sizeof(double));
}

void norm_sum_gather(const struct machine *mc, double *sum, float *dy, const float *y,
                     const struct norm_sum *s, struct arena tmp)
{
    struct job j = new_job(mc, s);
    int n_parts = count_parts(s->n_pixels, s->c);
    size_t step = norm_sum_part_doubles(s->n_terms, s->c);
    j.dy = dy;
    j.y = y;
    j.blocks =
        arena_push(&tmp, (size_t)mc->n_threads * j.rows_a_block * (size_t)s->c, sizeof *j.blocks);
    j.sums = arena_push(&tmp, (size_t)mc->n_threads * 2 * (size_t)s->c, sizeof *j.sums);
    j.parts = arena_push(&tmp, (size_t)n_parts * step, sizeof *j.parts);
    threads_for(mc, n_parts, sums_part, &j);
    memcpy(sum, j.parts, step * sizeof *sum);
    for (int p = 1; p < n_parts; p++) {
        for (size_t i = 0; i < step; i++) {
            sum[i] += j.parts[(size_t)p * step + i];
        }
    }
}

void norm_sum_gradients(const struct machine *mc, const float *dy, const struct norm_sum *s)
{
    bool wanted = false;
    for (int i = 0; i < s->n_terms; i++) {
        wanted = wanted || (s->terms[i].scale && s->terms[i].dx);
    }
    if (wanted) {
        struct job j = new_job(mc, s);
        j.g = dy;
        threads_for(mc, count_parts(s->n_pixels, s->c), gradients_part, &j);
    }
}
