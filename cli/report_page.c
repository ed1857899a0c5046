#include "cli/report_page.h"

#include "cli/cell_svg.h"
#include "cli/progress.h"
#include "cli/report_config.h"
#include "cli/report_limits.h"
#include "cli/report_refined.h"
#include "cli/report_plots.h"
#include "cli/report_style.h"
#include "cli/version.h"

#include <math.h>
#include <string.h>

enum {
    REPORT_PAGE_MAX_CELLS = 120,
    REPORT_PAGE_MAX_ROWS = 2000
}; /* beyond, a page is no help: the CSV has them all */

static void report_page_fact(struct text *out, const char *name, const char *value)
{
    text_add(out, "<div><dt>");
    text_escape(out, name);
    text_add(out, "</dt><dd>");
    text_escape(out, value);
    text_add(out, "</dd></div>\n");
}

static char *report_page_number(struct arena *keep, double value, int digits, const char *unit)
{
    struct text t;
    text_init(&t, keep);
    text_human(&t, value, digits);
    if (unit[0]) {
        text_printf(&t, " %s", unit);
    }
    return t.s;
}

static char *report_page_fixed(struct arena *keep, double value, int decimals, const char *unit)
{
    struct text t;
    text_init(&t, keep);
    text_fixed(&t, value, decimals);
    if (unit[0]) {
        text_printf(&t, " %s", unit);
    }
    return t.s;
}

/* Counts with a thin space between thousands, so that 1073466 can be read. */
static char *report_page_count(struct arena *keep, double value)
{
    char *digits = arena_printf(keep, "%.0f", value);
    struct text t;
    text_init(&t, keep);
    size_t n = strlen(digits);
    for (size_t i = 0; i < n; i++) {
        text_add_n(&t, digits + i, 1);
        if ((n - i) % 3 == 1 && i + 1 < n && n > 4) {
            text_add(&t, "\xE2\x80\xAF");
        }
    }
    return t.s;
}

static void report_page_facts(struct text *out, const struct report_data *d, struct arena tmp)
{
    int last = d->n_generations - 1;
    text_add(out, "<dl class=\"facts\">\n");
    report_page_fact(out, "on the front", report_page_count(&tmp, d->n_front));
    report_page_fact(out, "evaluations", report_page_count(&tmp, d->n_evals));
    if (last >= 0) {
        report_page_fact(out, "distinct networks scored", report_page_count(&tmp, d->unique[last]));
    }
    if (d->n_front > 0) {
        report_page_fact(
            out, arena_printf(&tmp, "%s of the front", d->cost_name),
            arena_printf(&tmp, "%s\xE2\x80\x93%s",
                         report_page_number(&tmp, d->front[0].cost, 3, ""),
                         report_page_number(&tmp, d->front[d->n_front - 1].cost, 3, d->unit)));
    }
    double best = -INFINITY;
    for (int i = 0; i < d->n_front; i++) {
        best = isnan(d->front[i].accuracy) ? best : fmax(best, d->front[i].accuracy);
    }
    if (d->has_accuracy) {
        report_page_fact(out, "best true accuracy", report_page_fixed(&tmp, best, 2, "%"));
    }
    if (isfinite(d->true_hypervolume) && d->true_front_hypervolume > 0) {
        report_page_fact(
            out, "of the true front\xE2\x80\x99s hypervolume",
            report_page_fixed(&tmp, 100 * d->true_hypervolume / d->true_front_hypervolume, 1, "%"));
    }
    if (last >= 0) {
        char time[32];
        progress_time(time, sizeof time, d->seconds[last]);
        report_page_fact(out, "search time", time);
    }
    text_add(out, "</dl>\n");
}

