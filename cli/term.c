#define _GNU_SOURCE
#include "cli/term.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool term_is_tty(FILE *f)
{
    const char *term = getenv("TERM");
    return isatty(fileno(f)) && !(term && strcmp(term, "dumb") == 0);
}

bool term_colour(FILE *f)
{
    const char *no = getenv("NO_COLOR");
    return term_is_tty(f) && !(no && *no);
}

int term_width(FILE *f)
{
    struct winsize size;
    if (isatty(fileno(f)) && ioctl(fileno(f), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    const char *columns = getenv("COLUMNS");
    int n = columns ? atoi(columns) : 0;
    return n >= 20 && n <= 1000 ? n : 80;
}

static int term_chars_n(const char *s, size_t len)
{
    int n = 0;
    for (size_t i = 0; i < len; i++) {
        n += ((unsigned char)s[i] & 0xC0) != 0x80; /* not a continuation byte */
    }
    return n;
}

int term_chars(const char *s)
{
    return term_chars_n(s, strlen(s));
}

void term_fill(FILE *f, const char *text, int at, int indent, int width)
{
    ASSERT(text && indent >= 0 && indent < width);
    bool fresh = true; /* nothing on this line yet */
    while (*text) {
        size_t len = strcspn(text, " \n");
        int n = term_chars_n(text, len);
        if (!fresh && at + 1 + n > width) {
            fprintf(f, "\n%*s", indent, "");
            at = indent;
            fresh = true;
        }
        if (len > 0) {
            fprintf(f, "%s%.*s", fresh ? "" : " ", (int)len, text);
            at += n + !fresh;
            fresh = false;
        }
        text += len;
        if (*text == '\n') {
            fprintf(f, "\n%*s", text[1] == '\n' ? 0 : indent, "");
            at = indent;
            fresh = true;
        }
        text += *text != 0;
    }
    fputc('\n', f);
}
