#define _GNU_SOURCE
#include "cli/cmds.h"
#include "cli/compute.h"
#include "cli/forms.h"
#include "cli/input.h"
#include "cli/json.h"
#include "cli/problems.h"
#include "cli/progress.h"
#include "cli/roofline.h"
#include "cli/timer.h"
#include "cli/tuner.h"
#include "core/conv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What the rows say; the first ten are what bench/compare.py and others rely on. */
#define BENCH_HEAD                                                                                 \
    "problem,direction,algo,tier,precision,threads,ms_median,ms_min,gflops,share_of_peak,"         \
    "bytes,gb_s,spread,cache"

/* What is measured, and where rows go. */
struct bench_session {
    const struct options *o;
    struct machine mc;
    struct bench_request request;
    struct problems problems;
    struct timer timer;
    struct arena *rows;    /* words of the rows, and what is drawn */
    struct arena *scratch; /* used by a problem, and forgotten */
    struct json *json;     /* NULL = CSV as it comes */
    struct roofline roofline;
    int n_rows, n_noisy; /* rows, and those whose times spread */
};

static void bench_csv_row(const struct timer_row *r)
{
    const char *quote = strchr(r->problem, ',') ? "\"" : "";
    printf("%s%s%s,%s,%s,%s,%s,%d,%.5g,%.5g,%.5g,%.4f,", quote, r->problem, quote, r->direction,
           r->algo, r->tier, r->precision, r->n_threads, r->median_s * 1e3, r->min_s * 1e3,
           timer_gflops(r), timer_gflops(r) / r->peak);
    if (r->bytes > 0) {
        printf("%.0f,%.5g", r->bytes, timer_gb_s(r));
    } else {
        printf(",");
    }
    printf(",%.4f,%s\n", r->spread, r->cold ? "cold" : "warm");
    fflush(stdout);
}

static void bench_json_row(struct json *j, const struct timer_row *r)
{
    json_object(j, NULL);
    json_text(j, "problem", r->problem);
    json_text(j, "direction", r->direction);
    json_text(j, "algo", r->algo);
    json_text(j, "tier", r->tier);
    json_text(j, "precision", r->precision);
    json_int(j, "threads", r->n_threads);
    json_real(j, "ms_median", r->median_s * 1e3);
    json_real(j, "ms_min", r->min_s * 1e3);
    json_real(j, "gflops", timer_gflops(r));
    json_real(j, "share_of_peak", timer_gflops(r) / r->peak);
    json_real(j, "bytes", r->bytes > 0 ? r->bytes : NAN);
    json_real(j, "gb_s", r->bytes > 0 ? timer_gb_s(r) : NAN);
    json_real(j, "spread", r->spread);
    json_text(j, "cache", r->cold ? "cold" : "warm");
    json_end(j);
}

static bool bench_problem(struct bench_session *s, const char *problem, struct err *e)
{
    struct timer_row rows[BENCH_MAX_CASES];
    int n;
    if (!timer_problem(&s->timer, rows, &n, s->rows, problem, &s->request, *s->scratch, e)) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        if (s->json) {
            bench_json_row(s->json, &rows[i]);
        } else {
            bench_csv_row(&rows[i]);
        }
        roofline_add(&s->roofline, &rows[i]);
        s->n_noisy += rows[i].spread > TIMER_NOISY;
    }
    s->n_rows += n;
    return true;
}

/* Caches and memory, warm and each way, whatever was asked of the problems. */
static bool bench_streams(struct bench_session *s, struct err *e)
{
    const struct bench_request request = {.mc = &s->mc, .dir = "all", .algo = "auto"};
    bool cold = s->timer.o.cold;
    s->timer.o.cold = false;
    for (int i = 0; i < ROOFLINE_N_LEVELS; i++) {
        struct timer_row rows[BENCH_MAX_CASES];
        int n;
        if (!timer_problem(&s->timer, rows, &n, s->rows, roofline_streams[i], &request, *s->scratch,
                           e)) {
            return false;
        }
        for (int k = 0; k < n; k++) {
            roofline_ceiling(&s->roofline, i, &rows[k]);
        }
    }
    s->timer.o.cold = cold;
    return true;
}

