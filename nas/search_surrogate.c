/*
 * Surrogate-assisted search, score up, cost down, in two forms. The scores of architectures not yet
 * evaluated are guessed from those that were, and so are their costs where they can only be
 * measured; else they are asked for. The next generation are those that would add most hypervolume
 * to the front [Emmerich2006, in spirit]; each one chosen counts as if it were as guessed when the
 * next is chosen. A tenth is drawn at random. Scores enter by rank: their scale does not matter.
 *
 * "surrogate", for scores that are exact: after a random first generation all are chosen, score at
 * mean + sd (nas/surrogate.h), so that what is unknown has a chance.
 * "survey", for scores that err: whoever goes by them finds their mistakes, and what he has seen
 * by the way no longer tells how scores spread. So three quarters of all are drawn at random; the
 * front is of smoothed scores (nas/smooth.h) and so are the guesses, of the whole space where it
 * can be walked.
 */
#include "nas/front.h"
#include "nas/fresh.h"
#include "nas/members.h"
#include "nas/questions.h"
#include "nas/shortlist.h"
#include "nas/smooth.h"
#include "nas/surrogate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Guesses rest on at most this many: three quarters from the front and behind it, the rest drawn.
 * More cost time (cubed) and on NAS-Bench-201 gain nothing. */
enum { MAX_FIT = 256 };

/* What is looked at for a generation: three quarters one or two genes away from the best; by a
 * survey all of the space, where it is not larger than this. */
enum { N_CANDIDATES = 1000, N_PARENTS = 30, MAX_WHOLE = 100000 };

/* The share of a survey's questions that are drawn at random. */
static const double survey_share = .75;

struct candidate {
    struct arch arch;
    double error, cost; /* guessed or known, in the unit square */
};

struct surrogate_search {
    bool survey;
    const struct space *space;
    struct search_options options;
    int generation;       /* the last told, -1 before */
    struct arch *archs;   /* [n] feasible ones, as they were told */
    double *score, *cost; /* [n] */
    double *value;        /* [n] what the front goes by: the score, smoothed by a survey */
    int n, max;
    struct fresh fresh;
    struct questions questions;
    struct search_member *members; /* [n_members] the last round */
    int n_members;
    struct arena scratch;
};

static bool walks(const struct surrogate_search *ss)
{
    return ss->survey && ss->space->size > 0 && ss->space->size <= MAX_WHOLE;
}

static int max_candidates(const struct surrogate_search *ss)
{
    return walks(ss) ? (int)ss->space->size : N_CANDIDATES;
}

static size_t scratch_bytes(const struct surrogate_search *ss)
{
    const struct search_options *o = &ss->options;
    size_t n = (size_t)ss->max, n_candidates = (size_t)max_candidates(ss);
    return members_scratch_bytes(o->population) + 4 * surrogate_bytes(MAX_FIT) +
           2 * smooth_bytes(ss->max) + 12 * arena_round(2 * (n + n_candidates) * sizeof(double)) +
           2 * arena_round(n_candidates * sizeof(struct candidate)) +
           2 * arena_round(MAX_FIT * sizeof(struct arch)) + 65536;
}

static size_t surrogate_state_bytes(const struct space *s, const struct search_options *o)
{
    (void)s, (void)o;
    return sizeof(struct surrogate_search);
}

static void init(struct surrogate_search *ss, bool survey, const struct space *s,
                 const struct search_options *o, struct arena *keep)
{
    *ss = (struct surrogate_search){.survey = survey, .space = s, .options = *o, .generation = -1};
    ss->max = o->population * o->generations;
    ss->archs = arena_push(keep, (size_t)ss->max, sizeof *ss->archs);
    ss->score = arena_push(keep, (size_t)ss->max, sizeof *ss->score);
    ss->cost = arena_push(keep, (size_t)ss->max, sizeof *ss->cost);
    ss->value = arena_push(keep, (size_t)ss->max, sizeof *ss->value);
    ss->members = arena_push_zero(keep, (size_t)o->population, sizeof *ss->members);
    fresh_init(&ss->fresh, s, keep);
    questions_init(&ss->questions, o->population, keep);
    ss->scratch = arena_carve(keep, scratch_bytes(ss));
}

