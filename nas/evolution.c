#include "nas/evolution.h"

#include <math.h>
#include <string.h>

#include "nas/fresh.h"
#include "nas/indicators.h"
#include "nas/nsga2.h"
#include "nas/questions.h"

/* Tries to breed one child before a random one takes its place. */
static const int max_tries = 50;

/* Parents first, then their children; arrays of 2 * population. */
struct evolution {
    const struct space *space;
    int population, n_generations, generation; /* generation: the last told, -1 before */
    uint64_t seed;
    bool reals; /* "paper": genomes of reals */
    int n_obj;  /* 2, or 3 with diversity */
    struct nsga2_variation variation;
    int n_vars;               /* reals of a genome */
    double *low, *high;       /* [n_vars] 0 and 1 */
    const struct arch *first; /* [n_first] asked first */
    int n_first;

    int n_parents;
    struct search_member *members; /* [2 population] */
    double *genomes;               /* [2 population, n_vars], NULL without reals */
    double *obj;                   /* [2 population, n_obj] */
    double *violation;             /* [2 population] */
    struct nsga2_rating rating;    /* of the parents, between generations */
    struct questions questions;    /* the children */
    struct fresh fresh;            /* "default": everything asked */
    struct arena scratch;
};

static size_t scratch_bytes(int population, int n_vars)
{
    size_t n = 2 * (size_t)population;
    size_t rating = arena_round(n * 48) *
                    4; /* rank, order, counts, crowding, merits of nsga2_rate and _survive */
    return rating + arena_round(n * sizeof(struct search_member)) +
           arena_round(n * (size_t)n_vars * sizeof(double)) + 4 * arena_round(n * sizeof(double)) +
           4096;
}

size_t evolution_state_bytes(const struct space *s, const struct search_options *o)
{
    (void)s, (void)o; /* what depends on them is pushed by evolution_init */
    return sizeof(struct evolution);
}

static double preset(double given, double value)
{
    return given < 0 ? value : given;
}

void evolution_init(void *state, const struct space *s, const struct search_options *o,
                    bool diversity, struct arena *keep)
{
    ASSERT(o->population >= 1 && o->generations >= 1);
    struct evolution *ev = state;
    bool reals = o->preset && strcmp(o->preset, "paper") == 0;
    size_t n = 2 * (size_t)o->population;
    *ev = (struct evolution){
        .space = s,
        .population = o->population,
        .n_generations = o->generations,
        .generation = -1,
        .seed = o->seed,
        .reals = reals,
        .n_obj = diversity ? 3 : 2,
        .variation =
            {
                .crossover_rate = preset(o->crossover_rate, reals ? .7 : .9),
                .sbx_eta = preset(o->sbx_eta, 15),
                .mutation_rate = preset(o->mutation_rate, reals ? .2 : 1. / s->n_genes),
                .mutation_eta = preset(o->mutation_eta, 20),
            },
        .first = o->first,
        .n_first = MIN(o->n_first, o->population),
        .members = arena_push_zero(keep, n, sizeof *ev->members),
        .obj = arena_push_zero(keep, n * SEARCH_MAX_OBJECTIVES, sizeof *ev->obj),
        .violation = arena_push_zero(keep, n, sizeof *ev->violation),
    };
    ev->rating = (struct nsga2_rating){
        .obj = ev->obj,
        .violation = ev->violation,
        .n_obj = ev->n_obj,
        .rank = arena_push_zero(keep, n, sizeof *ev->rating.rank),
        .crowding = arena_push_zero(keep, n, sizeof *ev->rating.crowding),
    };
    for (int i = 0; i < s->n_genes && reals; i++) {
        ev->n_vars += s->n_choices[i];
    }
    if (reals) {
        ev->genomes = arena_push_zero(keep, n * (size_t)ev->n_vars, sizeof *ev->genomes);
        ev->low = arena_push_zero(keep, (size_t)ev->n_vars, sizeof *ev->low);
        ev->high = arena_push_zero(keep, (size_t)ev->n_vars, sizeof *ev->high);
        for (int i = 0; i < ev->n_vars; i++) {
            ev->high[i] = 1;
        }
    }
    questions_init(&ev->questions, o->population, keep);
    fresh_init(&ev->fresh, s, keep);
    ev->scratch = arena_carve(keep, scratch_bytes(o->population, ev->n_vars));
}

/* The largest of each gene's reals; the first of equals. */
static struct arch genome_decode(const struct space *s, const double *x)
{
    struct arch a = {{0}};
    for (int i = 0; i < s->n_genes; i++) {
        for (int choice = 1; choice < s->n_choices[i]; choice++) {
            if (x[choice] > x[a.gene[i]]) {
                a.gene[i] = (uint8_t)choice;
            }
        }
        x += s->n_choices[i];
    }
    return a;
}

