#define _GNU_SOURCE
#include "cli/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/progress.h"
#include "cli/signals.h"
#include "core/file.h"
#include "data/loader.h"
#include "nas/batchfile.h"
#include "nas/batch_shrink.h"
#include "nas/reference.h"

/* The reference that ships with hdnas: ResNet-20 trained on Fashion-MNIST. */
static const char builtin_reference[] = "resnet20-fashion-mnist.safetensors";

static bool judge_taps(uint32_t *mask, const char *list, struct err *e)
{
    *mask = 0;
    for (const char *p = list; *p;) {
        char *end;
        long tap = strtol(p, &end, 10);
        if (end == p || tap < 1 || tap > SCORE_MAX_TAPS || (*end && *end != ',')) {
            return err_set(e, ERR_USAGE,
                           "--taps %s: expected numbers from 1 to %d, separated by commas", list,
                           SCORE_MAX_TAPS);
        }
        *mask |= 1u << (tap - 1);
        p = *end ? end + 1 : end;
    }
    return *mask != 0 || err_set(e, ERR_USAGE, "--taps: at least one tap must enter");
}

static uint64_t judge_seed(const struct options *o)
{
    return (uint64_t)options_int(o, options_given(o, "score-seed") ? "score-seed" : "seed");
}

static int judge_batch_size(const struct judge *j, const struct options *o)
{
    return options_given(o, "batch-size") ? (int)options_int(o, "batch-size")
           : j->score->batch > 0          ? j->score->batch
                                          : SCORE_BATCH;
}

static bool judge_score_options(struct score_options *s, const struct score *score,
                                const struct options *o, struct err *e)
{
    score->defaults(s);
    s->seed = judge_seed(o);
    s->size.n_cells = options_given(o, "cells") ? (int)options_int(o, "cells") : s->size.n_cells;
    s->size.width = options_given(o, "channels") ? (int)options_int(o, "channels") : s->size.width;
    s->side = options_given(o, "image-size") ? (int)options_int(o, "image-size") : s->side;
    s->steps = options_given(o, "steps") ? (int)options_int(o, "steps") : s->steps;
    s->lr = options_given(o, "lr") ? (float)options_real(o, "lr") : s->lr;
    s->momentum = options_given(o, "momentum") ? (float)options_real(o, "momentum") : s->momentum;
    s->decay = options_given(o, "weight-decay") ? (float)options_real(o, "weight-decay") : s->decay;
    s->beta = options_given(o, "beta") ? options_real(o, "beta") : s->beta;
    return !options_given(o, "taps") || judge_taps(&s->tap_mask, options_text(o, "taps"), e);
}

static bool judge_reference_path(struct judge *j, const struct options *o, struct arena *keep,
                                 struct err *e)
{
    const char *data = options_text(o, "data");
    j->reference_path = options_text(o, "reference");
    if (j->reference_path) {
        return true;
    }
    if (strcmp(data, "builtin") != 0 && strncmp(data, "fashion-mnist", 13) != 0) {
        err_set(e, ERR_USAGE, "--score %s needs a reference network for --data %s", j->score->name,
                data);
        return err_hint(e, "--reference FILE.safetensors; hdnas train makes one");
    }
    char *path;
    if (!file_share_path(keep, builtin_reference, &path, e)) {
        return false;
    }
    j->reference_path = path;
    return true;
}

static bool judge_dataset(struct judge *j, struct dataset *ds, struct arena *keep,
                          const struct options *o, struct err *e)
{
    struct dataset_options options = {
        .limit = (size_t)options_int(o, "limit"),
        .seed = judge_seed(o),
    };
    if (!dataset_open(ds, keep, options_text(o, "data"), DATASET_TRAIN, &options, e)) {
        return false;
    }
    memcpy(j->data_sha256, ds->sha256, sizeof j->data_sha256);
    snprintf(j->data_name, sizeof j->data_name, "%s", ds->name);
    return true;
}

/* The batch drawn from the data set as the reference was trained to see it: same normalisation,
 * same size. */
