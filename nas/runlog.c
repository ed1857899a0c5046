#include "nas/runlog.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/csv.h"
#include "core/number.h"

static const char header[] =
    "eval,generation,index,arch,score,cost,diversity,feasible,cached,seconds\n";

/* A log of more than this many bytes is not one of ours. */
static const size_t max_bytes = (size_t)1 << 30;

bool runlog_open(struct file_log *log, const char *path, bool append, struct err *e)
{
    if (!file_log_open(log, path, !append, e)) {
        return false;
    }
    return append || file_log_write(log, header, sizeof header - 1, e);
}

bool runlog_write(struct file_log *log, const struct space *space, const struct runlog_row *row,
                  struct err *e)
{
    char arch[SPACE_TEXT_LEN], score[32], cost[32], diversity[32], index[32] = "",
                                                                   line[SPACE_TEXT_LEN + 256];
    space->format(&row->arch, arch);
    number_format(score, row->score);
    number_format(cost, row->cost);
    number_format(diversity, row->diversity);
    int64_t number = space->index(&row->arch);
    if (number >= 0) {
        snprintf(index, sizeof index, "%" PRId64, number);
    }
    int len =
        snprintf(line, sizeof line, "%d,%d,%s,%s,%s,%s,%s,%d,%d,%.3f\n", row->eval, row->generation,
                 index, arch, score, cost, diversity, row->feasible, row->cached, row->seconds);
    ASSERT(len > 0 && (size_t)len < sizeof line);
    return file_log_write(log, line, (size_t)len, e);
}

/* Cut a last line that has no end. */
static bool runlog_mend(const char *path, struct arena tmp, struct err *e)
{
    unsigned char *bytes;
    size_t n;
    if (!file_read(&tmp, path, max_bytes, &bytes, &n, e)) {
        return false;
    }
    size_t whole = n;
    while (whole > 0 && bytes[whole - 1] != '\n') {
        whole--;
    }
    return whole == n || file_write(path, bytes, whole, e);
}

static bool runlog_optional(const struct csv *csv, size_t row, int col, double *value,
                            struct err *e)
{
    *value = NAN;
    return csv_cell(csv, row, col)[0] == 0 || csv_number(csv, row, col, value, e);
}

static bool runlog_parse(struct runlog_row *out, const struct csv *csv, size_t row,
                         const struct space *space, struct err *e)
{
    double eval, generation, feasible, cached;
    struct runlog_row r = {0};
    if (!csv_number(csv, row, 0, &eval, e) || !csv_number(csv, row, 1, &generation, e) ||
        !runlog_optional(csv, row, 4, &r.score, e) || !runlog_optional(csv, row, 5, &r.cost, e) ||
        !csv_number(csv, row, 6, &r.diversity, e) || !csv_number(csv, row, 7, &feasible, e) ||
        !csv_number(csv, row, 8, &cached, e) || !csv_number(csv, row, 9, &r.seconds, e)) {
        return false;
    }
    if (!space->parse(&r.arch, csv_cell(csv, row, 3), e)) {
        return err_wrap(e, "%s: line %zu", csv->path, row + 2);
    }
    if (eval != (double)row + 1) {
        return err_set(e, ERR_INPUT, "%s: line %zu: expected evaluation %zu, found %s", csv->path,
                       row + 2, row + 1, csv_cell(csv, row, 0));
    }
    r.eval = (int)eval;
    r.generation = (int)generation;
    r.feasible = feasible != 0;
    r.cached = cached != 0;
    if (r.feasible && (isnan(r.score) || isnan(r.cost))) {
        return err_set(e, ERR_INPUT, "%s: line %zu: feasible, yet without score or cost", csv->path,
                       row + 2);
    }
    *out = r;
    return true;
}

bool runlog_read(struct runlog_row **rows, int *n, struct arena *keep, const struct space *space,
                 const char *path, struct err *e)
{
    struct csv csv;
    *n = 0;
    if (!runlog_mend(path, *keep, e) || !csv_read(&csv, keep, path, e)) {
        return false;
    }
    char joined[sizeof header] = "";
    for (int i = 0; i < csv.n_cols; i++) {
        size_t used = strlen(joined);
        snprintf(joined + used, sizeof joined - used, "%s%s", csv.names[i],
                 i + 1 < csv.n_cols ? "," : "\n");
    }
    if (strcmp(joined, header) != 0) {
        return err_set(e, ERR_INPUT, "%s: line 1: expected the columns %.*s", path,
                       (int)sizeof header - 2, header);
    }
    *rows = arena_try(keep, csv.n_rows, sizeof **rows, e);
    if (!*rows) {
        return false;
    }
    for (size_t i = 0; i < csv.n_rows; i++) {
        if (!runlog_parse(&(*rows)[i], &csv, i, space, e)) {
            return false;
        }
    }
    *n = (int)csv.n_rows;
    return true;
}
