#include "cli/cost_fit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/json.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "nas/archmap.h"
#include "nas/predictor_file.h"

/* Where costs are looked up, predictions are judged on this many others: the rank agreement is then
 * known to a thousandth. */
enum { N_OTHERS = 5000 };

/* The next architecture drawn that is new and whose output depends on its input; false where there
 * seem to be none left. */
static bool draw(struct arch *a, struct archmap *met, const struct space *space, struct rng *r)
{
    for (int tries = 0; tries < 1000; tries++) {
        space_random(space, a, r);
        if (space->connected(a) && !archmap_get(met, a)) {
            archmap_set(met, a, 0);
            return true;
        }
    }
    return false;
}

/* Draw and price up to n; returns how many there were, fewer after a signal. */
static int draw_priced(struct arch *archs, double *costs, int n, struct archmap *met,
                       const struct cost *c, const struct space *space, struct rng *r,
                       struct progress *progress, struct arena tmp)
{
    int i = 0;
    for (; i < n && !signals_pending() && draw(&archs[i], met, space, r); i++) {
        if (!cost_of(c, &archs[i], &costs[i], tmp)) {
            costs[i] = NAN;
        }
        progress_show(progress, i + 1, NULL);
    }
    return i;
}

/* "raspi4" of "raspi4 latency". */
static void own_name(struct predictor *p, const struct options *o, const struct cost *c)
{
    const char *given = options_text(o, "name");
    snprintf(p->metric, sizeof p->metric, "%s", options_text(o, "metric"));
    snprintf(p->unit, sizeof p->unit, "%s", c->unit[0] ? c->unit : "-");
    snprintf(p->device, sizeof p->device, "%.63s", given ? given : c->name);
    char *end = strrchr(p->device, ' ');
    if (!given && end && strcmp(end + 1, p->metric) == 0) {
        *end = 0;
    }
    for (char *at = p->device; *at; at++) {
        *at = *at == ',' || *at == '"' || *at == '\n' ? '-' : *at;
    }
}

static void tell(const struct predictor *p, const char *path, const char *judged, int n_judged,
                 struct arena *keep, bool as_json)
{
    static const char *const readings[] = {"as written", "without what never reaches the output",
                                           "without what is dead either way"};
    if (as_json) {
        struct json j;
        json_init(&j, keep);
        json_object(&j, NULL);
        json_text(&j, "device", p->device);
        json_text(&j, "metric", p->metric);
        json_text(&j, "file", path);
        json_int(&j, "fitted", p->n_fitted);
        json_text(&j, "judged_on", judged);
        json_int(&j, "judged", n_judged);
        json_real(&j, "spearman", p->error.spearman);
        json_real(&j, "within5", p->error.within5);
        json_real(&j, "within10", p->error.within10);
        json_end(&j);
        json_print(&j, stdout);
        return;
    }
    printf("%s %s from %d measurements, cells read %s\n", p->device, p->metric, p->n_fitted,
           readings[p->reading]);
    printf("on %d %s: Spearman %.3f, within 5 %% %.1f %%, within 10 %% %.1f %%\n", n_judged, judged,
           p->error.spearman, 100 * p->error.within5, 100 * p->error.within10);
    printf("--device predict:%s:%s\n", path, p->device);
}

bool cost_fit(const struct options *o, const struct cost *c, const struct space *space,
              struct arena *keep, struct err *e)
{
    const char *path = options_text(o, "fit");
    int n_sample = (int)options_int(o, "sample"), n_max = MAX(n_sample, N_OTHERS);
    struct arch *archs = arena_push(keep, (size_t)n_max, sizeof *archs);
    double *costs = arena_push(keep, (size_t)n_max, sizeof *costs);
    double *predicted = arena_push(keep, (size_t)n_max, sizeof *predicted);
    struct predictor *p = arena_push_zero(keep, 1, sizeof *p);
    struct rng r = rng_key((uint64_t)options_int(o, "seed"), RNG_ARCH, 0);
    struct archmap met;
    struct progress progress;
    archmap_init(&met, keep);
    struct arena tmp = arena_carve(keep, (keep->cap - keep->used) / 2);
    signals_install();
    progress_open(&progress, "measure", "architectures", 0, n_sample, o->quiet);
    int n = draw_priced(archs, costs, n_sample, &met, c, space, &r, &progress, tmp);
    progress_close(&progress);
    if (signals_pending()) {
        return err_set(e, ERR_INTERRUPTED, "interrupted after %d of %d measurements", n, n_sample);
    }
    own_name(p, o, c);
    if (!predictor_fit(p, space, archs, costs, n, tmp, e)) {
        return false;
    }
    const char *judged = "of them, each left out in turn";
    if (c->kind->parallel_safe) {
        progress_open(&progress, "judge", "architectures", 0, N_OTHERS, true);
        int n_others = draw_priced(archs, costs, N_OTHERS, &met, c, space, &r, &progress, tmp);
        for (int i = 0; i < n_others; i++) {
            predicted[i] = predictor_cost(p, &archs[i]);
        }
        if (n_others >= 2) {
            n = n_others;
            p->error = predictor_judge(predicted, costs, n, tmp);
            judged = "others";
        }
    }
    if (!predictor_file_write(p, path, tmp, e)) {
        return false;
    }
    tell(p, path, judged, n, keep, o->json);
    return true;
}
