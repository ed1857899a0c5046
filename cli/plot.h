/*
 * plot.h: charts as SVG: dots, lines and staircase fronts on two axes with round ticks. Colours are
 * classes, set by plot_style for light and dark, so a chart looks right alone, on a page and in
 * print. A chart says in words what it shows (title, desc).
 */
#ifndef CLI_PLOT_H
#define CLI_PLOT_H

#include "cli/text.h"

enum plot_kind {
    PLOT_CLOUD,  /* many small dots, drawn once per half pixel */
    PLOT_POINTS, /* marks that can be pointed at and followed */
    PLOT_LINE,   /* straight from point to point; the last value is written beside its end */
    PLOT_STAIRS, /* what is dominated by points of ascending x and y: cheaper is left, better is up
                  */
};

/* Colour and dash, one class each in plot_style. */
enum plot_tone { PLOT_PALE, PLOT_FRONT, PLOT_TRUTH, PLOT_N_TONES };

struct plot_series {
    const char *name; /* in the legend; NULL = not there */
    enum plot_kind kind;
    enum plot_tone tone;
    const double *x, *y; /* [n] finite */
    int n;
    const char *const *tips;  /* POINTS: [n] text shown when pointed at, or NULL */
    const char *const *links; /* POINTS: [n] where a click leads, or NULL */
    const char *const *notes; /* POINTS: [n] written beside the mark where there is room; NULL or
                                 entries NULL = none */
};

struct plot {
    const char *id; /* unique on its page */
    const char *title, *desc;
    const char *x_label, *y_label;
    const char *class; /* of the svg element, may be NULL */
    int width, height; /* in CSS pixels; text is 12 to 13 of them high */
    double x_min, x_max, y_min,
        y_max; /* what must be seen; widened to include nothing else. min > max: from the series */
    bool x_whole, y_whole;            /* the axis counts: no fractions among its ticks */
    bool x_exact;                     /* the horizontal axis begins and ends with the data */
    const struct plot_series *series; /* drawn in this order */
    int n_series;
    bool alone; /* a file of its own: carries its style and background, and its title as text */
};

/* Append the svg element. Points outside the given range are not drawn; how many is said in a
 * corner. tmp: scratch, not a copy of out's arena. */
void plot_svg(struct text *out, const struct plot *p, struct arena tmp);

/* The rules that plot_svg's classes need, for the head of a page. */
void plot_style(struct text *out);

/* Round ticks: *step is 1, 2 or 5 times a power of ten, about n_want of them between lo and hi; the
 * first one >= lo. */
double plot_ticks(double lo, double hi, int n_want, double *step);

#endif