static void surrogate_init(void *state, const struct space *s, const struct search_options *o,
                           struct arena *keep)
{
    init(state, false, s, o, keep);
}

static void survey_init(void *state, const struct space *s, const struct search_options *o,
                        struct arena *keep)
{
    init(state, true, s, o, keep);
}

static void add_random(struct surrogate_search *ss, struct rng *r)
{
    struct arch a;
    if (fresh_random(&ss->fresh, &a, r)) {
        questions_add(&ss->questions, &a);
    }
}

static void begin(struct surrogate_search *ss)
{
    const struct search_options *o = &ss->options;
    for (int i = 0; i < o->population; i++) {
        struct rng r = rng_key(o->seed, RNG_ARCH, (uint64_t)i);
        if (i < o->n_first && fresh_add(&ss->fresh, &o->first[i])) {
            questions_add(&ss->questions, &o->first[i]);
        } else {
            add_random(ss, &r);
        }
    }
}

/* The smoothed rank of a score in the unit interval, 0 = the best. */
static double smooth_error(const struct smooth *s, double rank)
{
    return 1 - rank / s->n;
}

/* The archive in the unit square: x[n, 2] (error by rank, cost by range). */
static void place(const struct surrogate_search *ss, const struct smooth *smooth, double *x,
                  double *low, double *range)
{
    double high = -INFINITY;
    *low = INFINITY;
    for (int i = 0; i < ss->n; i++) {
        *low = fmin(*low, ss->cost[i]);
        high = fmax(high, ss->cost[i]);
        int below = 0;
        for (int k = 0; k < ss->n && !smooth; k++) {
            below += ss->score[k] < ss->score[i];
        }
        x[2 * i] = smooth ? smooth_error(smooth, ss->value[i]) : 1 - (double)below / ss->n;
    }
    *range = high > *low ? high - *low : 1;
    for (int i = 0; i < ss->n; i++) {
        x[2 * i + 1] = (ss->cost[i] - *low) / *range;
    }
}

/* Which of the archive the guesses rest on. */
static int choose_fit(const struct surrogate_search *ss, int *idx, struct rng *r, struct arena tmp)
{
    if (ss->n <= MAX_FIT) {
        for (int i = 0; i < ss->n; i++) {
            idx[i] = i;
        }
        return ss->n;
    }
    bool *taken = arena_push_zero(&tmp, (size_t)ss->n, sizeof *taken);
    int n = shortlist_choose(idx, MAX_FIT / 4 * 3, ss->value, ss->cost, ss->n, tmp);
    for (int i = 0; i < n; i++) {
        taken[idx[i]] = true;
    }
    while (n < MAX_FIT) {
        int i = (int)rng_below(r, (uint64_t)ss->n);
        if (!taken[i]) {
            taken[i] = true;
            idx[n++] = i;
        }
    }
    return n;
}

/* Takes a as candidate n where it depends on its input, was not asked about and is not known to be
 * beyond the device, with its cost where that is known; returns how many there are. */
static int add_candidate(const struct surrogate_search *ss, struct candidate *c, int n,
                         const struct arch *a)
{
    const struct search_options *o = &ss->options;
    bool connected = !ss->space->connected || ss->space->connected(a);
    if (!connected || archmap_get(&ss->fresh.asked, a)) {
        return n;
    }
    c[n] = (struct candidate){.arch = *a, .cost = o->price ? o->price(o->price_ctx, a) : 0};
    return n + isfinite(c[n].cost);
}

/* Repeats do no harm. */
static int find_candidates(struct surrogate_search *ss, struct candidate *c, struct rng *r,
                           struct arena tmp)
{
    int parents[N_PARENTS], n = 0;
    if (walks(ss)) {
        struct arch a = {{0}};
        do {
            n = add_candidate(ss, c, n, &a);
        } while (space_next(ss->space, &a));
        return n;
    }
    int n_parents = shortlist_choose(parents, N_PARENTS, ss->value, ss->cost, ss->n, tmp);
    for (int tries = 0; tries < 4 * N_CANDIDATES && n < N_CANDIDATES; tries++) {
        struct arch a;
        if (tries % 4 == 0 || n_parents == 0) {
            space_random(ss->space, &a, r);
        } else {
            a = ss->archs[parents[rng_below(r, (uint64_t)n_parents)]];
            space_mutate(ss->space, &a, 1.5 / ss->space->n_genes, r);
        }
        n = add_candidate(ss, c, n, &a);
    }
    return n;
}

