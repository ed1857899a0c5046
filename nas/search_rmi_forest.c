/*
 * RMI-NAS's explorer [Zheng2022]: a hundred random architectures are scored; those as good as the
 * best twentieth of them are called good, and the bar stays there. Then a random forest, fitted to
 * everything scored so far, picks of a thousand random architectures that were not scored yet the
 * one most likely good, until a hundred picks were good or the evaluations are used up. The answer
 * is put together gene by gene: the choice that most of the fifty best have. It is evaluated last.
 *
 * Presets. "paper": one pick a fit. "default": a quarter of the population at a time, so that picks
 * can be scored side by side, and an answer that is known already is not asked again. Where fewer
 * than two hundred evaluations are allowed, half of them are the random ones.
 */
#include "nas/forest.h"
#include "nas/fresh.h"
#include "nas/members.h"
#include "nas/questions.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* As published. */
enum { N_RANDOM = 100, N_CANDIDATES = 1000, N_TREES = 30, N_GOOD = 100, N_VOTERS = 50 };
static const double good_share = .05;

/* The forest is fitted to all that was scored, anew for each pick: beyond this it would take more
 * time than the scores. Published runs end after a few hundred. */
enum { MAX_EVALS = 10000 };

/* Draws before a candidate is given up: late in a small space most of it is scored. */
enum { MAX_TRIES = 20 };

struct candidate {
    struct arch arch;
    double chance; /* of being good */
};

struct rmi_forest {
    const struct space *space;
    struct search_options options;
    bool paper;
    int n_random, budget; /* evaluations: of the first phase, and in all */
    int n_told, n_rounds;
    int n_features;             /* of a one-hot code */
    uint8_t *code;              /* [budget, n_features] */
    double *score;              /* [budget] -DBL_MAX if infeasible */
    uint8_t *good;              /* [budget] */
    double bar;                 /* score from which on one is good; known after the first phase */
    int n_good;                 /* picks that were */
    struct search_member *best; /* [n_best <= max_best] by descending score, each once */
    int n_best, max_best;
    struct arch answer;
    bool has_answer, done;
    struct fresh fresh;
    struct questions questions;
    struct arena scratch;
};

static int count_features(const struct space *s)
{
    int n = 0;
    for (int i = 0; i < s->n_genes; i++) {
        n += s->n_choices[i];
    }
    return n;
}

static size_t rmi_forest_state_bytes(const struct space *s, const struct search_options *o)
{
    (void)s, (void)o;
    return sizeof(struct rmi_forest);
}

static void rmi_forest_init(void *state, const struct space *s, const struct search_options *o,
                            struct arena *keep)
{
    ASSERT(o->population >= 1 && o->generations >= 1);
    struct rmi_forest *rf = state;
    int budget = MIN(o->population * o->generations, MAX_EVALS);
    *rf = (struct rmi_forest){
        .space = s,
        .options = *o,
        .paper = o->preset && strcmp(o->preset, "paper") == 0,
        .budget = budget,
        .n_random = MIN(N_RANDOM, MAX(1, budget / 2)),
        .n_features = count_features(s),
        .max_best = MAX(N_VOTERS, o->population),
    };
    rf->code = arena_push_zero(keep, (size_t)budget, (size_t)rf->n_features);
    rf->score = arena_push_zero(keep, (size_t)budget, sizeof *rf->score);
    rf->good = arena_push_zero(keep, (size_t)budget, sizeof *rf->good);
    rf->best = arena_push_zero(keep, (size_t)rf->max_best, sizeof *rf->best);
    fresh_init(&rf->fresh, s, keep);
    questions_init(&rf->questions, o->population, keep);
    size_t fit = forest_bytes(budget, rf->n_features, N_TREES) +
                 arena_round((size_t)o->population * sizeof(struct candidate)) +
                 arena_round((size_t)rf->n_features);
    rf->scratch = arena_carve(keep, fit + members_scratch_bytes(o->population));
}

/* One-hot, gene after gene. */
static void encode(const struct space *s, const struct arch *a, uint8_t *code)
{
    for (int i = 0; i < s->n_genes; i++) {
        memset(code, 0, s->n_choices[i]);
        code[a->gene[i]] = 1;
        code += s->n_choices[i];
    }
}

