#include "nas/tape.h"

#include <string.h>

static size_t tape_count(const struct graph *g, int node, int n)
{
    return shape_count(g->nodes[node].shape) * (size_t)n;
}

static void tape_shapes(const struct graph *g, int node, struct shape in[OP_MAX_IN])
{
    for (int j = 0; j < g->nodes[node].n_in; j++) {
        in[j] = g->nodes[g->nodes[node].in[j]].shape;
    }
}

static size_t tape_save_bytes(const struct graph *g, int node, int n)
{
    const struct node *v = &g->nodes[node];
    struct shape in[OP_MAX_IN];
    tape_shapes(g, node, in);
    return v->op->save_bytes ? v->op->save_bytes(&v->attr, n, in, v->n_in, v->shape) : 0;
}

size_t tape_bytes(const struct machine *mc, const struct graph *g, int n)
{
    size_t bytes = 3 * arena_round((size_t)g->n_nodes * sizeof(void *)), scratch = 0, small = 0;
    for (int i = 1; i < g->n_nodes; i++) {
        const struct node *v = &g->nodes[i];
        struct shape in[OP_MAX_IN];
        tape_shapes(g, i, in);
        bytes += 2 * arena_round(tape_count(g, i, n) * sizeof(float)) +
                 arena_round(tape_save_bytes(g, i, n));
        for (int back = 0; back < 2 && v->op->scratch_bytes; back++) {
            scratch =
                MAX(scratch, v->op->scratch_bytes(mc, &v->attr, n, in, v->n_in, v->shape, back));
        }
    }
    for (int i = 0; i < g->n_params; i++) {
        small = MAX(small, arena_round(g->params[i].count * sizeof(float)));
    }
    return bytes + scratch + OP_MAX_PARAM * small + (size_t)(1 << 16);
}

struct tensor tape_value(const struct tape *tape, int node)
{
    struct shape s = tape->t->graph->nodes[node].shape;
    return (struct tensor){tape->x[node], tape->n, s.h, s.w, s.c};
}

static void tape_io(const struct tape *tape, struct op_io *io, int node)
{
    const struct node *v = &tape->t->graph->nodes[node];
    *io = (struct op_io){.mc = tape->t->job->mc, .attr = &v->attr, .n_in = v->n_in, .train = true};
    io->y = tape_value(tape, node);
    io->save = tape->save[node];
    for (int j = 0; j < v->n_in; j++) {
        io->x[j] = tape_value(tape, v->in[j]);
    }
    for (int k = 0; k < v->n_params; k++) {
        io->w[k] = net_param(tape->t->net, v->first_param + k);
    }
}

void tape_forward(struct tape *tape, struct trial *t, struct arena *keep, const float *x, int n)
{
    const struct graph *g = t->graph;
    size_t n_nodes = (size_t)g->n_nodes;
    *tape = (struct tape){.t = t, .n = n, .keep = keep};
    tape->x = arena_push_zero(keep, n_nodes, sizeof *tape->x);
    tape->dx = arena_push_zero(keep, n_nodes, sizeof *tape->dx);
    tape->save = arena_push_zero(keep, n_nodes, sizeof *tape->save);
    tape->x[0] = (float *)x; /* read only: no op writes its inputs */
    for (int i = 1; i < g->n_nodes; i++) {
        size_t save = tape_save_bytes(g, i, n);
        tape->x[i] = arena_push(keep, tape_count(g, i, n), sizeof(float));
        tape->save[i] = save ? arena_push(keep, save, 1) : NULL;
        struct op_io io;
        tape_io(tape, &io, i);
        io.tmp = *keep;
        g->nodes[i].op->forward(&io);
    }
}

static void tape_back(struct tape *tape, int from, int node)
{
    const struct graph *g = tape->t->graph;
    const struct node *v = &g->nodes[node];
    struct op_io io;
    tape_io(tape, &io, node);
    io.dy = io.y;
    io.dy.data = tape->dx[node];
    for (int j = 0; j < v->n_in; j++) {
        int in = v->in[j];
        io.dx[j] = io.x[j];
        io.dx[j].data = NULL;
        if (in < from || in == 0) {
            continue;
        }
        io.dx_add[j] = tape->dx[in] != NULL;
        if (!tape->dx[in]) {
            tape->dx[in] = arena_push(&tape->grads, tape_count(g, in, tape->n), sizeof(float));
        }
        io.dx[j].data = tape->dx[in];
    }
    struct arena tmp = tape->grads;
    for (int k = 0; k < v->n_params; k++) {
        const struct param *p = &g->params[v->first_param + k];
        bool norm = p->spec.kind == PARAM_SCALE || p->spec.kind == PARAM_SHIFT;
        io.dw[k] = norm ? arena_push(&tmp, p->count, sizeof(float)) : NULL;
    }
    io.tmp = tmp;
    v->op->backward(&io);
}

void tape_backward(struct tape *tape, int from, int to, const float *seed)
{
    ASSERT(from < to);
    const struct graph *g = tape->t->graph;
    memset(tape->dx, 0, (size_t)g->n_nodes * sizeof *tape->dx);
    tape->grads = *tape->keep;
    size_t count = tape_count(g, to, tape->n);
    tape->dx[to] = arena_push(&tape->grads, count, sizeof(float));
    memcpy(tape->dx[to], seed, count * sizeof(float));
    for (int i = to; i > from; i--) {
        if (tape->dx[i] && g->nodes[i].op->backward) {
            tape_back(tape, from, i);
        }
    }
}
