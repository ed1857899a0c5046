/*
 * HW-EvRSNAS [Sinha2024b]: the best score under a limit of the cost, by a genetic algorithm on
 *
 *   F(a) = score(a) - penalty max(0, cost(a) - limit) / limit.
 *
 * A penalty, not a wall: what lies a little beyond the limit may be the parent of the best within.
 * (options.deb is the wall, for comparison: by excess before score.)
 * Several limits are answered by one search. Every evaluation counts for all of them, since only F
 * depends on the limit.
 *
 * Presets. "paper": one genetic algorithm a limit, each with its own population, all from the same
 * first generation; they take turns, a generation each. Its children replace a population, but for
 * one elite, which takes the place of the worst child. Tournaments of two, each gene from either
 * parent, each gene redrawn among all choices with probability .1; repeats are allowed. "default":
 * the children of a generation are shared out among the limits; a limit's parents are the best of
 * everything evaluated so far, whoever asked for it; nothing is asked twice.
 */
#include "nas/fresh.h"
#include "nas/members.h"
#include "nas/questions.h"

#include <math.h>
#include <string.h>

/* Tries to breed one child before a random one takes its place. */
static const int max_tries = 50;

/* The penalty that nobody chose: a cost of twice the limit loses this many times the range of the
 * scores of the first generation. With the true accuracies of NAS-Bench-201 as scores (a range of
 * about 60) every penalty from 10 to 1000 serves; at 1 the limit is not felt (mean regret of 400
 * evaluations, nine limits of the FPGA: .2 and 2.0). */
static const double default_penalty = 2;

/* The parents of one limit, by descending fitness; equal ones in the order they were told. */
struct goal {
    double limit;                  /* +inf = none */
    struct search_member *members; /* [n <= population] */
    int n;
};

struct evrsnas {
    const struct space *space;
    struct search_options options;
    bool paper;
    double penalty; /* set when the first generation is known, if it was left open */
    struct goal *goals;
    int n_goals;
    int generation; /* the last told, -1 before */
    struct fresh fresh;
    struct questions questions;
    struct arena scratch;
};

static size_t evrsnas_state_bytes(const struct space *s, const struct search_options *o)
{
    (void)s, (void)o;
    return sizeof(struct evrsnas);
}

static size_t scratch_bytes(int population)
{
    return members_scratch_bytes(population) +
           arena_round((size_t)population * sizeof(struct search_member));
}

static void evrsnas_init(void *state, const struct space *s, const struct search_options *o,
                         struct arena *keep)
{
    ASSERT(o->population >= 1 && o->generations >= 1 && o->n_constraints >= 0);
    struct evrsnas *ev = state;
    *ev = (struct evrsnas){
        .space = s,
        .options = *o,
        .paper = o->preset && strcmp(o->preset, "paper") == 0,
        .penalty = o->penalty,
        .n_goals = MAX(1, o->n_constraints),
        .generation = -1,
    };
    ev->goals = arena_push_zero(keep, (size_t)ev->n_goals, sizeof *ev->goals);
    for (int i = 0; i < ev->n_goals; i++) {
        struct goal *g = &ev->goals[i];
        g->limit = o->n_constraints > 0 ? o->constraints[i] : INFINITY;
        ASSERT(g->limit > 0);
        g->members = arena_push(keep, (size_t)o->population, sizeof *g->members);
    }
    fresh_init(&ev->fresh, s, keep);
    questions_init(&ev->questions, o->population, keep);
    ev->scratch = arena_carve(keep, scratch_bytes(o->population));
}

static double excess(const struct goal *g, const struct verdict *v)
{
    return v->cost > g->limit ? (v->cost - g->limit) / g->limit : 0;
}

static double fitness(const struct evrsnas *ev, const struct goal *g, const struct verdict *v)
{
    return v->score - ev->penalty * excess(g, v);
}

