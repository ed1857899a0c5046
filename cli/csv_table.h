/* csv_table.h: some columns of a CSV file as a table of a page (cli/report_style.h makes it
 * sortable).
 */
#ifndef CLI_CSV_TABLE_H
#define CLI_CSV_TABLE_H

#include "cli/text.h"
#include "core/csv.h"

struct csv_table_cell {
    const char *name, *head; /* of the column: in the file, on the page (as it stands) */
    double times;            /* what its numbers are multiplied by */
    const char *format;      /* of a double; NULL: text, escaped */
};

/* A section of the page: heading and table, a row a row of the file. ERR_INPUT for a column that is
 * not there or a cell that is no number. */
MUST_USE bool csv_table(struct text *out, const struct csv *csv, const char *heading,
                        const struct csv_table_cell *cells, int n_cells, struct err *e);

#endif
