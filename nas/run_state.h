/* run_state.h: the insides of a run, shared by nas/run.c (the loop), nas/run_score.c (its networks)
 * and nas/run_files.c (what it writes). */
#ifndef NAS_RUN_STATE_H
#define NAS_RUN_STATE_H

#include "nas/archmap.h"
#include "nas/run.h"
#include "nas/runlog.h"
#include "nas/workload.h"

enum { RUN_MAX_WORKERS = 256 };

struct run {
    const struct run_config *config;
    struct arena *keep;
    struct run_status status;
    double start_s, prior_s;        /* clock at the start; seconds of the runs before this one */
    double (*seconds)[RUN_N_TIMES]; /* [workers] */
    struct arena memory;            /* scratch; what workers share while they score */
    void *search;                   /* state of the search */

    struct archmap scores;      /* canonical architecture -> score (NaN = diverged) */
    struct archmap costs;       /* architecture -> cost (NaN = unsupported) */
    struct archmap seen;        /* architectures in the archive */
    struct run_member *archive; /* [n_archive] every feasible architecture once */
    double *objectives;         /* [n_archive, 2] (-score, cost) */
    int n_archive, max_archive;

    struct runlog_row *logged; /* rows of an earlier run, replayed first */
    int n_logged;
    struct file_log log;

    double low[2],
        range[2]; /* (-score, cost) of the first generation: the hypervolume's unit square */
    bool has_unit;

    struct run_item *items; /* [n_items] the generation being evaluated */
    int n_items, max_items, first_eval;
    struct workload_item *work; /* [max_items] */
    struct workload load;
    struct arena load_memory; /* for `load` */
    struct err err;           /* the first error of the world met by a worker, by index */
    int err_item;
};

/* One architecture that was asked for. */
struct run_item {
    struct arch arch, canonical;
    struct verdict verdict;
    bool leader;   /* it is the one whose score is computed; others of its class wait for it */
    bool replayed; /* its verdict comes from the log */
    bool known;    /* its score was not computed here: a pool or a table has it */
    double score, cost, diversity; /* NaN = none */
    double seconds;
    size_t spare_bytes; /* of its network (nn/graph.h) */
    struct err err;     /* code ERR_NONE unless the world failed it */
};

/* What the items at hand take, and whose turn it is: r->work, r->load. */
void run_score_share(struct run *r);

/* Build the item's network and score it; runs on a worker, in its share of r->memory. */
void run_score_item(struct run *r, struct run_item *item, int worker);

/* The non-dominated members of the archive (higher score, lower cost), ascending cost; diversity
 * within the front. */
int run_files_front(const struct run *r, struct run_member *out, struct arena tmp);

/* The shortlist of at most config->n_shortlist, and the front by the same scores. Scores are
 * smoothed where the run's are and something is chosen by them. */
MUST_USE bool run_files_advise(const struct run *r, struct run_result *result, struct err *e);

/* front.csv or shortlist.csv, and time.csv, replaced atomically. */
MUST_USE bool run_files_write_members(const struct run *r, const char *file,
                                      const struct run_member *members, int n, struct arena tmp,
                                      struct err *e);
MUST_USE bool run_files_write_times(const struct run *r, struct arena tmp, struct err *e);

/* Close a generation: status' front size, hypervolume and diversity, one line in generations.csv.
 */
MUST_USE bool run_files_generation(struct run *r, struct file_log *log, struct arena tmp,
                                   struct err *e);
MUST_USE bool run_files_open_generations(struct file_log *log, const struct run *r, char *path,
                                         size_t len, struct err *e);

#endif
