/* text.h: a growing string in an arena, for pages, plots and JSON. Outgrown copies stay in the
 * arena until it goes. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "core/arena.h"

struct text {
    struct arena *keep;
    char *s;  /* zero-terminated once anything was added; NULL before */
    size_t n; /* bytes without the zero */
    size_t cap;
};

void text_init(struct text *t, struct arena *keep);
void text_add(struct text *t, const char *s);
void text_add_n(struct text *t, const char *s, size_t n);
void text_printf(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* s with & < > " ' written as entities: safe between tags and inside quoted attributes; control
 * characters that XML forbids become U+FFFD. */
void text_escape(struct text *t, const char *s);

/* A number as few digits as read back to the same double; "null" for NaN and infinities (which JSON
 * lacks). */
void text_number(struct text *t, double value);

/* For people: about `digits` significant digits, no exponent from 1e-4 to 1e7, no trailing zeros, a
 * true minus sign. */
void text_human(struct text *t, double value, int digits);

/* For columns of numbers: always so many decimals, a true minus sign; a dash for NaN. */
void text_fixed(struct text *t, double value, int decimals);

/* A cell of an HTML table, labelled for narrow screens: text_human, or a dash where there is no
 * finite number. */
void text_cell(struct text *t, const char *label, double value, int digits);

#endif