static void bench_say_machine(const struct bench_session *s)
{
    const struct timer *t = &s->timer;
    const struct roofline *r = &s->roofline;
    fprintf(stderr,
            "peak of multiply-adds in registers: %.1f GFLOP/s, %s, %d thread%s; spread %.1f %%\n",
            t->best_peak, cpu_tier_name(s->mc.tier), s->mc.n_threads,
            s->mc.n_threads > 1 ? "s" : "", 100 * timer_peak_spread(t));
    for (int i = 0; i < ROOFLINE_N_LEVELS; i++) {
        fprintf(stderr, "%-14s read %.1f, copy %.1f GB/s", roofline_streams[i], r->read[i][0],
                r->copy[i][0]);
        if (s->mc.n_threads > 1) {
            fprintf(stderr, "; %d threads: read %.1f, copy %.1f", s->mc.n_threads, r->read[i][1],
                    r->copy[i][1]);
        }
        fprintf(stderr, "\n");
    }
    if (s->n_rows == 0) {
        fprintf(stderr, "no rows: none of the problems goes by --dir %s and --algo %s here\n",
                s->request.dir, s->request.algo);
    } else if (timer_noisy(t)) {
        fprintf(stderr, "the machine was busy: times are too long\n");
    } else if (4 * s->n_noisy > s->n_rows) {
        fprintf(stderr, "the machine was noisy: %d of %d rows spread by more than %.0f %%\n",
                s->n_noisy, s->n_rows, 100 * TIMER_NOISY);
    }
}

static bool bench_run_all(struct bench_session *s, struct err *e)
{
    const char *plot = options_text(s->o, "plot");
    struct progress progress;
    if (s->json) {
        json_array(s->json, NULL);
    } else {
        puts(BENCH_HEAD);
    }
    progress_open(&progress, "bench", "problems", 0, s->problems.n, s->o->quiet);
    for (int i = 0; i < s->problems.n; i++) {
        progress_show(&progress, i, s->problems.list[i]);
        progress_clear(&progress);
        if (!bench_problem(s, s->problems.list[i], e)) {
            return false;
        }
    }
    progress_close(&progress);
    if (s->json) {
        json_end(s->json);
        json_print(s->json, stdout);
    }
    if ((plot || !s->o->quiet) && !bench_streams(s, e)) {
        return false;
    }
    s->roofline.peak = s->timer.best_peak;
    s->roofline.noisy = timer_noisy(&s->timer);
    if (!s->o->quiet) {
        bench_say_machine(s);
    }
    return !plot || roofline_write(&s->roofline, plot, *s->scratch, e);
}

static bool bench_is_one_of(const char *option, const char *value, const char *known, struct err *e)
{
    size_t len = strlen(value);
    for (const char *at = known; (at = strstr(at, value)); at++) {
        bool begins = at == known || at[-1] == ' ';
        if (len > 0 && begins && (at[len] == ' ' || at[len] == 0)) {
            return true;
        }
    }
    err_set(e, ERR_USAGE, "--%s %.40s: unknown", option, value);
    return err_hint(e, "one of: %s", known);
}

/* "all auto ref direct ...": what --algo may be. */
static const char *bench_algos(struct arena *keep)
{
    const char *names = "all";
    for (int a = 0; a < CONV_N_ALGOS; a++) {
        names = arena_printf(keep, "%s %s", names, conv_algo_name((enum conv_algo)a));
    }
    return names;
}

static bool bench_list(const struct options *o, struct arena *keep, struct err *e)
{
    struct problems p;
    struct json j;
    if (o->n_args == 0) {
        forms_print(o, keep);
        return true;
    }
    if (!problems_of_nets(&p, o, (int)options_int(o, "batch"), keep, e)) {
        return false;
    }
    json_init(&j, keep);
    json_array(&j, NULL);
    for (int i = 0; i < p.n; i++) {
        if (o->json) {
            json_text(&j, NULL, p.list[i]);
        } else {
            puts(p.list[i]);
        }
    }
    json_end(&j);
    if (o->json) {
        json_print(&j, stdout);
    }
    return true;
}

static bool bench_measure(struct bench_session *s, struct err *e)
{
    const struct timer_options timing = {
        .repeats = (int)options_int(s->o, "repeats"),
        .min_s = options_real(s->o, "min-ms") * 1e-3,
        .check = !options_flag(s->o, "no-check"),
        .cold = strcmp(options_text(s->o, "cache"), "cold") == 0,
    };
    if (!timer_init(&s->timer, &s->mc, &timing, s->scratch, e)) {
        return false;
    }
    if (options_flag(s->o, "tune")) {
        return tuner_run(&s->timer, &s->problems, s->o, s->rows, *s->scratch, e);
    }
    return bench_run_all(s, e);
}

