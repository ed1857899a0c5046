/*
 * AZ-NAS [Lee2024] on 64 images of noise N(0, 1), weights normal with variance 2 / fan_in, features
 * f_0 (stem), f_1, ... at the ends of the blocks:
 *
 *   az-expressivity   sum_l E_l, E_l = - sum p log(p + 1e-8) of the eigenvalues p of the channels'
 *                     covariance at f_l, scaled to sum 1
 *   az-progressivity  min_l (E_l - E_{l-1})
 *   az-trainability   mean over l >= 1 of 2 - s - 1 / (s + 1e-6), s = largest singular value of
 *                     g_in^T g_out / (pixels), g_out random signs at f_l, g_in their gradient at
 *                     f_{l-1} (where it is larger, its pixels become channels). A block that is the
 *                     identity has s near 1 like any other; the published code gives it - infinity,
 *                     so that the best of the networks without convolutions would come last
 *
 * The fourth score is flops, and AZ-NAS itself a ranking in a population: the sum of the logarithms
 * of the four ranks (`hdnas correlate --combine a*b*c*d`).
 */
#include <math.h>
#include <string.h>

#include "core/gemm.h"
#include "core/rng.h"
#include "nas/linalg.h"
#include "nas/scores.h"
#include "nas/tape.h"

enum { N_IMAGES = 64, N_ROWS = 1024 }; /* pixels of a float sum */

static void score_az_defaults(struct score_options *o)
{
    trial_defaults(o);
    o->init = NET_INIT_KAIMING;
}

/* Channels that a matrix over a block's ends may have: those of g_in after its pixels became
 * channels. */
static size_t score_az_channels(const struct graph *g)
{
    size_t most = 1;
    for (int l = 0; l < g->n_blocks; l++) {
        struct shape s = g->nodes[g->blocks[l]].shape;
        int stride = 1;
        if (l + 1 < g->n_blocks) {
            struct shape next = g->nodes[g->blocks[l + 1]].shape;
            stride = MAX(1, s.h / MAX(next.h, 1));
        }
        most = MAX(most, (size_t)s.c * (size_t)stride * (size_t)stride);
    }
    return most;
}

static size_t score_az_plan_bytes(const struct machine *mc, const struct graph *g,
                                  const struct score_batch *b)
{
    (void)b;
    size_t c = score_az_channels(g), largest = 0;
    for (int l = 0; l < g->n_blocks; l++) {
        largest = MAX(largest, shape_count(g->nodes[g->blocks[l]].shape));
    }
    size_t images = (shape_count(g->nodes[0].shape) + largest) * N_IMAGES * sizeof(float);
    return trial_bytes(mc, g, 1, 0) + tape_bytes(mc, g, N_IMAGES) + 4 * c * c * sizeof(double) +
           4 * c * sizeof(double) + (c + N_ROWS) * c * sizeof(float) + images + (size_t)(1 << 16);
}

/* Open the trial, draw the noise, run forward. */
static bool score_az_open(struct tape *tape, struct trial *t, const struct score_job *job,
                          struct err *e)
{
    if (job->graph->n_blocks < 2) {
        return err_set(e, ERR_USAGE, "AZ-NAS needs an architecture whose blocks are marked");
    }
    if (!trial_open(t, job, 1, 0, e)) {
        return false;
    }
    size_t count = N_IMAGES * shape_count(t->graph->nodes[0].shape);
    float *x = arena_push(&t->tmp, count, sizeof *x);
    struct rng r = rng_key(job->options->seed, RNG_SCORE, 0);
    for (size_t i = 0; i < count; i++) {
        x[i] = (float)rng_normal(&r);
    }
    tape_forward(tape, t, &t->tmp, x, N_IMAGES);
    return true;
}

/* mat[c_a, c_b] += a^T b of n <= N_ROWS rows; float sums of so few rows, added in double. */
static void score_az_add_product(const struct machine *mc, double *mat, const float *a, int c_a,
                                 const float *b, int c_b, int n, struct arena tmp)
{
    size_t count = (size_t)c_a * (size_t)c_b;
    float *part = arena_push(&tmp, count, sizeof *part);
    gemm(mc, true, false, c_a, c_b, n, 1, a, c_a, b, c_b, 0, part, c_b);
    for (size_t k = 0; k < count; k++) {
        mat[k] += (double)part[k];
    }
}

