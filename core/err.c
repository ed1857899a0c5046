#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    ASSERT(e && code != ERR_NONE);
    va_list args;
    va_start(args, fmt);
    e->code = code;
    e->hint[0] = 0;
    vsnprintf(e->text, sizeof e->text, fmt, args);
    va_end(args);
    return false;
}

bool err_wrap(struct err *e, const char *fmt, ...)
{
    ASSERT(e && e->code != ERR_NONE);
    char old[sizeof e->text - 2];
    memcpy(old, e->text, sizeof old);
    old[sizeof old - 1] = 0;
    va_list args;
    va_start(args, fmt);
    int used = vsnprintf(e->text, sizeof e->text, fmt, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof e->text) {
        snprintf(e->text + used, sizeof e->text - (size_t)used, ": %s", old);
    }
    return false;
}

bool err_hint(struct err *e, const char *fmt, ...)
{
    ASSERT(e);
    va_list args;
    va_start(args, fmt);
    vsnprintf(e->hint, sizeof e->hint, fmt, args);
    va_end(args);
    return false;
}
