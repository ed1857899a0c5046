#include "nn/alias.h"

/*
 * Backward visits units from last to first. When it comes to unit u, the gradient of u's node is
 * complete and nobody but u needs it, unless the node is `shared`: then other nodes of its root are
 * still to be read.
 */
struct alias {
    const struct plan *plan;
    int *made_by; /* [n_nodes] unit that makes the node, -1 = none (the input) */
    bool *shared; /* [n_nodes] its gradient may be read only */
};

/* Units other than u that add to the gradient of the node: the nearest to the end, -1 = none. */
static int last_other_reader(const struct alias *a, int node, int u)
{
    for (int i = a->plan->n_units - 1; i >= 0; i--) {
        const struct unit *reader = &a->plan->units[i];
        for (int j = 0; i != u && j < reader->n_in; j++) {
            if (reader->in[j] == node && reader->needs_dx[j]) {
                return i;
            }
        }
    }
    return -1;
}

/* Could input j of unit u take over the gradient of u's node? */
static bool is_candidate(const struct alias *a, const int *seed, int i_unit, int j)
{
    const struct unit *u = &a->plan->units[i_unit];
    int node = u->in[j];
    if (!u->needs_dx[j] || seed[node] > 0 || (u->n_in > 1 && (u->attr.norm_mask >> j & 1))) {
        return false;
    }
    for (int k = 0; k < u->n_in; k++) {
        if (k != j && u->in[k] == node) {
            return false;
        }
    }
    return last_other_reader(a, node, i_unit) < i_unit; /* u is the first to write it */
}

/* Does the unit's backward change the gradient it is given, even if no input takes it over? */
static bool overwrites(const struct unit *u)
{
    return u->attr.act != OP_ACT_NONE && u->n_in > 1;
}

/* May node share the gradient with `owner`, which may change it later: read by its maker alone, and
 * before that? */
static bool may_read_along(const struct alias *a, int node, int owner, int i_unit)
{
    int maker = a->made_by[node];
    return maker >= 0 && last_other_reader(a, node, i_unit) < 0 &&
           !overwrites(&a->plan->units[maker]) && maker > a->made_by[owner] &&
           maker > last_other_reader(a, owner, i_unit);
}

static void alias_unit(struct alias *a, const int *seed, int i_unit, int *root)
{
    const struct unit *u = &a->plan->units[i_unit];
    int owner = -1;
    for (int j = 0; j < u->n_in; j++) {
        if (is_candidate(a, seed, i_unit, j) &&
            (owner < 0 || a->made_by[u->in[j]] < a->made_by[owner])) {
            owner = u->in[j]; /* whose turn comes last */
        }
    }
    for (int j = 0; owner >= 0 && j < u->n_in; j++) {
        int node = u->in[j];
        if (node == owner) {
            root[node] = root[u->node];
        } else if (is_candidate(a, seed, i_unit, j) && may_read_along(a, node, owner, i_unit)) {
            root[node] = root[u->node];
            a->shared[node] = true;
        }
    }
}

void alias_gradients(const struct plan *plan, struct arena *keep, const int *seed, int *root)
{
    size_t n_nodes = (size_t)plan->graph->n_nodes;
    struct alias a = {.plan = plan,
                      .made_by = arena_push(keep, n_nodes, sizeof(int)),
                      .shared = arena_push_zero(keep, n_nodes, sizeof(bool))};
    for (size_t i = 0; i < n_nodes; i++) {
        root[i] = (int)i;
        a.made_by[i] = -1;
    }
    for (int i = 0; i < plan->n_units; i++) {
        a.made_by[plan->units[i].node] = i;
    }
    for (int i = plan->n_units - 1; i >= 0; i--) {
        const struct unit *u = &plan->units[i];
        if (u->backward && u->op->dx_over_dy && !a.shared[u->node]) {
            alias_unit(&a, seed, i, root);
        }
    }
}
