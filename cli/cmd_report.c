#include "cli/cmds.h"
#include "cli/json.h"
#include "cli/report.h"
#include "core/file.h"

#include <stdio.h>

static bool report_run(const struct options *o, struct arena *keep, struct err *e)
{
    if (o->n_args == 0) {
        err_set(e, ERR_USAGE, "no run folder given");
        return err_hint(e, "hdnas report DIR, where DIR is what hdnas search --out named");
    }
    struct json j;
    json_init(&j, keep);
    json_array(&j, NULL);
    for (int i = 0; i < o->n_args; i++) {
        if (!report_make(o->args[i], *keep, e)) {
            return false;
        }
        const char *page = arena_printf(keep, "%s/report.html", o->args[i]);
        const char *plot = arena_printf(keep, "%s/front.svg", o->args[i]);
        bool has_plot = file_exists(plot); /* runs of prune have none */
        if (!o->json) {
            printf(has_plot ? "%s\n%s\n" : "%s\n", page, plot);
            continue;
        }
        json_object(&j, NULL);
        json_text(&j, "run", o->args[i]);
        json_text(&j, "page", page);
        json_text(&j, "plot", has_plot ? plot : NULL);
        json_end(&j);
    }
    json_end(&j);
    if (o->json) {
        json_print(&j, stdout);
    }
    return true;
}

static const struct option_spec report_options[] = {OPTIONS_COMMON};

const struct cmd cmd_report = {
    .name = "report",
    .summary = "draw the page and the plot of a run from its log",
    .usage = "hdnas report [options] DIR...",
    .about = "Reads config.json, evals.csv, front.csv and generations.csv in DIR (and truth.csv, "
             "time.csv and "
             "summary.json where they are) and writes DIR/report.html, one self-contained page, "
             "and DIR/front.svg. "
             "For a run of hdnas prune it writes its page. Prints the paths of what it wrote. The "
             "search does this itself at its end; this does "
             "it again, for "
             "example after an interrupted run or with a newer hdnas.",
    .examples = "hdnas report runs/first\n"
                "hdnas report runs/*            # several at once",
    .options = report_options,
    .n_options = (int)N_ELEMS(report_options),
    .light = true,
    .run = report_run,
};
