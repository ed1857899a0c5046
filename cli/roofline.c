#include "cli/roofline.h"

#include "cli/plot.h"
#include "core/file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Pixels. */
enum {
    ROOF_WIDTH = 900,
    ROOF_LEFT = 60,
    ROOF_RIGHT = ROOF_WIDTH - 24,
    ROOF_TOP = 84,
    ROOF_FOOT = 504,
    ROOF_LIST = ROOF_FOOT + 76,
    ROOF_LINE = 17,
    ROOF_MAX_NUMBERS = 100
};

const char *const roofline_streams[ROOFLINE_N_LEVELS] = {"stream:l1", "stream:l2", "stream:l3",
                                                         "stream:memory"};
static const char *const roof_names[ROOFLINE_N_LEVELS] = {"L1", "L2", "L3", "memory"};

void roofline_init(struct roofline *r, struct arena *keep)
{
    *r = (struct roofline){.keep = keep};
}

void roofline_add(struct roofline *r, const struct timer_row *row)
{
    if (!(row->flops > 0) || !(row->bytes > 0)) {
        r->n_left_out++;
        return;
    }
    if (r->n == r->cap) {
        int cap = MAX(64, 2 * r->cap);
        struct timer_row *rows = arena_push(r->keep, (size_t)cap, sizeof *rows);
        if (r->n > 0) {
            memcpy(rows, r->rows, (size_t)r->n * sizeof *rows);
        }
        r->rows = rows;
        r->cap = cap;
    }
    r->rows[r->n++] = *row;
}

void roofline_ceiling(struct roofline *r, int level, const struct timer_row *row)
{
    ASSERT(level >= 0 && level < ROOFLINE_N_LEVELS);
    double *to = strcmp(row->direction, "read") == 0 ? r->read[level] : r->copy[level];
    to[row->n_threads > 1] = timer_gb_s(row);
}

/* Where data lands on paper: both axes logarithmic, the same length a decade up as along. */
struct roof_frame {
    double x0, x1, y0, y1; /* decades */
};

static double roof_px(const struct roof_frame *f, double x)
{
    return ROOF_LEFT + (log10(x) - f->x0) / (f->x1 - f->x0) * (ROOF_RIGHT - ROOF_LEFT);
}

static double roof_py(const struct roof_frame *f, double y)
{
    return ROOF_FOOT - (log10(y) - f->y0) / (f->y1 - f->y0) * (ROOF_FOOT - ROOF_TOP);
}

static double roof_intensity(const struct timer_row *r)
{
    return r->flops / r->bytes;
}

/* What all threads read; the rows are by that many. */
static double roof_bandwidth(const struct roofline *r, int level)
{
    return r->read[level][1] > 0 ? r->read[level][1] : r->read[level][0];
}

static struct roof_frame roof_frame(const struct roofline *r)
{
    double x0 = r->peak / roof_bandwidth(r, 0), x1 = r->peak / roof_bandwidth(r, 3);
    double y0 = r->peak, y1 = r->peak;
    for (int i = 0; i < r->n; i++) {
        x0 = fmin(x0, roof_intensity(&r->rows[i]));
        x1 = fmax(x1, roof_intensity(&r->rows[i]));
        y0 = fmin(y0, timer_gflops(&r->rows[i]));
        y1 = fmax(y1, timer_gflops(&r->rows[i]));
    }
    /* From the ridge of the first cache on, memory's line comes in at the lower left. */
    y0 = fmin(y0, roof_bandwidth(r, 3) * x0);
    return (struct roof_frame){log10(x0) - 0.3, log10(x1) + 0.2, log10(y0) - 0.1, log10(y1) + 0.15};
}

static void roof_text(struct text *out, double x, double y, const char *anchor, const char *class,
                      const char *s)
{
    text_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchor,
                class);
    text_escape(out, s);
    text_add(out, "</text>\n");
}

