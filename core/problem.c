#include "core/problem.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROBLEM_MAX_NUMBER = 1 << 20 };

bool problem_numbers(const char *text, const char *letters, int *values, const char *form,
                     struct err *e)
{
    const char *at = text;
    while (*at) {
        const char *letter = strchr(letters, *at);
        char *end = NULL;
        long value = letter && isdigit((unsigned char)at[1]) ? strtol(at + 1, &end, 10) : -1;
        if (value < 0 || value > PROBLEM_MAX_NUMBER) {
            err_set(e, ERR_USAGE, "problem %.80s: cannot read \"%.20s\"", text, at);
            return err_hint(e, "expected %s", form);
        }
        values[letter - letters] = (int)value;
        at = end;
    }
    for (size_t i = 0; letters[i]; i++) {
        if (values[i] < 0) {
            err_set(e, ERR_USAGE, "problem %.80s: lacks %c", text, letters[i]);
            return err_hint(e, "expected %s", form);
        }
    }
    return true;
}

bool problem_conv(struct conv_shape *s, const char *text, struct err *e)
{
    int v[] = {1, -1, 0, -1, -1, -1, 1, 0, 1}; /* n h w c k r s p g; negative = must be given */
    text += strncmp(text, "conv:", 5) == 0 ? 5 : 0;
    bool has_pad = strchr(text, 'p');
    if (!problem_numbers(text, "nhwckrspg", v, PROBLEM_CONV_FORM, e)) {
        return false;
    }
    *s = (struct conv_shape){.n = v[0],
                             .h = v[1],
                             .w = v[2] ? v[2] : v[1],
                             .c = v[3],
                             .k = v[4],
                             .kh = v[5],
                             .kw = v[5],
                             .stride = v[6],
                             .pad = has_pad ? v[7] : v[5] / 2,
                             .groups = v[8]};
    if (!conv_shape_init(s, e)) {
        e->code = ERR_USAGE;
        return false;
    }
    return true;
}

void problem_conv_format(char text[PROBLEM_CONV_LEN], const struct conv_shape *s)
{
    ASSERT(s->kh == s->kw);
    snprintf(text, PROBLEM_CONV_LEN, "conv:n%dh%dw%dc%dk%dr%ds%dp%dg%d", s->n, s->h, s->w, s->c,
             s->k, s->kh, s->stride, s->pad, s->groups);
}
