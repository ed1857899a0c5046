#include "nn/order.h"

#include "nn/plan.h"

#include <string.h>

/* What has been put in order so far. Levels count from 1; 0: not yet. */
struct sorter {
    struct order *o;
    const struct graph *g;
    const struct unit *units;
    int n_units, level;
    int *ran;      /* [n_units] level of its run */
    int *gathered; /* [n_units] level of its gather_dy */
    int *pending;  /* [n_nodes] units that have yet to write it (forward), or its gradient */
    int *made;     /* [n_nodes] level that wrote it last */
    bool *late;    /* [n_units] forward: waits for the first unit that reads it */
    bool *wanted;  /* [n_units] by the unit that is looked at */
};

static void widen(struct sorter *s, int node)
{
    struct level *l = &s->o->levels[s->o->n_levels];
    l->image_bytes = MAX(l->image_bytes, shape_count(s->g->nodes[node].shape) * sizeof(float));
}

static void add_step(struct sorter *s, enum step_kind kind, int unit, int input)
{
    const struct unit *u = &s->units[unit];
    s->o->steps[s->o->n_steps++] = (struct step){.kind = kind, .unit = unit, .input = input};
    widen(s, u->node);
    for (int i = 0; i < u->n_in; i++) {
        widen(s, u->in[i] == PLAN_ZERO ? u->node : u->in[i]);
    }
}

/* The level with the steps added since the last one; false where there are none. */
static bool close_level(struct sorter *s, bool whole)
{
    struct order *o = s->o;
    struct level *l = &o->levels[o->n_levels];
    l->first = o->n_levels > 0 ? l[-1].last : 0;
    l->last = o->n_steps;
    l->whole = whole;
    if (l->first == l->last) {
        return false;
    }
    o->n_levels++;
    s->level++;
    return true;
}

static void begin(struct sorter *s, struct arena *keep, int max_steps)
{
    size_t n = (size_t)s->n_units, nodes = (size_t)s->g->n_nodes;
    s->level = 1;
    s->ran = arena_push_zero(keep, n, sizeof *s->ran);
    s->gathered = arena_push_zero(keep, n, sizeof *s->gathered);
    s->pending = arena_push_zero(keep, nodes, sizeof *s->pending);
    s->made = arena_push_zero(keep, nodes, sizeof *s->made);
    s->late = arena_push_zero(keep, n, sizeof *s->late);
    s->wanted = arena_push_zero(keep, n, sizeof *s->wanted);
    *s->o = (struct order){.steps = arena_push(keep, (size_t)max_steps, sizeof *s->o->steps),
                           .levels =
                               arena_push_zero(keep, (size_t)max_steps + 1, sizeof *s->o->levels)};
}

static size_t floats(const struct sorter *s, int node)
{
    return shape_count(s->g->nodes[node].shape);
}

/* Can a unit read input i in the level that makes it? Not across sizes, or a level's parts would
 * become others. */
static bool reads_along(const struct sorter *s, const struct unit *u, int i)
{
    return u->op->by_image && !plan_gathers(u, i) && floats(s, u->in[i]) == floats(s, u->node);
}

/* What nobody gathers may as well be made when it is read: in that level it is a thread's own and
 * never goes out to memory. */
static bool may_be_late(const struct sorter *s, int unit)
{
    const struct unit *u = &s->units[unit];
    bool read = false;
    if (!u->op->by_image || s->pending[u->node] > 1) {
        return false;
    }
    for (int i = 0; i < u->n_in; i++) {
        if (u->in[i] != PLAN_ZERO && floats(s, u->in[i]) != floats(s, u->node)) {
            return false;
        }
    }
    for (int k = unit + 1; k < s->n_units; k++) {
        const struct unit *reader = &s->units[k];
        for (int i = 0; i < reader->n_in; i++) {
            if (reader->in[i] == u->node && !reads_along(s, reader, i)) {
                return false;
            }
            read = read || reader->in[i] == u->node;
        }
    }
    return read;
}

/* Is input i of a unit there, if it is gathered since an earlier level? */
static bool is_there(const struct sorter *s, const struct unit *u, int i)
{
    return u->in[i] == PLAN_ZERO ||
           (s->pending[u->in[i]] == 0 && !(plan_gathers(u, i) && s->made[u->in[i]] >= s->level));
}

/* Can the unit run, after the late ones that it wants? */
static bool ready(struct sorter *s, int unit)
{
    memset(s->wanted, 0, (size_t)s->n_units * sizeof *s->wanted);
    s->wanted[unit] = true;
    for (int i = unit; i >= 0; i--) {
        const struct unit *u = &s->units[i];
        for (int j = 0; s->wanted[i] && j < u->n_in; j++) {
            if (is_there(s, u, j)) {
                continue;
            }
            int maker = i - 1;
            while (maker >= 0 && (s->units[maker].node != u->in[j] || !s->late[maker])) {
                maker--;
            }
            if (maker < 0 || s->pending[u->in[j]] == 0) {
                return false;
            }
            s->wanted[maker] = true;
        }
    }
    return true;
}