/* From which of the archive, in the unit square, costs and exact scores are guessed. */
struct known {
    struct arch archs[MAX_FIT];
    double error[MAX_FIT], cost[MAX_FIT];
    int n;
};

/* Costs that are known are put into the unit square, where low is 0 and low + range 1. */
static void guess_costs(const struct surrogate_search *ss, struct candidate *c, int n,
                        const struct known *known, double low, double range, struct arena tmp)
{
    struct surrogate by_cost;
    if (!ss->options.price) {
        struct arena fit = arena_carve(&tmp, surrogate_bytes(MAX_FIT));
        surrogate_fit(&by_cost, &fit, ss->space, known->archs, known->cost, known->n, 0, tmp);
    }
    for (int i = 0; i < n; i++) {
        if (ss->options.price) {
            c[i].cost = (c[i].cost - low) / range;
        } else {
            surrogate_guess(&by_cost, &c[i].arch, &c[i].cost, NULL, tmp);
        }
    }
}

static void guess_errors(const struct surrogate_search *ss, struct candidate *c, int n,
                         const struct known *known, const struct smooth *smooth, struct arena tmp)
{
    if (smooth) {
        for (int i = 0; i < n; i++) {
            smooth_guess(smooth, &c[i].arch, 1, &c[i].error, tmp);
            c[i].error = smooth_error(smooth, c[i].error);
        }
        return;
    }
    struct surrogate by_error;
    struct arena fit = arena_carve(&tmp, surrogate_bytes(MAX_FIT));
    surrogate_fit(&by_error, &fit, ss->space, known->archs, known->error, known->n, 0, tmp);
    for (int i = 0; i < n; i++) {
        double mean, sd;
        surrogate_guess(&by_error, &c[i].arch, &mean, &sd, tmp);
        c[i].error = mean - sd;
    }
}

/* The hypervolume up to (1, 1) that a point would add to a front of ascending cost. */
static double gain(const double *front, int n, double error, double cost)
{
    double sum = 0, best = 1;
    for (int i = 0; i <= n; i++) {
        double next = i < n ? front[2 * i + 1] : 1;
        if (next > cost) {
            sum += (next - cost) * fmax(0, best - error);
            cost = next;
        }
        best = i < n ? fmin(best, front[2 * i]) : best;
    }
    return sum;
}

static void insert(double *front, int n, double error, double cost)
{
    int at = n;
    for (; at > 0 && front[2 * at - 1] > cost; at--) {
        memcpy(front + 2 * at, front + 2 * at - 2, 2 * sizeof *front);
    }
    front[2 * at] = error;
    front[2 * at + 1] = cost;
}

/* Fills value[n]; NULL where scores are exact. */
static const struct smooth *smooth_archive(struct surrogate_search *ss, struct smooth *s,
                                           struct arena *keep)
{
    if (!ss->survey) {
        memcpy(ss->value, ss->score, (size_t)ss->n * sizeof *ss->value);
        return NULL;
    }
    struct arena fit = arena_carve(keep, smooth_bytes(ss->n));
    smooth_fit(s, &fit, ss->space, ss->archs, ss->score, ss->n, smooth_to_choose(ss->n), *keep);
    smooth_guess(s, ss->archs, ss->n, ss->value, *keep);
    return s;
}

