/* term.h: what a stream is connected to: a terminal that wants colour and progress, or a pipe that
 * wants neither. */
#ifndef CLI_TERM_H
#define CLI_TERM_H

#include "core/base.h"

#include <stdio.h>

/* A terminal where the cursor can be moved (TERM is not "dumb"). */
bool term_is_tty(FILE *f);

/* term_is_tty, and NO_COLOR is not set (https://no-color.org: set to anything but the empty
 * string). */
bool term_colour(FILE *f);

/* Columns, from the terminal, else COLUMNS, else 80. */
int term_width(FILE *f);

/* Print text filled to width columns, every line after the first indented; the cursor stands at
 * column `at` before. A newline in the text is kept. Widths are counted in UTF-8 characters. */
void term_fill(FILE *f, const char *text, int at, int indent, int width);

/* Characters of a UTF-8 string as a terminal shows them (combining and wide characters are not
 * known here). */
int term_chars(const char *s);

#endif
