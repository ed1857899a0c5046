#include "nn/lower.h"

#include "nn/ops.h"

#include <string.h>

static bool is_zero_node(const struct node *node, const bool *zero)
{
    if (!node->op || node->op == op_find("zero")) {
        return node->op != NULL;
    }
    bool all = node->op->keeps_zero && !node->attr.bias;
    for (int i = 0; i < node->n_in; i++) {
        all = all && zero[node->in[i]];
    }
    return all;
}

static struct unit unit_of(const struct graph *g, int i_node, const bool *zero)
{
    const struct node *node = &g->nodes[i_node];
    struct unit u = {.op = node->op, .attr = node->attr, .node = i_node, .save_at = PLAN_NOWHERE};
    if (zero[i_node]) {
        u.op = op_find("zero");
        return u;
    }
    u.n_in = node->n_in;
    for (int i = 0; i < node->n_in; i++) {
        u.in[i] = zero[node->in[i]] && node->op->takes_zeros ? PLAN_ZERO : node->in[i];
    }
    u.n_params = node->n_params;
    for (int i = 0; i < node->n_params; i++) {
        u.params[i] = node->first_param + i;
    }
    return u;
}

void lower_graph(struct plan *plan, struct arena *keep, const struct graph *g)
{
    bool *zero = arena_push_zero(keep, (size_t)g->n_nodes, sizeof *zero);
    bool *live = arena_push_zero(keep, (size_t)g->n_nodes, sizeof *live);
    for (int i = 0; i < g->n_nodes; i++) {
        zero[i] = is_zero_node(&g->nodes[i], zero);
    }
    live[g->output] = true;
    for (int i = 0; i < g->n_taps; i++) {
        live[g->taps[i]] = true;
    }
    int n_live = 0;
    for (int i = g->n_nodes - 1; i > 0; i--) {
        if (live[i]) {
            n_live++;
            struct unit u = unit_of(g, i, zero);
            for (int j = 0; j < u.n_in; j++) {
                live[u.in[j] == PLAN_ZERO ? i : u.in[j]] = true;
            }
        }
    }
    plan->units = arena_push_zero(keep, (size_t)n_live, sizeof *plan->units);
    plan->n_units = 0;
    for (int i = 1; i < g->n_nodes; i++) {
        if (live[i]) {
            plan->units[plan->n_units++] = unit_of(g, i, zero);
        }
    }
}
