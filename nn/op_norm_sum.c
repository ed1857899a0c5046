/*
 * op_norm_sum.c: y = relu?(sum of inputs, some of them through a batch norm first): what nn/fuse.c
 * makes of bn + sum + relu in training, because each of them alone would cost a pass over memory.
 * Parameters are those of the batch norms one after the other, four each.
 */
#include "nn/op.h"

#include "core/norm.h"
#include "core/norm_sum.h"

#include <math.h>
#include <string.h>

enum { GAMMA, BETA, RUNNING_MEAN, RUNNING_VAR, N_PARAMS };
/* Rows of [c] for each normalised input, from forward to backward; one more row holds the sum of
 * shifts. */
enum { MEAN, RSTD, SCALE, SLOPES, N_ROWS = SLOPES + 3 };

static bool is_normed(const struct op_attr *attr, int i)
{
    return attr->norm_mask >> i & 1;
}

static bool norm_sum_infer(const struct op_attr *attr, const struct shape *in, int n_in,
                           struct shape *out, struct param_spec *params, int *n_params,
                           struct err *e)
{
    ASSERT(n_in >= 1 && attr->eps > 0);
    static const enum param_kind kinds[N_PARAMS] = {PARAM_SCALE, PARAM_SHIFT, PARAM_RUNNING_MEAN,
                                                    PARAM_RUNNING_VAR};
    static const char *const suffixes[N_PARAMS] = {"weight", "bias", "running_mean", "running_var"};
    int c = in[0].c;
    *n_params = 0;
    *out = in[0];
    for (int i = 0; i < n_in; i++) {
        if (in[i].h != in[0].h || in[i].w != in[0].w || in[i].c != c || c > NORM_SUM_MAX_CHANNELS) {
            return err_set(e, ERR_INPUT, "input %d is %d x %d x %d, input 0 is %d x %d x %d", i,
                           in[i].h, in[i].w, in[i].c, in[0].h, in[0].w, c);
        }
        for (int j = 0; is_normed(attr, i) && j < N_PARAMS; j++) {
            if (*n_params == OP_MAX_PARAM) {
                return err_set(e, ERR_INPUT, "more than %d normalised inputs",
                               OP_MAX_PARAM / N_PARAMS);
            }
            params[(*n_params)++] =
                (struct param_spec){kinds[j], suffixes[j], 1, {c, 1, 1, 1}, c, c};
        }
    }
    return *n_params > 0 || err_set(e, ERR_INPUT, "no input is normalised");
}

static size_t norm_sum_scratch(const struct machine *mc, const struct op_attr *attr, int batch,
                               const struct shape *in, int n_in, struct shape out, bool backward)
{
    (void)backward;
    ASSERT(attr && in && n_in >= 1);
    size_t n_pixels = (size_t)batch * (size_t)out.h * (size_t)out.w;
    return MAX(norm_scratch_bytes(mc, n_pixels, out.c),
               norm_sum_scratch_bytes(mc, n_pixels, out.c));
}

static size_t norm_sum_save(const struct op_attr *attr, int batch, const struct shape *in, int n_in,
                            struct shape out)
{
    ASSERT(attr && in && n_in <= NORM_SUM_MAX && batch > 0);
    return (size_t)(1 + N_ROWS * NORM_SUM_MAX) * (size_t)out.c * sizeof(float);
}

static float *row_of(const struct op_io *io, int i_in, int row)
{
    return (float *)io->save + (size_t)(1 + N_ROWS * i_in + row) * (size_t)io->y.c;
}

/* Running statistics as PyTorch moves them: with the unbiased variance. */
static void move_running(const struct op_io *io, float *const *w, const float *mean,
                         const float *var, size_t n_pixels)
{
    float m = io->attr->momentum;
    float unbias = n_pixels > 1 ? (float)((double)n_pixels / (double)(n_pixels - 1)) : 1;
    for (int i = 0; i < io->y.c; i++) {
        w[RUNNING_MEAN][i] = (1 - m) * w[RUNNING_MEAN][i] + m * mean[i];
        w[RUNNING_VAR][i] = (1 - m) * w[RUNNING_VAR][i] + m * unbias * var[i];
    }
}

static size_t norm_sum_part_bytes(const struct op_attr *attr, int n_in, int c)
{
    ASSERT(attr && n_in <= NORM_SUM_MAX);
    return MAX(norm_sum_part_doubles(n_in, c), 2 * (size_t)c) * sizeof(double);
}

static size_t image_pixels(const struct op_io *io)
{
    return (size_t)io->y.h * (size_t)io->y.w;
}

static void norm_sum_gather_x(const struct op_io *io, int i)
{
    double *part = (double *)io->parts[i] + (size_t)io->i_part * 2 * (size_t)io->y.c;
    norm_part(io->mc, part, io->x[i].data, (size_t)io->y.n * image_pixels(io), io->y.c, io->tmp);
}

/* Mean and variance of an input over the batch. */
static void unite(const struct op_io *io, int i, float *mean, float *var)
{
    size_t rows[OP_MAX_PARTS];
    int n = io->n_parts[i];
    ASSERT(n >= 1 && n <= OP_MAX_PARTS);
    for (int p = 0; p < n; p++) {
        rows[p] =
            (size_t)(op_part_first(io->n_batch, n, p + 1) - op_part_first(io->n_batch, n, p)) *
            image_pixels(io);
    }
    norm_unite(mean, var, io->parts[i], rows, n, io->y.c);
}

