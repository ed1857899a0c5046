/* bench_score.c: the score of one architecture from the building of its network to the value, on a
 * batch and against a reference (ResNet-20) of random numbers. */
#define _GNU_SOURCE
#include "cli/archname.h"
#include "cli/bench.h"
#include "core/problem.h"
#include "nas/reference.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Images as in CIFAR-10; the batch of [Zheng2022]. */
enum {
    BENCH_SCORE_SIDE = 32,
    BENCH_SCORE_CLASSES = 10,
    BENCH_SCORE_IMAGES = 32,
    BENCH_SCORE_CHECKED = 4 /* images */
};

struct bench_score {
    const struct score *score;
    struct score_options options;
    struct model_spec spec;
    struct graph *graph;
    struct score_batch batch;
};

/* "rmi-paper:nb201/13714:n32s10": batch and updates may be left out; a bare number is an index of
 * nb201. */
static bool bench_score_parse(struct bench_score *b, const char *text, int *n, struct err *e)
{
    const char *first = strchr(text, ':'), *last = strrchr(text, ':');
    int v[] = {BENCH_SCORE_IMAGES, 0}; /* n s */
    char name[64], arch[256];
    if (!first || first - text >= (ptrdiff_t)sizeof name || strlen(first) >= sizeof arch - 8) {
        err_set(e, ERR_USAGE, "problem score:%.200s cannot be read", text);
        return err_hint(e, "expected %s", bench_score.form);
    }
    bool has_numbers = last != first && strchr("ns", last[1]) && isdigit((unsigned char)last[2]);
    size_t len = has_numbers ? (size_t)(last - first - 1) : strlen(first + 1);
    snprintf(name, sizeof name, "%.*s", (int)(first - text), text);
    snprintf(arch, sizeof arch, "%s%.*s", isdigit((unsigned char)first[1]) ? "nb201/" : "",
             (int)len, first + 1);
    b->spec = (struct model_spec){.input = {BENCH_SCORE_SIDE, BENCH_SCORE_SIDE, 3},
                                  .n_classes = BENCH_SCORE_CLASSES};
    if (!score_find(&b->score, name, e) || !archname_resolve(&b->spec, arch, e)) {
        e->code = ERR_USAGE;
        return false;
    }
    if (b->score->members) {
        err_set(e, ERR_USAGE, "problem score:%.200s: %s is made of other scores", text, name);
        return err_hint(e, "time its members, each by itself: hdnas info names them");
    }
    b->score->defaults(&b->options);
    b->spec.size = b->options.size;
    if (b->options.side > 0) { /* the reference sees them so too: it is not timed */
        b->spec.input.h = b->spec.input.w = b->options.side;
    }
    v[1] = b->options.steps;
    if (has_numbers && !problem_numbers(last + 1, "ns", v, bench_score.form, e)) {
        return false;
    }
    *n = v[0];
    b->options.steps = v[1];
    return true;
}

static bool bench_score_batch(struct bench_score *b, struct arena *keep, const struct machine *mc,
                              int n, struct err *e)
{
    struct model_spec spec = b->spec;
    struct graph *graph;
    struct net *reference;
    float *x = bench_data(keep, (size_t)n * shape_count(spec.input), 0, e);
    int32_t *labels = x ? arena_try(keep, (size_t)n, sizeof *labels, e) : NULL;
    snprintf(spec.arch, sizeof spec.arch, "resnet20");
    if (!labels || !model_build(&graph, keep, &spec, e)) {
        return false;
    }
    if (2 * net_plan_bytes(mc, graph, n, NET_TRAIN) > keep->cap - keep->used) {
        return err_set(e, ERR_FAILED, "a batch of %d images does not fit the memory", n);
    }
    if (!net_new(&reference, keep, mc, graph, n, NET_TRAIN, e)) {
        return false;
    }
    net_init_params(reference, NET_INIT_KAIMING, 1);
    for (int i = 0; i < n; i++) {
        labels[i] = i % BENCH_SCORE_CLASSES;
    }
    b->batch = (struct score_batch){
        .n = n, .shape = spec.input, .n_classes = spec.n_classes, .x = x, .labels = labels};
    struct arena tmp = arena_carve(keep, (keep->cap - keep->used) / 2);
    return reference_grams(&b->batch, keep, mc, reference, tmp, e);
}

