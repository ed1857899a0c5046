/*
 * dataset.h: labelled images in memory. A room (data/NAME.c) knows one format; data/datasets.c
 * lists the rooms. Every parser treats its input as hostile.
 *
 * SPEC: builtin | cifar10:DIR | cifar100:DIR | mnist:DIR | fashion-mnist[:DIR] |
 *       images:DIR | synthetic[:N] | sprites[:N][,side=S][,noise][,colour]
 */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H

#include "core/arena.h"
#include "core/feed.h"

enum dataset_split { DATASET_TRAIN, DATASET_TEST };

/* What an image was made from, where that is known: for disentanglement metrics. */
struct dataset_factors {
    int n;                    /* 0 = unknown, as for most sets */
    const char *const *names; /* [n] "shape" ... */
    const int32_t *cards;     /* [n] how many values each has */
    int32_t *values;          /* [images, n], 0 .. card-1 */
};

struct dataset {
    char name[32];  /* "cifar10" */
    char spec[512]; /* as given */
    struct shape shape;
    size_t n;
    int n_classes;
    uint8_t *pixels;                /* [n, h, w, c] */
    int32_t *labels;                /* [n], 0 .. n_classes-1 */
    const char *const *class_names; /* [n_classes] or NULL */
    float mean[FEED_MAX_CHANNELS];  /* customary normalisation of this set, of value/255 */
    float std[FEED_MAX_CHANNELS];
    char sha256[65]; /* over the files read, in order: for the manifest */
    struct dataset_factors factors;
};

struct dataset_options {
    int resize;    /* images: side to resize to; 0 = 32 */
    size_t limit;  /* at most this many images (0 = all), the first ones */
    uint64_t seed; /* synthetic, sprites */
};

struct dataset_format {
    const char *name; /* the word before ':' in SPEC */
    const char *help; /* one line */
    /* rest: what follows ':' ("" if nothing). */
    bool (*open)(struct dataset *ds, struct arena *keep, const char *rest, enum dataset_split split,
                 const struct dataset_options *options, struct err *e);
};

/* Open any SPEC. ERR_USAGE names the known formats; ERR_INPUT names path, offset, expected and
 * found. */
MUST_USE bool dataset_open(struct dataset *ds, struct arena *keep, const char *spec,
                           enum dataset_split split, const struct dataset_options *options,
                           struct err *e);

/* The known formats: i = 0 .. dataset_n_formats()-1. */
int dataset_n_formats(void);
const struct dataset_format *dataset_format(int i);

#endif
