/*
 * score.h: the contract of a training-free (or nearly) score. A score sees a network and a batch,
 * not spaces or searches. Rooms nas/score_*.c, table nas/scores.c. Higher is better, always.
 */
#ifndef NAS_SCORE_H
#define NAS_SCORE_H

#include "core/machine.h"
#include "nn/net.h"
#include "nn/weights.h"

enum { SCORE_MAX_TAPS = GRAPH_MAX_TAPS };

struct score_panel;

/* The fixed batch of a search, and what the reference makes of it. Read-only while scoring. */
struct score_batch {
    int n;
    struct shape shape;
    int n_classes;
    const float *x;        /* [n, h, w, c], normalised */
    const int32_t *labels; /* [n] */
    int n_taps;
    const double *gram[SCORE_MAX_TAPS]; /* [n, n] centred Gram matrices of the reference's taps;
                                           NULL without one */
    const struct score_panel *panel;    /* of a score with members (nas/panel.h); else NULL */
};

struct score_options {
    struct model_size size; /* of the network that is scored */
    int side;               /* of the images it sees, shrunk to that; 0 = as they come */
    int steps;              /* updates before the score is read */
    float lr, momentum, decay;
    double beta;       /* share of the representation term in the loss */
    uint32_t tap_mask; /* which taps enter (bit i = tap i) */
    enum net_init init;
    uint64_t seed;
};

/* One line of a score's course, for --trace. */
struct score_step {
    int step;
    double loss, cka[SCORE_MAX_TAPS], cross_entropy;
};

/* Where the time of a score goes; seconds are added up. */
enum score_part {
    SCORE_BUILD,
    SCORE_FORWARD,
    SCORE_GRAM,
    SCORE_BACKWARD,
    SCORE_UPDATE,
    SCORE_N_PARTS
};

struct score_job {
    const struct machine *mc;
    const struct graph *graph; /* the candidate */
    const struct score_batch *batch;
    const struct score_options *options;
    const char *init_path;      /* NULL, or a safetensors file to start from */
    const char *save_init_path; /* NULL, or where to write the starting weights */
    const struct weights_info
        *info; /* what save_init_path says of itself; may be NULL without it */
    void (*on_step)(void *ctx, const struct score_step *step); /* NULL = nobody listens */
    void *ctx;
    double *seconds;  /* NULL, or [SCORE_N_PARTS] to add to */
    struct arena tmp; /* scratch of at least plan_bytes */
};

/* Images of the fixed batch. */
enum { SCORE_BATCH = 32 };
/* What agg-lite and its members look at: half the published width, a quarter of CIFAR's pixels, half
 * of the images. */
enum { SCORE_LITE_WIDTH = 8, SCORE_LITE_SIDE = 16, SCORE_LITE_BATCH = 16 };

struct score {
    const char *name, *help;
    bool needs_reference; /* a batch and Gram matrices of a reference network */
    bool needs_batch;     /* images and labels; implied by needs_reference */
    bool no_weights;      /* a property of the graph alone: there is nothing to initialise */
    int batch; /* images of the batch, where nobody says otherwise; 0 = SCORE_BATCH */
    const char *const *members; /* names of the scores it is made of, NULL at the end; or NULL */
    void (*defaults)(struct score_options *options);
    size_t (*plan_bytes)(const struct machine *mc, const struct graph *g,
                         const struct score_batch *batch);
    /* *value may come back NaN: the caller turns that into VERDICT_DIVERGED. False only for errors
     * of the world. */
    bool (*run)(const struct score_job *job, double *value, struct err *e);
};

int score_count(void);
const struct score *score_at(int i);
MUST_USE bool score_find(const struct score **out, const char *name, struct err *e);

#endif