static void report_page_front(struct text *out, const struct report_data *d, struct arena tmp)
{
    typedef void chart_fn(struct text *, const struct report_data *,
                          const struct report_plots_size *, struct arena);
    static chart_fn *const charts[] = {report_plots_front, report_plots_truth};
    static const char *const ids[] = {"front", "truth"};
    int n = d->has_accuracy ? 2 : 1;
    text_printf(out, "<section>\n<h2>The front</h2>\n<div class=\"%s\">\n",
                n == 2 ? "pair" : "one");
    for (int i = 0; i < n; i++) {
        char *narrow = arena_printf(&tmp, "%s-narrow", ids[i]);
        text_add(out, "<figure>\n");
        charts[i](out, d,
                  &(struct report_plots_size){.id = ids[i],
                                              .class = "wide",
                                              .width = n == 2 ? 520 : 1040,
                                              .height = n == 2 ? 430 : 470},
                  tmp);
        charts[i](out, d,
                  &(struct report_plots_size){
                      .id = narrow, .class = "narrow", .width = 360, .height = 340},
                  tmp);
        text_add(out, "<figcaption>");
        if (i == 0) {
            text_printf(out,
                        "All %s feasible evaluations in grey; the front found in blue: none of its "
                        "members is beaten "
                        "by a cheaper network.",
                        report_page_count(&tmp, d->n_cloud));
            if (d->n_infeasible > 0) {
                text_printf(out, " %s more were infeasible.",
                            report_page_count(&tmp, d->n_infeasible));
            }
        } else {
            text_add(out, "The same members by the accuracy that a benchmark knows for them, which "
                          "the search never "
                          "saw.");
            int hits = 0;
            for (int k = 0; k < d->n_front; k++) {
                hits += d->front[k].on_true_front;
            }
            if (d->n_truth > 0) {
                text_printf(
                    out, " The best possible front is orange (%d networks); %d of ours are on it.",
                    d->n_truth, hits);
            }
        }
        text_add(out, "</figcaption>\n</figure>\n");
    }
    text_add(out, "</div>\n</section>\n");
}

static void report_page_course(struct text *out, const struct report_data *d, struct arena tmp)
{
    if (d->n_generations == 0) {
        return;
    }
    const struct {
        const double *values;
        const char *id, *title, *label;
    } charts[] = {
        {d->hypervolume, "hypervolume", "Hypervolume", "hypervolume"},
        {d->diversity, "diversity", "Diversity of the population's costs", "diversity of costs"},
        {d->front_size, "size", "Size of the front", "networks on the front"},
    };
    text_add(out, "<section>\n<h2>The course of the search</h2>\n<div class=\"three\">\n");
    for (size_t i = 0; i < N_ELEMS(charts); i++) {
        text_add(out, "<figure>\n");
        report_plots_course(
            out, d, charts[i].values, charts[i].title, charts[i].label,
            &(struct report_plots_size){.id = charts[i].id, .width = 340, .height = 230}, tmp);
        text_add(out, "</figure>\n");
    }
    text_add(out, "</div>\n<p class=\"soft\">Hypervolume: the area of score and cost that the "
                  "front dominates, in units "
                  "of the box that the first generation spans. Diversity: mean over the population "
                  "of the summed "
                  "squared differences between costs.</p>\n</section>\n");
}

/* A string of operations may be broken behind each of them. */
static void report_page_arch(struct text *out, const char *arch)
{
    text_add(out, "<code>");
    for (; *arch; arch++) {
        char letter[2] = {*arch, 0};
        text_escape(out, letter);
        if (*arch == '|' || *arch == '+' || *arch == ',') {
            text_add(out, "<wbr/>");
        }
    }
    text_add(out, "</code>");
}

/* The space of the run; NULL where this build does not know it: the page goes without drawings and
 * codes. */
static const struct space *report_page_space(const struct report_data *d)
{
    const char *name = report_data_config(d, "options", "space");
    const struct space *space = NULL;
    struct err ignored;
    return name && space_find(&space, name, &ignored) ? space : NULL;
}