/* cov[c, c] = mean over pixels of f^T f, f less its mean. */
static void score_az_covariance(const struct machine *mc, double *cov, const struct tensor *f,
                                struct arena tmp)
{
    size_t n = tensor_count(f) / (size_t)f->c, c = (size_t)f->c;
    float *rows = arena_push(&tmp, N_ROWS * c, sizeof *rows);
    double *mean = arena_push_zero(&tmp, c, sizeof *mean);
    memset(cov, 0, c * c * sizeof *cov);
    for (size_t p = 0; p < n; p++) {
        for (size_t i = 0; i < c; i++) {
            mean[i] += (double)f->data[p * c + i];
        }
    }
    for (size_t i = 0; i < c; i++) {
        mean[i] /= (double)n;
    }
    for (size_t first = 0; first < n; first += N_ROWS) {
        size_t n_rows = MIN(n - first, (size_t)N_ROWS);
        for (size_t k = 0; k < n_rows * c; k++) {
            rows[k] = (float)((double)f->data[first * c + k] - mean[k % c]);
        }
        score_az_add_product(mc, cov, rows, f->c, rows, f->c, (int)n_rows, tmp);
    }
    for (size_t k = 0; k < c * c; k++) {
        cov[k] /= (double)n;
    }
}

static double score_az_entropy(const struct tape *tape, int node, struct arena tmp)
{
    struct tensor f = tape_value(tape, node);
    size_t c = (size_t)f.c;
    double *cov = arena_push(&tmp, c * c, sizeof *cov);
    double *values = arena_push(&tmp, c, sizeof *values);
    score_az_covariance(tape->t->job->mc, cov, &f, tmp);
    linalg_eigenvalues(values, cov, f.c);
    double sum = 0, entropy = 0;
    for (int i = 0; i < f.c; i++) {
        sum += values[i];
    }
    for (int i = 0; i < f.c; i++) {
        double p = fmax(values[i] / sum, 0); /* rounding leaves zero a little below it */
        entropy -= p * log(p + 1e-8);
    }
    return entropy;
}

static bool score_az_run_expressivity(const struct score_job *job, double *value, struct err *e)
{
    struct trial t;
    struct tape tape;
    if (!score_az_open(&tape, &t, job, e)) {
        return false;
    }
    *value = 0;
    for (int l = 0; l < t.graph->n_blocks; l++) {
        *value += score_az_entropy(&tape, t.graph->blocks[l], t.tmp);
    }
    return true;
}

static bool score_az_run_progressivity(const struct score_job *job, double *value, struct err *e)
{
    struct trial t;
    struct tape tape;
    if (!score_az_open(&tape, &t, job, e)) {
        return false;
    }
    double before = score_az_entropy(&tape, t.graph->blocks[0], t.tmp);
    *value = INFINITY;
    for (int l = 1; l < t.graph->n_blocks; l++) {
        double now = score_az_entropy(&tape, t.graph->blocks[l], t.tmp);
        *value = isnan(now - before) ? NAN : fmin(*value, now - before);
        before = now;
    }
    return true;
}

/* rows[n, c] = pixels s (of stride^2) of g_in that belong to the output pixels first .. of image i.
 */
static void score_az_gather(float *rows, const struct tensor *in, const struct tensor *out, int i,
                            int s, int first, int n)
{
    int stride = in->h / out->h;
    for (int p = first; p < first + n; p++) {
        int h = p / out->w * stride + s / stride, w = p % out->w * stride + s % stride;
        size_t at = ((size_t)i * (size_t)in->h + (size_t)h) * (size_t)in->w + (size_t)w;
        memcpy(rows + (size_t)(p - first) * (size_t)in->c, in->data + at * (size_t)in->c,
               (size_t)in->c * sizeof *rows);
    }
}

/* mat[stride^2 c_in, c_out] = mean over output pixels of g_in g_out^T, g_in's pixels as channels.
 */
