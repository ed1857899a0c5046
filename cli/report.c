#include "cli/report.h"

#include "cli/prune_page.h"
#include "cli/report_data.h"
#include "cli/report_page.h"
#include "cli/report_plots.h"
#include "core/file.h"

/* A folder that is read whole, and pages built from it, need at most these shares of the memory
 * there is. */
static bool report_write(const struct report_data *d, struct arena tmp, struct err *e)
{
    struct arena pages = arena_carve(&tmp, (tmp.cap - tmp.used) / 2);
    struct text page, svg;
    text_init(&page, &pages);
    report_page(&page, d, tmp);
    if (!file_write(arena_printf(&tmp, "%s/report.html", d->dir), page.s, page.n, e)) {
        return false;
    }
    text_init(&svg, &pages);
    report_plots_front(
        &svg, d,
        &(struct report_plots_size){.id = "front", .width = 760, .height = 480, .alone = true},
        tmp);
    return file_write(arena_printf(&tmp, "%s/front.svg", d->dir), svg.s, svg.n, e);
}

bool report_make(const char *run_dir, struct arena tmp, struct err *e)
{
    ASSERT(run_dir);
    struct report_data d;
    if (prune_page_is(run_dir, tmp)) {
        return prune_page_make(run_dir, tmp, e);
    }
    if (!report_data_read(&d, &tmp, run_dir, e)) {
        return false;
    }
    bool ok = report_write(&d, tmp, e);
    report_data_release(&d);
    return ok;
}