static bool bench_score_open(struct bench_case cases[BENCH_MAX_CASES], int *n, struct arena *keep,
                             const char *text, const struct bench_request *request, struct err *e)
{
    struct bench_score *b = arena_push_zero(keep, 1, sizeof *b);
    int n_images;
    *n = 0;
    if (!bench_score_parse(b, text, &n_images, e) || !model_build(&b->graph, keep, &b->spec, e) ||
        !bench_score_batch(b, keep, request->mc, n_images, e)) {
        return false;
    }
    if (strcmp(request->dir, "all") == 0 &&
        (strcmp(request->algo, "auto") == 0 || strcmp(request->algo, "all") == 0)) {
        /* A pass and its gradients: three times the multiply-adds of the pass; the last goes
         * forward only. Scores that train nothing are no matter of multiply-adds. */
        double macs = b->score->needs_reference ? (double)graph_macs(b->graph) * n_images : 0;
        cases[(*n)++] = (struct bench_case){.kind = &bench_score,
                                            .problem = arena_printf(keep, "score:%s", text),
                                            .direction = "",
                                            .algo = "auto",
                                            .flops = 2 * macs * (3.0 * b->options.steps + 1),
                                            .mc = request->mc,
                                            .state = b};
    }
    return true;
}

static bool bench_score_value(const struct bench_score *b, const struct machine *mc,
                              struct arena tmp, double *value, struct err *e)
{
    struct score_job job = {
        .mc = mc, .graph = b->graph, .batch = &b->batch, .options = &b->options, .tmp = tmp};
    if (b->score->plan_bytes(mc, b->graph, &b->batch) > tmp.cap - tmp.used) {
        return err_set(e, ERR_FAILED, "scoring does not fit the memory");
    }
    return b->score->run(&job, value, e);
}

static void bench_score_run(const struct bench_case *c, struct arena tmp)
{
    double value;
    struct err e;
    bool ok = bench_score_value(c->state, c->mc, tmp, &value, &e);
    ASSERT(ok); /* the check or the first run has shown that it fits */
}

/* The value before any update, on a few images, by the plain C kernels too. After updates nothing
 * can be told this way: where a cell has no skip, ReLU makes of a change of the images by 1e-7 one
 * of the gradients by a tenth, whatever the kernels. */
static bool bench_score_check(const struct bench_case *c, struct arena tmp, struct err *e)
{
    struct bench_score few = *(const struct bench_score *)c->state;
    struct machine ref;
    double expected, value;
    few.options.steps = 0;
    if (!machine_init(&ref, "ref", c->mc->n_threads, e) ||
        !bench_score_batch(&few, &tmp, &ref, BENCH_SCORE_CHECKED, e) ||
        !bench_score_value(&few, &ref, tmp, &expected, e) ||
        !bench_score_value(&few, c->mc, tmp, &value, e)) {
        return false;
    }
    if (!(fabs(value - expected) <= bench_share(c->mc) * fabs(expected)) &&
        !(isnan(value) && isnan(expected))) {
        return err_set(e, ERR_FAILED, "before any update the score is %.9g, the reference %.9g",
                       value, expected);
    }
    return true;
}

const struct bench_kind bench_score = {
    .name = "score",
    .form = "score:rmi-paper:13714:n32s150",
    .help = "the score of an architecture on n images after s updates; left out: n = 32, s as the "
            "score has it; a bare number is an index of nb201",
    .open = bench_score_open,
    .check = bench_score_check,
    .run = bench_score_run,
};
