#include "nn/fuse.h"

#include "nn/ops.h"

#include <string.h>

/* What a rewriting looks at. */
struct fuse {
    struct plan *plan;
    const struct op *conv, *bn, *sum, *relu, *zero, *norm_sum, *conv_bn;
    int *made_by;  /* [n_nodes] unit that makes the node, -1 = none */
    int *n_uses;   /* [n_nodes] by units */
    int *used_by;  /* [n_nodes] the last unit that reads it */
    bool *pinned;  /* [n_nodes] tap or output: must be made */
    bool *dropped; /* [n_units] */
};

static void count_uses(struct fuse *f)
{
    struct plan *plan = f->plan;
    for (int i = 0; i < plan->graph->n_nodes; i++) {
        f->made_by[i] = f->used_by[i] = -1;
        f->n_uses[i] = 0;
    }
    for (int i = 0; i < plan->n_units; i++) {
        const struct unit *u = &plan->units[i];
        if (f->dropped[i]) {
            continue;
        }
        f->made_by[u->node] = i;
        for (int j = 0; j < u->n_in; j++) {
            if (u->in[j] != PLAN_ZERO) {
                f->n_uses[u->in[j]]++;
                f->used_by[u->in[j]] = i;
            }
        }
    }
}

/* The unit that makes the node if it is of this op and one unit alone reads the node, else NULL. */
static struct unit *sole_maker(const struct fuse *f, int node, const struct op *op)
{
    if (node == PLAN_ZERO || f->made_by[node] < 0 || f->n_uses[node] != 1 || f->pinned[node]) {
        return NULL;
    }
    struct unit *u = &f->plan->units[f->made_by[node]];
    return u->op == op ? u : NULL;
}

/* The unit that alone reads the node if it is of this op, else NULL. */
static struct unit *sole_reader(const struct fuse *f, int node, const struct op *op)
{
    if (f->n_uses[node] != 1 || f->pinned[node]) {
        return NULL;
    }
    struct unit *u = &f->plan->units[f->used_by[node]];
    return u->op == op ? u : NULL;
}

static void drop(struct fuse *f, const struct unit *u)
{
    f->dropped[u - f->plan->units] = true;
}

static bool is_zero(const struct fuse *f, int node)
{
    return node == PLAN_ZERO ||
           (f->made_by[node] >= 0 && f->plan->units[f->made_by[node]].op == f->zero);
}

static void add_term(struct unit *to, int node, const struct unit *bn)
{
    if (bn) {
        to->attr.norm_mask |= 1u << to->n_in;
        to->attr.eps = bn->attr.eps;
        to->attr.momentum = bn->attr.momentum;
        memcpy(to->params + to->n_params, bn->params, (size_t)bn->n_params * sizeof *to->params);
        to->n_params += bn->n_params;
    }
    to->in[to->n_in++] = node;
}

/* May this bn become a term beside those that `to` has? */
static bool term_fits(const struct unit *to, const struct unit *bn)
{
    return to->n_params + bn->n_params <= OP_MAX_PARAM &&
           (to->n_params == 0 ||
            (to->attr.eps == bn->attr.eps && to->attr.momentum == bn->attr.momentum));
}

/* The terms of a sum, or of a bn alone, as one unit; false if no bn is among them. */
static bool gather_terms(struct fuse *f, const struct unit *u, struct unit *to)
{
    *to = (struct unit){.op = f->norm_sum, .node = u->node, .save_at = PLAN_NOWHERE};
    if (u->op == f->bn) {
        add_term(to, is_zero(f, u->in[0]) ? PLAN_ZERO : u->in[0], u);
        return true;
    }
    for (int i = 0; i < u->n_in; i++) {
        struct unit *bn = sole_maker(f, u->in[i], f->bn);
        if (bn && term_fits(to, bn)) {
            add_term(to, is_zero(f, bn->in[0]) ? PLAN_ZERO : bn->in[0], bn);
        } else if (!is_zero(f, u->in[i])) {
            add_term(to, u->in[i], NULL);
        }
    }
    return to->n_params > 0;
}

/* bn and sum, and the relu behind them, become norm_sum. */
static void fuse_norms(struct fuse *f)
{
    for (int i = f->plan->n_units - 1; i >= 0; i--) {
        struct unit *u = &f->plan->units[i], to;
        if (f->dropped[i] || (u->op != f->sum && u->op != f->bn) ||
            (u->op == f->bn && sole_reader(f, u->node, f->sum)) || !gather_terms(f, u, &to)) {
            continue;
        }
        for (int j = 0; u->op == f->sum && j < u->n_in; j++) {
            struct unit *bn = sole_maker(f, u->in[j], f->bn);
            for (int k = 0; bn && k < to.n_params; k++) {
                if (to.params[k] == bn->params[0]) {
                    drop(f, bn);
                }
            }
        }
        struct unit *relu = sole_reader(f, u->node, f->relu);
        if (relu) {
            to.node = relu->node;
            to.attr.act = OP_ACT_RELU;
            drop(f, u);
            u = relu;
        }
        *u = to;
    }
}