/* Mean, 1 / deviation and scale of one normalised input; its shift is added to the common one. */
static void prepare_input(const struct op_io *io, int i_in, float *const *w, size_t n_pixels)
{
    int c = io->y.c;
    float *mean = row_of(io, i_in, MEAN), *rstd = row_of(io, i_in, RSTD),
          *scale = row_of(io, i_in, SCALE);
    float *shift = io->save;
    if (!io->train) {
        memcpy(mean, w[RUNNING_MEAN], (size_t)c * sizeof *mean);
        memcpy(rstd, w[RUNNING_VAR], (size_t)c * sizeof *rstd);
    } else {
        if (io->n_parts[i_in] > 0) {
            unite(io, i_in, mean, rstd);
        } else { /* zeros */
            memset(mean, 0, (size_t)c * sizeof *mean);
            memset(rstd, 0, (size_t)c * sizeof *rstd);
        }
        move_running(io, w, mean, rstd, n_pixels);
    }
    for (int i = 0; i < c; i++) {
        rstd[i] = (float)(1 / sqrt((double)rstd[i] + (double)io->attr->eps));
        scale[i] = w[GAMMA][i] * rstd[i];
        shift[i] += w[BETA][i] - mean[i] * scale[i];
    }
}

static struct norm_sum describe(const struct op_io *io)
{
    struct norm_sum s = {.n_terms = io->n_in,
                         .shift = io->save,
                         .relu = io->attr->act == OP_ACT_RELU,
                         .c = io->y.c,
                         .n_pixels = (size_t)io->y.n * (size_t)io->y.h * (size_t)io->y.w};
    for (int i = 0, i_param = 0; i < io->n_in; i++) {
        struct norm_sum_term *t = &s.terms[i];
        *t = (struct norm_sum_term){.x = io->x[i].data, .dx = io->dx[i].data, .add = io->dx_add[i]};
        if (is_normed(io->attr, i)) {
            t->scale = row_of(io, i, SCALE);
            t->mean = row_of(io, i, MEAN);
            t->rstd = row_of(io, i, RSTD);
            t->slopes = row_of(io, i, SLOPES);
            t->gamma = io->w[i_param + GAMMA];
            t->dgamma = io->dw[i_param + GAMMA];
            t->dbeta = io->dw[i_param + BETA];
            i_param += N_PARAMS;
        }
    }
    return s;
}

static void norm_sum_settle_forward(const struct op_io *io)
{
    memset(io->save, 0, (size_t)io->y.c * sizeof(float));
    for (int i = 0, i_param = 0; i < io->n_in; i++) {
        if (is_normed(io->attr, i)) {
            prepare_input(io, i, &io->w[i_param], (size_t)io->n_batch * image_pixels(io));
            i_param += N_PARAMS;
        }
    }
}

static void norm_sum_fwd(const struct op_io *io)
{
    struct norm_sum s = describe(io);
    norm_sum_forward(io->mc, io->y.data, &s);
}

static void norm_sum_gather_dy(const struct op_io *io)
{
    struct norm_sum s = describe(io);
    double *part =
        (double *)io->parts[0] + (size_t)io->i_part * norm_sum_part_doubles(io->n_in, io->y.c);
    norm_sum_gather(io->mc, part, io->dy.data, io->y.data, &s, io->tmp);
}

static void norm_sum_settle_backward(const struct op_io *io)
{
    struct norm_sum s = describe(io);
    norm_sum_settle(&s, io->parts[0], io->n_parts[0], (size_t)io->n_batch * image_pixels(io),
                    io->train);
}

static void norm_sum_bwd(const struct op_io *io)
{
    struct norm_sum s = describe(io);
    norm_sum_gradients(io->mc, io->dy.data, &s);
}

/* The output only where ReLU's mask is read from it. */
static bool norm_sum_keeps(const struct op_attr *attr, int n_in, int i)
{
    return i >= 0 ? is_normed(attr, i) : attr->act == OP_ACT_RELU && n_in > 1;
}

static const struct op_gather norm_sum_gathers = {
    .part_bytes = norm_sum_part_bytes,
    .reads = is_normed,
    .gather_x = norm_sum_gather_x,
    .settle_forward = norm_sum_settle_forward,
    .gather_dy = norm_sum_gather_dy,
    .settle_backward = norm_sum_settle_backward,
};

const struct op op_norm_sum = {
    .name = "norm_sum",
    .n_in_min = 1,
    .n_in_max = NORM_SUM_MAX,
    .keeps_x = true,
    .keeps_y = true,
    .keeps = norm_sum_keeps,
    .remakes = true,
    .takes_zeros = true,
    .dx_over_dy = true,
    .by_image = true,
    .gather = &norm_sum_gathers,
    .infer = norm_sum_infer,
    .scratch_bytes = norm_sum_scratch,
    .save_bytes = norm_sum_save,
    .forward = norm_sum_fwd,
    .backward = norm_sum_bwd,
};
