#include "nas/lookup.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/csv.h"
#include "core/file.h"

static bool is_missing(const char *cell)
{
    /* Published tables write -inf for the logarithm of nothing: there is no value. */
    static const char *const words[] = {"", "-", "nan", "na", "none", "null", "-inf"};
    for (size_t i = 0; i < N_ELEMS(words); i++) {
        if (strcasecmp(cell, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The architecture of a row. */
static bool row_arch(struct arch *a, const struct space *space, const struct csv *t, size_t row,
                     int key, struct err *e)
{
    const char *cell = csv_cell(t, row, key);
    bool by_index = strcmp(t->names[key], "index") == 0;
    /* Rows are counted from the header, line 1. A quoted line break would put the count off by one.
     */
    size_t line = row + 2;
    if (!by_index) {
        return space->parse(a, cell, e) || err_wrap(e, "%s: line %zu", t->path, line);
    }
    char *end = NULL;
    long long index = strtoll(cell, &end, 10);
    if (end == cell || *end || !space->from_index(a, index)) {
        return err_set(e, ERR_INPUT, "%s: line %zu: index '%.40s' is not in space %s (0 to %lld)",
                       t->path, line, cell, space->name, (long long)space->size - 1);
    }
    return true;
}

/* Note that a row is about a; false if one was before. */
static bool lookup_meet(struct lookup *l, bool *met, const struct arch *a)
{
    if (l->by_index) {
        bool before = met[l->space->index(a)];
        met[l->space->index(a)] = true;
        return !before;
    }
    if (archmap_get(&l->by_arch, a)) {
        return false;
    }
    archmap_set(&l->by_arch, a, NAN);
    return true;
}

/* met: [space->size] scratch, all false; NULL in spaces beyond counting. */
static bool lookup_fill(struct lookup *l, const struct csv *t, int key, int column, bool *met,
                        struct err *e)
{
    for (size_t row = 0; row < t->n_rows; row++) {
        struct arch a;
        if (!row_arch(&a, l->space, t, row, key, e)) {
            return false;
        }
        if (!lookup_meet(l, met, &a)) {
            return err_set(e, ERR_INPUT, "%s: line %zu: architecture %.160s was there before",
                           t->path, row + 2, csv_cell(t, row, key));
        }
        if (is_missing(csv_cell(t, row, column))) {
            continue;
        }
        double value;
        if (!csv_number(t, row, column, &value, e)) {
            return false;
        }
        if (l->by_index) {
            l->by_index[l->space->index(&a)] = value;
        } else {
            *archmap_get(&l->by_arch, &a) = value;
        }
        l->n++;
    }
    return true;
}

static bool no_column(const struct csv *t, const char *column, struct err *e)
{
    char known[160] = "";
    for (int i = 0; i < t->n_cols; i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", t->names[i]);
    }
    err_set(e, ERR_USAGE, "%s: there is no column '%.80s'", t->path, column);
    return err_hint(e, "columns: %s", known);
}

bool lookup_open(struct lookup *l, struct arena *keep, const struct space *space, const char *path,
                 const char *column, struct err *e)
{
    *l = (struct lookup){.space = space};
    l->path = arena_strdup(keep, path);
    l->column = arena_strdup(keep, column);
    if (space->size >= 0) {
        l->by_index = arena_push(keep, (size_t)space->size, sizeof *l->by_index);
        for (int64_t i = 0; i < space->size; i++) {
            l->by_index[i] = NAN;
        }
    } else {
        archmap_init(&l->by_arch, keep);
    }
    /* The file's text is forgotten, unless the map has to grow beside it. */
    struct arena tmp = *keep;
    struct arena *where = space->size >= 0 ? &tmp : keep;
    struct csv t;
    if (!file_sha256(path, l->sha256, e) || !csv_read(&t, where, path, e)) {
        return false;
    }
    int key = csv_column(&t, "index");
    key = key >= 0 ? key : csv_column(&t, "arch");
    key = key >= 0 ? key : csv_column(&t, "arch_ops"); /* HELP's FBNet tables */
    int value = csv_column(&t, column);
    if (key < 0) {
        return err_set(e, ERR_INPUT, "%s: no column 'index' or 'arch' names the architectures",
                       path);
    }
    if (value < 0) {
        return no_column(&t, column, e);
    }
    bool *met = space->size >= 0 ? arena_push_zero(&tmp, (size_t)space->size, sizeof *met) : NULL;
    return lookup_fill(l, &t, key, value, met, e);
}

double lookup_get(const struct lookup *l, const struct arch *a)
{
    if (l->by_index) {
        return l->by_index[l->space->index(a)];
    }
    const double *value = archmap_get(&l->by_arch, a);
    return value ? *value : NAN;
}

void lookup_split(struct arena *keep, const char *spec, char **path, char **column)
{
    *path = arena_strdup(keep, spec);
    *column = NULL;
    char *colon = strrchr(*path, ':');
    if (colon && !file_exists(spec)) {
        *colon = 0;
        *column = colon + 1;
    }
}
