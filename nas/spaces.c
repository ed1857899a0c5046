/* The table of search spaces: one row a room. */
#include "nas/space.h"

#include <stdio.h>
#include <string.h>

extern const struct space space_nb201, space_fbnet;

static const struct space *const spaces[] = {
    &space_nb201,
    &space_fbnet,
};

int space_count(void)
{
    return (int)N_ELEMS(spaces);
}

const struct space *space_at(int i)
{
    ASSERT(i >= 0 && i < space_count());
    return spaces[i];
}

bool space_find(const struct space **out, const char *name, struct err *e)
{
    char known[120] = "";
    for (int i = 0; i < space_count(); i++) {
        if (strcmp(spaces[i]->name, name) == 0) {
            *out = spaces[i];
            return true;
        }
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", spaces[i]->name);
    }
    err_set(e, ERR_USAGE, "unknown search space '%.80s'", name);
    return err_hint(e, "spaces: %s", known);
}