static void choose(struct surrogate_search *ss, struct rng *r)
{
    struct arena tmp = ss->scratch;
    int population = ss->options.population, n_random = (population + 9) / 10;
    double *x = arena_push(&tmp, (size_t)ss->n, 2 * sizeof *x), low, range;
    double *front = arena_push(&tmp, (size_t)(ss->n + population), 2 * sizeof *front);
    int *idx = arena_push(&tmp, (size_t)MAX(ss->n, MAX_FIT), sizeof *idx);
    struct candidate *c = arena_push(&tmp, (size_t)max_candidates(ss), sizeof *c);
    struct known *known = arena_push(&tmp, 1, sizeof *known);
    struct smooth kept;
    const struct smooth *smooth = smooth_archive(ss, &kept, &tmp);
    place(ss, smooth, x, &low, &range);
    int n_front = front_filter(idx, x, ss->n, 2, true, tmp);
    for (int i = 0; i < n_front; i++) {
        insert(front, i, x[2 * idx[i]], x[2 * idx[i] + 1]);
    }
    int n = find_candidates(ss, c, r, tmp);
    known->n = choose_fit(ss, idx, r, tmp);
    for (int i = 0; i < known->n; i++) {
        known->archs[i] = ss->archs[idx[i]];
        known->error[i] = x[2 * idx[i]];
        known->cost[i] = x[2 * idx[i] + 1];
    }
    guess_costs(ss, c, n, known, low, range, tmp);
    guess_errors(ss, c, n, known, smooth, tmp);
    while (ss->questions.n < population - n_random) {
        int best = -1;
        double most = 0;
        for (int i = 0; i < n; i++) {
            double g = gain(front, n_front, c[i].error, c[i].cost);
            if (g > most) {
                most = g;
                best = i;
            }
        }
        if (best < 0) {
            break;
        }
        if (fresh_add(&ss->fresh, &c[best].arch)) {
            questions_add(&ss->questions, &c[best].arch);
            insert(front, n_front++, c[best].error, c[best].cost);
        }
        c[best] = c[--n];
    }
}

/* Of one generation and more the last is chosen. */
static bool surveys(const struct surrogate_search *ss)
{
    int generations = ss->options.generations;
    return ss->survey && ss->generation + 1 < fmin(survey_share * generations, generations - 1);
}

static int surrogate_ask(void *state, struct arch *out, int max)
{
    struct surrogate_search *ss = state;
    if (!questions_open(&ss->questions)) {
        if (ss->generation + 1 >= ss->options.generations) {
            return 0;
        }
        struct rng r = rng_key(ss->options.seed, RNG_SEARCH, (uint64_t)(ss->generation + 1));
        questions_reset(&ss->questions);
        if (ss->generation < 0) {
            begin(ss);
        } else if (ss->n > 0 && !surveys(ss)) {
            choose(ss, &r);
        }
        int before = -1;
        while (ss->questions.n < ss->options.population && ss->questions.n > before) {
            before = ss->questions.n;
            add_random(ss, &r);
        }
    }
    return questions_give(&ss->questions, out, max);
}

static void surrogate_tell(void *state, const struct arch *archs, const struct verdict *verdicts,
                           int n)
{
    struct surrogate_search *ss = state;
    const struct questions *q = &ss->questions;
    questions_tell(&ss->questions, archs, verdicts, n);
    if (questions_open(q)) {
        return;
    }
    for (int i = 0; i < q->n; i++) {
        const struct verdict *v = &q->verdicts[i];
        ss->members[i] = (struct search_member){.arch = q->archs[i], .verdict = *v};
        if (v->status == VERDICT_OK && isfinite(v->score) && isfinite(v->cost)) {
            ASSERT(ss->n < ss->max);
            ss->archs[ss->n] = q->archs[i];
            ss->score[ss->n] = v->score;
            ss->cost[ss->n++] = v->cost;
        }
    }
    ss->n_members = q->n;
    members_rate(ss->members, ss->n_members, ss->scratch);
    ss->generation++;
}

static int surrogate_population(const void *state, struct search_member *out, int max)
{
    const struct surrogate_search *ss = state;
    int n = MIN(max, ss->n_members);
    memcpy(out, ss->members, (size_t)n * sizeof *out);
    return n;
}

static int surrogate_generation(const void *state)
{
    return ((const struct surrogate_search *)state)->generation;
}

const struct search search_surrogate = {
    .name = "surrogate",
    .help = "score and cost, asking what guesses of scores from the rest promise most",
    .state_bytes = surrogate_state_bytes,
    .init = surrogate_init,
    .ask = surrogate_ask,
    .tell = surrogate_tell,
    .population = surrogate_population,
    .generation = surrogate_generation,
};

const struct search search_survey = {
    .name = "survey",
    .help = "score and cost, for scores that err: three quarters of all at random, then what the "
            "smoothed scores of the whole space promise",
    .state_bytes = surrogate_state_bytes,
    .init = survey_init,
    .ask = surrogate_ask,
    .tell = surrogate_tell,
    .population = surrogate_population,
    .generation = surrogate_generation,
};