static bool better(const struct evrsnas *ev, const struct goal *g, const struct verdict *a,
                   const struct verdict *b)
{
    double violation_a = questions_violation(a), violation_b = questions_violation(b);
    if (violation_a != violation_b) {
        return violation_a < violation_b;
    }
    if (a->status != VERDICT_OK) {
        return false;
    }
    if (ev->options.deb && excess(g, a) != excess(g, b)) {
        return excess(g, a) < excess(g, b);
    }
    return fitness(ev, g, a) > fitness(ev, g, b);
}

/* Among the goal's parents, where it belongs; the worst falls out of a full population. */
static void goal_insert(const struct evrsnas *ev, struct goal *g, const struct search_member *m)
{
    int at = g->n;
    while (at > 0 && better(ev, g, &m->verdict, &g->members[at - 1].verdict)) {
        at--;
    }
    if (at == ev->options.population) {
        return;
    }
    int n_moved = MIN(g->n, ev->options.population - 1) - at;
    memmove(g->members + at + 1, g->members + at, (size_t)n_moved * sizeof *m);
    g->members[at] = *m;
    g->n = MIN(g->n + 1, ev->options.population);
}

/* Members are sorted: of a sample, the one that stands first. */
static const struct arch *goal_parent(const struct evrsnas *ev, const struct goal *g, struct rng *r)
{
    int sample = ev->options.tournament > 0 ? ev->options.tournament : 2;
    uint64_t best = (uint64_t)g->n;
    for (int i = 0; i < sample; i++) {
        uint64_t drawn = rng_below(r, (uint64_t)g->n);
        best = MIN(best, drawn);
    }
    return &g->members[best].arch;
}

static double preset(double given, double value)
{
    return given < 0 ? value : given;
}

static struct arch breed(const struct evrsnas *ev, const struct goal *g, struct rng *r)
{
    const struct space *s = ev->space;
    const struct search_options *o = &ev->options;
    struct arch child = *goal_parent(ev, g, r);
    const struct arch *mate = goal_parent(ev, g, r);
    if (rng_f64(r) < preset(o->crossover_rate, ev->paper ? 1 : .9)) {
        space_crossover(s, &child, mate, &child, r);
    }
    if (!ev->paper) {
        space_mutate(s, &child, preset(o->mutation_rate, 1. / s->n_genes), r);
        return child;
    }
    for (int i = 0; i < s->n_genes; i++) {
        if (rng_f64(r) < preset(o->mutation_rate, .1)) {
            child.gene[i] = (uint8_t)rng_below(r, s->n_choices[i]);
        }
    }
    return child;
}

/* The first generation: each from its own stream, none twice. */
static void begin(struct evrsnas *ev)
{
    const struct search_options *o = &ev->options;
    for (int i = 0; i < o->population; i++) {
        struct rng r = rng_key(o->seed, RNG_ARCH, (uint64_t)i);
        struct arch a;
        if (i < o->n_first && fresh_add(&ev->fresh, &o->first[i])) {
            questions_add(&ev->questions, &o->first[i]);
        } else if (fresh_random(&ev->fresh, &a, &r)) {
            questions_add(&ev->questions, &a);
        }
    }
}

/* Whose turn it is; the first generation is everybody's. */
static struct goal *goal_at(const struct evrsnas *ev, int generation)
{
    return &ev->goals[(generation - 1) % ev->n_goals];
}

static void ask_paper(struct evrsnas *ev, struct rng *r)
{
    const struct goal *g = goal_at(ev, ev->generation + 1);
    while (ev->questions.n < ev->options.population) {
        struct arch child = breed(ev, g, r);
        questions_add(&ev->questions, &child);
    }
}

/* Generations begin with the goal after the one that the last ended with, so that none is favoured
 * where the children cannot be shared out evenly. */
static void ask_default(struct evrsnas *ev, struct rng *r)
{
    int64_t n_before = (int64_t)ev->generation * ev->options.population;
    for (int i = 0; i < ev->options.population; i++) {
        const struct goal *g = &ev->goals[(n_before + i) % ev->n_goals];
        struct arch child;
        bool found = false;
        for (int tries = 0; tries < max_tries && !found; tries++) {
            child = breed(ev, g, r);
            found = fresh_add(&ev->fresh, &child);
        }
        if (!found && !fresh_random(&ev->fresh, &child, r)) {
            return;
        }
        questions_add(&ev->questions, &child);
    }
}

