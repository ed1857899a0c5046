#include "cli/table.h"

#include "cli/term.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

enum { TABLE_GAP = 2, TABLE_MIN_CUT = 8 };

void table_init(struct table *t, struct arena *keep, const char *const *heads, int n_cols)
{
    ASSERT(n_cols >= 1 && n_cols <= TABLE_MAX_COLS);
    *t = (struct table){.keep = keep, .n_cols = n_cols};
    memcpy(t->heads, heads, (size_t)n_cols * sizeof *heads);
}

static void table_push(struct table *t, char *cell)
{
    if (t->n_cells == t->cap) {
        size_t cap = MAX((size_t)64, 2 * t->cap);
        char **cells = arena_push(t->keep, cap, sizeof *cells);
        if (t->n_cells > 0) {
            memcpy(cells, t->cells, t->n_cells * sizeof *cells);
        }
        t->cells = cells;
        t->cap = cap;
    }
    t->cells[t->n_cells++] = cell;
}

void table_add(struct table *t, const char *text)
{
    table_push(t, arena_strdup(t->keep, text));
}

void table_printf(struct table *t, const char *fmt, ...)
{
    char buf[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(buf, sizeof buf, fmt, args);
    va_end(args);
    table_add(t, buf);
}

/* A number, perhaps with a unit behind it; a lone dash stands for "none" and fits any column. */
static bool table_is_number(const char *cell)
{
    cell += *cell == '-' || *cell == '+';
    return *cell == 0 || isdigit((unsigned char)*cell) ||
           (*cell == '.' && isdigit((unsigned char)cell[1]));
}

static void table_cell(FILE *f, const char *text, int width, bool right, bool last)
{
    int n = term_chars(text);
    if (n > width) { /* cut between characters: skip whole UTF-8 sequences */
        size_t bytes = 0;
        for (int i = 0; i < width - 1; i++) {
            bytes++;
            while (((unsigned char)text[bytes] & 0xC0) == 0x80) {
                bytes++;
            }
        }
        fprintf(f, "%.*s\xE2\x80\xA6", (int)bytes, text);
        n = width;
    } else {
        fprintf(f, "%*s%s", right ? width - n : 0, "", text);
    }
    if (last) {
        fputc('\n', f);
    } else {
        fprintf(f, "%*s", (right ? 0 : width - n) + TABLE_GAP, "");
    }
}

static void table_fit(int *width, const bool *number, int n_cols, int room)
{
    int total = -TABLE_GAP;
    for (int c = 0; c < n_cols; c++) {
        total += width[c] + TABLE_GAP;
    }
    for (int c = n_cols - 1; c >= 0 && total > room; c--) {
        int cut = number[c] ? 0 : MIN(total - room, MAX(0, width[c] - TABLE_MIN_CUT));
        width[c] -= cut;
        total -= cut;
    }
}

void table_print(const struct table *t, FILE *f)
{
    ASSERT(t->n_cells % (size_t)t->n_cols == 0);
    int width[TABLE_MAX_COLS];
    bool number[TABLE_MAX_COLS];
    for (int c = 0; c < t->n_cols; c++) {
        width[c] = term_chars(t->heads[c]);
        number[c] = true;
        for (size_t i = (size_t)c; i < t->n_cells; i += (size_t)t->n_cols) {
            width[c] = MAX(width[c], term_chars(t->cells[i]));
            number[c] = number[c] && table_is_number(t->cells[i]);
        }
    }
    if (term_is_tty(f)) {
        table_fit(width, number, t->n_cols, term_width(f));
    }
    bool colour = term_colour(f);
    fputs(colour ? "\033[1m" : "", f);
    for (int c = 0; c < t->n_cols; c++) {
        if (colour && c == t->n_cols - 1) {
            table_cell(f, t->heads[c], width[c], number[c], false);
            fputs("\033[0m\n", f);
        } else {
            table_cell(f, t->heads[c], width[c], number[c], c == t->n_cols - 1);
        }
    }
    for (size_t i = 0; i < t->n_cells; i++) {
        int c = (int)(i % (size_t)t->n_cols);
        table_cell(f, t->cells[i], width[c], number[c], c == t->n_cols - 1);
    }
}