/* The sum, or normalised sum, that alone makes plain input i of u and that u could take the terms
 * of. */
static struct unit *inner_sum(const struct fuse *f, const struct unit *u, int i)
{
    if (u->attr.norm_mask >> i & 1) {
        return NULL;
    }
    struct unit *in = sole_maker(f, u->in[i], f->norm_sum);
    in = in ? in : sole_maker(f, u->in[i], f->sum);
    bool fits = in && in->attr.act == OP_ACT_NONE && u->n_in - 1 + in->n_in <= OP_MAX_IN &&
                u->n_params + in->n_params <= OP_MAX_PARAM &&
                (u->n_params == 0 || in->n_params == 0 ||
                 (u->attr.eps == in->attr.eps && u->attr.momentum == in->attr.momentum));
    return fits ? in : NULL;
}

/* Terms of `from` from input first on, behind those of `to`. */
static void copy_terms(struct unit *to, const struct unit *from, int first, int last)
{
    for (int i = 0, i_param = 0; i < last; i++) {
        bool normed = from->attr.norm_mask >> i & 1;
        if (i >= first) {
            to->attr.norm_mask |= (uint32_t)normed << to->n_in;
            to->in[to->n_in++] = from->in[i];
            for (int k = 0; normed && k < 4; k++) {
                to->params[to->n_params++] = from->params[i_param + k];
            }
        }
        i_param += normed ? 4 : 0;
    }
}

/* Sums of sums become one: what lies between is neither written nor read. */
static void flatten_sums(struct fuse *f)
{
    for (int i = 0; i < f->plan->n_units; i++) {
        struct unit *u = &f->plan->units[i];
        for (int j = 0; (u->op == f->norm_sum || u->op == f->sum) && j < u->n_in; j++) {
            struct unit *in = inner_sum(f, u, j), flat = *u;
            if (!in) {
                continue;
            }
            flat.n_in = flat.n_params = 0;
            flat.attr.norm_mask = 0;
            copy_terms(&flat, u, 0, j);
            copy_terms(&flat, in, 0, in->n_in);
            copy_terms(&flat, u, j + 1, u->n_in);
            if (in->n_params > 0) {
                flat.op = f->norm_sum;
                flat.attr.eps = in->attr.eps;
                flat.attr.momentum = in->attr.momentum;
            }
            *u = flat;
            drop(f, in);
            j--; /* its terms may be sums again */
        }
    }
}

/* A relu that only convolutions read is computed by them. */
static void fuse_relu_in(struct fuse *f)
{
    struct plan *plan = f->plan;
    for (int i = 0; i < plan->n_units; i++) {
        const struct unit *relu = &plan->units[i];
        bool fits = !f->dropped[i] && relu->op == f->relu && !f->pinned[relu->node];
        for (int j = i + 1; fits && j < plan->n_units; j++) {
            const struct unit *u = &plan->units[j];
            for (int k = 0; !f->dropped[j] && k < u->n_in; k++) {
                fits = fits && (u->in[k] != relu->node || u->op == f->conv);
            }
        }
        for (int j = i + 1; fits && j < plan->n_units; j++) {
            struct unit *u = &plan->units[j];
            if (u->op == f->conv && u->in[0] == relu->node) {
                u->in[0] = relu->in[0];
                u->attr.relu_in = true;
            }
        }
        f->dropped[i] = f->dropped[i] || fits;
    }
}

/* What nobody reads any more is not made: zeros that became PLAN_ZERO. */
static void drop_unread(struct fuse *f)
{
    count_uses(f);
    for (int i = 0; i < f->plan->n_units; i++) {
        const struct unit *u = &f->plan->units[i];
        if (!f->dropped[i] && u->op == f->zero && f->n_uses[u->node] == 0 && !f->pinned[u->node]) {
            f->dropped[i] = true;
        }
    }
}

static void close_gaps(struct fuse *f)
{
    struct plan *plan = f->plan;
    int n = 0;
    for (int i = 0; i < plan->n_units; i++) {
        if (!f->dropped[i]) {
            plan->units[n++] = plan->units[i];
        }
    }
    plan->n_units = n;
    memset(f->dropped, 0, (size_t)n * sizeof *f->dropped);
}

/* One convolution and what follows it: conv attributes and parameters, those of its bn, an addend,
 * an activation. */
static struct unit conv_with(const struct fuse *f, const struct unit *conv, const struct unit *norm,
                             int i_bn_params, int add, enum op_act act, int node)
{
    struct unit u = *conv;
    u.op = f->conv_bn;
    u.node = node;
    u.attr.act = act;
    if (i_bn_params >= 0) {
        u.attr.norm_mask = 1;
        u.attr.eps = norm->attr.eps;
        memcpy(u.params + u.n_params, norm->params + i_bn_params, 4 * sizeof *u.params);
        u.n_params += 4;
    }
    if (add >= 0) {
        u.in[u.n_in++] = add;
    }
    return u;
}

