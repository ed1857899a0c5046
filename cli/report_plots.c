#include "cli/report_plots.h"

#include "nas/front.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *report_plots_member_name(const struct report_data *d, int i, struct arena *keep)
{
    return d->front[i].index[0] ? d->front[i].index : arena_printf(keep, "no. %d", i + 1);
}

static char *report_plots_cost_label(const struct report_data *d, struct arena *keep)
{
    bool same = strcmp(d->cost_name, d->unit) == 0;
    return d->unit[0] && !same
               ? arena_printf(keep, "%s (%s), lower is better", d->cost_name, d->unit)
               : arena_printf(keep, "%s, lower is better", d->cost_name);
}

static char *report_plots_tip(const struct report_data *d, int i, struct arena *keep)
{
    const struct report_member *m = &d->front[i];
    struct text t;
    text_init(&t, keep);
    text_printf(&t, "%s\n%s ", report_plots_member_name(d, i, keep), d->cost_name);
    text_fixed(&t, m->cost, d->cost_decimals);
    text_printf(&t, " %s\nscore ", d->unit);
    text_fixed(&t, m->score, d->score_decimals);
    if (!isnan(m->accuracy)) {
        text_add(&t, "\ntrue accuracy ");
        text_fixed(&t, m->accuracy, 2);
        text_add(&t, " %");
    }
    return t.s;
}

/* The members that are points of a chart, with what belongs to them. */
struct report_plots_members {
    int n;
    double *x, *y;
    const char **tips, **links, **notes;
};

static void report_plots_gather(struct report_plots_members *p, const struct report_data *d,
                                bool accuracy, struct arena *keep)
{
    size_t n = (size_t)d->n_front + 1;
    *p = (struct report_plots_members){.x = arena_push(keep, n, sizeof(double)),
                                       .y = arena_push(keep, n, sizeof(double)),
                                       .tips = arena_push_zero(keep, n, sizeof(char *)),
                                       .links = arena_push_zero(keep, n, sizeof(char *)),
                                       .notes = arena_push_zero(keep, n, sizeof(char *))};
    for (int i = 0; i < d->n_front; i++) {
        double y = accuracy ? d->front[i].accuracy : d->front[i].score;
        if (isnan(y)) {
            continue;
        }
        p->x[p->n] = d->front[i].cost;
        p->y[p->n] = y;
        p->tips[p->n] = report_plots_tip(d, i, keep);
        p->links[p->n] = arena_printf(keep, "#net-%d", i + 1);
        p->notes[p->n] = report_plots_member_name(d, i, keep);
        p->n++;
    }
    /* Names for a few, spread over the front; plot_notes leaves out what does not fit. */
    int stride = MAX(1, DIV_UP(p->n, 5));
    for (int i = 0; i < p->n; i++) {
        if (i % stride != 0 && i != p->n - 1) {
            p->notes[i] = NULL;
        }
    }
}

/* Those of the members that nothing cheaper beats, ascending cost: where the staircase turns. */
static int report_plots_corners(double *x, double *y, const struct report_plots_members *p,
                                struct arena tmp)
{
    double *obj = arena_push(&tmp, 2 * (size_t)p->n + 1, sizeof *obj);
    int *idx = arena_push(&tmp, (size_t)p->n + 1, sizeof *idx);
    for (int i = 0; i < p->n; i++) {
        obj[2 * i] = p->x[i];
        obj[2 * i + 1] = -p->y[i];
    }
    int n = p->n > 0 ? front_filter(idx, obj, p->n, 2, true, tmp) : 0;
    for (int i = 0; i < n; i++) { /* idx ascends, and so do the members' costs */
        x[i] = p->x[idx[i]];
        y[i] = p->y[idx[i]];
    }
    return n;
}

static int report_plots_ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double report_plots_quantile(const double *v, int n, double q, struct arena tmp)
{
    double *sorted = arena_push(&tmp, (size_t)n, sizeof *sorted);
    memcpy(sorted, v, (size_t)n * sizeof *v);
    qsort(sorted, (size_t)n, sizeof *sorted, report_plots_ascending);
    return sorted[(int)(q * (n - 1))];
}

/* The whole front is seen, and all but the worst few of what was evaluated: one broken network may
 * not squeeze the rest into a line. */
static void report_plots_range(struct plot *p, const struct report_data *d, struct arena tmp)
{
    p->x_min = p->y_min = INFINITY;
    p->x_max = p->y_max = -INFINITY;
    for (int i = 0; i < d->n_front; i++) {
        p->x_min = fmin(p->x_min, d->front[i].cost);
        p->x_max = fmax(p->x_max, d->front[i].cost);
        p->y_min = fmin(p->y_min, d->front[i].score);
        p->y_max = fmax(p->y_max, d->front[i].score);
    }
    if (d->n_cloud > 0) {
        p->x_min = fmin(p->x_min, report_plots_quantile(d->cloud_cost, d->n_cloud, 0, tmp));
        p->x_max = fmax(p->x_max, report_plots_quantile(d->cloud_cost, d->n_cloud, 0.99, tmp));
        p->y_min = fmin(p->y_min, report_plots_quantile(d->cloud_score, d->n_cloud, 0.03, tmp));
        p->y_max = fmax(p->y_max, report_plots_quantile(d->cloud_score, d->n_cloud, 1, tmp));
    }
}

