#include "nas/run_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/number.h"
#include "nas/front.h"
#include "nas/indicators.h"
#include "nas/shortlist.h"
#include "nas/smooth.h"

static const char *const time_names[RUN_N_TIMES] = {"build",  "forward", "gram", "backward",
                                                    "update", "cost",    "other"};

static double run_files_seconds(const struct run *r)
{
    return r->prior_s + clock_now_s() - r->start_s;
}

/* Within these members. */
static void set_diversity(struct run_member *members, int n, struct arena tmp)
{
    double *cost = arena_push(&tmp, (size_t)n, sizeof *cost);
    double *chi = arena_push(&tmp, (size_t)n, sizeof *chi);
    for (int i = 0; i < n; i++) {
        cost[i] = members[i].cost;
    }
    indicators_diversity(chi, cost, n);
    for (int i = 0; i < n; i++) {
        members[i].diversity = chi[i];
    }
}

/* Members idx[n] of the archive. */
static void members_of(const struct run *r, struct run_member *out, const int *idx, int n,
                       struct arena tmp)
{
    for (int i = 0; i < n; i++) {
        out[i] = r->archive[idx[i]];
    }
    set_diversity(out, n, tmp);
}

/* The non-dominated of x[n, 2] (minus the score, cost), by cost, then by the order of discovery;
 * returns how many. */
static int front_of(int *idx, const double *x, int n, struct arena tmp)
{
    int n_front = front_filter(idx, x, n, 2, true, tmp);
    for (int i = 1; i < n_front; i++) {
        int moved = idx[i], at = i;
        for (; at > 0 && x[2 * idx[at - 1] + 1] > x[2 * moved + 1]; at--) {
            idx[at] = idx[at - 1];
        }
        idx[at] = moved;
    }
    return n_front;
}

int run_files_front(const struct run *r, struct run_member *out, struct arena tmp)
{
    int *idx = arena_push(&tmp, (size_t)r->n_archive, sizeof *idx);
    int n = front_of(idx, r->objectives, r->n_archive, tmp);
    members_of(r, out, idx, n, tmp);
    return n;
}

bool run_files_advise(const struct run *r, struct run_result *result, struct err *e)
{
    int n = r->n_archive;
    size_t n_archive = (size_t)n;
    struct arena tmp = {0};
    size_t own =
        arena_round(n_archive * sizeof(struct arch)) + 6 * arena_round(n_archive * sizeof(double));
    if (!arena_init(&tmp, own + shortlist_bytes(n) + smooth_bytes(n), e)) {
        return false;
    }
    int *idx = arena_push(&tmp, n_archive, sizeof *idx);
    double *score = arena_push(&tmp, n_archive, sizeof *score);
    double *cost = arena_push(&tmp, n_archive, sizeof *cost);
    double *x = arena_push(&tmp, n_archive, 2 * sizeof *x);
    struct arch *archs = arena_push(&tmp, n_archive, sizeof *archs);
    for (int i = 0; i < n; i++) {
        score[i] = r->archive[i].score;
        cost[i] = r->archive[i].cost;
        archs[i] = r->archive[i].arch;
    }
    if (r->config->smooth &&
        (r->config->n_shortlist > 0 || r->config->search_options.n_constraints > 0)) {
        smooth_scores(score, r->config->space, archs, score, n, smooth_to_choose(n), tmp);
    }
    for (int i = 0; i < n; i++) {
        x[2 * i] = -score[i];
        x[2 * i + 1] = cost[i];
    }
    int n_out = MIN(r->config->n_shortlist, n);
    result->n_shortlist = r->config->smooth ? shortlist_expected(idx, n_out, score, cost, n, tmp)
                                            : shortlist_choose(idx, n_out, score, cost, n, tmp);
    result->shortlist = arena_push(r->keep, (size_t)result->n_shortlist, sizeof *result->shortlist);
    members_of(r, result->shortlist, idx, result->n_shortlist, tmp);
    result->n_advised = front_of(idx, x, n, tmp);
    result->advised = arena_push(r->keep, (size_t)result->n_advised, sizeof *result->advised);
    members_of(r, result->advised, idx, result->n_advised, tmp);
    arena_release(&tmp);
    return true;
}

bool run_files_write_members(const struct run *r, const char *file, const struct run_member *front,
                             int n, struct arena tmp, struct err *e)
{
    bool truth = r->config->accuracy;
    char *text = arena_push(&tmp, (size_t)n + 1, SPACE_TEXT_LEN + 256);
    int used = sprintf(text, "index,arch,score,cost,diversity,params,macs%s\n",
                       truth ? ",true_accuracy" : "");
    for (int i = 0; i < n; i++) {
        char arch[SPACE_TEXT_LEN], score[32], cost[32], diversity[32], accuracy[40] = "",
                                                                       index[32] = "";
        r->config->space->format(&front[i].arch, arch);
        number_format(score, front[i].score);
        number_format(cost, front[i].cost);
        number_format(diversity, front[i].diversity);
        if (truth) {
            accuracy[0] = ',';
            number_format(accuracy + 1, front[i].accuracy);
        }
        if (front[i].index >= 0) {
            snprintf(index, sizeof index, "%" PRId64, front[i].index);
        }
        used += sprintf(text + used, "%s,%s,%s,%s,%s,%" PRId64 ",%" PRId64 "%s\n", index, arch,
                        score, cost, diversity, front[i].params, front[i].macs, accuracy);
    }
    char *path = arena_printf(&tmp, "%s/%s", r->config->dir, file);
    return file_write(path, text, (size_t)used, e);
}

