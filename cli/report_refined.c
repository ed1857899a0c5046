#include "cli/report_refined.h"

#include <math.h>

bool report_refined_read(struct report_data *d, struct arena *keep, struct err *e)
{
    static const char *const names[] = {"index", "arch", "score", "cost", "refined_accuracy"};
    int col[N_ELEMS(names)];
    struct csv csv;
    if (!csv_read(&csv, keep, arena_printf(keep, "%s/refined.csv", d->dir), e)) {
        return false;
    }
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        if (!csv_find(&col[i], &csv, names[i], e)) {
            return false;
        }
    }
    if (csv.n_rows > REPORT_DATA_MAX_FRONT) {
        return err_set(e, ERR_INPUT, "%s: a front of %zu members; at most %d can be shown",
                       csv.path, csv.n_rows, REPORT_DATA_MAX_FRONT);
    }
    int truth = csv_column(&csv, "true_accuracy");
    d->refined = arena_try(keep, csv.n_rows + 1, sizeof *d->refined, e);
    if (!d->refined) {
        return false;
    }
    for (size_t i = 0; i < csv.n_rows; i++) {
        struct report_refined *m = &d->refined[i];
        *m = (struct report_refined){
            .index = csv_cell(&csv, i, col[0]), .arch = csv_cell(&csv, i, col[1]), .truth = NAN};
        if (!csv_number(&csv, i, col[2], &m->score, e) ||
            !csv_number(&csv, i, col[3], &m->cost, e) ||
            !csv_number(&csv, i, col[4], &m->accuracy, e) ||
            (truth >= 0 && csv_cell(&csv, i, truth)[0] &&
             !csv_number(&csv, i, truth, &m->truth, e))) {
            return false;
        }
        d->has_refined_truth |= isfinite(m->truth);
    }
    d->n_refined = (int)csv.n_rows;
    return true;
}

void report_refined(struct text *out, const struct report_data *d)
{
    const char *epochs = report_data_config(d, "options", "refine");
    if (d->n_refined == 0) {
        return;
    }
    text_add(out, "<section>\n<h2>After a short training</h2>\n<p class=\"soft\">The shortlist, "
                  "trained");
    if (epochs) {
        text_add(out, " for ");
        text_escape(out, epochs);
        text_add(out, " epochs");
    }
    text_add(out, " and measured on training images held out: what no cheaper network of it beats."
                  "</p>\n<table>\n<thead><tr><th scope=\"col\">index</th><th scope=\"col\" "
                  "class=\"t\">network</th><th scope=\"col\">cost</th><th scope=\"col\">score</th>"
                  "<th scope=\"col\">trained accuracy (%)</th>");
    text_add(out, d->has_refined_truth ? "<th scope=\"col\">true accuracy (%)</th>" : "");
    text_add(out, "</tr></thead>\n<tbody>\n");
    for (int i = 0; i < d->n_refined; i++) {
        const struct report_refined *m = &d->refined[i];
        text_add(out, "<tr><td data-label=\"index\">");
        text_escape(out, m->index);
        text_add(out, "</td><td class=\"t\" data-label=\"network\">");
        text_escape(out, m->arch);
        text_add(out, "</td>");
        text_cell(out, "cost", m->cost, 4);
        text_cell(out, "score", m->score, 4);
        text_cell(out, "trained accuracy (%)", m->accuracy, 4);
        if (d->has_refined_truth) {
            text_cell(out, "true accuracy (%)", m->truth, 4);
        }
        text_add(out, "</tr>\n");
    }
    text_add(out, "</tbody>\n</table>\n</section>\n");
}
