/* The table of search methods: one row a room. */
#include "nas/search.h"

#include <stdio.h>
#include <string.h>

extern const struct search search_mo_hdnas, search_nsga2, search_random, search_regevo,
    search_hw_evrsnas, search_rmi_forest, search_surrogate, search_survey;

static const struct search *const searches[] = {
    &search_mo_hdnas,   &search_nsga2,      &search_random,    &search_regevo,
    &search_hw_evrsnas, &search_rmi_forest, &search_surrogate, &search_survey,
};

int search_count(void)
{
    return (int)N_ELEMS(searches);
}

const struct search *search_at(int i)
{
    ASSERT(i >= 0 && i < search_count());
    return searches[i];
}

bool search_find(const struct search **out, const char *name, struct err *e)
{
    char known[120] = "";
    for (int i = 0; i < search_count(); i++) {
        if (strcmp(searches[i]->name, name) == 0) {
            *out = searches[i];
            return true;
        }
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", searches[i]->name);
    }
    err_set(e, ERR_USAGE, "unknown search '%.80s'", name);
    return err_hint(e, "searches: %s", known);
}
