#include "data/hwnas.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/number.h"
#include "core/pickle.h"

enum { MAX_METRICS = 64, MAX_NAME = 128 };

/* The columns of a table: metrics as they stand in the pickle. */
struct metrics {
    char name[MAX_METRICS][MAX_NAME];
    const struct pickle_value *values[MAX_METRICS];
    int n;
};

/* A name that may become a column, a folder, a cell: letters, digits, _ and -. */
static bool name_copy(char out[MAX_NAME], const struct pickle_value *v)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    if ((v->type != PICKLE_TEXT && v->type != PICKLE_BYTES) || v->u.text.n == 0 ||
        v->u.text.n >= MAX_NAME) {
        return false;
    }
    memcpy(out, v->u.text.s, v->u.text.n);
    out[v->u.text.n] = 0;
    return strlen(out) == v->u.text.n && strspn(out, good) == v->u.text.n;
}

static size_t items(const struct pickle_value *dict)
{
    return dict && dict->type == PICKLE_DICT ? dict->u.seq.n : 0;
}

/* The metrics of a dict; "config", which describes the networks, is not one. */
static bool metrics_read(struct metrics *m, const struct pickle_value *dict, const char *path,
                         const char *what, struct err *e)
{
    m->n = 0;
    for (size_t i = 0; i < items(dict); i += 2) {
        char name[MAX_NAME];
        if (!name_copy(name, dict->u.seq.items[i]) || m->n == MAX_METRICS) {
            return err_set(e, ERR_INPUT, "%s: %s: a metric without a proper name", path, what);
        }
        if (strcmp(name, "config") != 0) {
            memcpy(m->name[m->n], name, sizeof name);
            m->values[m->n++] = dict->u.seq.items[i + 1];
        }
    }
    return m->n > 0 || err_set(e, ERR_INPUT, "%s: %s: a dict of metrics expected", path, what);
}

/* The text of a table while it is put together. */
struct sheet {
    char *text;
    size_t n, cap;
};

static bool sheet_init(struct sheet *s, struct arena *tmp, const struct metrics *m, const char *key,
                       size_t n_rows, struct err *e)
{
    *s = (struct sheet){.cap = (n_rows + 1) * (MAX_NAME + (size_t)m->n * 32) +
                               (size_t)m->n * MAX_NAME};
    s->text = arena_try(tmp, s->cap, 1, e);
    if (!s->text) {
        return false;
    }
    s->n = (size_t)sprintf(s->text, "%s", key);
    for (int i = 0; i < m->n; i++) {
        s->n += (size_t)sprintf(s->text + s->n, ",%s", m->name[i]);
    }
    s->text[s->n++] = '\n';
    return true;
}

static void sheet_number(struct sheet *s, double x)
{
    s->text[s->n++] = ',';
    number_format(s->text + s->n, isfinite(x) ? x : NAN);
    s->n += strlen(s->text + s->n);
}

static bool sheet_write(struct sheet *s, struct hwnas_table *t, struct arena *keep, const char *dir,
                        const char *folder, const char *name, struct err *e)
{
    const char *to = arena_printf(keep, "%s/%s", dir, folder);
    t->path = arena_printf(keep, "%s/%s", to, name);
    ASSERT(s->n <= s->cap);
    return file_mkdirs(to, e) && file_write(t->path, s->text, s->n, e);
}

static bool import_nb201(struct hwnas_table *t, struct arena *keep, const struct pickle_value *dict,
                         const char *set, const char *path, const char *dir, struct arena tmp,
                         struct err *e)
{
    struct metrics *m = arena_push(&tmp, 1, sizeof *m);
    struct sheet s;
    t->what = arena_printf(keep, "nasbench201 %s", set);
    if (!metrics_read(m, dict, path, t->what, e)) {
        return false;
    }
    t->n_metrics = m->n;
    t->n_rows = pickle_count(m->values[0]);
    for (int i = 0; i < m->n; i++) {
        if (pickle_count(m->values[i]) != t->n_rows || t->n_rows == 0) {
            return err_set(e, ERR_INPUT, "%s: %s: %zu values of %s, but %zu of %s", path, t->what,
                           pickle_count(m->values[i]), m->name[i], t->n_rows, m->name[0]);
        }
    }
    if (!sheet_init(&s, &tmp, m, "index", t->n_rows, e)) {
        return false;
    }
    for (size_t row = 0; row < t->n_rows; row++) {
        s.n += (size_t)sprintf(s.text + s.n, "%zu", row);
        for (int i = 0; i < m->n; i++) {
            double x;
            if (!pickle_number(m->values[i], row, &x)) {
                return err_set(e, ERR_INPUT, "%s: %s: value %zu of %s is no number", path, t->what,
                               row, m->name[i]);
            }
            sheet_number(&s, x);
        }
        s.text[s.n++] = '\n';
    }
    return sheet_write(&s, t, keep, dir, set, "hwnasbench_nb201.csv", e);
}

