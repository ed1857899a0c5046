#define _GNU_SOURCE
#include "cli/archlist.h"
#include "cli/archname.h"
#include "cli/cmds.h"
#include "cli/compute.h"
#include "cli/json.h"
#include "cli/judge.h"
#include "cli/progress.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/number.h"
#include "core/threads.h"
#include "nas/workload.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* clang-format off: one row an option */
static const struct option_spec score_options[] = {
    JUDGE_OPTIONS,
    {"as-given", OPTION_FLAG, NULL, NULL,
     "score each cell as written, not the canonical one of its isomorphism class (implied by "
     "--init, --save-init)", 0, 0},
    {"init", OPTION_TEXT, "FILE", NULL,
     "start from these weights (PyTorch names and layout); one architecture", 0, 0},
    {"save-init", OPTION_TEXT, "FILE", NULL,
     "write the starting weights; one architecture", 0, 0},
    {"trace", OPTION_TEXT, "FILE", NULL,
     "write step,loss,cka1,..,cross_entropy,seconds of every step; several architectures are told "
     "apart by a first column", 0, 0},
    OPTIONS_COMMON,
};
/* clang-format on */

enum { MAX_WORKERS = 256, MAX_TRACE_ROWS = 10000000 };

/* The course of one candidate. */
struct job_trace {
    double start;             /* clock */
    struct score_step *steps; /* [updates + 1] */
    double *seconds;          /* [updates + 1] since start */
    int n;                    /* steps taken: fewer where it diverged */
};

struct job {
    const struct options *o;
    const struct space *space;
    struct judge judge;
    struct machine mc;
    struct arch *archs;
    int n;
    double *scores, *seconds; /* [n] */
    struct err *errors;       /* [n] */
    struct arena workers[MAX_WORKERS];
    struct workload load;
    struct job_trace *traces; /* [n]; NULL = no --trace */
    struct json *json;        /* NULL = CSV as it comes */
    struct progress progress;
};

static void job_on_step(void *ctx, const struct score_step *step)
{
    struct job_trace *trace = ctx;
    trace->steps[trace->n] = *step;
    trace->seconds[trace->n++] = clock_now_s() - trace->start;
}

static int job_claim(void *ctx, int worker)
{
    struct job *job = ctx;
    return workload_claim(&job->load, worker);
}

static bool job_work(void *ctx, int i, int worker)
{
    struct job *job = ctx;
    struct arena tmp = job->workers[worker];
    struct machine mc = job->n > 1 ? machine_serial(&job->mc) : job->mc;
    const char *init = options_text(job->o, "init"), *save = options_text(job->o, "save-init");
    struct arch arch = job->archs[i];
    struct weights_info info = {.spec = job->judge.model};
    info.spec.size = job->judge.score_options.size;
    struct graph *graph;
    double start = clock_now_s();
    job->scores[i] = NAN;
    if (!init && !save && !options_flag(job->o, "as-given")) {
        job->space->canonical(&job->archs[i], &arch);
    }
    memcpy(info.mean, job->judge.info.mean, sizeof info.mean);
    memcpy(info.std, job->judge.info.std, sizeof info.std);
    info.has_norm = job->judge.info.has_norm;
    job->space->model(&arch, &info.spec);
    if (!model_build(&graph, &tmp, &info.spec, &job->errors[i])) {
        return false;
    }
    size_t want = job->judge.score->plan_bytes(&mc, graph, &job->judge.batch) +
                  (init || save ? weights_scratch_bytes(graph, 0, 0) : 0);
    if (want > tmp.cap - tmp.used) {
        err_set(&job->errors[i], ERR_FAILED, "scoring needs %zu MiB a worker, %zu are allowed",
                want >> 20, (tmp.cap - tmp.used) >> 20);
        return err_hint(&job->errors[i], "raise --memory, or lower --batch-size or --threads");
    }
    struct score_job score = {
        .mc = &mc,
        .graph = graph,
        .batch = &job->judge.batch,
        .options = &job->judge.score_options,
        .init_path = init,
        .save_init_path = save,
        .info = &info,
        .on_step = job->traces ? job_on_step : NULL,
        .ctx = job->traces ? &job->traces[i] : NULL,
        .tmp = tmp,
    };
    if (job->traces) {
        job->traces[i].start = start;
    }
    bool ok = job->judge.score->run(&score, &job->scores[i], &job->errors[i]);
    job->seconds[i] = clock_now_s() - start;
    return ok;
}

static void job_done(void *ctx, int i)
{
    struct job *job = ctx;
    char text[SPACE_TEXT_LEN], number[32], index_text[24];
    int64_t index = job->space->index(&job->archs[i]);
    job->space->format(&job->archs[i], text);
    if (job->json) {
        json_object(job->json, NULL);
        archname_index_json(job->json, index);
        json_text(job->json, "arch", text);
        json_real(job->json, "score", job->scores[i]);
        json_real(job->json, "seconds", job->seconds[i]);
        json_end(job->json);
    } else {
        number_format(number, job->scores[i]);
        progress_clear(&job->progress);
        printf("%s,%s,%s,%.3f\n", archname_index(index_text, index), text, number, job->seconds[i]);
        fflush(stdout);
    }
    progress_show(&job->progress, i + 1, NULL);
}

static bool job_single(const struct job *job, struct err *e)
{
    static const char *const single[] = {"init", "save-init"};
    for (size_t i = 0; i < N_ELEMS(single); i++) {
        if (options_text(job->o, single[i]) && job->n != 1) {
            return err_set(e, ERR_USAGE, "--%s goes with one architecture, %d were given",
                           single[i], job->n);
        }
        if (options_text(job->o, single[i]) && job->judge.score->no_weights) {
            return err_set(e, ERR_USAGE, "--%s: the score %s looks at no weights", single[i],
                           job->judge.score->name);
        }
    }
    return true;
}

