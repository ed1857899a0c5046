/* table.h: aligned text for people: a header, rows, columns of numbers to the right. For data use
 * CSV or JSON. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "core/arena.h"

#include <stdio.h>

enum { TABLE_MAX_COLS = 16 };

struct table {
    struct arena *keep;
    int n_cols;
    const char *heads[TABLE_MAX_COLS]; /* not owned */
    char **cells;                      /* [n_cells], row by row */
    size_t n_cells, cap;
};

void table_init(struct table *t, struct arena *keep, const char *const *heads, int n_cols);

/* The next cell, row by row. */
void table_add(struct table *t, const char *text);
void table_printf(struct table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Print with the column names above. A column all of whose cells begin like numbers is aligned
 * right. On a terminal the last columns give way until a row fits its width: text is cut with an
 * ellipsis. Rows must be complete. */
void table_print(const struct table *t, FILE *f);

#endif