/* The next of the random ones, up to the end of the generation. */
static void ask_random(struct rmi_forest *rf)
{
    const struct search_options *o = &rf->options;
    int n = MIN(o->population, rf->n_random - rf->n_told);
    for (int i = rf->n_told; i < rf->n_told + n; i++) {
        struct rng r = rng_key(o->seed, RNG_ARCH, (uint64_t)i);
        struct arch a;
        if (i < o->n_first && fresh_add(&rf->fresh, &o->first[i])) {
            questions_add(&rf->questions, &o->first[i]);
        } else if (fresh_random(&rf->fresh, &a, &r)) {
            questions_add(&rf->questions, &a);
        }
    }
}

/* Random architectures that were not asked yet, the likeliest good ones first; equal ones in the
 * order drawn. Fewer in a space that has run dry. */
static int draw_candidates(struct rmi_forest *rf, const struct forest *f, struct candidate *out,
                           struct rng *r, struct arena tmp)
{
    uint8_t *code = arena_push(&tmp, (size_t)rf->n_features, 1);
    int n = 0;
    for (int tries = 0; n < N_CANDIDATES && tries < N_CANDIDATES * MAX_TRIES; tries++) {
        struct candidate c;
        space_random(rf->space, &c.arch, r);
        if (archmap_get(&rf->fresh.asked, &c.arch)) {
            continue;
        }
        encode(rf->space, &c.arch, code);
        c.chance = forest_predict(f, code);
        /* Only as many as can be asked are kept in order. */
        int at = MIN(n, rf->options.population);
        while (at > 0 && c.chance > out[at - 1].chance) {
            at--;
        }
        if (at < rf->options.population) {
            int n_moved = MIN(n, rf->options.population - 1) - at;
            memmove(out + at + 1, out + at, (size_t)n_moved * sizeof *out);
            out[at] = c;
        }
        n++;
    }
    return MIN(n, rf->options.population);
}

static void ask_forest(struct rmi_forest *rf)
{
    const struct search_options *o = &rf->options;
    struct arena tmp = rf->scratch;
    struct candidate *c = arena_push(&tmp, (size_t)o->population, sizeof *c);
    struct forest_data d = {rf->code, rf->good, rf->n_told, rf->n_features};
    struct rng r = rng_key(o->seed, RNG_SEARCH, (uint64_t)rf->n_rounds);
    struct forest f;
    struct arena keep = arena_carve(
        &tmp, arena_round((size_t)N_TREES * sizeof(int)) +
                  arena_round((2 * (size_t)rf->n_told) * N_TREES * sizeof(struct forest_node)));
    forest_fit(&f, &keep, &d, N_TREES, o->seed, (uint64_t)rf->n_rounds, tmp);
    int n = draw_candidates(rf, &f, c, &r, tmp);
    /* A round ends with its generation, and leaves the last evaluation for the answer. */
    int batch = rf->paper ? 1 : MAX(1, o->population / 4);
    batch = MIN(batch, o->population - rf->n_told % o->population);
    batch = MIN(batch, rf->budget - 1 - rf->n_told);
    for (int i = 0; i < n && rf->questions.n < batch; i++) {
        if (fresh_add(&rf->fresh, &c[i].arch)) { /* one may have been drawn twice */
            questions_add(&rf->questions, &c[i].arch);
        }
    }
    struct arch a;
    if (rf->questions.n == 0 && fresh_random(&rf->fresh, &a, &r)) {
        questions_add(&rf->questions, &a);
    }
}

/* Gene by gene the choice that most of the best have; the first of equals. */
static void ask_answer(struct rmi_forest *rf)
{
    int n_voters = MIN(N_VOTERS, rf->n_best);
    rf->done = true;
    if (n_voters == 0) {
        return;
    }
    rf->answer = (struct arch){{0}};
    for (int gene = 0; gene < rf->space->n_genes; gene++) {
        int votes[256] = {0};
        for (int i = 0; i < n_voters; i++) {
            votes[rf->best[i].arch.gene[gene]]++;
        }
        for (int choice = 0; choice < rf->space->n_choices[gene]; choice++) {
            if (votes[choice] > votes[rf->answer.gene[gene]]) {
                rf->answer.gene[gene] = (uint8_t)choice;
            }
        }
    }
    rf->has_answer = true;
    if (fresh_add(&rf->fresh, &rf->answer) || rf->paper) {
        questions_add(&rf->questions, &rf->answer);
    }
}