static void run_forward(struct sorter *s, int unit)
{
    int node = s->units[unit].node;
    add_step(s, STEP_RUN, unit, 0);
    s->ran[unit] = s->made[node] = s->level;
    s->pending[node]--;
    for (int i = unit + 1; i < s->n_units; i++) {
        for (int j = 0; j < s->units[i].n_in; j++) {
            if (s->units[i].in[j] == node && plan_gathers(&s->units[i], j)) {
                add_step(s, STEP_GATHER, i, j);
            }
        }
    }
}

/* The unit found ready, and what it wants before; how many. */
static int run_wanted(struct sorter *s, int unit)
{
    int n = 0;
    for (int i = 0; i <= unit; i++) {
        if (s->wanted[i]) {
            run_forward(s, i);
            n++;
        }
    }
    return n;
}

void order_forward(struct order *o, struct arena *keep, const struct graph *g,
                   const struct unit *units, int n_units)
{
    struct sorter s = {.o = o, .g = g, .units = units, .n_units = n_units};
    begin(&s, keep, n_units * (1 + OP_MAX_IN));
    for (int i = 0; i < n_units; i++) {
        s.pending[units[i].node]++;
    }
    for (int i = 0; i < n_units; i++) {
        s.late[i] = may_be_late(&s, i);
    }
    for (int left = n_units; left > 0;) {
        int before = o->n_steps;
        for (int i = 0; i < n_units; i++) {
            if (s.ran[i] || s.late[i]) {
                continue;
            }
            if (!units[i].op->by_image || !ready(&s, i)) {
                break;
            }
            left -= run_wanted(&s, i);
        }
        if (o->n_steps > before) {
            close_level(&s, false);
            continue;
        }
        for (int i = 0; i < n_units && o->n_steps == before; i++) {
            if (!s.ran[i] && !s.late[i] && ready(&s, i)) {
                left -= run_wanted(&s, i);
            }
        }
        bool progress = close_level(&s, true);
        ASSERT(progress);
    }
}

/* The unit has written dx of its inputs: of those gathered, or of the others. */
static void wrote(struct sorter *s, const struct unit *u, bool gathered)
{
    for (int i = 0; i < u->n_in; i++) {
        if (u->needs_dx[i] && plan_gathers(u, i) == gathered) {
            s->pending[u->in[i]]--;
        }
    }
}

/* What of the unit can be done now. */
static void step_backward(struct sorter *s, int unit)
{
    const struct unit *u = &s->units[unit];
    if (u->op->gather && !s->gathered[unit]) {
        add_step(s, STEP_GATHER, unit, 0);
        s->gathered[unit] = s->level;
        wrote(s, u, false);
    } else if (!u->op->gather || s->gathered[unit] < s->level) {
        add_step(s, STEP_RUN, unit, 0);
        s->ran[unit] = s->level;
        wrote(s, u, u->op->gather != NULL);
    }
}

static bool waits(const struct sorter *s, int unit)
{
    const struct unit *u = &s->units[unit];
    return u->backward && !s->ran[unit] && s->pending[u->node] == 0;
}

void order_backward(struct order *o, struct arena *keep, const struct graph *g,
                    const struct unit *units, int n_units)
{
    struct sorter s = {.o = o, .g = g, .units = units, .n_units = n_units};
    begin(&s, keep, 2 * n_units);
    for (int i = 0; i < n_units; i++) {
        for (int j = 0; j < units[i].n_in; j++) {
            if (units[i].backward && units[i].needs_dx[j]) {
                s.pending[units[i].in[j]]++;
            }
        }
    }
    for (;;) {
        int before = o->n_steps;
        for (int i = n_units - 1; i >= 0; i--) {
            if (units[i].op->by_image && waits(&s, i)) {
                step_backward(&s, i);
            }
        }
        bool whole = o->n_steps == before;
        for (int i = n_units - 1; i >= 0 && o->n_steps == before; i--) {
            if (waits(&s, i)) {
                step_backward(&s, i);
            }
        }
        if (!close_level(&s, whole)) {
            return;
        }
    }
}

int order_parts(const struct level *level, int n, size_t part_bytes, int max_parts)
{
    size_t bytes = 0;
    bool fits = base_mul(level->image_bytes, (size_t)n, &bytes);
    ASSERT(fits && part_bytes > 0 && max_parts > 0);
    size_t parts = DIV_UP(bytes, part_bytes);
    return level->whole ? 1 : (int)MAX((size_t)1, MIN(parts, (size_t)MIN(max_parts, n)));
}

int order_part_images(const struct level *level, int n, size_t part_bytes, int max_parts)
{
    int most = 0;
    for (int i = 1; i <= n; i++) {
        int parts = order_parts(level, i, part_bytes, max_parts);
        most = MAX(most, DIV_UP(i, parts));
    }
    return most;
}
