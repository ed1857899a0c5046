#include "cli/report_limits.h"

#include <math.h>
#include <string.h>

#include "cli/plot.h"
#include "nas/space.h"

static int count_within(const struct report_data *d, double limit)
{
    int n = 0;
    for (int i = 0; i < d->n_cloud; i++) {
        n += d->cloud_cost[i] <= limit;
    }
    return n;
}

/* The front, and on it what each limit was answered with. */
static void report_limits_chart(struct text *out, const struct report_data *d, const char *id,
                                const char *class, int width, struct arena tmp)
{
    size_t n_front = (size_t)d->n_front, n_limits = (size_t)d->n_limits;
    double *x = arena_push(&tmp, n_front, sizeof *x), *y = arena_push(&tmp, n_front, sizeof *y);
    double *best_x = arena_push(&tmp, n_limits, sizeof *x);
    double *best_y = arena_push(&tmp, n_limits, sizeof *y);
    const char **notes = arena_push(&tmp, n_limits, sizeof *notes);
    int n = 0;
    for (int i = 0; i < d->n_front; i++) {
        x[i] = d->front[i].cost;
        y[i] = d->front[i].score;
    }
    for (int i = 0; i < d->n_limits; i++) {
        if (d->limits[i].met) {
            struct text note;
            text_init(&note, &tmp);
            text_add(&note, "\xE2\x89\xA4 ");
            text_human(&note, d->limits[i].limit, 4);
            best_x[n] = d->limits[i].cost;
            best_y[n] = d->limits[i].score;
            notes[n++] = note.s;
        }
    }
    const struct plot_series series[] = {
        {.name = "evaluated",
         .kind = PLOT_CLOUD,
         .tone = PLOT_PALE,
         .x = d->cloud_cost,
         .y = d->cloud_score,
         .n = d->n_cloud},
        {.name = "front", .kind = PLOT_STAIRS, .tone = PLOT_FRONT, .x = x, .y = y, .n = d->n_front},
        {.name = "best within a limit",
         .kind = PLOT_POINTS,
         .tone = PLOT_TRUTH,
         .x = best_x,
         .y = best_y,
         .n = n,
         .tips = notes,
         .notes = notes},
    };
    double least = INFINITY;
    for (int i = 0; i < d->n_front; i++) {
        least = fmin(least, y[i]);
    }
    plot_svg(out,
             &(struct plot){.id = id,
                            .title = "The best network within each limit",
                            .desc = "Cost against score: the front, and the member that each limit "
                                    "was answered with.",
                            .x_label = d->unit[0] ? arena_printf(&tmp, "%s (%s)", d->cost_name, d->unit)
                                                  : d->cost_name,
                            .y_label = "score",
                            .class = class,
                            .width = width,
                            .height = width > 500 ? 400 : 320,
                            .x_min = 1,
                            .x_max = -1,
                            .y_min = least,
                            .y_max = y[d->n_front - 1],
                            .series = series,
                            .n_series = (int)N_ELEMS(series)},
             tmp);
}

static void report_limits_code(struct text *out, const struct report_data *d, const char *arch)
{
    const char *name = report_data_config(d, "options", "space");
    const struct space *space;
    struct arch parsed;
    struct err ignored;
    char code[SPACE_TEXT_LEN];
    bool known = name && space_find(&space, name, &ignored) && space->parse(&parsed, arch, &ignored);
    if (known) {
        space->code(&parsed, code);
    }
    text_add(out, "<td class=\"t\" data-label=\"network\">");
    text_escape(out, !arch[0] ? "none found" : known ? code : arch);
    text_add(out, "</td>");
}

/* How the search kept to the limits, where it did. */
static void report_limits_rule(struct text *out, const struct report_data *d)
{
    const char *search = report_data_config(d, "options", "algorithm");
    const char *rule = report_data_config(d, "options", "constraint-rule");
    const char *penalty = report_data_config(d, "options", "penalty");
    text_add(out, "<p class=\"soft\">");
    if (!search || strcmp(search, "hw-evrsnas") != 0) {
        text_add(out, "The search did not know the limits: each is answered from the front.");
    } else if (rule && strcmp(rule, "deb") == 0) {
        text_add(out, "Parents of a limit: what keeps it before what does not, the least excess "
                      "first.");
    } else {
        text_add(out, "Parents of a limit are ranked by score less penalty \xC3\x97 max(0, cost "
                      "\xE2\x88\x92 limit) / limit; penalty: ");
        text_escape(out, penalty ? penalty
                                 : "twice the range of the scores of the first generation");
        text_add(out, ".");
    }
    text_add(out, "</p>\n");
}

void report_limits(struct text *out, const struct report_data *d, struct arena tmp)
{
    if (d->n_limits == 0 || d->n_front == 0) {
        return;
    }
    bool truth = false;
    for (int i = 0; i < d->n_limits; i++) {
        truth = truth || isfinite(d->limits[i].optimum);
    }
    text_add(out, "<section>\n<h2>Under limits of the cost</h2>\n<div class=\"one\"><figure>\n");
    report_limits_chart(out, d, "limits", "wide", 1040, tmp);
    report_limits_chart(out, d, "limits-narrow", "narrow", 360, tmp);
    text_add(out, "</figure></div>\n<table>\n<thead><tr><th scope=\"col\">at most");
    if (d->unit[0]) {
        text_add(out, " (");
        text_escape(out, d->unit);
        text_add(out, ")");
    }
    text_add(out, "</th><th scope=\"col\">evaluated within</th><th scope=\"col\" class=\"t\">network"
                  "</th><th scope=\"col\">its cost</th><th scope=\"col\">score</th>");
    text_add(out, truth ? "<th scope=\"col\">accuracy (%)</th><th scope=\"col\">optimum (%)</th>"
                          "<th scope=\"col\">regret</th></tr></thead>\n<tbody>\n"
                        : "</tr></thead>\n<tbody>\n");
    for (int i = 0; i < d->n_limits; i++) {
        const struct report_limit *l = &d->limits[i];
        text_add(out, "<tr>");
        text_cell(out, "at most", l->limit, 4);
        text_cell(out, "evaluated within", count_within(d, l->limit), 7);
        report_limits_code(out, d, l->arch);
        text_cell(out, "its cost", l->cost, 4);
        text_cell(out, "score", l->score, 4);
        if (truth) {
            text_cell(out, "accuracy (%)", l->accuracy, 4);
            text_cell(out, "optimum (%)", l->optimum, 4);
            text_cell(out, "regret", l->regret, 3);
        }
        text_add(out, "</tr>\n");
    }
    text_add(out, "</tbody>\n</table>\n");
    report_limits_rule(out, d);
    text_add(out, "</section>\n");
}
