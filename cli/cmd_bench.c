#define _GNU_SOURCE
#include "cli/bench.h"
#include "cli/cmds.h"
#include "cli/compute.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/kernel.h"
#include "core/threads.h"
#include "nn/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct bench_kind *const bench_kinds[] = {&bench_conv, &bench_gemm, &bench_gram,
                                                       &bench_net, &bench_score};

/* What is measured where no problem is named: the convolutions and steps that scoring on
 * NAS-Bench-201 spends its time in. */
static const char *const bench_usual[] = {
    "conv:n32h32c16k16r3",       "conv:n32h16c32k32r3",    "conv:n32h8c64k64r3",
    "conv:n32h32c16k16r1",       "conv:n32h16c32k32r1",    "conv:n32h8c64k64r1",
    "conv:n32h32c3k16r3",        "conv:n32h32c16k32r3s2",  "gemm:m1024n64k576",
    "gemm:m32n32k16384",         "net:resnet20:n32:train", "net:nb201:333133:n32:train",
    "net:nb201:333133:n1:infer",
};

enum {
    BENCH_MAX_REPEATS = 1001,
    BENCH_PEAK_ROUNDS = 200000,
    BENCH_FIRST_PEAKS = 25,
    BENCH_FILE_MAX = 1 << 20
};

/* The list of what to measure, and where rows go. */
struct bench_session {
    const struct options *o;
    struct arena *keep;
    struct machine mc;
    struct bench_request request;
    const char **problems;
    int n_problems, cap;
    struct json *json;        /* NULL = CSV as it comes */
    double best_peak;         /* GFLOP/s of all threads */
    int n_peaks, n_low_peaks; /* measures of it, and those below BENCH_NOISE of the best then */
};

/* A quiet machine repeats its peak within a few per cent; where half the measures lie below this
 * share of the best, others were using it. */
#define BENCH_NOISE 0.85

/* Times of one case, a turn each. */
struct bench_times {
    int inner; /* runs in one timing */
    double seconds[BENCH_MAX_REPEATS];
};

static void bench_add(struct bench_session *s, const char *problem)
{
    if (s->n_problems == s->cap) {
        int cap = MAX(64, 2 * s->cap);
        const char **problems = arena_push(s->keep, (size_t)cap, sizeof *problems);
        if (s->n_problems > 0) {
            memcpy(problems, s->problems, (size_t)s->n_problems * sizeof *problems);
        }
        s->problems = problems;
        s->cap = cap;
    }
    s->problems[s->n_problems++] = problem;
}

/* Problems one a line; # begins a comment. The text is cut up. */
static void bench_add_lines(struct bench_session *s, char *text)
{
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        line += strspn(line, " \t\r");
        line[strcspn(line, " \t\r#")] = 0;
        if (line[0]) {
            bench_add(s, line);
        }
    }
}

static bool bench_add_stdin(struct bench_session *s, struct err *e)
{
    char *text = arena_push(s->keep, BENCH_FILE_MAX, 1);
    size_t n = fread(text, 1, BENCH_FILE_MAX, stdin);
    if (n == BENCH_FILE_MAX) {
        return err_set(e, ERR_INPUT, "standard input: more than %d bytes of problems",
                       BENCH_FILE_MAX);
    }
    text[n] = 0;
    bench_add_lines(s, text);
    return true;
}

/* Arguments: problems, files of problems, - for standard input; none: the usual ones. */
static bool bench_gather(struct bench_session *s, struct err *e)
{
    for (int i = 0; i < s->o->n_args; i++) {
        const char *arg = s->o->args[i];
        if (strcmp(arg, "-") == 0) {
            if (!bench_add_stdin(s, e)) {
                return false;
            }
        } else if (!strchr(arg, ':') || file_exists(arg)) {
            unsigned char *bytes;
            size_t n;
            if (!file_read(s->keep, arg, BENCH_FILE_MAX, &bytes, &n, e)) {
                return err_hint(e, "a problem looks like %s; hdnas bench --list shows all forms",
                                bench_conv.form);
            }
            bench_add_lines(s, (char *)bytes);
        } else {
            bench_add(s, arg);
        }
    }
    for (size_t i = 0; s->o->n_args == 0 && i < N_ELEMS(bench_usual); i++) {
        bench_add(s, bench_usual[i]);
    }
    if (s->n_problems == 0) {
        err_set(e, ERR_USAGE, "no problem to measure");
        return err_hint(
            e, "name some as arguments or one a line in a file; hdnas bench --list shows forms");
    }
    return true;
}

