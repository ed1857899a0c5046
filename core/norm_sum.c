#include "core/norm_sum.h"

#include "core/kernel.h"
#include "core/threads.h"

#include <string.h>

/*
 * Rows are cut into parts (by size alone: the unit of threads and of the order of sums) and parts
 * into blocks of 16 KiB a tensor, so that the three or four tensors of a block stay in L1 between
 * the kernels that pass over them one after the other.
 */
enum { BLOCK_FLOATS = 4096, MAX_PARTS = 64, MIN_PART_FLOATS = 16384 };

struct job {
    const struct kernels *k;
    const struct norm_sum *s;
    const float *y;   /* forward's output */
    float *out, *dy;  /* forward writes; backward reads and masks */
    float *blocks;    /* [n_threads, block_floats] the masked gradient of a block */
    float *sums;      /* [n_threads, 2, c] of a block */
    double *parts;    /* [n_parts, 1 + n_terms, c] sum dy; sum dy (x_i - mean_i) */
    float *a, *b, *d; /* [n_terms, c] dx = a dy + b (x - mean) + d */
    float *zeros;     /* [c] */
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

static void forward_block(const struct job *j, size_t at, size_t rows)
{
    const struct norm_sum *s = j->s;
    size_t first = at * (size_t)s->c, n = rows * (size_t)s->c;
    float *y = j->out + first;
    const float *shift = s->shift;
    bool relu_now = s->relu && s->n_terms == 1, begun = false;
    for (int i = 0; i < s->n_terms; i++) {
        const struct norm_sum_term *t = &s->terms[i];
        if (t->scale && t->x) {
            j->k->norm_apply_f32(y, t->x + first, t->scale, shift, rows, s->c, relu_now, begun);
            shift = j->zeros;
            begun = true;
        }
    }
    const float *in[NORM_SUM_MAX + 1];
    int n_in = 0;
    for (int i = 0; i < s->n_terms; i++) {
        if (!s->terms[i].scale && s->terms[i].x) {
            in[n_in++] = s->terms[i].x + first;
        }
    }
    if (!begun) { /* shifts alone */
        for (size_t r = 0; r < rows; r++) {
            memcpy(y + r * (size_t)s->c, shift, (size_t)s->c * sizeof *y);
        }
    }
    if (n_in > 0) {
        in[n_in++] = y;
        j->k->vec_sum_f32(y, in, n_in, n);
    }
    if (s->relu && !(relu_now && begun)) {
        j->k->vec_act_f32(y, y, n, KERNEL_RELU);
    }
}

/* Every block of part i. */
static void each_block(const struct job *j, int i_part,
                       void (*f)(const struct job *, size_t, size_t))
{
    size_t first = MIN(j->s->n_pixels, (size_t)i_part * j->rows_a_part);
    size_t last = MIN(j->s->n_pixels, first + j->rows_a_part);
    for (size_t at = first; at < last; at += j->rows_a_block) {
        f(j, at, MIN(j->rows_a_block, last - at));
    }
}

static void forward_part(void *ctx, int i_part, int i_thread)
{
    (void)i_thread;
    each_block(ctx, i_part, forward_block);
}

void norm_sum_forward(const struct machine *mc, float *y, const struct norm_sum *s)
{
    struct job j = new_job(mc, s);
    float zeros[NORM_SUM_MAX_CHANNELS];
    memset(zeros, 0, (size_t)s->c * sizeof *zeros);
    j.zeros = zeros;
    j.out = y;
    threads_for(mc, count_parts(s->n_pixels, s->c), forward_part, &j);
}

/*
 * The gradient of the sum for a block: dy where ReLU let it through. With one term the mask is made
 * again from x, which is read anyway, into `block`; with more it is read from y, and dy is masked
 * in place in the first sweep, because plain terms hand it on.
 */
static const float *masked_block(const struct job *j, size_t at, size_t rows, float *block,
                                 bool again)
{
    const struct norm_sum *s = j->s;
    size_t first = at * (size_t)s->c, n = rows * (size_t)s->c;
    float *dy = j->dy + first;
    if (!s->relu) {
        return dy;
    }
    if (s->n_terms == 1 && s->terms[0].scale && s->terms[0].x) {
        const struct norm_sum_term *t = &s->terms[0];
        j->k->norm_apply_f32(block, t->x + first, t->scale, s->shift, rows, s->c, false, false);
        j->k->vec_act_grad_f32(block, block, dy, n, KERNEL_RELU, false);
        return block;
    }
    if (!again) {
        j->k->vec_act_grad_f32(dy, j->y + first, dy, n, KERNEL_RELU, false);
    }
    return dy;
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
        const float *g = masked_block(j, at, rows, block, false);
        bool summed = false;
        for (int i = 0; i < s->n_terms; i++) {
            const struct norm_sum_term *t = &s->terms[i];
            if (t->scale && t->x) {
                j->k->norm_grad_sums_f32(sum, sum + c, t->x + at * c, g, t->mean, rows, s->c);
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
    float *block = j->blocks + (size_t)i_thread * j->rows_a_block * c;
    size_t begin = MIN(s->n_pixels, (size_t)i_part * j->rows_a_part);
    size_t end = MIN(s->n_pixels, begin + j->rows_a_part);
    for (size_t at = begin; at < end; at += j->rows_a_block) {
        size_t rows = MIN(j->rows_a_block, end - at), n = rows * c;
        const float *g = masked_block(j, at, rows, block, true);
        for (int i = 0; i < s->n_terms; i++) {
            const struct norm_sum_term *t = &s->terms[i];
            float *dx = t->dx ? t->dx + at * c : NULL;
            size_t row = (size_t)i * c;
            if (!dx || (!t->scale && dx == g)) {
                continue;
            }
            if (t->scale) {
                j->k->norm_grad_f32(dx, t->x + at * c, g, t->mean, j->a + row, j->b + row,
                                    j->d + row, rows, s->c, t->add);
            } else if (t->add) {
                j->k->vec_axpy_f32(dx, 1, g, n);
            } else {
                memcpy(dx, g, n * sizeof *dx);
            }
        }
    }
}

/* Parts in index order; then the parameters' gradients and the three rows of each term. */
static void finish_sums(struct job *j, bool train)
{
    const struct norm_sum *s = j->s;
    size_t c = (size_t)s->c, stride = (size_t)(1 + s->n_terms) * c;
    int n_parts = count_parts(s->n_pixels, s->c);
    for (int p = 1; p < n_parts; p++) {
        for (size_t i = 0; i < stride; i++) {
            j->parts[i] += j->parts[(size_t)p * stride + i];
        }
    }
    for (int i = 0; i < s->n_terms; i++) {
        const struct norm_sum_term *t = &s->terms[i];
        for (size_t k = 0; t->scale && k < c; k++) {
            double sum = j->parts[k], sum_x = j->parts[(size_t)(1 + i) * c + k];
            double r = (double)t->rstd[k], g = (double)t->gamma[k], n = (double)s->n_pixels;
            j->a[(size_t)i * c + k] = (float)(g * r);
            j->b[(size_t)i * c + k] = train ? (float)(-g * r * r * r * sum_x / n) : 0;
            j->d[(size_t)i * c + k] = train ? (float)(-g * r * sum / n) : 0;
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
           arena_round((size_t)count_parts(n_pixels, c) * (1 + NORM_SUM_MAX) * row *
                       sizeof(double)) +
           3 * arena_round(NORM_SUM_MAX * row * sizeof(float));
}

void norm_sum_backward(const struct machine *mc, float *dy, const float *y,
                       const struct norm_sum *s, bool train, struct arena tmp)
{
    struct job j = new_job(mc, s);
    size_t c = (size_t)s->c, n_threads = (size_t)mc->n_threads, n_terms = (size_t)s->n_terms;
    int n_parts = count_parts(s->n_pixels, s->c);
    j.dy = dy;
    j.y = y;
    j.blocks = arena_push(&tmp, n_threads * j.rows_a_block * c, sizeof *j.blocks);
    j.sums = arena_push(&tmp, n_threads * 2 * c, sizeof *j.sums);
    j.parts = arena_push(&tmp, (size_t)n_parts * (1 + n_terms) * c, sizeof *j.parts);
    j.a = arena_push(&tmp, n_terms * c, sizeof *j.a);
    j.b = arena_push(&tmp, n_terms * c, sizeof *j.b);
    j.d = arena_push(&tmp, n_terms * c, sizeof *j.d);
    threads_for(mc, n_parts, sums_part, &j);
    finish_sums(&j, train);
    bool wanted = false;
    for (int i = 0; i < s->n_terms; i++) {
        wanted = wanted || (s->terms[i].dx && (s->terms[i].scale || s->terms[i].dx != dy));
    }
    if (wanted) {
        threads_for(mc, n_parts, gradients_part, &j);
    }
}
