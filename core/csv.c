#include "core/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

static const size_t csv_max_bytes = (size_t)256 << 20;

/* A hundred times the widest table we know of (some forty columns); it bounds the quadratic search
 * for repeated names. */
enum { CSV_MAX_COLS = 4096 };

/* Where the parser is. Fields are unquoted in place: writing never overtakes reading. */
struct csv_reader {
    const char *path;
    char *at, *end; /* *end is a zero byte beyond the file */
    size_t line;    /* 1 .. */
};

enum csv_after { CSV_COMMA, CSV_NEWLINE, CSV_END };

/* What follows a field; steps over it. */
static bool csv_step(struct csv_reader *r, enum csv_after *after, struct err *e)
{
    if (r->at == r->end) {
        *after = CSV_END;
        return true;
    }
    if (*r->at == ',') {
        r->at++;
        *after = CSV_COMMA;
        return true;
    }
    if (*r->at == '\n' || (*r->at == '\r' && r->at[1] == '\n')) {
        r->at += *r->at == '\n' ? 1 : 2;
        r->line++;
        *after = CSV_NEWLINE;
        return true;
    }
    if (*r->at == '\r') {
        return err_set(e, ERR_INPUT, "%s: line %zu: carriage return without line feed", r->path,
                       r->line);
    }
    return err_set(e, ERR_INPUT,
                   "%s: line %zu: expected comma or end of line after a quoted field, found "
                   "byte 0x%02x",
                   r->path, r->line, (unsigned char)*r->at);
}

static bool csv_quoted(struct csv_reader *r, char **field, char **field_end, struct err *e)
{
    size_t first_line = r->line;
    char *out = ++r->at;
    *field = out;
    while (r->at < r->end) {
        if (*r->at == '"') {
            if (r->at[1] != '"') {
                r->at++;
                *field_end = out;
                return true;
            }
            r->at++;
        }
        r->line += *r->at == '\n';
        *out++ = *r->at++;
    }
    return err_set(e, ERR_INPUT, "%s: line %zu: a quoted field never ends", r->path, first_line);
}

static bool csv_plain(struct csv_reader *r, char **field, char **field_end, struct err *e)
{
    *field = r->at;
    while (r->at < r->end && *r->at != ',' && *r->at != '\n' && *r->at != '\r') {
        if (*r->at == '"') {
            return err_set(e, ERR_INPUT, "%s: line %zu: quote inside an unquoted field", r->path,
                           r->line);
        }
        r->at++;
    }
    *field_end = r->at;
    return true;
}

/* One field. The zero that ends it may lie on what follows, so that is looked at first. */
static bool csv_field(struct csv_reader *r, char **field, enum csv_after *after, struct err *e)
{
    char *field_end = NULL;
    bool ok = *r->at == '"' && r->at < r->end ? csv_quoted(r, field, &field_end, e)
                                              : csv_plain(r, field, &field_end, e);
    if (!ok || !csv_step(r, after, e)) {
        return false;
    }
    *field_end = 0;
    return true;
}

static bool csv_header(struct csv *csv, struct csv_reader *r, struct arena *keep, struct err *e)
{
    size_t n = 1; /* an upper bound: the quoted field that hides the end of the header is rare */
    for (const char *p = r->at; p < r->end && n < CSV_MAX_COLS; p++) {
        n += *p == ',';
    }
    csv->names = arena_try(keep, n, sizeof *csv->names, e);
    if (!csv->names) {
        return false;
    }
    enum csv_after after = CSV_COMMA;
    while (after == CSV_COMMA) {
        if (csv->n_cols == (int)n) {
            return err_set(e, ERR_INPUT, "%s: line 1: more than %zu columns", r->path, n);
        }
        if (!csv_field(r, &csv->names[csv->n_cols], &after, e)) {
            return false;
        }
        if (csv_column(csv, csv->names[csv->n_cols]) >= 0) {
            return err_set(e, ERR_INPUT, "%s: line 1: two columns are called \"%s\"", r->path,
                           csv->names[csv->n_cols]);
        }
        csv->n_cols++;
    }
    return true;
}