/* Blocks are those of the first metric, in its order; all others must have them too. */
static bool import_fbnet(struct hwnas_table *t, struct arena *keep, const struct pickle_value *dict,
                         const char *path, const char *dir, struct arena tmp, struct err *e)
{
    enum { MAX_BLOCKS = 4096 }; /* looked up one by one; there are 225 */
    struct metrics *m = arena_push(&tmp, 1, sizeof *m);
    struct sheet s;
    t->what = "fbnet";
    if (!metrics_read(m, dict, path, t->what, e)) {
        return false;
    }
    t->n_metrics = m->n;
    t->n_rows = items(m->values[0]) / 2;
    if (t->n_rows == 0 || t->n_rows > MAX_BLOCKS) {
        return err_set(e, ERR_INPUT, "%s: fbnet: a dict of blocks expected for %s", path,
                       m->name[0]);
    }
    if (!sheet_init(&s, &tmp, m, "block", t->n_rows, e)) {
        return false;
    }
    for (size_t row = 0; row < t->n_rows; row++) {
        char block[MAX_NAME];
        if (!name_copy(block, m->values[0]->u.seq.items[2 * row])) {
            return err_set(e, ERR_INPUT, "%s: fbnet: a block without a proper name", path);
        }
        s.n += (size_t)sprintf(s.text + s.n, "%s", block);
        for (int i = 0; i < m->n; i++) {
            double x;
            if (!pickle_scalar(pickle_get(m->values[i], block), &x)) {
                return err_set(e, ERR_INPUT, "%s: fbnet: %s has no number for %s", path, m->name[i],
                               block);
            }
            sheet_number(&s, x);
        }
        s.text[s.n++] = '\n';
    }
    return sheet_write(&s, t, keep, dir, "fbnet", "hwnasbench_fbnet.csv", e);
}

bool hwnas_import(struct hwnas_table *tables, int *n, struct arena *keep, const char *file,
                  const char *dir, struct err *e)
{
    struct arena memory; /* bounds what a file can make us use */
    const struct pickle_value *root;
    *n = 0;
    if (!arena_init(&memory, (size_t)2 << 30, e)) {
        return false;
    }
    bool ok = pickle_read(&root, &memory, file, e);
    const struct pickle_value *nb201 = ok ? pickle_get(root, "nasbench201") : NULL;
    const struct pickle_value *fbnet = ok ? pickle_get(root, "fbnet") : NULL;
    if (ok && !nb201 && !fbnet) {
        ok = err_set(e, ERR_INPUT, "%s: neither nasbench201 nor fbnet is in it", file);
        err_hint(e, "expected is HW-NAS-Bench-v1_0.pickle as its authors publish it");
    }
    for (size_t i = 0; ok && i < items(nb201); i += 2) {
        char set[MAX_NAME];
        if (!name_copy(set, nb201->u.seq.items[i]) || *n + 1 >= HWNAS_MAX_TABLES) {
            ok = err_set(e, ERR_INPUT, "%s: nasbench201: a data set without a proper name", file);
            break;
        }
        ok = import_nb201(&tables[(*n)++], keep, nb201->u.seq.items[i + 1], set, file, dir, memory,
                          e);
    }
    if (ok && nb201 && *n == 0) {
        ok = err_set(e, ERR_INPUT, "%s: nasbench201: a dict of data sets expected", file);
    }
    ok = ok && (!fbnet || import_fbnet(&tables[(*n)++], keep, fbnet, file, dir, memory, e));
    arena_release(&memory);
    return ok;
}