static void report_page_cells(struct text *out, const struct report_data *d, struct arena tmp)
{
    const struct space *space = report_page_space(d);
    struct err ignored;
    if (d->n_front == 0 || !space) {
        return;
    }
    text_add(out,
             "<section>\n<h2>The networks on it, cheapest first</h2>\n<div class=\"cells\">\n");
    for (int i = 0; i < MIN(d->n_front, REPORT_PAGE_MAX_CELLS); i++) {
        const struct report_member *m = &d->front[i];
        struct arena scratch = tmp;
        struct arch arch;
        text_printf(out, "<figure id=\"net-%d\">\n", i + 1);
        if (space->parse(&arch, m->arch, &ignored)) {
            text_add(out, cell_svg(&scratch, space, &arch));
        }
        text_add(out, "<figcaption><b>");
        text_escape(out, report_plots_member_name(d, i, &scratch));
        text_printf(out, "</b>%s<br/>",
                    m->on_true_front ? "<span class=\"tag\">on the true front</span>" : "");
        text_escape(out, report_page_fixed(&scratch, m->cost, d->cost_decimals, d->unit));
        text_printf(out, " \xC2\xB7 score %s",
                    report_page_fixed(&scratch, m->score, d->score_decimals, ""));
        if (!isnan(m->accuracy)) {
            text_printf(out, " \xC2\xB7 %s true", report_page_fixed(&scratch, m->accuracy, 2, "%"));
        }
        text_add(out, "</figcaption>\n");
        report_page_arch(out, m->arch);
        text_add(out, "</figure>\n");
    }
    text_add(out, "</div>\n");
    if (d->n_front > REPORT_PAGE_MAX_CELLS) {
        text_printf(out, "<p class=\"soft\">%d more are in the table.</p>\n",
                    d->n_front - REPORT_PAGE_MAX_CELLS);
    }
    text_add(out, "</section>\n");
}

static void report_page_cell(struct text *out, const char *label, double value, const char *shown)
{
    text_add(out, "<td data-label=\"");
    text_escape(out, label);
    text_add(out, "\" data-value=\"");
    text_number(out, value);
    text_add(out, "\">");
    text_escape(out, shown);
    text_add(out, "</td>");
}

/* Short enough for a table: the space's digits, where it can be read. */
static void report_page_code(struct text *out, const struct space *space, const char *arch)
{
    struct arch parsed;
    struct err ignored;
    char code[SPACE_TEXT_LEN];
    if (space && space->parse(&parsed, arch, &ignored)) {
        space->code(&parsed, code);
        report_page_arch(out, code);
    } else {
        report_page_arch(out, arch);
    }
}

static void report_page_table(struct text *out, const struct report_data *d, struct arena tmp)
{
    const char *cost =
        d->unit[0] ? arena_printf(&tmp, "%s (%s)", d->cost_name, d->unit) : d->cost_name;
    const char *heads[] = {"network",   cost,         "score",   "accuracy (%)",
                           "diversity", "parameters", "MACs (M)"};
    text_add(out, "<section>\n<h2>All of the front</h2>\n<table class=\"sort\">\n<thead><tr>");
    for (size_t i = 0; i < N_ELEMS(heads); i++) {
        if (i != 3 || d->has_accuracy) {
            text_printf(out, "<th scope=\"col\"%s>", i == 0 ? " class=\"t\"" : "");
            text_escape(out, heads[i]);
            text_add(out, "</th>");
        }
    }
    const struct space *space = report_page_space(d);
    text_printf(out, "<th scope=\"col\" class=\"t\">%s</th></tr></thead>\n<tbody>\n",
                space ? "code" : "architecture");
    for (int i = 0; i < MIN(d->n_front, REPORT_PAGE_MAX_ROWS); i++) {
        const struct report_member *m = &d->front[i];
        struct arena scratch = tmp;
        text_add(out, "<tr><td class=\"t\" data-label=\"network\">");
        text_escape(out, report_plots_member_name(d, i, &scratch));
        text_add(out, "</td>");
        report_page_cell(out, cost, m->cost,
                         report_page_fixed(&scratch, m->cost, d->cost_decimals, ""));
        report_page_cell(out, heads[2], m->score,
                         report_page_fixed(&scratch, m->score, d->score_decimals, ""));
        if (d->has_accuracy) {
            report_page_cell(out, heads[3], m->accuracy,
                             report_page_fixed(&scratch, m->accuracy, 2, ""));
        }
        report_page_cell(out, heads[4], m->diversity,
                         report_page_fixed(&scratch, m->diversity, d->diversity_decimals, ""));
        report_page_cell(out, heads[5], m->params, report_page_count(&scratch, m->params));
        report_page_cell(out, heads[6], m->macs / 1e6,
                         report_page_fixed(&scratch, m->macs / 1e6, 2, ""));
        text_printf(out, "<td class=\"t\" data-label=\"%s\">", space ? "code" : "architecture");
        report_page_code(out, space, m->arch);
        text_add(out, "</td></tr>\n");
    }
    text_add(out, "</tbody>\n</table>\n");
    if (d->n_front > REPORT_PAGE_MAX_ROWS) {
        text_printf(out, "<p class=\"soft\">%d more are in front.csv.</p>\n",
                    d->n_front - REPORT_PAGE_MAX_ROWS);
    }
    text_add(out, "</section>\n");
}

