#define _GNU_SOURCE
#include "cli/compute.h"

#include "core/choice.h"
#include "core/file.h"

#include <stdlib.h>
#include <string.h>

bool compute_open(struct machine *mc, const struct options *o, struct arena *keep, struct err *e)
{
    if (!machine_init_precision(mc, options_text(o, "cpu"), options_text(o, "precision"),
                                (int)options_int(o, "threads"), e)) {
        return false;
    }
    const char *option = options_text(o, "tune-file"), *path = option ? option : getenv("HDNAS_TUNE");
    if (!path || !path[0] || strcmp(path, "none") == 0) {
        return true;
    }
    struct choice *choice = arena_push_zero(keep, 1, sizeof *choice);
    if (!choice_read(choice, keep, path, mc, e)) {
        return err_hint(e, "%s names a table by hdnas bench --tune; none: do without",
                        option ? "--tune-file" : "HDNAS_TUNE");
    }
    mc->choice = choice;
    return true;
}

const char *compute_kernels(const struct machine *mc, struct arena *keep)
{
    return arena_printf(keep, "%s%s%s%s", cpu_tier_name(mc->tier), mc->bf16 ? " bf16" : "",
                        mc->choice ? " tuned " : "", compute_tune_sha256(mc));
}

const char *compute_tune_sha256(const struct machine *mc)
{
    return mc->choice ? mc->choice->sha256 : "";
}

bool compute_keep_tune(const struct machine *mc, const char *dir, struct arena tmp, struct err *e)
{
    if (!mc->choice) {
        return true;
    }
    const char *path = arena_printf(&tmp, "%s/tune.csv", dir);
    return file_write(path, mc->choice->bytes, mc->choice->n_bytes, e);
}