static int rmi_forest_ask(void *state, struct arch *out, int max)
{
    struct rmi_forest *rf = state;
    if (!questions_open(&rf->questions)) {
        questions_reset(&rf->questions);
        if (rf->done || rf->n_told >= rf->budget) {
            return 0;
        }
        if (rf->n_told < rf->n_random) {
            ask_random(rf);
        } else if (rf->n_told < rf->budget - 1 && rf->n_good < N_GOOD) {
            ask_forest(rf);
        }
        if (rf->questions.n == 0) {
            ask_answer(rf);
        }
        rf->n_rounds++;
    }
    return questions_give(&rf->questions, out, max);
}

/* The lowest score among the best twentieth of the random ones. */
static void set_bar(struct rmi_forest *rf)
{
    int n = MIN(rf->n_best, MAX(1, (int)lround(good_share * rf->n_told)));
    rf->bar = n > 0 ? rf->best[n - 1].verdict.score : DBL_MAX;
    for (int i = 0; i < rf->n_told; i++) {
        rf->good[i] = rf->score[i] >= rf->bar;
    }
}

static void insert_best(struct rmi_forest *rf, const struct search_member *m)
{
    int at = rf->n_best;
    for (int i = 0; i < rf->n_best; i++) {
        if (space_equal(&rf->best[i].arch, &m->arch)) {
            return;
        }
    }
    while (at > 0 && m->verdict.score > rf->best[at - 1].verdict.score) {
        at--;
    }
    if (at < rf->max_best) {
        int n_moved = MIN(rf->n_best, rf->max_best - 1) - at;
        memmove(rf->best + at + 1, rf->best + at, (size_t)n_moved * sizeof *m);
        rf->best[at] = *m;
        rf->n_best = MIN(rf->n_best + 1, rf->max_best);
    }
}

static void rmi_forest_tell(void *state, const struct arch *archs, const struct verdict *verdicts,
                            int n)
{
    struct rmi_forest *rf = state;
    const struct questions *q = &rf->questions;
    questions_tell(&rf->questions, archs, verdicts, n);
    if (questions_open(q)) {
        return;
    }
    bool picks = rf->n_told >= rf->n_random;
    for (int i = 0; i < q->n; i++) {
        struct search_member m = {.arch = q->archs[i], .verdict = q->verdicts[i]};
        bool ok = m.verdict.status == VERDICT_OK && m.verdict.violation <= 0;
        rf->score[rf->n_told] = ok ? m.verdict.score : -DBL_MAX;
        encode(rf->space, &m.arch, rf->code + (size_t)rf->n_told * (size_t)rf->n_features);
        rf->good[rf->n_told] = picks && ok && m.verdict.score >= rf->bar;
        rf->n_good += rf->good[rf->n_told];
        if (ok) {
            insert_best(rf, &m);
        }
        rf->n_told++;
    }
    if (!picks && rf->n_told >= rf->n_random) {
        set_bar(rf);
    }
}

static int rmi_forest_population(const void *state, struct search_member *out, int max)
{
    const struct rmi_forest *rf = state;
    int n = MIN(MIN(max, rf->options.population), rf->n_best);
    memcpy(out, rf->best, (size_t)n * sizeof *out);
    members_rate(out, n, rf->scratch);
    return n;
}

/* A generation is a population's worth of evaluations. */
static int rmi_forest_generation(const void *state)
{
    const struct rmi_forest *rf = state;
    return rf->n_told / rf->options.population - 1;
}

static bool rmi_forest_answer(const void *state, struct arch *out)
{
    const struct rmi_forest *rf = state;
    *out = rf->answer;
    return rf->has_answer;
}

const struct search search_rmi_forest = {
    .name = "rmi-forest",
    .help = "a random forest picks what is likely good; the fifty best vote on the answer",
    .state_bytes = rmi_forest_state_bytes,
    .init = rmi_forest_init,
    .ask = rmi_forest_ask,
    .tell = rmi_forest_tell,
    .population = rmi_forest_population,
    .generation = rmi_forest_generation,
    .answer = rmi_forest_answer,
};
