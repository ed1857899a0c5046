#include "nn/remake.h"

#include <limits.h>

/* What a choice looks at. */
struct remake {
    struct plan *plan;
    const int *seed;
    bool *held;   /* [n_nodes] made again from it: it stays */
    int *first;   /* [n_nodes] first step of backward that reads the node's value; INT_MAX = none */
    int *last;    /* [n_nodes] last one; INT_MAX where it is there to the end */
    int *made_by; /* [n_nodes] unit, -1 = none (the input) */
};

static void find_readers(struct remake *r, struct arena *keep)
{
    const struct plan *plan = r->plan;
    int n = plan->graph->n_nodes;
    r->held = arena_push_zero(keep, (size_t)n, sizeof *r->held);
    r->first = arena_push(keep, (size_t)n, sizeof *r->first);
    r->last = arena_push(keep, (size_t)n, sizeof *r->last);
    r->made_by = arena_push(keep, (size_t)n, sizeof *r->made_by);
    for (int i = 0; i < n; i++) {
        r->first[i] = INT_MAX;
        r->last[i] = i == 0 || r->seed[i] > 0 ? INT_MAX : -1;
        r->made_by[i] = -1;
    }
    for (int i = 0; i < plan->n_units; i++) {
        r->made_by[plan->units[i].node] = i;
    }
    for (int k = 0; k < plan->backward.n_steps; k++) {
        const struct unit *u = &plan->units[plan->backward.steps[k].unit];
        for (int i = -1; i < u->n_in; i++) {
            int node = i < 0 ? u->node : u->in[i];
            if (node != PLAN_ZERO && plan_keeps(u, i)) {
                r->first[node] = MIN(r->first[node], k);
                r->last[node] = MAX(r->last[node], k);
            }
        }
    }
}

/* Could the node's value be made again from what is kept for others anyway? */
static bool may_remake(const struct remake *r, int node)
{
    const struct unit *u = r->made_by[node] < 0 ? NULL : &r->plan->units[r->made_by[node]];
    if (!u || !u->op->remakes || r->held[node] || r->seed[node] > 0 || r->first[node] == INT_MAX ||
        r->plan->remade[node]) {
        return false;
    }
    for (int i = 0; i < u->n_in; i++) {
        int in = u->in[i];
        if (in != PLAN_ZERO && (r->plan->remade[in] || r->last[in] < r->first[node])) {
            return false;
        }
    }
    return true;
}

static void choose(struct remake *r, int batch, size_t spare)
{
    struct plan *plan = r->plan;
    size_t spared = 0;
    for (int n_in = 1; n_in <= OP_MAX_IN; n_in++) {
        for (int node = 1; node < plan->graph->n_nodes && spared < spare; node++) {
            if (!may_remake(r, node) || plan->units[r->made_by[node]].n_in != n_in) {
                continue;
            }
            const struct unit *u = &plan->units[r->made_by[node]];
            for (int i = 0; i < u->n_in; i++) {
                if (u->in[i] != PLAN_ZERO) {
                    r->held[u->in[i]] = true;
                }
            }
            plan->remade[node] = true;
            spared += shape_count(plan->graph->nodes[node].shape) * sizeof(float) * (size_t)batch;
        }
    }
}

/* Each before the first step that reads it. */
static void insert_steps(const struct remake *r, struct arena *keep)
{
    const struct plan *plan = r->plan;
    struct order *o = &r->plan->backward;
    struct step *steps = arena_push(keep, (size_t)(o->n_steps + plan->n_units), sizeof *steps);
    int n = 0;
    for (int l = 0; l < o->n_levels; l++) {
        int first = n;
        for (int k = o->levels[l].first; k < o->levels[l].last; k++) {
            for (int i = 0; i < plan->n_units; i++) {
                int node = plan->units[i].node;
                if (plan->remade[node] && r->first[node] == k) {
                    steps[n++] = (struct step){.kind = STEP_REMAKE, .unit = i};
                }
            }
            steps[n++] = o->steps[k];
        }
        o->levels[l].first = first;
        o->levels[l].last = n;
    }
    o->steps = steps;
    o->n_steps = n;
}

void remake_values(struct plan *plan, struct arena *keep, int batch, size_t spare, const int *seed)
{
    struct remake r = {.plan = plan, .seed = seed};
    find_readers(&r, keep);
    choose(&r, batch, spare);
    insert_steps(&r, keep);
}