static void report_page_times(struct text *out, const struct report_data *d, struct arena tmp)
{
    double sum = 0, longest = 0;
    for (int i = 0; i < d->n_times; i++) {
        sum += d->time_s[i];
        longest = fmax(longest, d->time_s[i]);
    }
    if (sum <= 0) {
        return;
    }
    text_add(out, "<section>\n<h2>Where the time went</h2>\n<div class=\"bars\">\n");
    for (int i = 0; i < d->n_times; i++) {
        struct arena scratch = tmp;
        text_add(out, "<span>");
        text_escape(out, d->time_part[i]);
        text_printf(out, "</span><i style=\"width:%.2f%%\"></i><span>%s, %.1f %%</span>\n",
                    100 * d->time_s[i] / longest,
                    report_page_number(&scratch, d->time_s[i], 3, "s"), 100 * d->time_s[i] / sum);
    }
    text_printf(out,
                "</div>\n<p class=\"soft\">Seconds of all workers together: %s.</p>\n</section>\n",
                report_page_number(&tmp, sum, 4, "s"));
}

static void report_page_head(struct text *out, const struct report_data *d)
{
    const char *search = report_data_config(d, "options", "algorithm");
    const char *data = report_data_config(d, "options", "data");
    const char *score = report_data_config(d, "options", "score");
    text_add(out,
             "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
             "<meta charset=\"utf-8\"/>\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
             "style-src 'unsafe-inline'; script-src 'unsafe-inline'\"/>\n<title>");
    text_escape(out, d->name);
    text_add(out, ": score against ");
    text_escape(out, d->cost_name);
    text_add(out, "</title>\n<style>\n");
    report_style(out);
    text_add(out, "</style>\n</head>\n<body>\n<header>\n<h1>The trade-off between score and ");
    text_escape(out, d->cost_name);
    text_add(out, "</h1>\n<p class=\"soft\">");
    text_escape(out, d->name);
    const struct {
        const char *before, *value;
    } facts[] = {
        {" \xC2\xB7 search ", search}, {" \xC2\xB7 score ", score}, {" \xC2\xB7 data ", data}};
    for (size_t i = 0; i < N_ELEMS(facts); i++) {
        if (facts[i].value) {
            text_add(out, facts[i].before);
            text_escape(out, facts[i].value);
        }
    }
    text_add(out, "</p>\n");
}

void report_page(struct text *out, const struct report_data *d, struct arena tmp)
{
    report_page_head(out, d);
    report_page_facts(out, d, tmp);
    text_add(out, "</header>\n<main>\n");
    report_page_front(out, d, tmp);
    report_limits(out, d, tmp);
    report_refined(out, d);
    report_page_course(out, d, tmp);
    report_page_cells(out, d, tmp);
    report_page_table(out, d, tmp);
    report_page_times(out, d, tmp);
    report_config(out, d, tmp);
    text_add(out, "</main>\n<footer>Made by hdnas ");
    text_escape(out, version_text());
    text_add(out, " from the files of the run\xE2\x80\x99s folder; <code>hdnas report ");
    text_escape(out, d->name);
    text_add(out, "</code> makes it anew.</footer>\n<script>\n");
    report_style_script(out);
    text_add(out, "</script>\n</body>\n</html>\n");
}
