#include "cli/archname.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "nas/space.h"

bool archname_resolve(struct model_spec *spec, const char *name, struct err *e)
{
    const char *slash = strchr(name, '/');
    char prefix[32];
    if (!slash || (size_t)(slash - name) >= sizeof prefix) {
        if (strlen(name) >= sizeof spec->arch) {
            return err_set(e, ERR_USAGE, "an architecture's name has at most %zu characters",
                           sizeof spec->arch - 1);
        }
        snprintf(spec->arch, sizeof spec->arch, "%s", name);
        return true;
    }
    const struct space *space;
    struct arch arch;
    snprintf(prefix, sizeof prefix, "%.*s", (int)(slash - name), name);
    if (!space_find(&space, prefix, e) || !space->parse(&arch, slash + 1, e)) {
        return false;
    }
    space->model(&arch, spec);
    return true;
}

const char *archname_index(char text[24], int64_t index)
{
    text[0] = 0;
    if (index >= 0) {
        snprintf(text, 24, "%" PRId64, index);
    }
    return text;
}

void archname_index_json(struct json *j, int64_t index)
{
    if (index >= 0) {
        json_int(j, "index", index);
    } else {
        json_text(j, "index", NULL);
    }
}
