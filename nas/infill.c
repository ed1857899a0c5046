#include "nas/infill.h"

#include "nas/front.h"
#include "nas/fresh.h"
#include "nas/members.h"
#include "nas/questions.h"
#include "nas/shortlist.h"
#include "nas/smooth.h"
#include "nas/stairs.h"
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

struct infill {
    enum infill_by by;
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

static bool walks(const struct infill *in)
{
    return in->by == INFILL_SURVEY && in->space->size > 0 && in->space->size <= MAX_WHOLE;
}

static int max_candidates(const struct infill *in)
{
    return walks(in) ? (int)in->space->size : N_CANDIDATES;
}

static size_t scratch_bytes(const struct infill *in)
{
    const struct search_options *o = &in->options;
    size_t n = (size_t)in->max, n_candidates = (size_t)max_candidates(in);
    return members_scratch_bytes(o->population) + 4 * surrogate_bytes(MAX_FIT) +
           2 * smooth_bytes(in->max) + 12 * arena_round(2 * (n + n_candidates) * sizeof(double)) +
           2 * arena_round(n_candidates * sizeof(struct candidate)) +
           2 * arena_round(MAX_FIT * sizeof(struct arch)) + 65536;
}

size_t infill_state_bytes(const struct space *s, const struct search_options *o)
{
    (void)s, (void)o;
    return sizeof(struct infill);
}

void infill_init(void *state, enum infill_by by, const struct space *s,
                 const struct search_options *o, struct arena *keep)
{
    struct infill *in = state;
    *in = (struct infill){.by = by, .space = s, .options = *o, .generation = -1};
    in->max = o->population * o->generations;
    in->archs = arena_push(keep, (size_t)in->max, sizeof *in->archs);
    in->score = arena_push(keep, (size_t)in->max, sizeof *in->score);
    in->cost = arena_push(keep, (size_t)in->max, sizeof *in->cost);
    in->value = arena_push(keep, (size_t)in->max, sizeof *in->value);
    in->members = arena_push_zero(keep, (size_t)o->population, sizeof *in->members);
    fresh_init(&in->fresh, s, keep);
    questions_init(&in->questions, o->population, keep);
    in->scratch = arena_carve(keep, scratch_bytes(in));
}

static void add_random(struct infill *in, struct rng *r)
{
    struct arch a;
    if (fresh_random(&in->fresh, &a, r)) {
        questions_add(&in->questions, &a);
    }
}

static void begin(struct infill *in)
{
    const struct search_options *o = &in->options;
    for (int i = 0; i < o->population; i++) {
        struct rng r = rng_key(o->seed, RNG_ARCH, (uint64_t)i);
        if (i < o->n_first && fresh_add(&in->fresh, &o->first[i])) {
            questions_add(&in->questions, &o->first[i]);
        } else {
            add_random(in, &r);
        }
    }
}

/* The smoothed rank of a score in the unit interval, 0 = the best. */
static double smooth_error(const struct smooth *s, double rank)
{
    return 1 - rank / s->n;
}

/* The archive in the unit square: x[n, 2] (error by rank, cost by range). */
static void place(const struct infill *in, const struct smooth *smooth, double *x, double *low,
                  double *range)
{
    double high = -INFINITY;
    *low = INFINITY;
    for (int i = 0; i < in->n; i++) {
        *low = fmin(*low, in->cost[i]);
        high = fmax(high, in->cost[i]);
        int below = 0;
        for (int k = 0; k < in->n && !smooth; k++) {
            below += in->score[k] < in->score[i];
        }
        x[2 * i] = smooth ? smooth_error(smooth, in->value[i]) : 1 - (double)below / in->n;
    }
    *range = high > *low ? high - *low : 1;
    for (int i = 0; i < in->n; i++) {
        x[2 * i + 1] = (in->cost[i] - *low) / *range;
    }
}

/* Which of the archive the guesses rest on. */
static int choose_fit(const struct infill *in, int *idx, struct rng *r, struct arena tmp)
{
    if (in->n <= MAX_FIT) {
        for (int i = 0; i < in->n; i++) {
            idx[i] = i;
        }
        return in->n;
    }
    bool *taken = arena_push_zero(&tmp, (size_t)in->n, sizeof *taken);
    int n = shortlist_choose(idx, MAX_FIT / 4 * 3, in->value, in->cost, in->n, tmp);
    for (int i = 0; i < n; i++) {
        taken[idx[i]] = true;
    }
    while (n < MAX_FIT) {
        int i = (int)rng_below(r, (uint64_t)in->n);
        if (!taken[i]) {
            taken[i] = true;
            idx[n++] = i;
        }
    }
    return n;
}

/* Takes a as candidate n where it depends on its input, was not asked about and is not known to be
 * beyond the device, with its cost where that is known; returns how many there are. */
static int add_candidate(const struct infill *in, struct candidate *c, int n, const struct arch *a)
{
    const struct search_options *o = &in->options;
    bool connected = !in->space->connected || in->space->connected(a);
    if (!connected || archmap_get(&in->fresh.asked, a)) {
        return n;
    }
    c[n] = (struct candidate){.arch = *a, .cost = o->price ? o->price(o->price_ctx, a) : 0};
    return n + isfinite(c[n].cost);
}

/* Repeats do no harm. */
static int find_candidates(struct infill *in, struct candidate *c, struct rng *r, struct arena tmp)
{
    int parents[N_PARENTS], n = 0;
    if (walks(in)) {
        struct arch a = {{0}};
        do {
            n = add_candidate(in, c, n, &a);
        } while (space_next(in->space, &a));
        return n;
    }
    int n_parents = shortlist_choose(parents, N_PARENTS, in->value, in->cost, in->n, tmp);
    for (int tries = 0; tries < 4 * N_CANDIDATES && n < N_CANDIDATES; tries++) {
        struct arch a;
        if (tries % 4 == 0 || n_parents == 0) {
            space_random(in->space, &a, r);
        } else {
            a = in->archs[parents[rng_below(r, (uint64_t)n_parents)]];
            space_mutate(in->space, &a, 1.5 / in->space->n_genes, r);
        }
        n = add_candidate(in, c, n, &a);
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
static void guess_costs(const struct infill *in, struct candidate *c, int n,
                        const struct known *known, double low, double range, struct arena tmp)
{
    struct surrogate by_cost;
    if (!in->options.price) {
        struct arena fit = arena_carve(&tmp, surrogate_bytes(MAX_FIT));
        surrogate_fit(&by_cost, &fit, in->space, known->archs, known->cost, known->n, tmp);
    }
    for (int i = 0; i < n; i++) {
        if (in->options.price) {
            c[i].cost = (c[i].cost - low) / range;
        } else {
            surrogate_guess(&by_cost, &c[i].arch, &c[i].cost, NULL, tmp);
        }
    }
}

static void guess_errors(const struct infill *in, struct candidate *c, int n,
                         const struct known *known, const struct smooth *smooth, struct arena tmp)
{
    if (smooth) {
        for (int i = 0; i < n; i++) {
            c[i].error = smooth_error(smooth, smooth_guess(smooth, &c[i].arch, tmp));
        }
        return;
    }
    struct surrogate by_error;
    struct arena fit = arena_carve(&tmp, surrogate_bytes(MAX_FIT));
    surrogate_fit(&by_error, &fit, in->space, known->archs, known->error, known->n, tmp);
    for (int i = 0; i < n; i++) {
        double mean, sd;
        surrogate_guess(&by_error, &c[i].arch, &mean, &sd, tmp);
        c[i].error = mean - sd;
    }
}

/* Fills value[n]; NULL where scores are exact. */
static const struct smooth *smooth_archive(struct infill *in, struct smooth *s, struct arena *keep)
{
    if (in->by != INFILL_SURVEY) {
        memcpy(in->value, in->score, (size_t)in->n * sizeof *in->value);
        return NULL;
    }
    struct arena fit = arena_carve(keep, smooth_bytes(in->n));
    smooth_fit(s, &fit, in->space, in->archs, in->score, in->n, smooth_to_choose(in->n), *keep);
    for (int i = 0; i < in->n; i++) {
        in->value[i] = smooth_guess(s, &in->archs[i], *keep);
    }
    return s;
}

static void choose(struct infill *in, struct rng *r)
{
    struct arena tmp = in->scratch;
    int population = in->options.population, n_random = (population + 9) / 10;
    double *x = arena_push(&tmp, (size_t)in->n, 2 * sizeof *x), low, range;
    double *front = arena_push(&tmp, (size_t)(in->n + population), 2 * sizeof *front);
    int *idx = arena_push(&tmp, (size_t)MAX(in->n, MAX_FIT), sizeof *idx);
    struct candidate *c = arena_push(&tmp, (size_t)max_candidates(in), sizeof *c);
    struct known *known = arena_push(&tmp, 1, sizeof *known);
    struct smooth kept;
    const struct smooth *smooth = smooth_archive(in, &kept, &tmp);
    place(in, smooth, x, &low, &range);
    int n_front = front_filter(idx, x, in->n, 2, true, tmp);
    for (int i = 0; i < n_front; i++) {
        stairs_insert(front, i, x[2 * idx[i]], x[2 * idx[i] + 1]);
    }
    int n = find_candidates(in, c, r, tmp);
    /* Smoothed scores and known costs take none. */
    known->n = smooth && in->options.price ? 0 : choose_fit(in, idx, r, tmp);
    for (int i = 0; i < known->n; i++) {
        known->archs[i] = in->archs[idx[i]];
        known->error[i] = x[2 * idx[i]];
        known->cost[i] = x[2 * idx[i] + 1];
    }
    guess_costs(in, c, n, known, low, range, tmp);
    guess_errors(in, c, n, known, smooth, tmp);
    while (in->questions.n < population - n_random) {
        int best = -1;
        double most = 0;
        for (int i = 0; i < n; i++) {
            double g = stairs_gain(front, n_front, c[i].error, c[i].cost);
            if (g > most) {
                most = g;
                best = i;
            }
        }
        if (best < 0) {
            break;
        }
        if (fresh_add(&in->fresh, &c[best].arch)) {
            questions_add(&in->questions, &c[best].arch);
            stairs_insert(front, n_front++, c[best].error, c[best].cost);
        }
        c[best] = c[--n];
    }
}

/* Of one generation and more the last is chosen. */
static bool surveys(const struct infill *in)
{
    int generations = in->options.generations;
    return in->by == INFILL_SURVEY &&
           in->generation + 1 < fmin(survey_share * generations, generations - 1);
}

int infill_ask(void *state, struct arch *out, int max)
{
    struct infill *in = state;
    if (!questions_open(&in->questions)) {
        if (in->generation + 1 >= in->options.generations) {
            return 0;
        }
        struct rng r = rng_key(in->options.seed, RNG_SEARCH, (uint64_t)(in->generation + 1));
        questions_reset(&in->questions);
        if (in->generation < 0) {
            begin(in);
        } else if (in->n > 0 && !surveys(in)) {
            choose(in, &r);
        }
        int before = -1;
        while (in->questions.n < in->options.population && in->questions.n > before) {
            before = in->questions.n;
            add_random(in, &r);
        }
    }
    return questions_give(&in->questions, out, max);
}

void infill_tell(void *state, const struct arch *archs, const struct verdict *verdicts, int n)
{
    struct infill *in = state;
    const struct questions *q = &in->questions;
    questions_tell(&in->questions, archs, verdicts, n);
    if (questions_open(q)) {
        return;
    }
    for (int i = 0; i < q->n; i++) {
        const struct verdict *v = &q->verdicts[i];
        in->members[i] = (struct search_member){.arch = q->archs[i], .verdict = *v};
        if (v->status == VERDICT_OK && isfinite(v->score) && isfinite(v->cost)) {
            ASSERT(in->n < in->max);
            in->archs[in->n] = q->archs[i];
            in->score[in->n] = v->score;
            in->cost[in->n++] = v->cost;
        }
    }
    in->n_members = q->n;
    members_rate(in->members, in->n_members, in->scratch);
    in->generation++;
}

int infill_population(const void *state, struct search_member *out, int max)
{
    const struct infill *in = state;
    int n = MIN(max, in->n_members);
    memcpy(out, in->members, (size_t)n * sizeof *out);
    return n;
}

int infill_generation(const void *state)
{
    return ((const struct infill *)state)->generation;
}