void report_plots_front(struct text *out, const struct report_data *d,
                        const struct report_plots_size *size, struct arena tmp)
{
    struct report_plots_members m;
    report_plots_gather(&m, d, false, &tmp);
    double *x = arena_push(&tmp, (size_t)m.n + 1, sizeof *x),
           *y = arena_push(&tmp, (size_t)m.n + 1, sizeof *y);
    int n = report_plots_corners(x, y, &m, tmp);
    const struct plot_series series[] = {
        {.name = "evaluated",
         .kind = PLOT_CLOUD,
         .tone = PLOT_PALE,
         .x = d->cloud_cost,
         .y = d->cloud_score,
         .n = d->n_cloud},
        {.kind = PLOT_STAIRS, .tone = PLOT_FRONT, .x = x, .y = y, .n = n},
        {.name = "front found",
         .kind = PLOT_POINTS,
         .tone = PLOT_FRONT,
         .x = m.x,
         .y = m.y,
         .n = m.n,
         .tips = m.tips,
         .links = size->alone ? NULL : m.links,
         .notes = m.notes},
    };
    struct plot p = {
        .id = size->id,
        .class = size->class,
        .width = size->width,
        .height = size->height,
        .alone = size->alone,
        .title = arena_printf(&tmp, "Front of score and %s", d->cost_name),
        .desc = arena_printf(&tmp,
                             "%d networks evaluated; the front has %d members. Cost to the right, "
                             "score upwards; the "
                             "best are at the upper left.",
                             d->n_evals, d->n_front),
        .x_label = report_plots_cost_label(d, &tmp),
        .y_label = "score, higher is better",
        .series = series,
        .n_series = (int)N_ELEMS(series),
    };
    report_plots_range(&p, d, tmp);
    plot_svg(out, &p, tmp);
}

void report_plots_truth(struct text *out, const struct report_data *d,
                        const struct report_plots_size *size, struct arena tmp)
{
    ASSERT(d->has_accuracy);
    struct report_plots_members m;
    report_plots_gather(&m, d, true, &tmp);
    double *x = arena_push(&tmp, (size_t)m.n + 1, sizeof *x),
           *y = arena_push(&tmp, (size_t)m.n + 1, sizeof *y);
    int n = report_plots_corners(x, y, &m, tmp);
    bool truth = d->n_truth > 0;
    const struct plot_series series[] = {
        {.kind = PLOT_STAIRS,
         .tone = PLOT_TRUTH,
         .x = d->truth_cost,
         .y = d->truth_accuracy,
         .n = d->n_truth},
        {.name = truth ? "true front" : NULL,
         .kind = PLOT_POINTS,
         .tone = PLOT_TRUTH,
         .x = d->truth_cost,
         .y = d->truth_accuracy,
         .n = d->n_truth},
        {.kind = PLOT_STAIRS, .tone = PLOT_FRONT, .x = x, .y = y, .n = n},
        {.name = "front found",
         .kind = PLOT_POINTS,
         .tone = PLOT_FRONT,
         .x = m.x,
         .y = m.y,
         .n = m.n,
         .tips = m.tips,
         .links = size->alone ? NULL : m.links,
         .notes = m.notes},
    };
    struct plot p = {
        .id = size->id,
        .class = size->class,
        .width = size->width,
        .height = size->height,
        .alone = size->alone,
        .title = arena_printf(&tmp, "True accuracy against %s", d->cost_name),
        .desc = arena_printf(
            &tmp, "True accuracy of the %d members of the front found%s.", m.n,
            truth ? arena_printf(&tmp, ", beside the %d points of the true front", d->n_truth)
                  : ""),
        .x_label = report_plots_cost_label(d, &tmp),
        .y_label = "true accuracy (%)",
        .x_min = 1,
        .x_max = 0,
        .y_min = 1,
        .y_max = 0,
        .series = series,
        .n_series = (int)N_ELEMS(series),
    };
    plot_svg(out, &p, tmp);
}

static bool report_plots_whole(const double *values, int n)
{
    for (int i = 0; i < n; i++) {
        if (values[i] != floor(values[i])) {
            return false;
        }
    }
    return true;
}

void report_plots_course(struct text *out, const struct report_data *d, const double *values,
                         const char *title, const char *y_label,
                         const struct report_plots_size *size, struct arena tmp)
{
    bool whole = report_plots_whole(values, d->n_generations);
    double most = 0;
    for (int i = 0; i < d->n_generations; i++) {
        most = fmax(most, values[i]);
    }
    const struct plot_series series = {.kind = PLOT_LINE,
                                       .tone = PLOT_FRONT,
                                       .x = d->generation,
                                       .y = values,
                                       .n = d->n_generations};
    struct plot p = {
        .id = size->id,
        .class = size->class,
        .width = size->width,
        .height = size->height,
        .alone = size->alone,
        .title = title,
        .desc = arena_printf(&tmp, "%s over %d generations.", title, d->n_generations),
        .x_label = "generation",
        .y_label = y_label,
        .x_min = d->n_generations ? d->generation[0] : 0,
        .x_max = d->n_generations ? d->generation[d->n_generations - 1] : 1,
        .y_min = whole ? 0 : 1, /* counts from zero; else what the series spans */
        .y_max = whole ? most : 0,
        .x_exact = true,
        .x_whole = true,
        .y_whole = whole,
        .series = &series,
        .n_series = 1,
    };
    plot_svg(out, &p, tmp);
}
