/*
 * Costs from a block table, for FBNet: a CSV whose rows are named by a column "block", in
 * HW-NAS-Bench's words (ConvBlock_H32_W32_Cin16_Cout24_exp6_kernel3_stride1_group1). A network
 * costs the sum of its stem, 22 layers, head, pool and classifier. The sum is ready when the table
 * is read: pricing is 22 additions. A missing or negative entry means that the device cannot run
 * the block.
 */
#include "nas/cost.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/csv.h"
#include "core/file.h"
#include "nas/devices.h"
#include "nas/lookup.h"
#include "nn/model_fbnet.h"

struct blocks {
    double fixed;                                              /* stem, head, pool, classifier */
    double layer[MODEL_FBNET_N_LAYERS][MODEL_FBNET_N_CHOICES]; /* NaN = cannot be run */
};

/* Architecture tables ("table:") and predictors ("predict:") are other rooms'. */
static bool blocks_match(const struct cost_options *o)
{
    return strcmp(o->space->name, "fbnet") == 0 && strncmp(o->device, "table:", 6) != 0 &&
           strncmp(o->device, "predict:", 8) != 0;
}

/* blocks:FILE[:COLUMN], or a device of the folder. */
static bool blocks_find(const char **path, const char **column, struct arena *keep,
                        const struct cost_options *o, struct err *e)
{
    const char *metric = o->metric ? o->metric : "latency";
    struct devices devices;
    const struct device *device;
    if (strncmp(o->device, "blocks:", 7) == 0) {
        char *file, *col;
        lookup_split(keep, o->device + 7, &file, &col);
        *path = file;
        *column = col;
        if (!col) {
            err_set(e, ERR_USAGE, "'%.200s' names no column", o->device);
            return err_hint(e, "blocks:FILE:COLUMN, for instance blocks:lut.csv:fpga_latency");
        }
        return true;
    }
    if (!o->tables_dir) {
        err_set(e, ERR_USAGE, "unknown device '%.80s'", o->device);
        return err_hint(e, "known in fbnet: local, flops, params, blocks:FILE:COLUMN, "
                           "table:FILE:COLUMN; others come from --tables DIR");
    }
    if (!devices_scan_blocks(&devices, keep, o->tables_dir, e) ||
        !devices_find(&device, &devices, o->device, metric, e)) {
        return false;
    }
    *path = device->path;
    *column = device->column;
    return true;
}

struct block_table {
    struct csv csv;
    int key, value;
};

/* The entry of a block; NaN where its cell is no number. False if the table does not have it. */
static bool block_value(const struct block_table *t, const char *name, double *value, struct err *e)
{
    for (size_t row = 0; row < t->csv.n_rows; row++) {
        if (strcmp(csv_cell(&t->csv, row, t->key), name) == 0) {
            struct err ignored;
            if (!csv_number(&t->csv, row, t->value, value, &ignored) || *value < 0) {
                *value = NAN;
            }
            return true;
        }
    }
    err_set(e, ERR_USAGE, "%s has no block %s", t->csv.path, name);
    return err_hint(e, "HW-NAS-Bench's table: --image 32x32x3 with --classes 10 or 100, "
                       "224x224x3 with 1000");
}

static bool blocks_fixed(struct blocks *b, const struct block_table *t,
                         const struct model_spec *spec, struct err *e)
{
    struct model_fbnet_layer last = model_fbnet_layer(spec->input, MODEL_FBNET_N_LAYERS - 1);
    int head = model_fbnet_head(spec->input);
    char name[4][96];
    snprintf(name[0], sizeof name[0], "ConvNorm_H%d_W%d_Cin%d_Cout%d_kernel3_stride%d_group1",
             spec->input.h, spec->input.w, spec->input.c, MODEL_FBNET_STEM,
             model_fbnet_stem_stride(spec->input));
    snprintf(name[1], sizeof name[1], "ConvNorm_H%d_W%d_Cin%d_Cout%d_kernel1_stride1_group1",
             last.h, last.w, last.cout, head);
    snprintf(name[2], sizeof name[2], "AvgP_H%d_W%d_Cin%d_Cout%d_kernel%d_stride1", last.h, last.w,
             head, head, last.h);
    snprintf(name[3], sizeof name[3], "FC_Cin%d_Cout%d", head, spec->n_classes);
    for (int i = 0; i < 4; i++) {
        double value;
        if (!block_value(t, name[i], &value, e)) {
            return false;
        }
        b->fixed += value;
    }
    return true;
}