static void genome_random(const struct evolution *ev, double *x, struct rng *r)
{
    for (int i = 0; i < ev->n_vars; i++) {
        x[i] = rng_f64(r);
    }
}

/* Exchange reals so that the genome stands for this architecture. */
static void genome_encode(const struct space *s, double *x, const struct arch *a)
{
    struct arch now = genome_decode(s, x);
    for (int i = 0; i < s->n_genes; i++) {
        double swap = x[a->gene[i]];
        x[a->gene[i]] = x[now.gene[i]];
        x[now.gene[i]] = swap;
        x += s->n_choices[i];
    }
}

static double *genome_at(const struct evolution *ev, int i)
{
    return ev->genomes + (size_t)i * (size_t)ev->n_vars;
}

/* Paper: among parents and children so far. */
static bool present(const struct evolution *ev, const struct arch *a)
{
    for (int i = 0; i < ev->n_parents; i++) {
        if (space_equal(&ev->members[i].arch, a)) {
            return true;
        }
    }
    for (int i = 0; i < ev->questions.n; i++) {
        if (space_equal(&ev->questions.archs[i], a)) {
            return true;
        }
    }
    return false;
}

/* Take a genome as the next child if there is room and its architecture is new. */
static bool take_genome(struct evolution *ev, const double *x)
{
    struct arch a = genome_decode(ev->space, x);
    int i = ev->questions.n;
    if (i == ev->population || present(ev, &a)) {
        return false;
    }
    memcpy(genome_at(ev, ev->n_parents + i), x, (size_t)ev->n_vars * sizeof *x);
    questions_add(&ev->questions, &a);
    return true;
}

static void breed_reals(struct evolution *ev, struct rng *r)
{
    struct arena tmp = ev->scratch;
    double *child[2];
    for (int i = 0; i < 2; i++) {
        child[i] = arena_push(&tmp, (size_t)ev->n_vars, sizeof(double));
    }
    int n_failed = 0;
    while (ev->questions.n < ev->population && n_failed < max_tries * ev->population) {
        int a = nsga2_tournament(&ev->rating, NSGA2_BY_DOMINANCE, r);
        int b = nsga2_tournament(&ev->rating, NSGA2_BY_DOMINANCE, r);
        nsga2_sbx(child[0], child[1], genome_at(ev, a), genome_at(ev, b), ev->low, ev->high,
                  ev->n_vars, &ev->variation, r);
        for (int i = 0; i < 2; i++) {
            nsga2_mutate(child[i], ev->low, ev->high, ev->n_vars, &ev->variation, r);
            n_failed += !take_genome(ev, child[i]);
        }
    }
}

static void fill_reals(struct evolution *ev, struct rng *r)
{
    struct arena tmp = ev->scratch;
    double *x = arena_push(&tmp, (size_t)ev->n_vars, sizeof *x);
    for (int tries = 0; ev->questions.n < ev->population && tries < max_tries * ev->population;
         tries++) {
        genome_random(ev, x, r);
        take_genome(ev, x);
    }
}

static void breed_genes(struct evolution *ev, struct rng *r)
{
    const struct space *s = ev->space;
    while (ev->questions.n < ev->population) {
        struct arch child;
        bool found = false;
        for (int tries = 0; tries < max_tries && !found; tries++) {
            int a = nsga2_tournament(&ev->rating, NSGA2_BY_RANK, r);
            int b = nsga2_tournament(&ev->rating, NSGA2_BY_RANK, r);
            child = ev->members[a].arch;
            if (rng_f64(r) < ev->variation.crossover_rate) {
                space_crossover(s, &child, &ev->members[b].arch, &child, r);
            }
            space_mutate(s, &child, ev->variation.mutation_rate, r);
            found = fresh_add(&ev->fresh, &child);
        }
        if (!found && !fresh_random(&ev->fresh, &child, r)) {
            return;
        }
        questions_add(&ev->questions, &child);
    }
}

/* Each slot of the first generation has its own stream of draws. */
static void begin(struct evolution *ev)
{
    struct arena tmp = ev->scratch;
    double *x = arena_push(&tmp, (size_t)ev->n_vars, sizeof *x);
    for (int i = 0; i < ev->population; i++) {
        struct rng r = rng_key(ev->seed, RNG_ARCH, (uint64_t)i);
        struct arch a;
        if (ev->reals) {
            bool taken = false;
            for (int tries = 0; tries < max_tries && !taken; tries++) {
                genome_random(ev, x, &r);
                if (i < ev->n_first && tries == 0) {
                    genome_encode(ev->space, x, &ev->first[i]);
                }
                taken = take_genome(ev, x);
            }
        } else if (i < ev->n_first && fresh_add(&ev->fresh, &ev->first[i])) {
            questions_add(&ev->questions, &ev->first[i]);
        } else if (fresh_random(&ev->fresh, &a, &r)) {
            questions_add(&ev->questions, &a);
        }
    }
}