static bool csv_rows(struct csv *csv, struct csv_reader *r, struct arena *keep, struct err *e)
{
    size_t n = 1;
    for (const char *p = r->at; p < r->end; p++) {
        n += *p == ',' || *p == '\n'; /* every field but the last is followed by one */
    }
    csv->cells = arena_try(keep, n, sizeof *csv->cells, e);
    if (!csv->cells) {
        return err_wrap(e, "%s", r->path);
    }
    char **cell = csv->cells;
    while (r->at < r->end) {
        size_t line = r->line;
        int n_fields = 0;
        enum csv_after after = CSV_COMMA;
        while (after == CSV_COMMA) {
            ASSERT(cell < csv->cells + n);
            if (!csv_field(r, cell++, &after, e)) {
                return false;
            }
            n_fields++;
        }
        if (n_fields != csv->n_cols) {
            return err_set(e, ERR_INPUT,
                           "%s: line %zu: expected %d fields as in the header, found %d", r->path,
                           line, csv->n_cols, n_fields);
        }
        csv->n_rows++;
    }
    return true;
}

bool csv_parse(struct csv *csv, struct arena *keep, const char *path, unsigned char *bytes,
               size_t n, struct err *e)
{
    ASSERT(csv && keep && path && bytes);
    *csv = (struct csv){.path = arena_strdup(keep, path)};
    struct csv_reader r = {.path = path, .at = (char *)bytes, .end = (char *)bytes + n, .line = 1};
    const char *zero = memchr(bytes, 0, n);
    if (zero) {
        return err_set(e, ERR_INPUT, "%s: byte %zu is zero: this is no text file", path,
                       (size_t)(zero - r.at));
    }
    if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        r.at += 3; /* the byte order mark that spreadsheets write */
    }
    if (r.at == r.end) {
        return err_set(e, ERR_INPUT, "%s: empty: expected a header line", path);
    }
    return csv_header(csv, &r, keep, e) && csv_rows(csv, &r, keep, e);
}

static bool csv_load(struct csv *csv, struct arena *keep, const char *path, bool is_log,
                     struct err *e)
{
    unsigned char *bytes = NULL;
    size_t n = 0;
    if (!file_read(keep, path, csv_max_bytes, &bytes, &n, e)) {
        return false;
    }
    while (is_log && n > 0 && bytes[n - 1] != '\n') {
        n--;
    }
    return csv_parse(csv, keep, path, bytes, n, e);
}

bool csv_read(struct csv *csv, struct arena *keep, const char *path, struct err *e)
{
    return csv_load(csv, keep, path, false, e);
}

bool csv_read_log(struct csv *csv, struct arena *keep, const char *path, struct err *e)
{
    return csv_load(csv, keep, path, true, e);
}

int csv_column(const struct csv *csv, const char *name)
{
    for (int i = 0; i < csv->n_cols; i++) {
        if (strcmp(csv->names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

bool csv_find(int *col, const struct csv *csv, const char *name, struct err *e)
{
    *col = csv_column(csv, name);
    return *col >= 0 || err_set(e, ERR_INPUT, "%s: line 1: expected a column named %s, found none",
                                csv->path, name);
}

/* The line a row begins on: one a row, and one for every line feed in a quoted field before it. */
size_t csv_line(const struct csv *csv, size_t row)
{
    size_t line = row + 2;
    for (int i = 0; i < csv->n_cols; i++) {
        for (const char *p = csv->names[i]; (p = strchr(p, '\n')); p++) {
            line++;
        }
    }
    for (size_t i = 0; i < row * (size_t)csv->n_cols; i++) {
        for (const char *p = csv->cells[i]; (p = strchr(p, '\n')); p++) {
            line++;
        }
    }
    return line;
}

bool csv_number(const struct csv *csv, size_t row, int col, double *value, struct err *e)
{
    ASSERT(row < csv->n_rows && col >= 0 && col < csv->n_cols && value);
    const char *text = csv_cell(csv, row, col);
    const char *first = text + strspn(text, " \t");
    /* strtod would also take "inf", "nan" and hexadecimal. */
    const char *last = first + strspn(first, "0123456789+-.eE");
    char *end = NULL;
    double x = strtod(first, &end);
    if (end == first || end != last || last[strspn(last, " \t")] != 0 || !isfinite(x)) {
        return err_set(e, ERR_INPUT,
                       "%s: line %zu, column %s: expected a finite number, found \"%.60s\"",
                       csv->path, csv_line(csv, row), csv->names[col], text);
    }
    *value = x;
    return true;
}
