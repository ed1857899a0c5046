/*
 * model.h: named architectures. A room (nn/model_*.c) recognises the names it builds; nn/models.c
 * lists the rooms. Names: resnet20 | resnet32 | resnet44 | resnet56, nb201:CODE (six digits) or
 * nb201:STRING (the benchmark's string), mlp:W1,W2,...
 */
#ifndef NN_MODEL_H
#define NN_MODEL_H

#include "nn/graph.h"

enum { MODEL_MAX_CELLS = 40, MODEL_MAX_WIDTH = 1024 };

/* Of models that stack one cell: smaller ones stand for them where scores are asked for. */
struct model_size {
    int n_cells; /* cells a stage, at most MODEL_MAX_CELLS; 0 = as published */
    int width;   /* channels of the first stage, at most MODEL_MAX_WIDTH; 0 = as published */
};

struct model_spec {
    char arch[256];
    struct shape input;
    int n_classes;
    struct model_size size; /* all 0: as published */
};

struct model {
    const char *name; /* "resnet" */
    const char *help; /* one line */
    bool (*match)(const char *arch);
    /* Build into a fresh graph, with taps marked and finished. */
    bool (*build)(struct graph *g, const struct model_spec *spec, struct err *e);
    /* Recognise a weight file by its tensor names (sorted, n of them); fills arch. NULL = never. */
    bool (*recognise)(const char *const *names, int n, char arch[256]);
};

/* Build any known architecture in the arena. ERR_USAGE names the known ones when arch is unknown.
 */
MUST_USE bool model_build(struct graph **out, struct arena *keep, const struct model_spec *spec,
                          struct err *e);

#endif
