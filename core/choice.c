#include "core/choice.h"

#include "core/csv.h"
#include "core/digest.h"
#include "core/file.h"
#include "core/problem.h"

#include <stdlib.h>
#include <string.h>

enum { CHOICE_MAX_BYTES = 16 << 20 };

enum choice_col { COL_PROBLEM, COL_DIRECTION, COL_TIER, COL_PRECISION, COL_ALGO, CHOICE_N_COLS };
static const char *const choice_cols[CHOICE_N_COLS] = {"problem", "direction", "tier", "precision",
                                                       "algo"};

static void choice_key(int key[9], const struct conv_shape *s, enum conv_dir dir)
{
    const int values[9] = {s->h, s->w, s->c, s->k, s->kh, s->stride, s->pad, s->groups, (int)dir};
    memcpy(key, values, sizeof values);
}

static int choice_order(const void *a, const void *b)
{
    const struct choice_row *x = a, *y = b;
    for (size_t i = 0; i < N_ELEMS(x->key); i++) {
        if (x->key[i] != y->key[i]) {
            return x->key[i] < y->key[i] ? -1 : 1;
        }
    }
    return 0;
}

enum conv_algo choice_find(const struct choice *c, const struct conv_shape *s, enum conv_dir dir)
{
    struct choice_row wanted;
    choice_key(wanted.key, s, dir);
    const struct choice_row *row =
        s->kh == s->kw ? bsearch(&wanted, c->rows, (size_t)c->n, sizeof *c->rows, choice_order)
                       : NULL;
    return row ? row->algo : CONV_AUTO;
}

/* Index of a word among those that name(i) gives, i < n; -1: none. */
static int choice_word(const char *word, const char *(*name)(int i), int n)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(word, name(i)) == 0) {
            return i;
        }
    }
    return -1;
}

static const char *choice_algo_name(int i)
{
    return conv_algo_name((enum conv_algo)i);
}

static const char *choice_dir_name(int i)
{
    return conv_dir_name((enum conv_dir)i);
}

static const char *choice_tier_name(int i)
{
    return cpu_tier_name((enum cpu_tier)i);
}

/* One row; *take is false for one of another tier or precision. */
static bool choice_row(struct choice_row *row, bool *take, const struct csv *csv, size_t i,
                       const int *cols, const struct machine *mc, struct err *e)
{
    const char *cell[CHOICE_N_COLS];
    struct conv_shape s;
    for (int k = 0; k < CHOICE_N_COLS; k++) {
        cell[k] = csv_cell(csv, i, cols[k]);
    }
    row->line = csv_line(csv, i);
    if (!problem_conv(&s, cell[COL_PROBLEM], e)) {
        e->code = ERR_INPUT;
        return err_wrap(e, "%s: line %zu", csv->path, row->line);
    }
    int dir = choice_word(cell[COL_DIRECTION], choice_dir_name, CONV_N_DIRS);
    int tier = choice_word(cell[COL_TIER], choice_tier_name, CPU_N_TIERS);
    bool bf16 = strcmp(cell[COL_PRECISION], "bf16") == 0;
    int algo = choice_word(cell[COL_ALGO], choice_algo_name, CONV_N_ALGOS);
    const struct {
        bool bad;
        enum choice_col col;
        const char *expected;
    } words[] = {
        {dir < 0, COL_DIRECTION, "fwd, bwd_data or bwd_weights"},
        {tier < 0, COL_TIER, "ref, neon, avx2 or avx512"},
        {!bf16 && strcmp(cell[COL_PRECISION], "fp32") != 0, COL_PRECISION, "fp32 or bf16"},
        {algo <= CONV_AUTO, COL_ALGO, "an algorithm (hdnas bench --list names them)"},
    };
    for (size_t k = 0; k < N_ELEMS(words); k++) {
        if (words[k].bad) {
            return err_set(e, ERR_INPUT, "%s: line %zu, column %s: expected %s, found \"%.60s\"",
                           csv->path, row->line, choice_cols[words[k].col], words[k].expected,
                           cell[words[k].col]);
        }
    }
    *take = tier == (int)mc->tier && bf16 == mc->bf16;
    if (*take && !conv_can(mc, &s, (enum conv_dir)dir, (enum conv_algo)algo)) {
        return err_set(e, ERR_INPUT, "%s: line %zu: %s cannot do %.100s %s", csv->path, row->line,
                       cell[COL_ALGO], cell[COL_PROBLEM], cell[COL_DIRECTION]);
    }
    choice_key(row->key, &s, (enum conv_dir)dir);
    row->algo = (enum conv_algo)algo;
    return true;
}

/* The file, its checksum, and its cells, all from one reading. */
static bool choice_bytes(struct choice *c, struct arena *keep, const char *path, struct csv *csv,
                         struct err *e)
{
    struct digest digest;
    unsigned char *bytes;
    *c = (struct choice){.path = arena_strdup(keep, path)};
    if (!file_read(keep, path, CHOICE_MAX_BYTES, &bytes, &c->n_bytes, e) ||
        !digest_open(&digest, e)) {
        return false;
    }
    digest_add(&digest, bytes, c->n_bytes);
    digest_close(&digest, c->sha256);
    c->bytes = memcpy(arena_push(keep, c->n_bytes + 1, 1), bytes, c->n_bytes);
    return csv_parse(csv, keep, path, bytes, c->n_bytes, e);
}

bool choice_read(struct choice *c, struct arena *keep, const char *path, const struct machine *mc,
                 struct err *e)
{
    struct csv csv;
    int cols[CHOICE_N_COLS];
    if (!choice_bytes(c, keep, path, &csv, e)) {
        return false;
    }
    for (int k = 0; k < CHOICE_N_COLS; k++) {
        cols[k] = csv_column(&csv, choice_cols[k]);
        if (cols[k] < 0) {
            return err_set(e, ERR_INPUT, "%s: line 1: no column %s: this is no tuned table", path,
                           choice_cols[k]);
        }
    }
    if (csv.n_rows > CHOICE_MAX_ROWS) {
        return err_set(e, ERR_INPUT, "%s: %zu rows, expected at most %d", path, csv.n_rows,
                       (int)CHOICE_MAX_ROWS);
    }
    struct choice_row *rows = arena_push(keep, csv.n_rows + 1, sizeof *rows);
    for (size_t i = 0; i < csv.n_rows; i++) {
        bool take;
        if (!choice_row(&rows[c->n], &take, &csv, i, cols, mc, e)) {
            return false;
        }
        c->n += take;
    }
    qsort(rows, (size_t)c->n, sizeof *rows, choice_order);
    for (int i = 1; i < c->n; i++) {
        if (choice_order(&rows[i - 1], &rows[i]) == 0) {
            size_t a = rows[i - 1].line, b = rows[i].line;
            return err_set(e, ERR_INPUT,
                           "%s: line %zu: the shape, direction, tier and precision of line %zu "
                           "again",
                           path, MAX(a, b), MIN(a, b));
        }
    }
    c->rows = rows;
    return true;
}
