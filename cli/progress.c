#define _GNU_SOURCE
#include "cli/progress.h"

#include "cli/term.h"
#include "core/clock.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { PROGRESS_BAR = 24, PROGRESS_LINE = 256 };

static const double progress_interval_s =
    0.1; /* quicker than the eye reads, slow enough to cost nothing */

void progress_open(struct progress *p, const char *label, const char *unit, int64_t first,
                   int64_t n, bool quiet)
{
    ASSERT(p && label && unit && first >= 0 && n >= 0);
    *p = (struct progress){
        .label = label, .unit = unit, .first = first, .n = n, .start_s = clock_now_s()};
    p->f = !quiet && term_is_tty(stderr) ? stderr : NULL;
    p->shown_s = p->start_s - progress_interval_s;
}

void progress_time(char *buf, size_t len, double seconds)
{
    if (!(seconds >= 0) || seconds > 1e9) {
        snprintf(buf, len, "?");
    } else if (seconds < 10) {
        snprintf(buf, len, "%.1f s", seconds);
    } else {
        int64_t s = (int64_t)llround(seconds), h = s / 3600;
        if (h > 0) {
            snprintf(buf, len, "%" PRId64 ":%02d:%02d", h, (int)(s / 60 % 60), (int)(s % 60));
        } else {
            snprintf(buf, len, "%d:%02d", (int)(s / 60), (int)(s % 60));
        }
    }
}

static void progress_bar(char *buf, double share)
{
    int full = (int)lround(share * PROGRESS_BAR);
    for (int i = 0; i < PROGRESS_BAR; i++) {
        strcat(buf, i < full ? "\xE2\x96\x88" : "\xE2\x96\x91"); /* full and light blocks */
    }
}

/* Longest text first; what does not fit the terminal is left out from the right. */
static void progress_line(char *line, const struct progress *p, int64_t done, double now_s,
                          const char *note)
{
    char part[5][PROGRESS_LINE] = {{0}};
    double spent = now_s - p->start_s;
    double rate = spent > 0 ? (double)(done - p->first) / spent : 0;
    snprintf(part[0], PROGRESS_LINE, "%s ", p->label);
    if (p->n > 0) {
        progress_bar(part[0], MIN(1.0, (double)done / (double)p->n));
        snprintf(part[1], PROGRESS_LINE, " %" PRId64 "/%" PRId64 " %s", done, p->n, p->unit);
    } else {
        snprintf(part[1], PROGRESS_LINE, "%" PRId64 " %s", done, p->unit);
    }
    if (rate > 0) {
        snprintf(part[2], PROGRESS_LINE, rate >= 1 ? ", %.3g/s" : ", %.3g s each",
                 rate >= 1 ? rate : 1 / rate);
    }
    if (rate > 0 && p->n > done) {
        char left[32];
        progress_time(left, sizeof left, (double)(p->n - done) / rate);
        snprintf(part[3], PROGRESS_LINE, ", %s left", left);
    }
    if (note) {
        snprintf(part[4], PROGRESS_LINE, ", %s", note);
    }
    int width = term_width(p->f) - 1, used = 0;
    line[0] = 0;
    for (int i = 0; i < 5 && used + term_chars(part[i]) <= width; i++) {
        strcat(line, part[i]);
        used += term_chars(part[i]);
    }
}

void progress_show(struct progress *p, int64_t done, const char *note)
{
    ASSERT(p->label && done >= p->first);
    double now_s = p->f ? clock_now_s() : 0;
    if (!p->f || (now_s - p->shown_s < progress_interval_s && done != p->n)) {
        return;
    }
    char line[5 * PROGRESS_LINE];
    progress_line(line, p, done, now_s, note);
    fprintf(p->f, "\r\033[K%s", line); /* to the start, erase the line */
    fflush(p->f);
    p->shown_s = now_s;
    p->visible = true;
}

void progress_clear(struct progress *p)
{
    if (p->f && p->visible) {
        fprintf(p->f, "\r\033[K");
        fflush(p->f);
        p->visible = false;
        p->shown_s = p->start_s - progress_interval_s;
    }
}

void progress_close(struct progress *p)
{
    progress_clear(p);
    p->f = NULL;
}
