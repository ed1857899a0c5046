/*
 * SynFlow [Tanaka2020]: the network without batch norm, weights replaced by their absolute values,
 * an image of ones; R = sum of the outputs, g = dR/dw:
 *
 *   synflow     log sum w g                 (the logarithm of the published score: same ranking)
 *   logsynflow  sum w log(1 + g)            [Cavagnero2023]
 *
 * Nothing is negative, so activations and batch norm are the identity; biases count as zero. R of a
 * deep network passes 1e38, so every tensor carries a power of two beside its numbers (largest kept
 * near 1) and nothing overflows: sums of non-negative numbers lose no digits. One image, forward
 * and backward.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "nas/scores.h"
#include "nas/trial.h"

/* Numbers times 2^e; data NULL = zero. */
struct flow {
    float *data;
    int e;
};

struct synflow {
    struct trial t;
    struct flow *x, *dx; /* [n_nodes] values, and gradients of R */
    float **w;           /* [n_params] absolute values; zeros for biases */
    float **dw;          /* [n_params] data of the gradient */
    int *dw_e;           /* [n_params] and its power of two */
    struct arena *tmp;
};

static size_t score_synflow_floats(const struct graph *g)
{
    size_t bytes = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        /* Value, gradient, and a share of each reader's scaled input and of each input's
         * contribution. */
        size_t inputs = 2 + 2 * (size_t)g->nodes[i].n_in;
        for (int j = 0; j < g->nodes[i].n_in; j++) {
            bytes +=
                3 * arena_round(shape_count(g->nodes[g->nodes[i].in[j]].shape) * sizeof(float));
        }
        bytes += inputs * arena_round(shape_count(g->nodes[i].shape) * sizeof(float));
    }
    for (int i = 0; i < g->n_params; i++) {
        bytes += 2 * arena_round(g->params[i].count * sizeof(float));
    }
    return bytes;
}

static size_t score_synflow_op_bytes(const struct machine *mc, const struct graph *g)
{
    size_t most = 0;
    for (int i = 1; i < g->n_nodes; i++) {
        const struct node *node = &g->nodes[i];
        struct shape in[OP_MAX_IN];
        for (int j = 0; j < node->n_in; j++) {
            in[j] = g->nodes[node->in[j]].shape;
        }
        size_t bytes = node->op->save_bytes
                           ? node->op->save_bytes(&node->attr, 1, in, node->n_in, node->shape)
                           : 0;
        for (int back = 0; back < 2 && node->op->scratch_bytes; back++) {
            most = MAX(most, node->op->scratch_bytes(mc, &node->attr, 1, in, node->n_in,
                                                     node->shape, back));
        }
        most = MAX(most, bytes);
    }
    return 3 * arena_round(most);
}

static size_t score_synflow_plan_bytes(const struct machine *mc, const struct graph *g,
                                       const struct score_batch *b)
{
    (void)b;
    size_t lists =
        (size_t)g->n_nodes * 2 * sizeof(struct flow) + (size_t)g->n_params * 3 * sizeof(float *);
    return trial_bytes(mc, g, 1, 0) + score_synflow_floats(g) + score_synflow_op_bytes(mc, g) +
           lists + (size_t)(1 << 16);
}

/* Bring the largest number into [1/2, 1). */
static void score_synflow_scale(struct flow *f, size_t count)
{
    float most = 0;
    for (size_t i = 0; i < count; i++) {
        most = MAX(most, f->data[i]);
    }
    if (most == 0) {
        f->data = NULL;
        return;
    }
    int e;
    frexpf(most, &e);
    float factor = ldexpf(1, -e);
    for (size_t i = 0; i < count; i++) {
        f->data[i] *= factor;
    }
    f->e += e;
}

/* to += from. */
static void score_synflow_add(struct flow *to, const struct flow *from, size_t count,
                              struct arena *tmp)
{
    if (!from->data) {
        return;
    }
    if (!to->data) {
        to->data = arena_push_zero(tmp, count, sizeof(float));
        to->e = from->e;
    }
    int e = MAX(to->e, from->e);
    float a = ldexpf(1, to->e - e), b = ldexpf(1, from->e - e);
    for (size_t i = 0; i < count; i++) {
        to->data[i] = a * to->data[i] + b * from->data[i];
    }
    to->e = e;
    score_synflow_scale(to, count);
}

/* What the node does to numbers that are not negative. */
enum synflow_kind { IDENTITY, SUM, PRODUCT, NOTHING, LINEAR };

static enum synflow_kind score_synflow_kind(const struct op *op)
{
    static const struct {
        const char *name;
        enum synflow_kind kind;
    } known[] = {
        {"bn", IDENTITY},     {"relu", IDENTITY},    {"relu6", IDENTITY},
        {"hswish", IDENTITY}, {"sigmoid", IDENTITY}, {"tanh", IDENTITY},
        {"sum", SUM},         {"scale", PRODUCT},    {"zero", NOTHING},
    };
    for (size_t i = 0; i < N_ELEMS(known); i++) {
        if (strcmp(op->name, known[i].name) == 0) {
            return known[i].kind;
        }
    }
    return LINEAR;
}