static bool judge_draw(struct judge *j, struct net *reference, const struct options *o,
                       struct arena *keep, const struct machine *mc, struct arena tmp,
                       struct err *e)
{
    struct dataset ds;
    struct feed feed;
    struct reference_drawn drawn;
    struct arena data;
    struct loader_options loader = {
        .shuffle = true,
        .crop_pad = 4,
        .flip = true,
        .seed = judge_seed(o),
        .mean = j->info.mean,
        .std = j->info.std,
        .shape = j->info.spec.input,
    };
    struct reference_options ro = {
        .n_draw = (int)options_int(o, "draw"),
        .n_keep = judge_batch_size(j, o),
    };
    /* Given back before the reference is at work. */
    if (!arena_init(&data, judge_worker_bytes(o, 1), e)) {
        return false;
    }
    bool ok = judge_dataset(j, &ds, &data, o, e);
    if (ok && ds.n_classes != j->info.spec.n_classes) {
        ok = err_set(e, ERR_INPUT, "%s tells %d classes apart, --data %s has %d", j->reference_path,
                     j->info.spec.n_classes, options_text(o, "data"), ds.n_classes);
    }
    ok = ok && loader_feed(&feed, &data, &ds, &loader, e) &&
         reference_draw(&drawn, &tmp, &feed, &ro, e);
    arena_release(&data);
    return ok && reference_batch(&j->batch, keep, mc, reference, &drawn, ro.n_keep, tmp, e);
}

static bool judge_with_reference(struct judge *j, const struct options *o, struct arena *keep,
                                 const struct machine *mc, struct arena tmp, struct err *e)
{
    const char *file = options_text(o, "batch");
    struct graph *graph;
    struct net *net;
    if (!judge_reference_path(j, o, keep, e) ||
        !weights_info_read(&j->info, j->reference_path, options_text(o, "reference-arch"), e) ||
        !file_sha256(j->reference_path, j->reference_sha256, e) ||
        (file && !batchfile_read(&j->batch, keep, file, j->info.spec.n_classes, e))) {
        return false;
    }
    int n_draw = file ? j->batch.n : (int)options_int(o, "draw");
    if (!model_build(&graph, &tmp, &j->info.spec, e) ||
        !net_new(&net, &tmp, mc, graph, n_draw, NET_STATS, e) ||
        !weights_load(net, j->reference_path, tmp, e)) {
        return false;
    }
    j->model = j->info.spec;
    j->model.arch[0] = 0;
    return file ? reference_grams(&j->batch, keep, mc, net, tmp, e)
                : judge_draw(j, net, o, keep, mc, tmp, e);
}

/* The first images of the data set's shuffled order, as they are. */
static bool judge_plain(struct judge *j, const struct dataset *ds, const struct options *o,
                        struct arena *keep, struct arena tmp, struct err *e)
{
    struct feed feed;
    struct loader_options loader = {.shuffle = true, .seed = judge_seed(o)};
    int n = judge_batch_size(j, o);
    if ((size_t)n > ds->n) {
        err_set(e, ERR_USAGE, "--batch-size %d: --data %s has %zu images", n,
                options_text(o, "data"), ds->n);
        return err_hint(e, "lower --batch-size, or use more data");
    }
    float *x = arena_try(keep, (size_t)n * shape_count(ds->shape), sizeof *x, e);
    int32_t *labels = x ? arena_try(keep, (size_t)n, sizeof *labels, e) : NULL;
    if (!labels || !loader_feed(&feed, &tmp, ds, &loader, e)) {
        return false;
    }
    feed_fill(&feed, 0, 0, n, x, labels);
    memcpy(j->info.mean, feed.mean, sizeof j->info.mean);
    memcpy(j->info.std, feed.std, sizeof j->info.std);
    j->info.has_norm = true;
    j->batch = (struct score_batch){
        .n = n, .shape = ds->shape, .n_classes = ds->n_classes, .x = x, .labels = labels};
    return true;
}

static bool judge_without_reference(struct judge *j, const struct options *o, struct arena *keep,
                                    struct arena tmp, struct err *e)
{
    struct dataset ds;
    const char *file = options_text(o, "batch");
    if (!judge_dataset(j, &ds, &tmp, o, e)) {
        return false;
    }
    j->model = (struct model_spec){.input = ds.shape, .n_classes = ds.n_classes};
    if (!j->score->needs_batch) {
        return true;
    }
    if (!file) {
        return judge_plain(j, &ds, o, keep, tmp, e);
    }
    if (!batchfile_read(&j->batch, keep, file, ds.n_classes, e)) {
        return false;
    }
    j->model.input = j->batch.shape;
    return true;
}

/* Candidates see smaller images than the reference has. */
static bool judge_shrink(struct judge *j, const struct options *o, struct arena *keep,
                         struct err *e)
{
    int *side = &j->score_options.side;
    struct shape *in = &j->model.input;
    if (*side > MIN(in->h, in->w) && !options_given(o, "image-size")) {
        *side = 0; /* small enough */
    }
    if (*side == 0) {
        return true;
    }
    if (*side > MIN(in->h, in->w)) {
        return err_set(e, ERR_USAGE, "--image-size %d: the images are %dx%d", *side, in->h,
                       in->w);
    }
    in->h = in->w = *side;
    return j->batch.n == 0 || batch_shrink(&j->batch, *side, keep, e);
}

