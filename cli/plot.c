#include "cli/plot.h"

#include "cli/term.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Pixels. The left margin is widened to the longest tick label. */
enum {
    PLOT_TOP = 34,
    PLOT_RIGHT = 16,
    PLOT_BOTTOM = 46,
    PLOT_LEGEND_LINE = 20,
    PLOT_MAX_NOTES = 24
};

/* Mean width of a letter at 12 pixels in the usual system fonts, measured in Chromium: 6.2; a
 * little more to be safe. */
static const double plot_letter = 6.6, plot_bold_letter = 7.4;

/* Where data lands on paper. */
struct plot_frame {
    double x0, x1, y0, y1;         /* data range */
    double left, right, top, foot; /* pixels */
};

static double plot_px(const struct plot_frame *f, double x)
{
    return f->left + (x - f->x0) / (f->x1 - f->x0) * (f->right - f->left);
}

static double plot_py(const struct plot_frame *f, double y)
{
    return f->foot - (y - f->y0) / (f->y1 - f->y0) * (f->foot - f->top);
}

static bool plot_inside(const struct plot_frame *f, double x, double y)
{
    return x >= f->x0 && x <= f->x1 && y >= f->y0 && y <= f->y1;
}

double plot_ticks(double lo, double hi, int n_want, double *step)
{
    ASSERT(hi > lo && n_want > 0);
    double raw = (hi - lo) / n_want, power = pow(10, floor(log10(raw)));
    double digit = raw / power;
    *step = power * (digit <= 1.4 ? 1 : digit <= 3.2 ? 2 : digit <= 7.1 ? 5 : 10);
    return ceil(lo / *step - 1e-9) * *step;
}

/* A tick's number: as many decimals as the step has, thousands and millions as k and M, a true
 * minus sign. */
static void plot_tick_text(char *buf, size_t len, double value, double step, double largest)
{
    double unit = largest >= 1e9 ? 1e9 : largest >= 1e6 ? 1e6 : largest >= 1e4 ? 1e3 : 1;
    const char *suffix = unit == 1e9 ? "G" : unit == 1e6 ? "M" : unit == 1e3 ? "k" : "";
    int decimals = MAX(0, (int)-floor(log10(step / unit) + 1e-9));
    double shown = fabs(value) < step / 1e6 ? 0 : value / unit;
    if (decimals > 6) {
        snprintf(buf, len, "%s%.2g%s", shown < 0 ? "\xE2\x88\x92" : "", fabs(shown), suffix);
    } else {
        snprintf(buf, len, "%s%.*f%s", shown < 0 ? "\xE2\x88\x92" : "", decimals, fabs(shown),
                 shown == 0 ? "" : suffix);
    }
}

/* The range of an axis: what must be seen and a little air; down to zero where zero is near. */
static void plot_axis_range(const struct plot *p, bool vertical, double *lo, double *hi)
{
    *lo = vertical ? p->y_min : p->x_min;
    *hi = vertical ? p->y_max : p->x_max;
    if (*lo > *hi) {
        *lo = INFINITY;
        *hi = -INFINITY;
        for (int s = 0; s < p->n_series; s++) {
            for (int i = 0; i < p->series[s].n; i++) {
                double v = vertical ? p->series[s].y[i] : p->series[s].x[i];
                *lo = fmin(*lo, v);
                *hi = fmax(*hi, v);
            }
        }
    }
    if (!(*lo <= *hi)) { /* nothing to see */
        *lo = 0;
        *hi = 1;
    }
    double span = *hi - *lo;
    if (!vertical && p->x_exact && span > 0) {
        return;
    }
    double air = span > 0 ? 0.05 * span : fmax(fabs(*hi) * 0.05, 1e-3);
    bool zero = *lo >= 0 && *lo < 0.3 * *hi;
    *lo = zero ? 0 : *lo - air;
    *hi += air;
}

