#include "cli/tuner.h"

#include "cli/json.h"
#include "cli/progress.h"
#include "core/file.h"
#include "core/problem.h"

#include <stdio.h>
#include <string.h>

static const char tuner_head[] =
    "problem,direction,tier,precision,threads,algo,ms,default_algo,default_ms,speedup\n";

struct tuner {
    struct timer *timer;
    struct bench_request request;
    struct arena *keep;
    struct text table;
    struct json *json;        /* NULL = CSV as it comes */
    struct conv_shape *tuned; /* [n_tuned] */
    int n_tuned, n_rows, n_changed;
};

static bool tuner_same_image(const struct conv_shape *a, const struct conv_shape *b)
{
    struct conv_shape one = *a;
    one.n = b->n;
    return memcmp(&one, b, sizeof one) == 0;
}

/* Whether the problem is a convolution that has not been tuned yet. */
static bool tuner_wants(struct tuner *t, const char *problem, struct conv_shape *s, bool *wanted,
                        struct err *e)
{
    *wanted = strncmp(problem, "conv:", 5) == 0;
    if (!*wanted) {
        return true;
    }
    if (!problem_conv(s, problem, e)) {
        return false;
    }
    for (int i = 0; i < t->n_tuned && *wanted; i++) {
        *wanted = !tuner_same_image(s, &t->tuned[i]);
    }
    return true;
}

static void tuner_row(struct tuner *t, const struct timer_row *best, const struct timer_row *usual)
{
    double speedup = usual->median_s / best->median_s;
    struct arena words = arena_carve(t->keep, 1024);
    const char *row =
        arena_printf(&words, "%s,%s,%s,%s,%d,%s,%.5g,%s,%.5g,%.3f\n", best->problem,
                     best->direction, best->tier, best->precision, best->n_threads, best->algo,
                     best->median_s * 1e3, usual->algo, usual->median_s * 1e3, speedup);
    text_add(&t->table, row);
    t->n_rows++;
    t->n_changed += strcmp(best->algo, usual->algo) != 0;
    if (!t->json) {
        fputs(row, stdout);
        fflush(stdout);
        return;
    }
    json_object(t->json, NULL);
    json_text(t->json, "problem", best->problem);
    json_text(t->json, "direction", best->direction);
    json_text(t->json, "tier", best->tier);
    json_text(t->json, "precision", best->precision);
    json_int(t->json, "threads", best->n_threads);
    json_text(t->json, "algo", best->algo);
    json_real(t->json, "ms", best->median_s * 1e3);
    json_text(t->json, "default_algo", usual->algo);
    json_real(t->json, "default_ms", usual->median_s * 1e3);
    json_real(t->json, "speedup", speedup);
    json_end(t->json);
}

static bool tuner_problem(struct tuner *t, const char *problem, const struct conv_shape *s,
                          struct arena tmp, struct err *e)
{
    struct timer_row rows[BENCH_MAX_CASES];
    int n;
    if (!timer_problem(t->timer, rows, &n, t->keep, problem, &t->request, tmp, e)) {
        return false;
    }
    for (int dir = 0; dir < CONV_N_DIRS; dir++) {
        const char *usual_name = conv_algo_name(conv_choose(t->timer->mc, s, (enum conv_dir)dir));
        const struct timer_row *best = NULL, *usual = NULL;
        for (int i = 0; i < n; i++) {
            if (strcmp(rows[i].direction, conv_dir_name((enum conv_dir)dir)) == 0) {
                usual = strcmp(rows[i].algo, usual_name) == 0 ? &rows[i] : usual;
                best = !best || rows[i].median_s < best->median_s ? &rows[i] : best;
            }
        }
        if (best) { /* none where --dir asks for another direction */
            ASSERT(usual);
            tuner_row(t, usual->median_s < TUNER_GAIN * best->median_s ? usual : best, usual);
        }
    }
    t->tuned[t->n_tuned++] = *s;
    return true;
}

static bool tuner_all(struct tuner *t, const struct problems *problems, bool quiet,
                      struct arena tmp, struct err *e)
{
    struct progress progress;
    progress_open(&progress, "tune", "problems", 0, problems->n, quiet);
    for (int i = 0; i < problems->n; i++) {
        struct conv_shape s;
        bool wanted;
        progress_show(&progress, i, problems->list[i]);
        progress_clear(&progress);
        if (!tuner_wants(t, problems->list[i], &s, &wanted, e) ||
            (wanted && !tuner_problem(t, problems->list[i], &s, tmp, e))) {
            return false;
        }
    }
    progress_close(&progress);
    return true;
}

bool tuner_run(struct timer *timer, const struct problems *problems, const struct options *o,
               struct arena *keep, struct arena tmp, struct err *e)
{
    const char *path = options_text(o, "out");
    struct arena words = arena_carve(&tmp, (size_t)64 << 20);
    struct machine own = *timer->mc; /* what is tuned is our own choice, not another table's */
    struct json json;
    struct tuner t = {.timer = timer, .keep = keep, .json = o->json ? &json : NULL};
    own.choice = NULL;
    timer->mc = &own;
    t.request = (struct bench_request){.mc = &own, .dir = options_text(o, "dir"), .algo = "all"};
    t.tuned = arena_push(&tmp, (size_t)problems->n, sizeof *t.tuned);
    text_init(&t.table, &words);
    text_add(&t.table, tuner_head);
    json_init(&json, keep);
    if (o->json) {
        json_array(&json, NULL);
    } else {
        fputs(tuner_head, stdout);
    }
    if (!tuner_all(&t, problems, o->quiet, tmp, e)) {
        return false;
    }
    if (t.n_rows == 0) {
        err_set(e, ERR_USAGE, "--tune: no convolution among the %d problems", problems->n);
        return err_hint(e, "name some, for instance bench/shapes/nb201.txt");
    }
    if (o->json) {
        json_end(&json);
        json_print(&json, stdout);
    }
    if (!file_write(path, t.table.s, t.table.n, e)) {
        return false;
    }
    if (!o->quiet) {
        fprintf(stderr,
                "%s: %d rows, %d of them other than the own choice%s; use it by "
                "--tune-file or HDNAS_TUNE\n",
                path, t.n_rows, t.n_changed,
                timer_noisy(timer) ? " (the machine was busy: better measure again)" : "");
    }
    return true;
}