static void score_az_product(const struct machine *mc, double *mat, const struct tensor *in,
                             const struct tensor *out, struct arena tmp)
{
    int stride = in->h / out->h, pixels = out->h * out->w;
    size_t block = (size_t)in->c * (size_t)out->c, n_blocks = (size_t)stride * (size_t)stride;
    float *rows = arena_push(&tmp, (size_t)N_ROWS * (size_t)in->c, sizeof *rows);
    memset(mat, 0, n_blocks * block * sizeof *mat);
    for (int i = 0; i < out->n; i++) {
        for (int first = 0; first < pixels; first += N_ROWS) {
            int n = MIN(pixels - first, N_ROWS);
            const float *o =
                out->data + ((size_t)i * (size_t)pixels + (size_t)first) * (size_t)out->c;
            for (int s = 0; s < stride * stride; s++) {
                score_az_gather(rows, in, out, i, s, first, n);
                score_az_add_product(mc, mat + (size_t)s * block, rows, in->c, o, out->c, n, tmp);
            }
        }
    }
    for (size_t k = 0; k < n_blocks * block; k++) {
        mat[k] /= (double)out->n * pixels;
    }
}

/* Random signs, 64 from a draw. */
static void score_az_signs(float *x, size_t count, struct rng r)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < count; i++) {
        bits = i % 64 == 0 ? rng_u64(&r) : bits >> 1;
        x[i] = bits & 1 ? 1.0f : -1.0f;
    }
}

static double score_az_block(struct tape *tape, int l, struct arena tmp)
{
    const struct graph *g = tape->t->graph;
    int from = g->blocks[l - 1], to = g->blocks[l];
    struct tensor out = tape_value(tape, to), in = tape_value(tape, from);
    int stride = in.h / out.h, c_in = in.c * stride * stride, c = MIN(c_in, out.c);
    if (stride < 1 || in.h != out.h * stride || in.w != out.w * stride) {
        return -INFINITY;
    }
    double *mat = arena_push(&tmp, (size_t)c_in * (size_t)out.c, sizeof *mat);
    double *scratch = arena_push(&tmp, (size_t)c * (size_t)c + (size_t)c, sizeof *scratch);
    out.data = arena_push(&tmp, tensor_count(&out), sizeof(float));
    score_az_signs(out.data, tensor_count(&out),
                   rng_key(tape->t->job->options->seed, RNG_SCORE, (uint64_t)l));
    struct arena keep = tmp; /* the gradients lie behind what was pushed here */
    if (from == to) {
        in = out;
    } else {
        tape->keep = &keep;
        tape_backward(tape, from, to, out.data);
        in.data = tape->dx[from];
    }
    if (!in.data) {
        return -INFINITY;
    }
    score_az_product(tape->t->job->mc, mat, &in, &out, keep);
    double s = linalg_norm(mat, c_in, out.c, scratch);
    return 2 - s - 1 / (s + 1e-6);
}

static bool score_az_run_trainability(const struct score_job *job, double *value, struct err *e)
{
    struct trial t;
    struct tape tape;
    if (!score_az_open(&tape, &t, job, e)) {
        return false;
    }
    *value = 0;
    for (int l = 1; l < t.graph->n_blocks; l++) {
        *value += score_az_block(&tape, l, t.tmp) / (t.graph->n_blocks - 1);
    }
    *value = isfinite(*value) ? *value : NAN;
    return true;
}

#define AZ .defaults = score_az_defaults, .plan_bytes = score_az_plan_bytes

const struct score score_az_expressivity = {
    .name = "az-expressivity",
    .help = "AZ-NAS: entropy of the channels' covariance, summed over blocks",
    AZ,
    .run = score_az_run_expressivity,
};

const struct score score_az_progressivity = {
    .name = "az-progressivity",
    .help = "AZ-NAS: smallest growth of that entropy from block to block",
    AZ,
    .run = score_az_run_progressivity,
};

const struct score score_az_trainability = {
    .name = "az-trainability",
    .help = "AZ-NAS: how near blocks are to passing gradients on unchanged",
    AZ,
    .run = score_az_run_trainability,
};