static bool job_trace_open(struct job *job, struct arena *keep, struct err *e)
{
    size_t rows = (size_t)job->judge.score_options.steps + 1;
    if (!options_text(job->o, "trace")) {
        return true;
    }
    if (!job->judge.score->needs_reference || job->judge.score->members) {
        return err_set(e, ERR_USAGE, "--trace: the score %s has no course", job->judge.score->name);
    }
    if (rows * (size_t)job->n > MAX_TRACE_ROWS) {
        return err_set(e, ERR_USAGE, "--trace: %d architectures x %zu steps are more than %d lines",
                       job->n, rows, (int)MAX_TRACE_ROWS);
    }
    job->traces = arena_push_zero(keep, (size_t)job->n, sizeof *job->traces);
    for (int i = 0; i < job->n; i++) {
        job->traces[i].steps = arena_push(keep, rows, sizeof *job->traces[i].steps);
        job->traces[i].seconds = arena_push(keep, rows, sizeof *job->traces[i].seconds);
    }
    return true;
}

/* Everything at once at the end, so that a failed run leaves no half of a trace. */
static bool job_trace_write(const struct job *job, struct arena *keep, struct err *e)
{
    int n_taps = job->judge.batch.n_taps;
    struct text out;
    text_init(&out, keep);
    text_printf(&out, "%sstep,loss", job->n > 1 ? "arch," : "");
    for (int k = 0; k < n_taps; k++) {
        text_printf(&out, ",cka%d", k + 1);
    }
    text_add(&out, ",cross_entropy,seconds\n");
    for (int i = 0; i < job->n; i++) {
        char arch[SPACE_TEXT_LEN + 1] = "";
        if (job->n > 1) {
            job->space->format(&job->archs[i], arch);
            strcat(arch, ",");
        }
        for (int s = 0; s < job->traces[i].n; s++) {
            const struct score_step *step = &job->traces[i].steps[s];
            text_printf(&out, "%s%d,%.9g", arch, step->step, step->loss);
            for (int k = 0; k < n_taps; k++) {
                text_printf(&out, ",%.9g", step->cka[k]);
            }
            text_printf(&out, ",%.9g,%.4f\n", step->cross_entropy, job->traces[i].seconds[s]);
        }
    }
    return file_write(options_text(job->o, "trace"), out.s, out.n, e);
}

static bool job_run(struct job *job, struct arena *keep, struct err *e)
{
    if (!job->json) {
        puts("index,arch,score,seconds");
    } else {
        json_array(job->json, NULL);
    }
    progress_open(&job->progress, "score", "architectures", 0, job->n, job->o->quiet);
    int n_done = threads_ordered(&job->mc, job->n, job_claim, job_work, job_done, job);
    progress_close(&job->progress);
    if (n_done < job->n) {
        *e = job->errors[n_done];
        return false;
    }
    if (job->json) {
        json_end(job->json);
        json_print(job->json, stdout);
    }
    return !job->traces || job_trace_write(job, keep, e);
}

/* Whose turn it is: by multiply-adds. */
static void job_turns(struct job *job, struct arena *keep)
{
    struct workload_item *items = arena_push_zero(keep, (size_t)job->n, sizeof *items);
    for (int i = 0; i < job->n; i++) {
        items[i].length = (double)job->space->macs(&job->archs[i], &job->judge.model);
    }
    workload_init(&job->load, keep, items, job->n, job->mc.n_threads, 0);
}

static bool score_run(const struct options *o, struct arena *keep, struct err *e)
{
    struct job job = {.o = o};
    struct json json;
    json_init(&json, keep);
    job.json = o->json ? &json : NULL;
    if (!compute_open(&job.mc, o, keep, e) ||
        !space_find(&job.space, options_text(o, "space"), e) ||
        !archlist_read(&job.archs, &job.n, keep, job.space, o, e) ||
        !judge_open(&job.judge, o, keep, &job.mc, e) || !job_single(&job, e) ||
        !job_trace_open(&job, keep, e)) {
        return false;
    }
    job.mc.n_threads = MIN(job.mc.n_threads, MAX_WORKERS);
    job.scores = arena_push(keep, (size_t)job.n, sizeof *job.scores);
    job.seconds = arena_push_zero(keep, (size_t)job.n, sizeof *job.seconds);
    job.errors = arena_push_zero(keep, (size_t)job.n, sizeof *job.errors);
    job_turns(&job, keep);
    bool ok = true;
    for (int i = 0; ok && i < job.mc.n_threads; i++) {
        ok = arena_init(&job.workers[i], judge_worker_bytes(o, job.mc.n_threads), e);
    }
    ok = ok && job_run(&job, keep, e);
    for (int i = 0; i < job.mc.n_threads; i++) {
        arena_release(&job.workers[i]);
    }
    return ok;
}

const struct cmd cmd_score = {
    .name = "score",
    .summary = "score architectures by representation similarity or another training-free measure",
    .usage = "hdnas score [options] ARCH...",
    .about = "Scores every architecture named as index, code or string, or one a line on standard "
             "input, and prints "
             "index,arch,score,seconds. A score is always oriented so that higher is better.",
    .examples =
        "hdnas score 13714 0 333133\n"
        "hdnas score --score rmi-paper --data cifar10:DIR --reference resnet20.safetensors 13714\n"
        "seq 0 99 | hdnas score --steps 10 --json > scores.json\n"
        "hdnas score --trace course.csv --save-init w.safetensors --save-batch b.safetensors 6111",
    .options = score_options,
    .n_options = (int)N_ELEMS(score_options),
    .run = score_run,
};