/* Ticks at 1, 2 and 5 times the powers of ten; the powers alone where there are many. */
static void roof_ticks(struct text *out, const struct roof_frame *f, bool vertical)
{
    static const double digits[] = {1, 2, 5};
    double lo = vertical ? f->y0 : f->x0, hi = vertical ? f->y1 : f->x1;
    int n_digits = hi - lo > 3.5 ? 1 : (int)N_ELEMS(digits);
    for (int decade = (int)floor(lo); decade <= (int)hi; decade++) {
        for (int i = 0; i < n_digits; i++) {
            double v = digits[i] * pow(10, decade);
            struct text label;
            struct arena words = *out->keep;
            char copy[32];
            if (log10(v) < lo || log10(v) > hi) {
                continue;
            }
            text_init(&label, &words);
            text_human(&label, v, 3);
            snprintf(copy, sizeof copy, "%s", label.s);
            if (vertical) {
                text_printf(out, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>\n", (int)ROOF_LEFT,
                            roof_py(f, v), (int)ROOF_RIGHT);
                roof_text(out, ROOF_LEFT - 6, roof_py(f, v) + 4, "end", "tick", copy);
            } else {
                text_printf(out, "<path class=\"grid\" d=\"M%.1f %dV%d\"/>\n", roof_px(f, v),
                            (int)ROOF_TOP, (int)ROOF_FOOT);
                roof_text(out, roof_px(f, v), ROOF_FOOT + 18, "middle", "tick", copy);
            }
        }
    }
}

/* A bandwidth: GFLOP/s = GB/s times operations a byte, up to the peak; its name along the line. */
static void roof_slope(struct text *out, const struct roofline *r, const struct roof_frame *f,
                       int level)
{
    double gb_s = roof_bandwidth(r, level), ridge = r->peak / gb_s;
    double x = fmax(pow(10, f->x0), pow(10, f->y0) / gb_s);
    double px = roof_px(f, x), py = roof_py(f, x * gb_s);
    double dx = roof_px(f, ridge) - px, dy = roof_py(f, r->peak) - py;
    text_printf(out, "<path class=\"axis\" stroke-width=\"1.6\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", px,
                py, px + dx, py + dy);
    text_printf(out,
                "<text class=\"note\" transform=\"translate(%.1f %.1f) rotate(%.1f)\" x=\"10\" "
                "y=\"-5\">%s %.0f GB/s</text>\n",
                px, py, atan2(dy, dx) * 180 / acos(-1), roof_names[level], gb_s);
}

static void roof_peak(struct text *out, const struct roofline *r, const struct roof_frame *f,
                      struct arena tmp)
{
    double y = roof_py(f, r->peak), x = roof_px(f, r->peak / roof_bandwidth(r, 0));
    text_printf(out, "<path class=\"axis\" stroke-width=\"1.6\" d=\"M%.1f %.1fH%d\"/>\n", x, y,
                (int)ROOF_RIGHT);
    roof_text(out, ROOF_RIGHT - 4, y - 6, "end", "note",
              arena_printf(&tmp, "peak of multiply-adds in registers %.0f GFLOP/s", r->peak));
}

static bool roof_is_winograd(const struct timer_row *row)
{
    return strcmp(row->algo, "winograd") == 0;
}

static void roof_mark(struct text *out, bool winograd, double x, double y)
{
    if (winograd) {
        text_printf(out, "<path class=\"mark truth\" d=\"M%.1f %.1fl4 4l-4 4l-4 -4z\"/>", x, y - 4);
    } else {
        text_printf(out, "<circle class=\"mark front\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.6\"/>", x, y);
    }
}

static char *roof_row_text(const struct timer_row *row, struct arena *tmp)
{
    return arena_printf(tmp, "%s%s%s %s: %.4g GFLOP/s, %.0f %% of the peak, %.3g FLOP a byte",
                        row->problem, row->direction[0] ? " " : "", row->direction, row->algo,
                        timer_gflops(row), 100 * timer_gflops(row) / row->peak,
                        roof_intensity(row));
}

static void roof_points(struct text *out, const struct roofline *r, const struct roof_frame *f,
                        struct arena tmp)
{
    for (int i = 0; i < r->n; i++) {
        const struct timer_row *row = &r->rows[i];
        struct arena words = tmp;
        text_add(out, "<g><title>");
        text_escape(out, roof_row_text(row, &words));
        text_add(out, "</title>");
        roof_mark(out, roof_is_winograd(row), roof_px(f, roof_intensity(row)),
                  roof_py(f, timer_gflops(row)));
        text_add(out, "</g>\n");
    }
}