static bool bench_open(struct bench_case *cases, int *n, struct arena *keep,
                       const struct bench_session *s, const char *problem, struct err *e)
{
    for (size_t i = 0; i < N_ELEMS(bench_kinds); i++) {
        size_t len = strlen(bench_kinds[i]->name);
        if (strncmp(problem, bench_kinds[i]->name, len) == 0 && problem[len] == ':') {
            return bench_kinds[i]->open(cases, n, keep, problem + len + 1, &s->request, e);
        }
    }
    err_set(e, ERR_USAGE, "unknown kind of problem: %.80s", problem);
    return err_hint(e, "hdnas bench --list shows the forms");
}

/* One thread is timed by the processor time it used, so that other processes on the machine cost
 * little; more threads by the clock. */
static double bench_now(const struct bench_session *s)
{
    return s->mc.n_threads == 1 ? clock_thread_s() : clock_now_s();
}

static void bench_peak_item(void *ctx, int i, int i_thread)
{
    struct bench_session *s = ctx;
    float value;
    (void)i;
    (void)i_thread;
    s->mc.k->peak_fma_f32(&value, BENCH_PEAK_ROUNDS);
    ASSERT(value > 1);
}

/* GFLOP/s of multiply-adds in registers, all threads at once; the best so far is what the machine
 * can do. */
static void bench_peak(struct bench_session *s)
{
    float value;
    double flops = s->mc.k->peak_fma_f32(&value, 1) * BENCH_PEAK_ROUNDS * s->mc.n_threads;
    double start = bench_now(s);
    threads_for(&s->mc, s->mc.n_threads, bench_peak_item, s);
    double peak = flops / (bench_now(s) - start) * 1e-9;
    s->best_peak = MAX(s->best_peak, peak);
    s->n_peaks++;
    s->n_low_peaks += peak < BENCH_NOISE * s->best_peak;
}

static int bench_ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double bench_median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, bench_ascending);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void bench_row(struct bench_session *s, const struct bench_case *c, struct bench_times *t,
                      int n)
{
    double median = bench_median(t->seconds, n), gflops = c->flops / median * 1e-9;
    const char *tier = cpu_tier_name(s->mc.tier);
    if (!s->json) {
        printf("%s,%s,%s,%s,fp32,%d,%.5g,%.5g,%.5g,%.4f\n", c->problem, c->direction, c->algo, tier,
               s->mc.n_threads, median * 1e3, t->seconds[0] * 1e3, gflops, gflops / s->best_peak);
        fflush(stdout);
        return;
    }
    json_object(s->json, NULL);
    json_text(s->json, "problem", c->problem);
    json_text(s->json, "direction", c->direction);
    json_text(s->json, "algo", c->algo);
    json_text(s->json, "tier", tier);
    json_text(s->json, "precision", "fp32");
    json_int(s->json, "threads", s->mc.n_threads);
    json_real(s->json, "ms_median", median * 1e3);
    json_real(s->json, "ms_min", t->seconds[0] * 1e3);
    json_real(s->json, "gflops", gflops);
    json_real(s->json, "share_of_peak", gflops / s->best_peak);
    json_end(s->json);
}

/* Check, warm up, and find how many runs make a timing long enough for the clock and the scheduler.
 */
static bool bench_prepare(const struct bench_case *c, struct bench_times *t,
                          const struct bench_session *s, struct arena tmp, struct err *e)
{
    double enough = options_real(s->o, "min-ms") * 1e-3;
    if (!options_flag(s->o, "no-check") && !c->kind->check(c, tmp, e)) {
        return err_wrap(e, "%s %s by %s, %s", c->problem, c->direction, c->algo,
                        cpu_tier_name(s->mc.tier));
    }
    c->kind->run(c, tmp);
    double start = bench_now(s);
    c->kind->run(c, tmp);
    double once = bench_now(s) - start;
    t->inner = once >= enough ? 1 : (int)MIN(1e6, enough / MAX(once, 1e-9)) + 1;
    return true;
}

/* All cases of a problem take turns with the measure of the peak, so that a slow spell of the
 * machine hits all. */
