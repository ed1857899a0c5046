/*
 * panel.h: several scores as one. Scores have no common unit, so each member tells which rank a
 * network would take among a fixed sample of random ones, drawn and scored once (the calibration).
 * A panel is read-only afterwards: a network's rank depends on nothing but the network, whatever
 * was scored before it and on how many threads.
 */
#ifndef NAS_PANEL_H
#define NAS_PANEL_H

#include "nas/score.h"
#include "nas/space.h"

enum { PANEL_MAX_MEMBERS = 8 };

/* What a member gave for the sample: distinct numbers and their ranks. */
struct panel_scale {
    int n_sample, n_missing; /* n_missing: of the sample, how many got no number */
    int n;
    const double *value, *rank; /* [n] ascending; rank 1 = worst of the sample, ties share theirs */
};

struct panel_member {
    const struct score *score;
    struct score_options options;
    struct panel_scale scale;
};

struct score_panel {
    int n_members;
    struct panel_member member[PANEL_MAX_MEMBERS];
};

/* Rank over n_sample + 1, in (0, 1), growing with value: between two of the sample in proportion,
 * beyond its ends nearing half a rank more but never there, so that no two values share a rank. A
 * value that is no finite number ranks below all others. O(log n). */
double panel_rank(const struct panel_scale *scale, double value);

/* The scale of values[n_sample] (NaN = none), in the arena. */
void panel_scale_new(struct panel_scale *scale, struct arena *keep, const double *values,
                     int n_sample);

struct panel_sample {
    const struct machine *mc; /* n_threads workers, one network each */
    const struct space *space;
    const struct model_spec *model; /* input shape and classes */
    const struct score_batch *batch;
    int n; /* networks, distinct and connected */
    uint64_t seed;
    size_t worker_bytes;
    bool (*stop)(void *ctx);           /* NULL, or asked between networks */
    void (*on_done)(void *ctx, int n); /* NULL, or told how many are done */
    void *ctx;
};

/* Draw the sample, score it by every member (score and options are filled), fill the scales. Same
 * bits on any number of threads. ERR_INTERRUPTED after a stop, ERR_INPUT where the space has fewer
 * than two such networks, ERR_FAILED where a network does not fit a worker's memory. Costs n times
 * the members. */
MUST_USE bool panel_calibrate(struct score_panel *panel, struct arena *keep,
                              const struct panel_sample *sample, struct err *e);

#endif