static void judge_on_calibrated(void *ctx, int n)
{
    progress_show(ctx, n, NULL);
}

static bool judge_stop(void *ctx)
{
    (void)ctx;
    return signals_pending();
}

/* The members of a score made of others, and the ranks of random networks. */
static bool judge_panel(struct judge *j, const struct options *o, const struct space *space,
                        struct arena *keep, const struct machine *mc, struct err *e)
{
    struct progress progress;
    struct panel_sample sample = {
        .mc = mc,
        .space = space,
        .model = &j->model,
        .batch = &j->batch,
        .n = (int)options_int(o, "calibration"),
        .seed = judge_seed(o),
        .worker_bytes = judge_worker_bytes(o, mc->n_threads),
        .stop = judge_stop,
        .on_done = judge_on_calibrated,
        .ctx = &progress,
    };
    for (int i = 0; j->score->members[i]; i++) {
        struct panel_member *m = &j->panel.member[j->panel.n_members++];
        ASSERT(i < PANEL_MAX_MEMBERS);
        if (!score_find(&m->score, j->score->members[i], e) ||
            !judge_score_options(&m->options, m->score, o, e)) {
            return false;
        }
        m->options.size = j->score_options.size; /* one network for all */
    }
    progress_open(&progress, "calibrate", "networks", 0, sample.n, o->quiet);
    bool ok = panel_calibrate(&j->panel, keep, &sample, e);
    progress_close(&progress);
    j->batch.panel = &j->panel;
    return ok;
}

/* Only networks that stack one cell have smaller ones to stand for them; others are scored as they
 * are, on the images as they are unless somebody says otherwise. */
static bool judge_size(struct score_options *s, const struct space *space, const struct options *o,
                       struct err *e)
{
    if (space->repeats) {
        return true;
    }
    if (options_given(o, "cells") || options_given(o, "channels")) {
        return err_set(e, ERR_USAGE,
                       "--cells, --channels: networks of the space %s do not stack one cell",
                       space->name);
    }
    s->size = (struct model_size){0};
    s->side = options_given(o, "image-size") ? s->side : 0;
    return true;
}

bool judge_open(struct judge *j, const struct options *o, struct arena *keep,
                const struct machine *mc, struct err *e)
{
    return judge_open_score(j, o, options_text(o, "score"), keep, mc, e);
}

bool judge_open_score(struct judge *j, const struct options *o, const char *score,
                      struct arena *keep, const struct machine *mc, struct err *e)
{
    const struct space *space;
    *j = (struct judge){0};
    if (!space_find(&space, options_text(o, "space"), e) || !score_find(&j->score, score, e) ||
        !judge_score_options(&j->score_options, j->score, o, e)) {
        return false;
    }
    if (!judge_size(&j->score_options, space, o, e)) {
        return false;
    }
    /* The reference at work on hundreds of images needs memory that the search does not: a range of
     * its own. */
    struct arena tmp;
    if (!arena_init(&tmp, judge_worker_bytes(o, 1), e)) {
        return false;
    }
    bool ok = j->score->needs_reference ? judge_with_reference(j, o, keep, mc, tmp, e)
                                        : judge_without_reference(j, o, keep, tmp, e);
    const char *save = options_text(o, "save-batch");
    if (ok && save && j->batch.n == 0) {
        ok = err_set(e, ERR_USAGE, "--save-batch: the score %s uses no batch", j->score->name);
    }
    /* As the reference has seen it, so that --batch gives the same scores. */
    ok = ok && (!save || batchfile_write(&j->batch, save, tmp, e)) && judge_shrink(j, o, keep, e);
    arena_release(&tmp);
    return ok && (!j->score->members || judge_panel(j, o, space, keep, mc, e));
}

size_t judge_worker_bytes(const struct options *o, int n_workers)
{
    size_t bytes = (size_t)options_int(o, "memory") << 20;
    if (bytes == 0) {
        long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
        bytes = pages > 0 && page_bytes > 0 ? (size_t)pages * (size_t)page_bytes / 4 * 3
                                            : (size_t)4 << 30;
    }
    return MAX(bytes / (size_t)n_workers, (size_t)16 << 20);
}