static bool bench_problem(struct bench_session *s, const char *problem, struct err *e)
{
    struct arena tmp = *s->keep;
    struct bench_case cases[BENCH_MAX_CASES];
    int n = 0, n_turns = (int)options_int(s->o, "repeats");
    if (!bench_open(cases, &n, &tmp, s, problem, e)) {
        return false;
    }
    struct bench_times *times = arena_push(&tmp, BENCH_MAX_CASES, sizeof *times);
    for (int i = 0; i < n; i++) {
        if (!bench_prepare(&cases[i], &times[i], s, tmp, e)) {
            return false;
        }
    }
    for (int turn = 0; turn < n_turns && n > 0; turn++) {
        bench_peak(s);
        for (int i = 0; i < n; i++) {
            double start = bench_now(s);
            for (int k = 0; k < times[i].inner; k++) {
                cases[i].kind->run(&cases[i], tmp);
            }
            times[i].seconds[turn] = (bench_now(s) - start) / times[i].inner;
        }
    }
    for (int i = 0; i < n; i++) {
        bench_row(s, &cases[i], &times[i], n_turns);
    }
    return true;
}

static void bench_list_forms(const struct options *o, struct arena *keep)
{
    struct json j;
    json_init(&j, keep);
    json_object(&j, NULL);
    json_array(&j, "kinds");
    for (size_t i = 0; i < N_ELEMS(bench_kinds); i++) {
        json_object(&j, NULL);
        json_text(&j, "form", bench_kinds[i]->form);
        json_text(&j, "help", bench_kinds[i]->help);
        json_end(&j);
        if (!o->json) {
            printf("# %s: %s\n", bench_kinds[i]->form, bench_kinds[i]->help);
        }
    }
    json_end(&j);
    json_array(&j, "usual");
    for (size_t i = 0; i < N_ELEMS(bench_usual); i++) {
        json_text(&j, NULL, bench_usual[i]);
        if (!o->json) {
            puts(bench_usual[i]);
        }
    }
    json_end(&j);
    json_end(&j);
    if (o->json) {
        json_print(&j, stdout);
    }
}

/* The distinct convolutions of a network, in the order they come. */
static bool bench_list_net(struct bench_session *s, const char *arch, struct err *e)
{
    struct model_spec spec = {.input = {32, 32, 3}, .n_classes = 10};
    struct graph *g;
    snprintf(spec.arch, sizeof spec.arch, "%s", arch);
    if (!model_build(&g, s->keep, &spec, e)) {
        return false;
    }
    for (int i = 0; i < g->n_nodes; i++) {
        const struct node *node = &g->nodes[i];
        if (!node->op || strcmp(node->op->name, "conv") != 0) {
            continue;
        }
        struct shape x = g->nodes[node->in[0]].shape;
        const struct op_attr *a = &node->attr;
        const char *problem = arena_printf(s->keep, "conv:n%dh%dw%dc%dk%dr%ds%dp%dg%d",
                                           (int)options_int(s->o, "batch"), x.h, x.w, x.c, a->k,
                                           a->kernel, a->stride, a->pad, MAX(1, a->groups));
        bool known = false;
        for (int k = 0; k < s->n_problems && !known; k++) {
            known = strcmp(s->problems[k], problem) == 0;
        }
        if (!known) {
            bench_add(s, problem);
        }
    }
    return true;
}