static bool blocks_layers(struct blocks *b, const struct block_table *t,
                          const struct model_spec *spec, struct err *e)
{
    for (int i = 0; i < MODEL_FBNET_N_LAYERS; i++) {
        struct model_fbnet_layer l = model_fbnet_layer(spec->input, i);
        for (int k = 0; k < MODEL_FBNET_N_CHOICES; k++) {
            struct model_fbnet_choice c = model_fbnet_choice(k);
            char shape[64], name[128];
            snprintf(shape, sizeof shape, "H%d_W%d_Cin%d_Cout%d", l.h, l.w, l.cin, l.cout);
            if (k == MODEL_FBNET_SKIP) {
                snprintf(name, sizeof name, "Skip_%s_stride%d", shape, l.stride);
            } else {
                snprintf(name, sizeof name, "ConvBlock_%s_exp%d_kernel%d_stride%d_group%d", shape,
                         c.expansion, c.kernel, l.stride, c.groups);
            }
            if (!block_value(t, name, &b->layer[i][k], e)) {
                return false;
            }
        }
    }
    return true;
}

static bool blocks_open(struct cost *c, struct arena *keep, const struct cost_options *o,
                        struct err *e)
{
    const char *path = NULL, *column = NULL, *metric = "", *unit = "";
    struct blocks *b = arena_push_zero(keep, 1, sizeof *b);
    if (!blocks_find(&path, &column, keep, o, e)) {
        return false;
    }
    char *name = arena_push(keep, strlen(column) + 1, 1);
    struct arena tmp = *keep; /* the table's text is forgotten */
    struct block_table t;
    if (!file_sha256(path, c->sha256, e) || !csv_read(&t.csv, &tmp, path, e)) {
        return false;
    }
    t.key = csv_column(&t.csv, "block");
    t.value = csv_column(&t.csv, column);
    if (t.key < 0 || t.value < 0) {
        return err_set(e, t.key < 0 ? ERR_INPUT : ERR_USAGE, "%s: there is no column '%.80s'", path,
                       t.key < 0 ? "block" : column);
    }
    if (!blocks_fixed(b, &t, &o->model, e) || !blocks_layers(b, &t, &o->model, e)) {
        return false;
    }
    bool known = devices_split(column, name, &metric, &unit);
    snprintf(c->name, sizeof c->name, "%s%s%s", known ? name : column, known ? " " : "", metric);
    snprintf(c->unit, sizeof c->unit, "%s", unit);
    snprintf(c->source, sizeof c->source, "%s:%s, summed over blocks", path, column);
    c->state = b;
    return true;
}

static bool blocks_of(const struct cost *c, const struct arch *a, double *value, struct arena tmp)
{
    (void)tmp;
    const struct blocks *b = c->state;
    *value = b->fixed;
    for (int i = 0; i < MODEL_FBNET_N_LAYERS; i++) {
        *value += b->layer[i][a->gene[i]];
    }
    return *value >= 0; /* NaN is not */
}

const struct cost_kind cost_blocks = {
    .name = "blocks",
    .help = "fbnet: blocks:FILE:COLUMN, or a device named in a block table of --tables",
    .parallel_safe = true,
    .has_energy = true,
    .match = blocks_match,
    .open = blocks_open,
    .of = blocks_of,
};