static struct tensor score_synflow_tensor(const struct graph *g, int node, float *data)
{
    struct shape s = g->nodes[node].shape;
    return (struct tensor){data, 1, s.h, s.w, s.c};
}

/* The inputs of an op of several inputs at one power of two, zeros written out. */
static int score_synflow_inputs(struct synflow *f, struct op_io *io, int i_node, bool product)
{
    const struct graph *g = f->t.graph;
    const struct node *node = &g->nodes[i_node];
    int e = -(1 << 20), sum = 0;
    for (int j = 0; j < node->n_in; j++) {
        e = f->x[node->in[j]].data ? MAX(e, f->x[node->in[j]].e) : e;
        sum += f->x[node->in[j]].e;
    }
    for (int j = 0; j < node->n_in; j++) {
        const struct flow *x = &f->x[node->in[j]];
        size_t count = shape_count(g->nodes[node->in[j]].shape);
        float *data = x->data;
        if (!data || (!product && x->e != e)) {
            float factor = data ? ldexpf(1, x->e - e) : 0;
            data = arena_push_zero(f->tmp, count, sizeof *data);
            for (size_t k = 0; x->data && k < count; k++) {
                data[k] = factor * x->data[k];
            }
        }
        io->x[j] = score_synflow_tensor(g, node->in[j], data);
    }
    return product ? sum : e;
}

static void score_synflow_io(struct synflow *f, struct op_io *io, int i_node)
{
    const struct node *node = &f->t.graph->nodes[i_node];
    *io =
        (struct op_io){.mc = f->t.job->mc, .attr = &node->attr, .n_in = node->n_in, .train = true};
    for (int i = 0; i < node->n_params; i++) {
        io->w[i] = f->w[node->first_param + i];
    }
}

static bool score_synflow_alive(const struct synflow *f, const struct node *node, bool all)
{
    int n = 0;
    for (int j = 0; j < node->n_in; j++) {
        n += f->x[node->in[j]].data != NULL;
    }
    return all ? n == node->n_in : n > 0;
}

static void score_synflow_forward(struct synflow *f, int i, struct op_io *io)
{
    const struct graph *g = f->t.graph;
    const struct node *node = &g->nodes[i];
    enum synflow_kind kind = score_synflow_kind(node->op);
    size_t count = shape_count(node->shape);
    struct flow *y = &f->x[i];
    if (kind == NOTHING || !score_synflow_alive(f, node, kind == PRODUCT)) {
        return;
    }
    if (kind == IDENTITY) {
        *y = f->x[node->in[0]];
    } else if (kind == SUM) {
        for (int j = 0; j < node->n_in; j++) {
            score_synflow_add(y, &f->x[node->in[j]], count, f->tmp);
        }
    } else {
        score_synflow_io(f, io, i);
        y->e = score_synflow_inputs(f, io, i, kind == PRODUCT);
        y->data = arena_push(f->tmp, count, sizeof(float));
        io->y = score_synflow_tensor(g, i, y->data);
        struct shape in[OP_MAX_IN];
        for (int j = 0; j < node->n_in; j++) {
            in[j] = g->nodes[node->in[j]].shape;
        }
        size_t save = node->op->save_bytes
                          ? node->op->save_bytes(&node->attr, 1, in, node->n_in, node->shape)
                          : 0;
        io->save = save ? arena_push(f->tmp, save, 1) : NULL;
        io->tmp = *f->tmp;
        node->op->forward(io);
        score_synflow_scale(y, count);
    }
}

/* Hand a contribution to the gradient of input j. */
static void score_synflow_give(struct synflow *f, const struct node *node, int j,
                               const struct flow *dx)
{
    int in = node->in[j];
    if (in != 0) {
        score_synflow_add(&f->dx[in], dx, shape_count(f->t.graph->nodes[in].shape), f->tmp);
    }
}

static void score_synflow_backward(struct synflow *f, int i, struct op_io *io)
{
    const struct graph *g = f->t.graph;
    const struct node *node = &g->nodes[i];
    enum synflow_kind kind = score_synflow_kind(node->op);
    struct flow dy = f->dx[i];
    if (!dy.data || !f->x[i].data) {
        return;
    }
    if (kind == IDENTITY || kind == SUM) {
        for (int j = 0; j < node->n_in; j++) {
            score_synflow_give(f, node, j, &dy);
        }
        return;
    }
    int x_e = f->x[node->in[0]].e;
    io->dy = score_synflow_tensor(g, i, dy.data);
    for (int j = 0; j < node->n_in; j++) {
        float *data = arena_push(f->tmp, shape_count(g->nodes[node->in[j]].shape), sizeof *data);
        io->dx[j] = score_synflow_tensor(g, node->in[j], data);
    }
    for (int k = 0; k < node->n_params; k++) {
        int p = node->first_param + k;
        io->dw[k] = f->dw[p];
        f->dw_e[p] = dy.e + x_e;
    }
    io->tmp = *f->tmp;
    node->op->backward(io);
    for (int j = 0; j < node->n_in; j++) {
        int other = kind == PRODUCT ? f->x[node->in[1 - j]].e : 0;
        struct flow dx = {io->dx[j].data, dy.e + other};
        score_synflow_scale(&dx, shape_count(g->nodes[node->in[j]].shape));
        score_synflow_give(f, node, j, &dx);
    }
}