static void plot_text(struct text *out, double x, double y, const char *anchor, const char *class,
                      const char *s)
{
    text_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchor,
                class);
    text_escape(out, s);
    text_add(out, "</text>\n");
}

/* plot_ticks, with a step of at least 1 where the axis counts. */
static double plot_axis_ticks(double lo, double hi, int n_want, bool whole, double *step)
{
    double first = plot_ticks(lo, hi, n_want, step);
    if (whole && *step < 1) {
        *step = 1;
        first = ceil(lo - 1e-9);
    }
    return first;
}

static void plot_axes(struct text *out, const struct plot *p, const struct plot_frame *f,
                      double y_step, double y_first)
{
    char label[48];
    double largest = fmax(fabs(f->y0), fabs(f->y1));
    for (int i = 0; y_first + i * y_step <= f->y1 + 1e-9 * y_step; i++) {
        double v = y_first + i * y_step, y = plot_py(f, v);
        text_printf(out, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>\n", f->left, y, f->right);
        plot_tick_text(label, sizeof label, v, y_step, largest);
        plot_text(out, f->left - 6, y + 4, "end", "tick", label);
    }
    double step, first = plot_axis_ticks(f->x0, f->x1, MAX(2, (int)((f->right - f->left) / 80)),
                                         p->x_whole, &step);
    largest = fmax(fabs(f->x0), fabs(f->x1));
    text_printf(out, "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/>\n", f->left, f->foot, f->right);
    for (int i = 0; first + i * step <= f->x1 + 1e-9 * step; i++) {
        double v = first + i * step, x = plot_px(f, v);
        text_printf(out, "<path class=\"axis\" d=\"M%.1f %.1fv4\"/>\n", x, f->foot);
        plot_tick_text(label, sizeof label, v, step, largest);
        plot_text(out, x, f->foot + 18, "middle", "tick", label);
    }
    plot_text(out, (f->left + f->right) / 2, f->foot + 38, "middle", "label", p->x_label);
}

static void plot_cloud(struct text *out, const struct plot_series *s, const struct plot_frame *f,
                       struct arena tmp)
{
    size_t w = (size_t)(2 * (f->right - f->left)) + 2, h = (size_t)(2 * (f->foot - f->top)) + 2;
    uint8_t *drawn =
        arena_push_zero(&tmp, w * h, 1); /* one dot per half pixel bounds the size of the file */
    text_add(out, "<path class=\"cloud\" d=\"");
    for (int i = 0; i < s->n; i++) {
        if (!plot_inside(f, s->x[i], s->y[i])) {
            continue;
        }
        double x = plot_px(f, s->x[i]), y = plot_py(f, s->y[i]);
        size_t at = (size_t)(2 * (y - f->top)) * w + (size_t)(2 * (x - f->left));
        if (!drawn[at]) {
            drawn[at] = 1;
            text_printf(out, "M%.1f %.1fh0", x, y);
        }
    }
    text_add(out, "\"/>\n");
}

static const char *const plot_tone_class[PLOT_N_TONES] = {"pale", "front", "truth"};

static void plot_mark(struct text *out, enum plot_tone tone, double x, double y)
{
    if (tone == PLOT_TRUTH) { /* a diamond: told apart without colour */
        text_printf(out, "<path class=\"mark truth\" d=\"M%.1f %.1fl4 4l-4 4l-4 -4z\"/>", x, y - 4);
    } else {
        text_printf(out, "<circle class=\"mark %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.2\"/>",
                    plot_tone_class[tone], x, y);
    }
}

static void plot_points(struct text *out, const struct plot_series *s, const struct plot_frame *f,
                        struct arena tmp)
{
    (void)tmp;
    for (int i = 0; i < s->n; i++) {
        if (!plot_inside(f, s->x[i], s->y[i])) {
            continue;
        }
        if (s->links) {
            text_add(out, "<a href=\"");
            text_escape(out, s->links[i]);
            text_add(out, "\">");
        }
        text_add(out, "<g>");
        if (s->tips) {
            text_add(out, "<title>");
            text_escape(out, s->tips[i]);
            text_add(out, "</title>");
        }
        plot_mark(out, s->tone, plot_px(f, s->x[i]), plot_py(f, s->y[i]));
        text_add(out, s->links ? "</g></a>\n" : "</g>\n");
    }
}

struct plot_box {
    double x, y, w, h;
};

static bool plot_overlap(const struct plot_box *a, const struct plot_box *b)
{
    return a->x < b->x + b->w && b->x < a->x + a->w && a->y < b->y + b->h && b->y < a->y + a->h;
}

/* Whether a staircase passes through the box. */
static bool plot_crosses(const struct plot_series *s, const struct plot_frame *f,
                         const struct plot_box *box)
{
    for (int i = 0; i < s->n; i++) {
        double x = plot_px(f, s->x[i]), y = plot_py(f, s->y[i]);
        double next_x = i + 1 < s->n ? plot_px(f, s->x[i + 1]) : f->right;
        double before_y = i > 0 ? plot_py(f, s->y[i - 1]) : f->foot;
        if (plot_overlap(box, &(struct plot_box){x, y - 1, fmax(1, next_x - x), 2}) ||
            plot_overlap(box, &(struct plot_box){x - 1, y, 2, fmax(1, before_y - y)})) {
            return true;
        }
    }
    return false;
}

/* Room for a note: inside the frame, off the other notes, off every mark and every staircase. */
static bool plot_fits(const struct plot_box *box, const struct plot_box *placed, int n_placed,
                      const struct plot *p, const struct plot_frame *f)
{
    bool fits = box->x >= f->left && box->x + box->w <= f->right && box->y >= f->top - 16 &&
                box->y + box->h <= f->foot;
    for (int i = 0; i < n_placed && fits; i++) {
        fits = !plot_overlap(box, &placed[i]);
    }
    for (int k = 0; k < p->n_series && fits; k++) {
        const struct plot_series *s = &p->series[k];
        fits = s->kind != PLOT_STAIRS || !plot_crosses(s, f, box);
        for (int i = 0; s->kind == PLOT_POINTS && i < s->n && fits; i++) {
            struct plot_box mark = {plot_px(f, s->x[i]) - 5, plot_py(f, s->y[i]) - 5, 10, 10};
            fits = !plot_overlap(box, &mark);
        }
    }
    return fits;
}

/* Notes stand above left of their mark, where a rising front leaves room, else below right, else
 * nowhere. */
static void plot_notes(struct text *out, const struct plot_series *s, const struct plot *p,
                       const struct plot_frame *f)
{
    struct plot_box placed[PLOT_MAX_NOTES];
    int n_placed = 0;
    for (int i = 0; i < s->n && n_placed < PLOT_MAX_NOTES; i++) {
        if (!s->notes[i] || !plot_inside(f, s->x[i], s->y[i])) {
            continue;
        }
        double x = plot_px(f, s->x[i]), y = plot_py(f, s->y[i]),
               w = term_chars(s->notes[i]) * plot_bold_letter;
        const struct plot_box boxes[] = {{x - w - 3, y - 19, w, 13},
                                         {x - w / 2, y - 21, w, 13},
                                         {x + 6, y + 6, w, 13},
                                         {x - w - 8, y - 6, w, 13},
                                         {x + 8, y + 3, w, 13}};
        for (size_t k = 0; k < N_ELEMS(boxes); k++) {
            if (plot_fits(&boxes[k], placed, n_placed, p, f)) {
                placed[n_placed++] = boxes[k];
                plot_text(out, boxes[k].x, boxes[k].y + 10.5, "start", "note", s->notes[i]);
                break;
            }
        }
    }
}

static char *plot_last_value(const struct plot_series *s, struct arena *keep)
{
    struct text value;
    text_init(&value, keep);
    text_human(&value, s->y[s->n - 1], 3);
    return value.s;
}

static void plot_line(struct text *out, const struct plot_series *s, const struct plot_frame *f,
                      struct arena tmp)
{
    text_printf(out, "<path class=\"line %s\" d=\"", plot_tone_class[s->tone]);
    for (int i = 0; i < s->n; i++) {
        text_printf(out, "%s%.1f %.1f", i == 0 ? "M" : "L", plot_px(f, s->x[i]),
                    plot_py(f, s->y[i]));
    }
    text_add(out, "\"/>\n");
    if (s->n > 0) {
        double x = plot_px(f, s->x[s->n - 1]), y = plot_py(f, s->y[s->n - 1]);
        plot_mark(out, s->tone, x, y);
        plot_text(out, x + 8, y + 4, "start", "note", plot_last_value(s, &tmp));
    }
}

static double plot_clamp(double v, double lo, double hi)
{
    return fmax(lo, fmin(hi, v));
}

static void plot_stairs(struct text *out, const struct plot_series *s, const struct plot_frame *f,
                        struct arena tmp)
{
    if (s->n == 0) {
        return;
    }
    struct text d;
    text_init(&d, &tmp);
    double x = plot_clamp(plot_px(f, s->x[0]), f->left, f->right);
    text_printf(&d, "M%.1f %.1f", x, f->foot);
    for (int i = 0; i < s->n; i++) {
        double px = plot_clamp(plot_px(f, s->x[i]), f->left, f->right);
        double py = plot_clamp(plot_py(f, s->y[i]), f->top, f->foot);
        text_printf(&d, "H%.1fV%.1f", px, py);
    }
    text_printf(&d, "H%.1f", f->right);
    text_printf(out, "<path class=\"area %s\" d=\"%sV%.1fz\"/>\n", plot_tone_class[s->tone], d.s,
                f->foot);
    text_printf(out, "<path class=\"line %s\" d=\"%s\"/>\n", plot_tone_class[s->tone], d.s);
}

typedef void plot_draw_fn(struct text *out, const struct plot_series *s, const struct plot_frame *f,
                          struct arena tmp);
static plot_draw_fn *const plot_draw[] = {
    [PLOT_CLOUD] = plot_cloud,
    [PLOT_POINTS] = plot_points,
    [PLOT_LINE] = plot_line,
    [PLOT_STAIRS] = plot_stairs,
};

/* A sample of each series beside its name, in rows from the left edge. Returns the height used. */
static double plot_legend(struct text *out, const struct plot *p, double left, double right,
                          double y)
{
    double x = left, used = 0;
    for (int i = 0; i < p->n_series; i++) {
        const struct plot_series *s = &p->series[i];
        if (!s->name) {
            continue;
        }
        double w = 26 + term_chars(s->name) * plot_letter + 14;
        if (x > left && x + w > right) {
            x = left;
            y += PLOT_LEGEND_LINE;
            used += PLOT_LEGEND_LINE;
        }
        if (s->kind == PLOT_CLOUD) {
            text_printf(out, "<path class=\"cloud\" d=\"M%.1f %.1fh0M%.1f %.1fh0M%.1f %.1fh0\"/>",
                        x + 4, y - 6, x + 11, y - 2, x + 17, y - 7);
        } else {
            text_printf(out, "<path class=\"line %s\" d=\"M%.1f %.1fh20\"/>",
                        plot_tone_class[s->tone], x, y - 4);
            plot_mark(out, s->tone, x + 10, y - 4);
        }
        plot_text(out, x + 26, y, "start", "label", s->name);
        x += w;
        used = used > 0 ? used : PLOT_LEGEND_LINE;
    }
    return used > 0 && x > left ? used : 0;
}

static bool plot_has_legend(const struct plot *p)
{
    for (int i = 0; i < p->n_series; i++) {
        if (p->series[i].name) {
            return true;
        }
    }
    return false;
}

static void plot_outside(struct text *out, const struct plot *p, const struct plot_frame *f)
{
    int n = 0;
    for (int s = 0; s < p->n_series; s++) {
        for (int i = 0; i < p->series[s].n && p->series[s].kind == PLOT_CLOUD; i++) {
            n += !plot_inside(f, p->series[s].x[i], p->series[s].y[i]);
        }
    }
    if (n > 0) {
        char note[64];
        snprintf(note, sizeof note, "%d more outside the frame", n);
        plot_text(out, f->right - 4, f->foot - 6, "end", "tick", note);
    }
}

static void plot_open(struct text *out, const struct plot *p)
{
    text_printf(out,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot%s%s\" viewBox=\"0 0 %d "
                "%d\" role=\"img\" "
                "aria-labelledby=\"%s-title %s-desc\"",
                p->class ? " " : "", p->class ? p->class : "", p->width, p->height, p->id, p->id);
    if (p->alone) {
        text_printf(out, " width=\"%d\" height=\"%d\"", p->width, p->height);
    }
    text_printf(out, ">\n<title id=\"%s-title\">", p->id);
    text_escape(out, p->title);
    text_printf(out, "</title>\n<desc id=\"%s-desc\">", p->id);
    text_escape(out, p->desc);
    text_add(out, "</desc>\n");
    if (p->alone) {
        text_add(out, "<style>\n");
        plot_style(out);
        text_printf(out, "</style>\n<rect class=\"sheet\" width=\"%d\" height=\"%d\"/>\n", p->width,
                    p->height);
    }
}

/* The longest number beside the vertical axis, in pixels. */
static double plot_tick_width(const struct plot_frame *f, double first, double step)
{
    int longest = 0;
    for (int i = 0; first + i * step <= f->y1 + 1e-9 * step; i++) {
        char label[48];
        plot_tick_text(label, sizeof label, first + i * step, step, fmax(fabs(f->y0), fabs(f->y1)));
        longest = MAX(longest, term_chars(label));
    }
    return longest * plot_letter;
}

/* Room at the right for the values that stand beside the ends of lines. */
static double plot_end_width(const struct plot *p, struct arena tmp)
{
    double width = 0;
    for (int i = 0; i < p->n_series; i++) {
        if (p->series[i].kind == PLOT_LINE && p->series[i].n > 0) {
            width =
                fmax(width, term_chars(plot_last_value(&p->series[i], &tmp)) * plot_bold_letter);
        }
    }
    return width;
}

void plot_svg(struct text *out, const struct plot *p, struct arena tmp)
{
    ASSERT(p->id && p->title && p->desc && p->x_label && p->y_label);
    ASSERT(p->width > 100 && p->height > 100);
    plot_open(out, p);
    double edge = p->alone ? 16 : 1, y = 16, head = p->alone ? 32 : 0;
    struct plot_frame f = {.right = p->width - PLOT_RIGHT - plot_end_width(p, tmp),
                           .foot = p->height - PLOT_BOTTOM};
    plot_axis_range(p, false, &f.x0, &f.x1);
    plot_axis_range(p, true, &f.y0, &f.y1);
    if (p->alone) {
        plot_text(out, edge, y + 6, "start", "title", p->title);
    }
    if (plot_has_legend(p)) {
        head += plot_legend(out, p, edge, p->width - PLOT_RIGHT, y + head) + 4;
    }
    plot_text(out, edge, y + head, "start", "label", p->y_label);
    f.top = PLOT_TOP + head;
    double step, first = plot_axis_ticks(f.y0, f.y1, MAX(3, (int)((f.foot - f.top) / 48)),
                                         p->y_whole, &step);
    f.left = edge + plot_tick_width(&f, first, step) + 8;
    plot_axes(out, p, &f, step, first);
    for (int i = 0; i < p->n_series; i++) {
        plot_draw[p->series[i].kind](out, &p->series[i], &f, tmp);
    }
    for (int i = 0; i < p->n_series; i++) {
        if (p->series[i].notes) {
            plot_notes(out, &p->series[i], p, &f);
        }
    }
    plot_outside(out, p, &f);
    text_add(out, "</svg>\n");
}
