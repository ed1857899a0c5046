#include "cli/csv_table.h"

static void csv_table_th(struct text *out, const struct csv_table_cell *cell)
{
    text_printf(out, "<th%s>%s</th>", cell->format ? "" : " class=\"t\"", cell->head);
}

static bool csv_table_td(struct text *out, const struct csv *csv, size_t row,
                         const struct csv_table_cell *cell, struct err *e)
{
    int col;
    double value;
    if (!csv_find(&col, csv, cell->name, e)) {
        return false;
    }
    text_printf(out, "<td%s data-label=\"%s\">", cell->format ? "" : " class=\"t\"", cell->head);
    if (!cell->format) {
        text_escape(out, csv_cell(csv, row, col));
    } else if (csv_number(csv, row, col, &value, e)) {
        text_printf(out, cell->format, cell->times * value);
    } else {
        return false;
    }
    text_add(out, "</td>");
    return true;
}

bool csv_table(struct text *out, const struct csv *csv, const char *heading,
               const struct csv_table_cell *cells, int n_cells, struct err *e)
{
    text_printf(out, "<section>\n<h2>%s</h2>\n<table class=\"sort\">\n<thead><tr>", heading);
    for (int c = 0; c < n_cells; c++) {
        csv_table_th(out, &cells[c]);
    }
    text_add(out, "</tr></thead>\n<tbody>\n");
    for (size_t row = 0; row < csv->n_rows; row++) {
        text_add(out, "<tr>");
        for (int c = 0; c < n_cells; c++) {
            if (!csv_table_td(out, csv, row, &cells[c], e)) {
                return false;
            }
        }
        text_add(out, "</tr>\n");
    }
    text_add(out, "</tbody>\n</table>\n</section>\n");
    return true;
}
