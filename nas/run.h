/*
 * run.h: one search from the first question to the front on disk. Asks the search, answers repeats
 * from a cache that knows isomorphic cells, scores the rest in parallel, prices all, logs every
 * verdict before the next question. A killed run resumed from its log ends with the same bytes.
 *
 * Folder (docs/formats.md): evals.csv, generations.csv, front.csv, shortlist.csv, time.csv;
 * config.json is the caller's.
 */
#ifndef NAS_RUN_H
#define NAS_RUN_H

#include "nas/cost.h"
#include "nas/pool.h"
#include "nas/score.h"
#include "nas/search.h"

/* What a watcher is told; counts include replayed evaluations. */
struct run_status {
    int evals, evals_total; /* done; at most this many will be asked for */
    int replayed;           /* answered from the log of an earlier, interrupted run */
    int unique;             /* networks really scored: isomorphic cells count once */
    int generation, generations;
    int front_size;
    double hypervolume, diversity, best_score;
    double seconds;
};

struct run_config {
    const char *dir;
    bool resume; /* evals.csv is there and is replayed */
    const struct space *space;
    struct model_spec model; /* input shape and classes; arch is filled per candidate */
    const struct search *search;
    struct search_options search_options;
    const struct score *score;
    struct score_options score_options;
    const struct score_batch *batch; /* may be NULL for scores that need none */
    struct pool *pool; /* NULL, or scores shared with other runs; it changes the seconds alone */
    /* NULL, or the score of every architecture (NaN = none), as it is: nothing is built, and
     * isomorphic cells are not taken for one. */
    double (*known_score)(const void *ctx, const struct arch *a);
    const void *known_score_ctx;
    const struct cost *cost;
    const struct machine *mc; /* n_threads workers, one candidate each */
    size_t memory_bytes;      /* of all workers; a candidate that needs more is infeasible */
    int n_shortlist;          /* networks named beside the front; 0 = none */
    bool smooth;              /* shortlist and advice are by smoothed scores (nas/smooth.h) */
    bool keep_disconnected;   /* take networks whose output ignores their input as they come */
    double (*accuracy)(const void *ctx,
                       const struct arch *a); /* NULL, or the true accuracy (NaN = unknown) */
    const void *accuracy_ctx;
    bool (*stop)(void *ctx); /* NULL, or asked between evaluations */
    void (*on_eval)(void *ctx, const struct run_status *status); /* NULL = nobody watches */
    void *watch_ctx;
};

struct run_member {
    struct arch arch;
    double score, cost, diversity; /* diversity within the front */
    int64_t index, params, macs;
    double accuracy; /* NaN = unknown */
};

struct run_result {
    struct run_member *front; /* ascending cost, in the arena */
    int n_front;
    struct run_member *shortlist; /* nas/shortlist.h */
    int n_shortlist;
    struct run_member *advised; /* the front by the scores that the shortlist is chosen by */
    int n_advised;
    struct run_member answer; /* what a search that names one network names (search.answer) */
    bool has_answer;
    struct run_status status;
    bool interrupted;
};

/* Where the wall time of all workers went, for time.csv. */
enum { RUN_TIME_COST = SCORE_N_PARTS, RUN_TIME_OTHER, RUN_N_TIMES };

/* ERR_INTERRUPTED is not used: an interrupted run returns true with result->interrupted. ERR_INPUT
 * when the log does not belong to this configuration; ERR_INFEASIBLE when nothing feasible was
 * found. */
MUST_USE bool run_search(struct run_result *result, struct arena *keep,
                         const struct run_config *config, struct err *e);

#endif
