/* report_plots.h: the charts of a run's page. Each appends one svg element; tmp is scratch apart
 * from out's arena. */
#ifndef CLI_REPORT_PLOTS_H
#define CLI_REPORT_PLOTS_H

#include "cli/plot.h"
#include "cli/report_data.h"

/* Size, and the class under which a page shows it or not. */
struct report_plots_size {
    const char *id, *class;
    int width, height;
    bool alone; /* a file of its own */
};

/* Cost against score: everything evaluated behind, the front found before it. */
void report_plots_front(struct text *out, const struct report_data *d,
                        const struct report_plots_size *size, struct arena tmp);

/* Cost against true accuracy: the front's members, and the true front. Only where d->has_accuracy.
 */
void report_plots_truth(struct text *out, const struct report_data *d,
                        const struct report_plots_size *size, struct arena tmp);

/* A column of generations.csv over the generations. */
void report_plots_course(struct text *out, const struct report_data *d, const double *values,
                         const char *title, const char *y_label,
                         const struct report_plots_size *size, struct arena tmp);

/* "13714", or the place on the front where a network has no number. */
const char *report_plots_member_name(const struct report_data *d, int i, struct arena *keep);

#endif