static bool bench_cmd_run(const struct options *o, struct arena *keep, struct err *e)
{
    if (options_flag(o, "list")) {
        return bench_list(o, keep, e);
    }
    /* Rows grow while problems use what is left of the command's memory as scratch. */
    struct arena rows = arena_carve(keep, (keep->cap - keep->used) / 8);
    struct json json;
    json_init(&json, &rows);
    struct bench_session s = {
        .o = o, .rows = &rows, .scratch = keep, .json = o->json ? &json : NULL};
    struct model_spec images;
    if (!input_read(&images, o, e)) {
        return false;
    }
    s.request = (struct bench_request){.mc = &s.mc,
                                       .dir = options_text(o, "dir"),
                                       .algo = options_text(o, "algo"),
                                       .image = images.input,
                                       .n_classes = images.n_classes};
    roofline_init(&s.roofline, &rows);
    return compute_open(&s.mc, o, keep, e) &&
           bench_is_one_of("dir", s.request.dir,
                           "all fwd bwd_data bwd_weights train grad infer read copy", e) &&
           bench_is_one_of("algo", s.request.algo, bench_algos(keep), e) &&
           bench_is_one_of("cache", options_text(o, "cache"), "warm cold", e) &&
           problems_gather(&s.problems, o, keep, e) && bench_measure(&s, e);
}

/* clang-format off: one row an option */
static const struct option_spec bench_options[] = {
    {"dir", OPTION_TEXT, "NAME", "all",
     "direction: fwd, bwd_data, bwd_weights, train, grad, infer, read, copy, or all", 0, 0},
    {"algo", OPTION_TEXT, "NAME", "auto",
     "of convolutions: auto is the one that training takes, all is every one but ref, or one by "
     "its name (--list has them)", 0, 0},
    {"cache", OPTION_TEXT, "NAME", "warm",
     "warm: a timing runs the case again and again; cold: before each run every thread walks over "
     "twice the last cache, and a timing is one run",
     0, 0},
    {"repeats", OPTION_INT, "N", "7", "timings of each case; their median and least are printed", 1,
     TIMER_MAX_REPEATS},
    {"min-ms", OPTION_REAL, "X", "5", "a timing runs a case as often as takes this long", 0, 10000},
    {"no-check", OPTION_FLAG, NULL, NULL, "do not hold results to the reference first", 0, 0},
    {"plot", OPTION_TEXT, "FILE", NULL,
     "draw a roofline (SVG): the peak and the bandwidths measured in this run, and a point for "
     "each row whose traffic is known",
     0, 0},
    {"tune", OPTION_FLAG, NULL, NULL,
     "measure every algorithm of every convolution named and write the best ones as a table for "
     "--tune-file, with a row for each direction",
     0, 0},
    {"out", OPTION_TEXT, "FILE", "tune.csv", "where --tune writes its table", 0, 0},
    {"list", OPTION_FLAG, NULL, NULL,
     "print instead of measuring: the forms of problems, the usual ones, every kernel and its "
     "tiers; or with names of networks as arguments, all their distinct convolutions and linear "
     "layers",
     0, 0},
    {"batch", OPTION_INT, "N", "32", "images of the problems that --list ARCH prints", 1, 65536},
    INPUT_OPTIONS,
    OPTIONS_COMMON,
};
/* clang-format on */

const struct cmd cmd_bench = {
    .name = "bench",
    .summary = "time convolutions, matrix products and networks on this machine",
    .usage = "hdnas bench [options] [PROBLEM|FILE|-]...",
    .about =
        "Holds each result to the reference, then times it, all cases of a problem in turns. "
        "Prints CSV (or --json): problem, direction, algo, tier, precision, threads, ms_median, "
        "ms_min, gflops, share_of_peak, bytes, gb_s, spread, cache. The share is of the "
        "multiply-adds that the same threads do in registers at best, measured in the same run; "
        "operations are counted as the direct method needs them, two per multiply-add; bytes are "
        "every operand once; the spread lies between the quartiles of the timings, as a share of "
        "the median. One thread is timed by the processor time it used, more by the clock. At the "
        "end standard error has the peak, what caches and memory deliver, and whether the machine "
        "was noisy. Problems come from the arguments, from files with one a line "
        "(bench/shapes/*.txt), or from standard input (-).",
    .examples = "hdnas bench                                    # the usual problems\n"
                "hdnas bench conv:n32h32c16k16r3 --algo all --threads 1\n"
                "hdnas bench net:resnet20:n32:train gemm:m512n512k512 stream:l2\n"
                "hdnas bench bench/shapes/nb201.txt --threads 1 --plot roofline.svg\n"
                "hdnas bench --tune bench/shapes/nb201.txt --threads 1 --out tune.csv\n"
                "hdnas bench --list nb201:333133 | hdnas bench --cpu avx2 -",
    .options = bench_options,
    .n_options = (int)N_ELEMS(bench_options),
    .run = bench_cmd_run,
};
