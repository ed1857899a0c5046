#include "core/base.h"

#include <stdio.h>
#include <stdlib.h>

void base_assert_failed(const char *file, int line, const char *cond)
{
    fprintf(stderr, "hdnas: bug: %s:%d: %s does not hold\n", file, line, cond);
    abort();
}
