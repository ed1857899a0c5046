/*
 * search.h: the contract of a search method: ask for architectures, be told verdicts. It sees
 * spaces, never networks, data or devices; of a device at most what an architecture would cost.
 * Rooms nas/search_*.c, table nas/searches.c. Same seed, same questions: a search draws only from
 * keyed streams, and verdicts are told in the order asked, so replaying a log replays the search.
 */
#ifndef NAS_SEARCH_H
#define NAS_SEARCH_H

#include "core/arena.h"
#include "nas/space.h"
#include "nas/verdict.h"

enum { SEARCH_MAX_OBJECTIVES = 3 };

/* What an architecture would cost, the same whenever it is asked; infinite where the device cannot
 * run it. */
typedef double search_price_fn(void *ctx, const struct arch *a);

struct search_options {
    int population;
    int generations; /* counting the first */
    uint64_t seed;
    const char *preset;                                          /* "paper" or "default" */
    double crossover_rate, mutation_rate, sbx_eta, mutation_eta; /* negative = the preset's */
    int tournament;            /* sample size; 0 = the search's default */
    const double *constraints; /* [n_constraints] limits of the cost, > 0 (hw-evrsnas) */
    int n_constraints;
    double penalty; /* score lost by a cost of twice the limit; negative = the search's default */
    bool deb; /* hw-evrsnas: what keeps the limit before what does not [Deb2000], no penalty */
    const struct arch *first; /* NULL, or architectures for the first population */
    int n_first;
    search_price_fn *price; /* NULL: a cost is known from verdicts alone, as it is measured */
    void *price_ctx;
};

/* One individual of the current population, for logs and plots. */
struct search_member {
    struct arch arch;
    struct verdict verdict;
    double diversity; /* chi(a, P) = sum over P of squared cost differences [Sinha2024, eq. of chi];
                         0 if infeasible */
    int rank;         /* front, 0 = non-dominated */
};

struct search {
    const char *name, *help;
    size_t (*state_bytes)(const struct space *s, const struct search_options *o);
    void (*init)(void *state, const struct space *s, const struct search_options *o,
                 struct arena *keep);
    /* Write up to max architectures to evaluate next (a generation at a time where there are
     * generations); 0 = done. */
    int (*ask)(void *state, struct arch *out, int max);
    /* Verdicts for exactly what the last ask returned, in that order. */
    void (*tell)(void *state, const struct arch *archs, const struct verdict *verdicts, int n);
    /* The current population, at most max; returns how many. */
    int (*population)(const void *state, struct search_member *out, int max);
    /* 0-based number of the last generation whose verdicts are complete, -1 before. Rounds of
     * questions may be smaller than a generation (regevo). */
    int (*generation)(const void *state);
    /* NULL, or the one architecture that the search returns in the end, which it has asked about;
     * false while there is none. */
    bool (*answer)(const void *state, struct arch *out);
};

int search_count(void);
const struct search *search_at(int i);
MUST_USE bool search_find(const struct search **out, const char *name, struct err *e);

#endif