/*
 * A sum whose terms come from convolutions becomes a chain of them, each adding to the one before:
 * rest -> conv_bn -> conv_bn -> ... Partial sums live under the numbers of the convolutions' nodes.
 */
static void emit_chain(struct fuse *f, const struct unit *u, struct unit *units, int *n)
{
    struct unit rest = {.op = u->op, .attr = u->attr, .save_at = PLAN_NOWHERE, .hidden = true};
    const struct unit *convs[OP_MAX_IN];
    int bn_params[OP_MAX_IN], n_convs = 0;
    rest.attr.norm_mask = 0;
    rest.attr.act = OP_ACT_NONE;
    for (int i = 0, i_param = 0; i < u->n_in; i++) {
        bool normed = u->attr.norm_mask >> i & 1;
        const struct unit *conv = sole_maker(f, u->in[i], f->conv);
        if (conv) {
            convs[n_convs] = conv;
            bn_params[n_convs++] = normed ? i_param : -1;
        } else {
            rest.attr.norm_mask |= (uint32_t)normed << rest.n_in;
            memcpy(rest.params + rest.n_params, u->params + i_param,
                   normed ? 4 * sizeof *u->params : 0);
            rest.n_params += normed ? 4 : 0;
            rest.in[rest.n_in++] = u->in[i];
        }
        i_param += normed ? 4 : 0;
    }
    if (n_convs == 0) {
        units[(*n)++] = *u;
        return;
    }
    int add = -1;
    if (rest.n_in == 1 && rest.n_params == 0) {
        add = rest.in[0];
    } else if (rest.n_in > 0) {
        rest.op = rest.n_params > 0 ? f->norm_sum : f->sum;
        add = rest.node = convs[n_convs - 1]->node;
        units[(*n)++] = rest;
    }
    for (int i = 0; i < n_convs; i++) {
        bool last = i == n_convs - 1;
        int node = last ? u->node : convs[i]->node;
        units[*n] =
            conv_with(f, convs[i], u, bn_params[i], add, last ? u->attr.act : OP_ACT_NONE, node);
        units[(*n)++].hidden = !last;
        add = node;
    }
}

/* Evaluation: every convolution takes along its bn, the sum it goes into, and the relu behind. */
static void fuse_convs(struct fuse *f, struct arena *keep)
{
    struct plan *plan = f->plan;
    struct unit *units = arena_push(keep, 2 * (size_t)plan->n_units, sizeof *units);
    int n = 0;
    for (int i = 0; i < plan->n_units; i++) {
        const struct unit *u = &plan->units[i];
        const struct unit *relu = u->op == f->conv ? sole_reader(f, u->node, f->relu) : NULL;
        const struct unit *norm = u->op == f->conv ? sole_reader(f, u->node, f->norm_sum) : NULL;
        const struct unit *sum = u->op == f->conv ? sole_reader(f, u->node, f->sum) : NULL;
        if (u->op == f->norm_sum || u->op == f->sum) {
            emit_chain(f, u, units, &n);
        } else if (relu) {
            units[n++] = conv_with(f, u, NULL, -1, -1, OP_ACT_RELU, relu->node);
            f->dropped[relu - plan->units] = true;
        } else if (!norm && !sum && !f->dropped[i]) {
            units[n++] = *u;
        }
    }
    plan->units = units;
    plan->n_units = n;
}

void fuse_units(struct plan *plan, struct arena *keep, enum net_mode mode)
{
    const struct graph *g = plan->graph;
    size_t n_nodes = (size_t)g->n_nodes, n_units = (size_t)plan->n_units;
    struct fuse f = {.plan = plan,
                     .conv = op_find("conv"),
                     .bn = op_find("bn"),
                     .sum = op_find("sum"),
                     .relu = op_find("relu"),
                     .zero = op_find("zero"),
                     .norm_sum = op_find("norm_sum"),
                     .conv_bn = op_find("conv_bn")};
    f.made_by = arena_push(keep, n_nodes, sizeof *f.made_by);
    f.n_uses = arena_push(keep, n_nodes, sizeof *f.n_uses);
    f.used_by = arena_push(keep, n_nodes, sizeof *f.used_by);
    f.pinned = arena_push_zero(keep, n_nodes, sizeof *f.pinned);
    f.dropped = arena_push_zero(keep, n_units, sizeof *f.dropped);
    f.pinned[g->output] = true;
    for (int i = 0; i < g->n_taps; i++) {
        f.pinned[g->taps[i]] = true;
    }
    count_uses(&f);
    fuse_norms(&f);
    drop_unread(&f);
    close_gaps(&f);
    count_uses(&f);
    flatten_sums(&f);
    close_gaps(&f);
    fuse_relu_in(&f);
    close_gaps(&f);
    if (mode == NET_EVAL) {
        count_uses(&f);
        fuse_convs(&f, keep);
    }
}