bool run_files_write_times(const struct run *r, struct arena tmp, struct err *e)
{
    double sum[RUN_N_TIMES] = {0}, known = 0;
    for (int w = 0; w < r->config->mc->n_threads; w++) {
        for (int i = 0; i < RUN_N_TIMES; i++) {
            sum[i] += r->seconds[w][i];
            known += r->seconds[w][i];
        }
    }
    sum[RUN_TIME_OTHER] = fmax(0, (clock_now_s() - r->start_s) * r->config->mc->n_threads - known);
    char text[512];
    int used = sprintf(text, "part,seconds\n");
    for (int i = 0; i < RUN_N_TIMES; i++) {
        used += sprintf(text + used, "%s,%.3f\n", time_names[i], sum[i]);
    }
    return file_write(arena_printf(&tmp, "%s/time.csv", r->config->dir), text, (size_t)used, e);
}

/* The unit of the hypervolume: the box that the first generation spans. Points beyond it count for
 * nothing on the bad side and for more than one on the good side, so the value only grows. */
static void run_files_set_unit(struct run *r)
{
    if (r->has_unit || r->n_archive == 0) {
        return;
    }
    for (int k = 0; k < 2; k++) {
        double low = INFINITY, high = -INFINITY;
        for (int i = 0; i < r->n_archive; i++) {
            low = fmin(low, r->objectives[2 * i + k]);
            high = fmax(high, r->objectives[2 * i + k]);
        }
        r->low[k] = low;
        r->range[k] = high > low ? high - low : 1;
    }
    r->has_unit = true;
}

static double run_files_hypervolume(const struct run *r, const struct run_member *front, int n,
                                    struct arena tmp)
{
    double *unit = arena_push(&tmp, 2 * (size_t)n, sizeof *unit);
    for (int i = 0; i < n; i++) {
        unit[2 * i] = (-front[i].score - r->low[0]) / r->range[0];
        unit[2 * i + 1] = (front[i].cost - r->low[1]) / r->range[1];
    }
    return indicators_hypervolume(unit, n, 2, (const double[]){1, 1}, tmp);
}

/* Mean of chi over the feasible members of the population: 2 N var. */
static double run_files_diversity(const struct run *r, struct arena tmp)
{
    int max = r->max_items;
    struct search_member *members = arena_push(&tmp, (size_t)max, sizeof *members);
    double *cost = arena_push(&tmp, (size_t)max, sizeof *cost);
    double *chi = arena_push(&tmp, (size_t)max, sizeof *chi);
    int n_members = r->config->search->population(r->search, members, max), n = 0;
    for (int i = 0; i < n_members; i++) {
        if (members[i].verdict.status == VERDICT_OK) {
            cost[n++] = members[i].verdict.cost;
        }
    }
    indicators_diversity(chi, cost, n);
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += chi[i];
    }
    return n ? sum / n : 0;
}

bool run_files_open_generations(struct file_log *log, const struct run *r, char *path, size_t len,
                                struct err *e)
{
    static const char header[] =
        "generation,evals,unique,front_size,hypervolume,diversity,seconds\n";
    snprintf(path, len, "%s/generations.csv", r->config->dir);
    return file_log_open(log, path, true, e) && file_log_write(log, header, sizeof header - 1, e);
}

bool run_files_generation(struct run *r, struct file_log *log, struct arena tmp, struct err *e)
{
    struct run_status *s = &r->status;
    struct run_member *front = arena_push(&tmp, (size_t)r->n_archive, sizeof *front);
    run_files_set_unit(r);
    s->generation++;
    s->front_size = run_files_front(r, front, tmp);
    s->hypervolume = s->front_size ? run_files_hypervolume(r, front, s->front_size, tmp) : 0;
    s->diversity = run_files_diversity(r, tmp);
    s->seconds = run_files_seconds(r);
    char hypervolume[32], diversity[32], line[256];
    number_format(hypervolume, s->hypervolume);
    number_format(diversity, s->diversity);
    int len = snprintf(line, sizeof line, "%d,%d,%d,%d,%s,%s,%.3f\n", s->generation, s->evals,
                       s->unique, s->front_size, hypervolume, diversity, s->seconds);
    return file_log_write(log, line, (size_t)len, e) &&
           run_files_write_members(r, "front.csv", front, s->front_size, tmp, e);
}
