/* report_data.h: what the files of a run folder say, checked and ready to draw. Reads
 * docs/formats.md's files and nothing else; docs/formats.md lists the keys of config.json that are
 * understood. */
#ifndef CLI_REPORT_DATA_H
#define CLI_REPORT_DATA_H

#include "core/csv.h"

struct cJSON;

enum { REPORT_DATA_MAX_FRONT = 20000 }; /* more than a page can show; a search leaves tens */

struct report_member {
    const char *index; /* as in the file; may be "" */
    const char *arch;
    double score, cost, diversity, params, macs;
    double accuracy; /* percent; NaN = not known */
    bool on_true_front;
};

/* What a run answers to one limit of the cost. */
struct report_limit {
    double limit;
    bool met;                          /* the fields below exist */
    const char *arch;                  /* "" where it is not met */
    double score, cost;                /* NaN where it is not met */
    double accuracy, optimum, regret;  /* percent, points; NaN = not known */
};

/* A network that was trained a little, of the front by what was measured. */
struct report_refined {
    const char *index, *arch;      /* as in the file */
    double score, cost;
    double accuracy, truth;        /* percent, measured and known; truth NaN = not known */
};

struct report_data {
    const char *dir, *name; /* the folder and its last word */
    struct cJSON *config;   /* an object; report_data_release frees it */
    const char *command;    /* that made the run; NULL = search */
    const char *cost_name,
        *unit; /* "fpga latency", "ms"; "cost", "" where config.json does not tell */

    int n_evals, n_infeasible; /* rows of evals.csv */
    int n_cloud;
    double *cloud_cost, *cloud_score; /* [n_cloud] the feasible ones */

    int n_front;
    struct report_member *front; /* [n_front] ascending cost */
    bool has_accuracy;           /* the column is there and not all empty */
    int cost_decimals, score_decimals,
        diversity_decimals; /* with these the largest of the front shows 4 digits */

    int n_generations;
    double *generation, *hypervolume, *diversity, *front_size, *evals, *unique,
        *seconds; /* [n_generations] */

    int n_truth;                         /* 0 = not known */
    double *truth_cost, *truth_accuracy; /* [n_truth] ascending cost */

    double true_hypervolume, true_front_hypervolume; /* summary.json's; NaN = not known */

    int n_limits; /* 0 = there are none */
    struct report_limit *limits;

    int n_refined; /* 0 = nothing was trained */
    struct report_refined *refined;
    bool has_refined_truth;

    int n_times; /* 0 = not known */
    const char **time_part;
    double *time_s; /* [n_times] */
};

/* Fill from the files in dir. */
MUST_USE bool report_data_read(struct report_data *d, struct arena *keep, const char *dir,
                               struct err *e);
void report_data_release(struct report_data *d);

/* config[key] or config[key][inner] as text, NULL where it is not there or no string; inner may be
 * NULL. */
const char *report_data_config(const struct report_data *d, const char *key, const char *inner);

#endif