static bool bench_list(struct bench_session *s, struct err *e)
{
    if (s->o->n_args == 0) {
        bench_list_forms(s->o, s->keep);
        return true;
    }
    for (int i = 0; i < s->o->n_args; i++) {
        if (!bench_list_net(s, s->o->args[i], e)) {
            return false;
        }
    }
    if (s->json) {
        json_array(s->json, NULL);
    }
    for (int i = 0; i < s->n_problems; i++) {
        if (s->json) {
            json_text(s->json, NULL, s->problems[i]);
        } else {
            puts(s->problems[i]);
        }
    }
    if (s->json) {
        json_end(s->json);
        json_print(s->json, stdout);
    }
    return true;
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

static bool bench_run_all(struct bench_session *s, struct err *e)
{
    struct progress progress;
    if (s->json) {
        json_array(s->json, NULL);
    } else {
        puts("problem,direction,algo,tier,precision,threads,ms_median,ms_min,gflops,share_of_peak");
    }
    for (int i = 0; i < BENCH_FIRST_PEAKS; i++) {
        bench_peak(s);
    }
    progress_open(&progress, "bench", "problems", 0, s->n_problems, s->o->quiet);
    for (int i = 0; i < s->n_problems; i++) {
        progress_show(&progress, i, s->problems[i]);
        progress_clear(&progress);
        if (!bench_problem(s, s->problems[i], e)) {
            return false;
        }
    }
    progress_close(&progress);
    if (s->json) {
        json_end(s->json);
        json_print(s->json, stdout);
    }
    if (!s->o->quiet) {
        fprintf(stderr, "peak of multiply-adds in registers: %.1f GFLOP/s, %s, %d thread%s%s\n",
                s->best_peak, cpu_tier_name(s->mc.tier), s->mc.n_threads,
                s->mc.n_threads > 1 ? "s" : "",
                2 * s->n_low_peaks > s->n_peaks ? "; the machine was busy, times are too long"
                                                : "");
    }
    return true;
}

static bool bench_cmd_run(const struct options *o, struct arena *keep, struct err *e)
{
    struct json json;
    /* Rows grow while problems use what is left of the command's memory as scratch. */
    struct arena rows = arena_carve(keep, (keep->cap - keep->used) / 8);
    json_init(&json, &rows);
    struct bench_session s = {.o = o, .keep = keep, .json = o->json ? &json : NULL};
    s.request = (struct bench_request){
        .mc = &s.mc, .dir = options_text(o, "dir"), .algo = options_text(o, "algo")};
    if (options_flag(o, "list")) {
        return bench_list(&s, e);
    }
    return compute_open(&s.mc, o, keep, e) &&
           bench_is_one_of("dir", s.request.dir, "all fwd bwd_data bwd_weights train infer", e) &&
           bench_is_one_of("algo", s.request.algo,
                           "auto all ref direct winograd im2col gemm depthwise", e) &&
           bench_gather(&s, e) && bench_run_all(&s, e);
}

static const struct option_spec bench_options[] = {
    {"dir", OPTION_TEXT, "NAME", "all",
     "direction: fwd, bwd_data, bwd_weights, train, infer, or all", 0, 0},
    {"algo", OPTION_TEXT, "NAME", "auto",
     "of convolutions: auto is the one that training takes, all is every one but ref, or ref, "
     "direct, winograd, im2col, "
     "gemm, depthwise",
     0, 0},
    {"repeats", OPTION_INT, "N", "7", "timings of each case; their median and least are printed", 1,
     BENCH_MAX_REPEATS},
    {"min-ms", OPTION_REAL, "X", "5", "a timing runs a case as often as takes this long", 0, 10000},
    {"no-check", OPTION_FLAG, NULL, NULL, "do not hold results to the reference first", 0, 0},
    {"list", OPTION_FLAG, NULL, NULL,
     "print problems instead of measuring: the forms and the usual ones, or with names of networks "
     "as arguments, all "
     "their distinct convolutions",
     0, 0},
    {"batch", OPTION_INT, "N", "32", "images of the problems that --list ARCH prints", 1, 65536},
    OPTIONS_COMMON,
};

const struct cmd cmd_bench = {
    .name = "bench",
    .summary = "time convolutions, matrix products and networks on this machine",
    .usage = "hdnas bench [options] [PROBLEM|FILE|-]...",
    .about =
        "Holds each result to the reference, then times it warm, all cases of a problem in turns. "
        "Prints CSV (or "
        "--json): problem, direction, algo, tier, precision, threads, ms_median, ms_min, gflops, "
        "share_of_peak. The "
        "share is of the multiply-adds that the same threads do in registers at best, measured in "
        "the same run; "
        "operations are counted as the direct method needs them, two per multiply-add. One thread "
        "is "
        "timed by the processor time it used, more by the clock. Problems "
        "come from the "
        "arguments, from files with one a line (bench/shapes/*.txt), or from standard input (-).",
    .examples = "hdnas bench                                    # the usual problems\n"
                "hdnas bench conv:n32h32c16k16r3 --algo all --threads 1\n"
                "hdnas bench net:resnet20:n32:train gemm:m512n512k512\n"
                "hdnas bench --list nb201:333133 | hdnas bench --cpu avx2 -",
    .options = bench_options,
    .n_options = (int)N_ELEMS(bench_options),
    .run = bench_cmd_run,
};