/* Where numbers stand: boxes of 8 pixels a digit, 11 high, around their centres. */
struct roof_spot {
    double x, y, half; /* centre, half the width */
};

static bool roof_free(const struct roof_spot *s, const struct roof_spot *taken, int n)
{
    bool ok = s->x > ROOF_LEFT + 8 && s->x < ROOF_RIGHT - 8 && s->y > ROOF_TOP + 6 &&
              s->y < ROOF_FOOT - 6;
    for (int i = 0; i < n && ok; i++) {
        ok = fabs(s->x - taken[i].x) >= s->half + taken[i].half || fabs(s->y - taken[i].y) >= 11;
    }
    return ok;
}

/* A number beside each mark, off all marks and other numbers; farther away with a line to it, or
 * nowhere where there is no room. The list below has them all. */
static void roof_numbers(struct text *out, const struct roofline *r, const struct roof_frame *f,
                         struct arena tmp)
{
    static const double angles[] = {-0.79, 0, 0.79, 2.36, 3.14, -2.36, 1.57, -1.57};
    int n = MIN(r->n, (int)ROOF_MAX_NUMBERS), n_taken = 0;
    struct roof_spot *taken = arena_push(&tmp, (size_t)(r->n + n), sizeof *taken);
    for (int i = 0; i < r->n; i++) {
        taken[n_taken++] = (struct roof_spot){roof_px(f, roof_intensity(&r->rows[i])),
                                              roof_py(f, timer_gflops(&r->rows[i])), 4};
    }
    for (int i = 0; i < n; i++) {
        const struct roof_spot mark = taken[i];
        char number[16];
        snprintf(number, sizeof number, "%d", i + 1);
        double half = 4.0 * (double)strlen(number);
        for (int k = 0; k < 5 * (int)N_ELEMS(angles); k++) {
            int ring = k / (int)N_ELEMS(angles);
            double a = angles[k % (int)N_ELEMS(angles)], away = 6 + half + 11 * ring;
            struct roof_spot s = {mark.x + away * cos(a), mark.y + away * sin(a), half};
            if (!roof_free(&s, taken, n_taken)) {
                continue;
            }
            if (ring > 0) {
                text_printf(out,
                            "<path class=\"axis\" stroke-width=\".7\" d=\"M%.1f %.1fL%.1f "
                            "%.1f\"/>\n",
                            mark.x, mark.y, s.x, s.y);
            }
            roof_text(out, s.x, s.y + 4, "middle", "note", number);
            taken[n_taken++] = s;
            break;
        }
    }
}

static void roof_list(struct text *out, const struct roofline *r, struct arena tmp)
{
    static const struct {
        double x;
        const char *anchor, *head;
    } cols[] = {
        {44, "end", ""},         {56, "start", "problem"},    {330, "start", "direction"},
        {430, "start", "by"},    {570, "end", "ms"},          {660, "end", "FLOP/byte"},
        {750, "end", "GFLOP/s"}, {830, "end", "of the peak"},
    };
    int n = MIN(r->n, (int)ROOF_MAX_NUMBERS);
    for (size_t k = 0; k < N_ELEMS(cols); k++) {
        roof_text(out, cols[k].x, ROOF_LIST, cols[k].anchor, "label", cols[k].head);
    }
    for (int i = 0; i < n; i++) {
        const struct timer_row *row = &r->rows[i];
        struct arena words = tmp;
        double y = ROOF_LIST + (i + 1) * ROOF_LINE;
        const char *cells[N_ELEMS(cols)] = {
            arena_printf(&words, "%d", i + 1),
            row->problem,
            row->direction,
            row->algo,
            arena_printf(&words, "%.4g", row->median_s * 1e3),
            arena_printf(&words, "%.3g", roof_intensity(row)),
            arena_printf(&words, "%.4g", timer_gflops(row)),
            arena_printf(&words, "%.0f %%", 100 * timer_gflops(row) / row->peak),
        };
        for (size_t k = 0; k < N_ELEMS(cols); k++) {
            roof_text(out, cols[k].x, y, cols[k].anchor, k == 0 ? "note" : "tick", cells[k]);
        }
    }
    if (n < r->n) {
        roof_text(out, cols[1].x, ROOF_LIST + (n + 1) * ROOF_LINE, "start", "tick",
                  arena_printf(&tmp, "and %d more, without a number", r->n - n));
    }
}

