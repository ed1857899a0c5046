/* csv.h: RFC 4180 tables with a header row, read whole and checked: every row has as many fields as
 * the header. */
#ifndef CORE_CSV_H
#define CORE_CSV_H

#include "core/arena.h"

struct csv {
    const char *path; /* for messages */
    int n_cols;
    size_t n_rows; /* without the header */
    char **names;  /* [n_cols] */
    char **cells;  /* [n_rows * n_cols], unquoted, zero-terminated */
};

/* Read a file (at most 256 MiB). ERR_INPUT names path and line. `|` in a field is an ordinary
 * character. */
MUST_USE bool csv_read(struct csv *csv, struct arena *keep, const char *path, struct err *e);

/* The same of bytes in memory, followed by a zero byte; they are cut up, and cells point into them. */
MUST_USE bool csv_parse(struct csv *csv, struct arena *keep, const char *path, unsigned char *bytes,
                        size_t n, struct err *e);

/* The same for a log that grows a line at a time: a last line without its end was cut by a crash, or is just being
 * written, and is passed over. */
MUST_USE bool csv_read_log(struct csv *csv, struct arena *keep, const char *path, struct err *e);

/* Column of that name, or -1. */
int csv_column(const struct csv *csv, const char *name);

/* A column that must be there: ERR_INPUT with the file and the name where it is not. */
MUST_USE bool csv_find(int *col, const struct csv *csv, const char *name, struct err *e);

static inline const char *csv_cell(const struct csv *csv, size_t row, int col)
{
    return csv->cells[row * (size_t)csv->n_cols + (size_t)col];
}

/* The line of the file that a row begins on. */
size_t csv_line(const struct csv *csv, size_t row);

/* A finite number; ERR_INPUT with path, line and what was found otherwise (NaN and infinities are
 * refused). */
MUST_USE bool csv_number(const struct csv *csv, size_t row, int col, double *value, struct err *e);

#endif
