#include "cli/text.h"

#include "core/number.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_FIRST_CAP = 256 }; /* a number or a line fits without growing */

void text_init(struct text *t, struct arena *keep)
{
    *t = (struct text){.keep = keep};
    text_add(t, "");
}

static void text_reserve(struct text *t, size_t more)
{
    if (t->cap > 0 && t->n + more < t->cap) {
        return;
    }
    size_t cap = MAX(t->cap, (size_t)TEXT_FIRST_CAP);
    while (cap <= t->n + more) {
        cap *= 2;
    }
    char *s = arena_push(t->keep, cap, 1);
    if (t->n > 0) {
        memcpy(s, t->s, t->n);
    }
    s[t->n] = 0;
    t->s = s;
    t->cap = cap;
}

void text_add_n(struct text *t, const char *s, size_t n)
{
    text_reserve(t, n);
    memcpy(t->s + t->n, s, n);
    t->n += n;
    t->s[t->n] = 0;
}

void text_add(struct text *t, const char *s)
{
    text_add_n(t, s, strlen(s));
}

void text_printf(struct text *t, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    ASSERT(n >= 0);
    text_reserve(t, (size_t)n);
    vsnprintf(t->s + t->n, (size_t)n + 1, fmt, again);
    va_end(again);
    t->n += (size_t)n;
}

void text_escape(struct text *t, const char *s)
{
    for (; *s; s++) {
        switch (*s) {
        case '&':
            text_add(t, "&amp;");
            break;
        case '<':
            text_add(t, "&lt;");
            break;
        case '>':
            text_add(t, "&gt;");
            break;
        case '"':
            text_add(t, "&quot;");
            break;
        case '\'':
            text_add(t, "&#39;");
            break;
        default:
            if ((unsigned char)*s < 32 && *s != '\n' && *s != '\t') {
                text_add(t, "\xEF\xBF\xBD");
            } else {
                text_add_n(t, s, 1);
            }
        }
    }
}

void text_number(struct text *t, double value)
{
    if (!isfinite(value)) {
        text_add(t, "null");
        return;
    }
    char buf[NUMBER_LEN];
    number_format(buf, value);
    text_add(t, buf);
}

/* A number that printf wrote, its hyphen as a minus sign. */
static void text_minus(struct text *t, const char *number)
{
    if (*number == '-') {
        text_add(t, "\xE2\x88\x92");
        number++;
    }
    text_add(t, number);
}

/* NaN and infinities; false for all other values. */
static bool text_special(struct text *t, double value)
{
    if (isfinite(value)) {
        return false;
    }
    text_add(t, isnan(value) ? "\xE2\x80\x93"
                : value > 0  ? "\xE2\x88\x9E"
                             : "\xE2\x88\x92\xE2\x88\x9E");
    return true;
}

void text_human(struct text *t, double value, int digits)
{
    ASSERT(digits >= 1 && digits <= 17);
    double size = fabs(value);
    char buf[40];
    if (text_special(t, value)) {
        return;
    }
    if (size != 0 && (size < 1e-4 || size >= 1e7)) {
        snprintf(buf, sizeof buf, "%.*g", digits, value);
        text_minus(t, buf);
        return;
    }
    int before = size > 0 ? (int)floor(log10(size)) + 1 : 1;
    snprintf(buf, sizeof buf, "%.*f", MIN(MAX(0, digits - before), 20), value);
    if (strchr(buf, '.')) {
        char *end = buf + strlen(buf) - 1;
        while (*end == '0') {
            *end-- = 0;
        }
        if (*end == '.') {
            *end = 0;
        }
    }
    text_minus(t, buf);
}

void text_fixed(struct text *t, double value, int decimals)
{
    ASSERT(decimals >= 0 && decimals <= 17);
    if (text_special(t, value)) {
        return;
    }
    if (fabs(value) >= 1e15) {
        text_human(t, value, 6);
        return;
    }
    char buf[40];
    snprintf(buf, sizeof buf, "%.*f", decimals, value);
    text_minus(t, buf);
}

void text_cell(struct text *t, const char *label, double value, int digits)
{
    text_add(t, "<td data-label=\"");
    text_escape(t, label);
    text_add(t, "\">");
    text_human(t, isfinite(value) ? value : NAN, digits);
    text_add(t, "</td>");
}