static void roof_heads(struct text *out, const struct roofline *r, struct arena tmp)
{
    const struct timer_row *row = r->n > 0 ? &r->rows[0] : NULL;
    text_printf(out, "<text x=\"16\" y=\"26\" class=\"title\">Roofline%s%s", row ? ": " : "",
                row ? row->tier : "");
    if (row) {
        text_printf(out, ", %s, %d thread%s, %s caches", row->precision, row->n_threads,
                    row->n_threads > 1 ? "s" : "", row->cold ? "cold" : "warm");
    }
    text_add(out, "</text>\n");
    roof_mark(out, false, 22, 44);
    roof_text(out, 32, 48, "start", "label", "direct and others");
    roof_mark(out, true, 152, 44);
    roof_text(out, 162, 48, "start", "label",
              "Winograd: operations counted as the direct method needs them, so it may pass the "
              "peak");
    roof_text(out, 16, 70, "start", "label", "GFLOP/s");
    roof_text(out, (ROOF_LEFT + ROOF_RIGHT) / 2.0, ROOF_FOOT + 38, "middle", "label",
              "operations a byte, each operand counted once");
    if (r->noisy || r->n_left_out > 0) {
        roof_text(out, ROOF_RIGHT, 70, "end", "label",
                  arena_printf(&tmp, "%s%s%.0d%s", r->noisy ? "the machine was noisy" : "",
                               r->noisy && r->n_left_out ? "; " : "", r->n_left_out,
                               r->n_left_out ? " not drawn: their traffic is not known" : ""));
    }
}

bool roofline_write(const struct roofline *r, const char *path, struct arena tmp, struct err *e)
{
    ASSERT(r->peak > 0 && roof_bandwidth(r, 0) > 0 && roof_bandwidth(r, ROOFLINE_N_LEVELS - 1) > 0);
    struct roof_frame f = roof_frame(r);
    struct arena words = arena_carve(&tmp, (size_t)64 << 20);
    int n_lines = MIN(r->n, (int)ROOF_MAX_NUMBERS) + (r->n > ROOF_MAX_NUMBERS);
    int height = r->n > 0 ? ROOF_LIST + n_lines * ROOF_LINE + 24 : ROOF_LIST;
    struct text out;
    text_init(&out, &words);
    text_printf(
        &out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" viewBox=\"0 0 %d %d\" "
        "width=\"%d\" height=\"%d\" role=\"img\" aria-labelledby=\"roof-title "
        "roof-desc\">\n<title id=\"roof-title\">Roofline</title>\n<desc "
        "id=\"roof-desc\">Speed of %d measured cases against their operations a byte, under "
        "a peak of %.0f GFLOP/s and the bandwidths of three caches and memory.</desc>\n"
        "<style>\n",
        (int)ROOF_WIDTH, height, (int)ROOF_WIDTH, height, r->n, r->peak);
    plot_style(&out);
    text_printf(&out, "</style>\n<rect class=\"sheet\" width=\"%d\" height=\"%d\"/>\n",
                (int)ROOF_WIDTH, height);
    roof_ticks(&out, &f, true);
    roof_ticks(&out, &f, false);
    for (int level = 0; level < ROOFLINE_N_LEVELS; level++) {
        roof_slope(&out, r, &f, level);
    }
    roof_peak(&out, r, &f, tmp);
    roof_points(&out, r, &f, tmp);
    roof_numbers(&out, r, &f, tmp);
    roof_heads(&out, r, tmp);
    if (r->n > 0) {
        roof_list(&out, r, tmp);
    }
    text_add(&out, "</svg>\n");
    return file_write(path, out.s, out.n, e);
}