int evolution_ask(void *state, struct arch *out, int max)
{
    struct evolution *ev = state;
    if (!questions_open(&ev->questions)) {
        if (ev->generation + 1 >= ev->n_generations) {
            return 0;
        }
        questions_reset(&ev->questions);
        struct rng r = rng_key(ev->seed, RNG_SEARCH, (uint64_t)(ev->generation + 1));
        if (ev->generation < 0) {
            begin(ev);
        } else if (ev->reals) {
            breed_reals(ev, &r);
            fill_reals(ev, &r);
        } else {
            breed_genes(ev, &r);
        }
    }
    return questions_give(&ev->questions, out, max); /* 0 when the space is exhausted */
}

/* chi, objectives, ranks and crowding of the first n members, as a population of their own. */
static void rate(struct evolution *ev, int n)
{
    struct arena tmp = ev->scratch;
    double *cost = arena_push(&tmp, (size_t)n, sizeof *cost);
    double *chi = arena_push(&tmp, (size_t)n, sizeof *chi);
    int n_feasible = 0, at = 0;
    for (int i = 0; i < n; i++) {
        const struct verdict *v = &ev->members[i].verdict;
        ev->violation[i] = questions_violation(v);
        if (v->status == VERDICT_OK) {
            cost[n_feasible++] = v->cost;
        }
    }
    indicators_diversity(chi, cost, n_feasible);
    for (int i = 0; i < n; i++) {
        struct search_member *m = &ev->members[i];
        bool ok = m->verdict.status == VERDICT_OK;
        m->diversity = ok ? chi[at++] : 0;
        double *obj = ev->obj + (size_t)i * (size_t)ev->n_obj;
        obj[0] = ok ? -m->verdict.score : 0;
        obj[1] = ok ? m->verdict.cost : 0;
        if (ev->n_obj == 3) {
            obj[2] = -m->diversity;
        }
    }
    ev->rating.n = n;
    nsga2_rate(&ev->rating, tmp);
    for (int i = 0; i < n; i++) {
        ev->members[i].rank = ev->rating.rank[i];
    }
}

/* Move the best to the front, in order of merit. */
static void survive(struct evolution *ev, int n)
{
    struct arena tmp = ev->scratch;
    int n_keep = MIN(n, ev->population);
    int *keep = arena_push(&tmp, (size_t)n_keep, sizeof *keep);
    nsga2_survive(keep, n_keep, &ev->rating, tmp);
    struct search_member *members = arena_push(&tmp, (size_t)n_keep, sizeof *members);
    for (int i = 0; i < n_keep; i++) {
        members[i] = ev->members[keep[i]];
    }
    memcpy(ev->members, members, (size_t)n_keep * sizeof *members);
    if (ev->reals) {
        size_t width = (size_t)ev->n_vars;
        double *genomes = arena_push(&tmp, (size_t)n_keep * width, sizeof *genomes);
        for (int i = 0; i < n_keep; i++) {
            memcpy(genomes + (size_t)i * width, genome_at(ev, keep[i]), width * sizeof *genomes);
        }
        memcpy(ev->genomes, genomes, (size_t)n_keep * width * sizeof *genomes);
    }
    ev->n_parents = n_keep;
}

void evolution_tell(void *state, const struct arch *archs, const struct verdict *verdicts, int n)
{
    struct evolution *ev = state;
    questions_tell(&ev->questions, archs, verdicts, n);
    if (questions_open(&ev->questions)) {
        return;
    }
    const struct questions *q = &ev->questions;
    for (int i = 0; i < q->n; i++) {
        ev->members[ev->n_parents + i] =
            (struct search_member){.arch = q->archs[i], .verdict = q->verdicts[i]};
    }
    rate(ev, ev->n_parents + q->n);
    survive(ev, ev->n_parents + q->n);
    rate(ev, ev->n_parents);
    ev->generation++;
}

int evolution_population(const void *state, struct search_member *out, int max)
{
    const struct evolution *ev = state;
    int n = MIN(max, ev->n_parents);
    memcpy(out, ev->members, (size_t)n * sizeof *out);
    return n;
}

int evolution_generation(const void *state)
{
    return ((const struct evolution *)state)->generation;
}