static void score_synflow_weights(struct synflow *f)
{
    const struct graph *g = f->t.graph;
    for (int i = 0; i < g->n_params; i++) {
        f->w[i] = arena_push_zero(f->tmp, g->params[i].count, sizeof *f->w[i]);
        f->dw[i] = arena_push_zero(f->tmp, g->params[i].count, sizeof *f->dw[i]);
        const float *w = net_param(f->t.net, i);
        for (size_t k = 0; trial_is_weight(&f->t, i) && k < g->params[i].count; k++) {
            f->w[i][k] = fabsf(w[k]);
        }
    }
}

static bool score_synflow_open(struct synflow *f, const struct score_job *job, struct err *e)
{
    if (!trial_open(&f->t, job, 1, 0, e)) {
        return false;
    }
    const struct graph *g = f->t.graph;
    size_t n_nodes = (size_t)g->n_nodes, n_params = (size_t)g->n_params;
    f->tmp = &f->t.tmp;
    f->x = arena_push_zero(f->tmp, n_nodes, sizeof *f->x);
    f->dx = arena_push_zero(f->tmp, n_nodes, sizeof *f->dx);
    f->w = arena_push_zero(f->tmp, n_params, sizeof *f->w);
    f->dw = arena_push_zero(f->tmp, n_params, sizeof *f->dw);
    f->dw_e = arena_push_zero(f->tmp, n_params, sizeof *f->dw_e);
    score_synflow_weights(f);
    struct op_io *io = arena_push_zero(f->tmp, n_nodes, sizeof *io);
    size_t count = shape_count(g->nodes[0].shape), n_out = shape_count(g->nodes[g->output].shape);
    f->x[0].data = arena_push(f->tmp, count, sizeof(float));
    for (size_t k = 0; k < count; k++) {
        f->x[0].data[k] = 1;
    }
    for (int i = 1; i < g->n_nodes; i++) {
        score_synflow_forward(f, i, &io[i]);
    }
    f->dx[g->output].data = arena_push(f->tmp, n_out, sizeof(float));
    for (size_t k = 0; k < n_out; k++) {
        f->dx[g->output].data[k] = 1;
    }
    for (int i = g->n_nodes - 1; i > 0; i--) {
        score_synflow_backward(f, i, &io[i]);
    }
    return true;
}

static bool score_synflow_run(const struct score_job *job, double *value, struct err *e)
{
    struct synflow f;
    if (!score_synflow_open(&f, job, e)) {
        return false;
    }
    double total = -INFINITY; /* log of the sum so far */
    for (int i = 0; i < f.t.graph->n_params; i++) {
        double sum = 0;
        for (size_t k = 0; trial_is_weight(&f.t, i) && k < f.t.graph->params[i].count; k++) {
            sum += (double)f.w[i][k] * (double)f.dw[i][k];
        }
        if (sum > 0) {
            double more = log(sum) + f.dw_e[i] * log(2), most = fmax(total, more);
            total = most + log(exp(total - most) + exp(more - most));
        }
    }
    *value = isfinite(total) ? total : NAN;
    return true;
}

/* log(1 + g 2^e) without overflow; beyond 2^60 the 1 is lost in double anyway. */
static double score_synflow_log1p(double g, int e)
{
    if (g <= 0) {
        return 0;
    }
    double log_g = log(g) + e * log(2);
    return log_g > 42 ? log_g : log1p(exp(log_g));
}

static bool score_synflow_run_log(const struct score_job *job, double *value, struct err *e)
{
    struct synflow f;
    if (!score_synflow_open(&f, job, e)) {
        return false;
    }
    *value = 0;
    for (int i = 0; i < f.t.graph->n_params; i++) {
        for (size_t k = 0; trial_is_weight(&f.t, i) && k < f.t.graph->params[i].count; k++) {
            *value += (double)f.w[i][k] * score_synflow_log1p((double)f.dw[i][k], f.dw_e[i]);
        }
    }
    return true;
}

const struct score score_synflow = {
    .name = "synflow",
    .help = "log of the synaptic flow: |weight| x gradient of the output of the positive network",
    .defaults = trial_defaults,
    .plan_bytes = score_synflow_plan_bytes,
    .run = score_synflow_run,
};

const struct score score_synflow_log = {
    .name = "logsynflow",
    .help = "synaptic flow with logarithms of the gradients",
    .defaults = trial_defaults,
    .plan_bytes = score_synflow_plan_bytes,
    .run = score_synflow_run_log,
};