static int evrsnas_ask(void *state, struct arch *out, int max)
{
    struct evrsnas *ev = state;
    if (!questions_open(&ev->questions)) {
        if (ev->generation + 1 >= ev->options.generations) {
            return 0;
        }
        questions_reset(&ev->questions);
        struct rng r = rng_key(ev->options.seed, RNG_SEARCH, (uint64_t)(ev->generation + 1));
        if (ev->generation < 0) {
            begin(ev);
        } else if (ev->paper) {
            ask_paper(ev, &r);
        } else {
            ask_default(ev, &r);
        }
    }
    return questions_give(&ev->questions, out, max);
}

static void set_penalty(struct evrsnas *ev)
{
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < ev->questions.n; i++) {
        const struct verdict *v = &ev->questions.verdicts[i];
        if (v->status == VERDICT_OK) {
            low = fmin(low, v->score);
            high = fmax(high, v->score);
        }
    }
    ev->penalty = default_penalty * (high > low ? high - low : 1);
}

/* A population of children, but for the best of their parents in place of the worst of them. */
static void goal_replace(const struct evrsnas *ev, struct goal *g)
{
    const struct questions *q = &ev->questions;
    struct search_member elite = g->n > 0 ? g->members[0] : (struct search_member){0};
    bool has_elite = g->n > 0;
    g->n = 0;
    for (int i = 0; i < q->n; i++) {
        struct search_member m = {.arch = q->archs[i], .verdict = q->verdicts[i]};
        goal_insert(ev, g, &m);
    }
    if (has_elite) {
        g->n -= g->n == ev->options.population && g->n > 1;
        goal_insert(ev, g, &elite);
    }
}

static void evrsnas_tell(void *state, const struct arch *archs, const struct verdict *verdicts,
                         int n)
{
    struct evrsnas *ev = state;
    const struct questions *q = &ev->questions;
    questions_tell(&ev->questions, archs, verdicts, n);
    if (questions_open(q)) {
        return;
    }
    if (ev->penalty < 0) {
        set_penalty(ev);
    }
    ev->generation++;
    if (ev->paper && ev->generation > 0) {
        goal_replace(ev, goal_at(ev, ev->generation));
        return;
    }
    for (int i = 0; i < q->n; i++) {
        struct search_member m = {.arch = q->archs[i], .verdict = q->verdicts[i]};
        for (int k = 0; k < ev->n_goals; k++) {
            goal_insert(ev, &ev->goals[k], &m);
        }
    }
}

/* Paper: the population whose turn it was. Default: the best of each limit, then the second best of
 * each, each architecture once. */
static int evrsnas_population(const void *state, struct search_member *out, int max)
{
    const struct evrsnas *ev = state;
    max = MIN(max, ev->options.population);
    int n = 0;
    const struct goal *turn = goal_at(ev, MAX(1, ev->generation));
    if (ev->paper) {
        n = MIN(max, turn->n);
        memcpy(out, turn->members, (size_t)n * sizeof *out);
    }
    for (int i = 0; !ev->paper && i < ev->options.population; i++) {
        for (int k = 0; k < ev->n_goals && n < max; k++) {
            const struct goal *g = &ev->goals[k];
            bool taken = i >= g->n;
            for (int j = 0; j < n && !taken; j++) {
                taken = space_equal(&out[j].arch, &g->members[i].arch);
            }
            if (!taken) {
                out[n++] = g->members[i];
            }
        }
    }
    members_rate(out, n, ev->scratch);
    return n;
}

static int evrsnas_generation(const void *state)
{
    return ((const struct evrsnas *)state)->generation;
}

const struct search search_hw_evrsnas = {
    .name = "hw-evrsnas",
    .help = "the best score under each --constraint: a genetic algorithm with a penalty",
    .state_bytes = evrsnas_state_bytes,
    .init = evrsnas_init,
    .ask = evrsnas_ask,
    .tell = evrsnas_tell,
    .population = evrsnas_population,
    .generation = evrsnas_generation,
};
