/*
 * Regularised (ageing) evolution [Real2019, Algorithm 1] on the score alone: the best of a random
 * sample is copied with one gene redrawn, the oldest dies. A feasible one beats an infeasible one,
 * less violation beats more.
 *
 * Presets. "paper": one child at a time, repeats allowed, sample a quarter of the population (25 of
 * 100 there). "default": a quarter of the population at a time, so that candidates can be scored
 * side by side, and nothing is asked twice.
 */
#include "nas/fresh.h"
#include "nas/members.h"
#include "nas/questions.h"

#include <string.h>

/* Tries to find a child never asked before, then a random architecture takes its place. */
static const int max_tries = 50;

struct regevo {
    const struct space *space;
    struct search_options options;
    bool paper;
    int sample, batch;
    int64_t n_told, n_rounds;
    struct search_member *members; /* [n_members <= population] oldest first */
    int n_members;
    struct fresh fresh;
    struct questions questions;
    struct arena scratch;
};

static size_t regevo_state_bytes(const struct space *s, const struct search_options *o)
{
    (void)s, (void)o;
    return sizeof(struct regevo);
}

static void regevo_init(void *state, const struct space *s, const struct search_options *o,
                        struct arena *keep)
{
    struct regevo *re = state;
    bool paper = o->preset && strcmp(o->preset, "paper") == 0;
    int quarter = MAX(1, o->population / 4);
    *re = (struct regevo){
        .space = s,
        .options = *o,
        .paper = paper,
        .sample = o->tournament > 0 ? o->tournament : MAX(2, quarter),
        .batch = paper ? 1 : quarter,
        .members = arena_push_zero(keep, 2 * (size_t)o->population, sizeof *re->members),
    };
    fresh_init(&re->fresh, s, keep);
    questions_init(&re->questions, o->population, keep);
    re->scratch = arena_carve(keep, members_scratch_bytes(o->population));
}

static bool regevo_better(const struct verdict *a, const struct verdict *b)
{
    double violation_a = questions_violation(a), violation_b = questions_violation(b);
    return violation_a != violation_b ? violation_a < violation_b : a->score > b->score;
}

/* The best of a sample with replacement; of equals the first drawn. */
static const struct arch *regevo_parent(const struct regevo *re, struct rng *r)
{
    const struct search_member *best = NULL;
    for (int i = 0; i < re->sample; i++) {
        const struct search_member *m = &re->members[rng_below(r, (uint64_t)re->n_members)];
        if (!best || regevo_better(&m->verdict, &best->verdict)) {
            best = m;
        }
    }
    return &best->arch;
}

/* Redraw one gene that has another choice. */
static void regevo_mutate(const struct space *s, struct arch *a, struct rng *r)
{
    int gene = (int)rng_below(r, (uint64_t)s->n_genes);
    for (int i = 0; i < s->n_genes && s->n_choices[gene] < 2; i++) {
        gene = (gene + 1) % s->n_genes;
    }
    if (s->n_choices[gene] >= 2) {
        int choice = (int)rng_below(r, (uint64_t)s->n_choices[gene] - 1);
        a->gene[gene] = (uint8_t)(choice + (choice >= a->gene[gene]));
    }
}

static bool regevo_child(struct regevo *re, struct arch *child, struct rng *r)
{
    for (int tries = 0; tries < max_tries; tries++) {
        *child = *regevo_parent(re, r);
        regevo_mutate(re->space, child, r);
        if (re->paper || fresh_add(&re->fresh, child)) {
            return true;
        }
    }
    return fresh_random(&re->fresh, child, r);
}

/* The first population at once, each from its own stream. */
static void regevo_begin(struct regevo *re)
{
    const struct search_options *o = &re->options;
    for (int i = 0; i < o->population; i++) {
        struct rng r = rng_key(o->seed, RNG_ARCH, (uint64_t)i);
        struct arch a;
        if (i < o->n_first && fresh_add(&re->fresh, &o->first[i])) {
            questions_add(&re->questions, &o->first[i]);
        } else if (fresh_random(&re->fresh, &a, &r)) {
            questions_add(&re->questions, &a);
        }
    }
}

static int regevo_ask(void *state, struct arch *out, int max)
{
    struct regevo *re = state;
    const struct search_options *o = &re->options;
    if (!questions_open(&re->questions)) {
        int64_t n_left = (int64_t)o->population * o->generations - re->n_told;
        questions_reset(&re->questions);
        if (n_left <= 0) {
            return 0;
        }
        if (re->n_told == 0) {
            regevo_begin(re);
        } else {
            struct rng r = rng_key(o->seed, RNG_SEARCH, (uint64_t)re->n_rounds);
            /* A round ends with its generation. */
            int64_t n = MIN(re->batch, o->population - re->n_told % o->population);
            struct arch child;
            while (re->questions.n < MIN(n, n_left) && regevo_child(re, &child, &r)) {
                questions_add(&re->questions, &child);
            }
        }
        re->n_rounds++;
    }
    return questions_give(&re->questions, out, max);
}

static void regevo_tell(void *state, const struct arch *archs, const struct verdict *verdicts,
                        int n)
{
    struct regevo *re = state;
    const struct questions *q = &re->questions;
    questions_tell(&re->questions, archs, verdicts, n);
    re->n_told += n;
    if (questions_open(q)) {
        return;
    }
    for (int i = 0; i < q->n; i++) {
        re->members[re->n_members + i] =
            (struct search_member){.arch = q->archs[i], .verdict = q->verdicts[i]};
    }
    int n_dead = MAX(0, re->n_members + q->n - re->options.population);
    re->n_members += q->n - n_dead;
    memmove(re->members, re->members + n_dead, (size_t)re->n_members * sizeof *re->members);
    members_rate(re->members, re->n_members, re->scratch);
}

static int regevo_population(const void *state, struct search_member *out, int max)
{
    const struct regevo *re = state;
    int n = MIN(max, re->n_members);
    memcpy(out, re->members, (size_t)n * sizeof *out);
    return n;
}

/* A generation is a population's worth of evaluations. */
static int regevo_generation(const void *state)
{
    const struct regevo *re = state;
    return (int)(re->n_told / re->options.population) - 1;
}

const struct search search_regevo = {
    .name = "regevo",
    .help = "ageing evolution on the score alone",
    .state_bytes = regevo_state_bytes,
    .init = regevo_init,
    .ask = regevo_ask,
    .tell = regevo_tell,
    .population = regevo_population,
    .generation = regevo_generation,
};
