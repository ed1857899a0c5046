#include "nn/alias.h"

#include <limits.h>

/*
 * A chain of nodes shares one buffer: each takes it over from the node behind it. What must hold is
 * that nothing is written for the new owner before the last look at the numbers of all earlier
 * ones: a batch norm looks at its gradient twice, a level apart, and hands it on in between.
 */
struct alias {
    const struct plan *plan;
    const struct alias_steps *at;
    int *made_by; /* [n_nodes] unit that makes the node, -1 = none (the input) */
    int *busy;    /* [n_nodes] of a root: last step that looks at an owner so far */
};

int alias_write_step(const struct plan *plan, const struct alias_steps *at, int u, int i)
{
    const struct unit *unit = &plan->units[u];
    bool early = unit->op->gather && !plan_gathers(unit, i);
    return early ? at->dy[u] : at->run[u];
}

/* The first step in which a unit other than u writes the gradient of the node. */
static int first_other_write(const struct alias *a, int node, int u)
{
    int first = INT_MAX;
    for (int i = 0; i < a->plan->n_units; i++) {
        const struct unit *reader = &a->plan->units[i];
        for (int j = 0; i != u && j < reader->n_in; j++) {
            if (reader->in[j] == node && reader->needs_dx[j]) {
                first = MIN(first, alias_write_step(a->plan, a->at, i, j));
            }
        }
    }
    return first;
}

/* Does the unit's backward change the gradient it is given, even if no input takes it over? */
static bool overwrites(const struct unit *u)
{
    return u->attr.act != OP_ACT_NONE && u->n_in > 1;
}

/* Is dx the same numbers as dy? */
static bool hands_on(const struct unit *u, int j)
{
    return u->op->gather ? !plan_gathers(u, j) : u->n_in > 1;
}

/* Could input j of unit u take over the gradient of u's node? */
static bool may_take(const struct alias *a, const int *seed, int i_unit, int j, int busy)
{
    const struct unit *u = &a->plan->units[i_unit];
    int node = u->in[j];
    if (!u->needs_dx[j] || seed[node] > 0 || (u->n_in > 1 && !hands_on(u, j))) {
        return false;
    }
    for (int k = 0; k < u->n_in; k++) {
        if (k != j && u->in[k] == node) {
            return false;
        }
    }
    int other = first_other_write(a, node, i_unit), maker = a->made_by[node];
    int run = a->at->run[i_unit], write = alias_write_step(a->plan, a->at, i_unit, j);
    bool first = other > write && other > MAX(busy, run);
    bool in_peace = hands_on(u, j) || write > busy;
    bool unmasked =
        maker < 0 || !overwrites(&a->plan->units[maker]) || a->at->dy[maker] > MAX(busy, run);
    return first && in_peace && unmasked;
}

static void alias_unit(struct alias *a, const int *seed, int i_unit, int *root)
{
    const struct unit *u = &a->plan->units[i_unit];
    int owner = -1, mine = root[u->node];
    for (int j = 0; j < u->n_in; j++) {
        if (may_take(a, seed, i_unit, j, a->busy[mine]) &&
            (owner < 0 || a->made_by[u->in[j]] < a->made_by[owner])) {
            owner = u->in[j]; /* whose turn comes last */
        }
    }
    if (owner >= 0) {
        root[owner] = mine;
        a->busy[mine] = MAX(a->busy[mine], a->at->run[i_unit]);
    }
}

void alias_gradients(const struct plan *plan, struct arena *keep, const struct alias_steps *at,
                     const int *seed, int *root)
{
    size_t n_nodes = (size_t)plan->graph->n_nodes;
    struct alias a = {.plan = plan,
                      .at = at,
                      .made_by = arena_push(keep, n_nodes, sizeof(int)),
                      .busy = arena_push(keep, n_nodes, sizeof(int))};
    for (size_t i = 0; i < n_nodes; i++) {
        root[i] = (int)i;
        a.made_by[i] = a.busy[i] = -1;
    }
    for (int i = 0; i < plan->n_units; i++) {
        a.made_by[plan->units[i].node] = i;
    }
    for (int i = plan->n_units - 1; i >= 0; i--) {
        const struct unit *u = &plan->units[i];
        if (u->backward && u->op->dx_over_dy) {
            alias_unit(&a, seed, i, root);
        }
    }
}
