/* bench_net.c: whole networks: an inference, gradients (forward, loss, backward), or a training
 * step (gradients and SGD). */
#define _GNU_SOURCE
#include "cli/archname.h"
#include "cli/bench.h"
#include "core/problem.h"
#include "nn/loss.h"
#include "nn/model.h"
#include "nn/optim.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BENCH_NET_SIDE = 32, BENCH_NET_CLASSES = 10, BENCH_NET_CHECKED = 2 };

static const char *const bench_net_modes[] = {"infer", "grad", "train"};
enum bench_net_mode { BENCH_NET_INFER, BENCH_NET_GRAD, BENCH_NET_TRAIN };

struct bench_net {
    struct graph *graph;
    struct net *net;
    struct optim *optim;
    int n, n_classes;
    enum bench_net_mode mode;
    float *x;
    int32_t *labels;
};

/* "ARCH:n32:train": from the end, as an architecture may hold colons. */
static bool bench_net_parse(struct bench_net *b, char arch[256], const char *text, struct err *e)
{
    const char *mode = strrchr(text, ':');
    const char *count = mode ? memrchr(text, ':', (size_t)(mode - text)) : NULL;
    int i = 0;
    while (mode && i < (int)N_ELEMS(bench_net_modes) && strcmp(mode + 1, bench_net_modes[i]) != 0) {
        i++;
    }
    if (i == (int)N_ELEMS(bench_net_modes) || !count || count - text >= 256) {
        err_set(e, ERR_USAGE, "problem net:%.200s cannot be read", text);
        return err_hint(e, "expected %s, :grad or :infer", bench_net.form);
    }
    char number[32];
    snprintf(number, sizeof number, "%.*s", (int)MIN(mode - count - 1, 31), count + 1);
    snprintf(arch, 256, "%.*s", (int)(count - text), text);
    b->mode = (enum bench_net_mode)i;
    b->n = -1;
    return problem_numbers(number, "n", &b->n, bench_net.form, e);
}

static bool bench_net_build(struct bench_net *b, struct arena *keep, const struct machine *mc,
                            struct err *e)
{
    enum net_mode mode = b->mode == BENCH_NET_INFER ? NET_EVAL : NET_TRAIN;
    const struct optim_config config = {.kind = OPTIM_SGD, .momentum = 0.9F, .decay = 5e-4F};
    if (net_plan_bytes(mc, b->graph, b->n, mode) + optim_plan_bytes(b->graph, &config) >
        keep->cap - keep->used) {
        return err_set(e, ERR_FAILED, "a net of %d images does not fit the memory", b->n);
    }
    if (!net_new(&b->net, keep, mc, b->graph, b->n, mode, e)) {
        return false;
    }
    net_init_params(b->net, NET_INIT_KAIMING, 1);
    if (b->mode == BENCH_NET_TRAIN) {
        b->optim = optim_new(keep, b->net, &config);
    }
    return true;
}

static bool bench_net_open(struct bench_case cases[BENCH_MAX_CASES], int *n, struct arena *keep,
                           const char *text, const struct bench_request *request, struct err *e)
{
    struct bench_net *b = arena_push_zero(keep, 1, sizeof *b);
    struct model_spec spec = {.input = request->image, .n_classes = request->n_classes};
    if (spec.input.h == 0) {
        spec.input = (struct shape){BENCH_NET_SIDE, BENCH_NET_SIDE, 3};
        spec.n_classes = BENCH_NET_CLASSES;
    }
    b->n_classes = spec.n_classes;
    char arch[256];
    *n = 0;
    if (!bench_net_parse(b, arch, text, e)) {
        return false;
    }
    if (!archname_resolve(&spec, arch, e)) {
        e->code = ERR_USAGE;
        return false;
    }
    if (!model_build(&b->graph, keep, &spec, e) || !bench_net_build(b, keep, request->mc, e)) {
        return false;
    }
    b->x = bench_data(keep, (size_t)b->n * shape_count(spec.input), 0, e);
    b->labels = b->x ? arena_try(keep, (size_t)b->n, sizeof *b->labels, e) : NULL;
    if (!b->labels) {
        return false;
    }
    for (int i = 0; i < b->n; i++) {
        b->labels[i] = i % b->n_classes;
    }
    /* Backward takes twice the multiply-adds of forward: once for the data, once for the weights.
     */
    double flops = 2.0 * (double)graph_macs(b->graph) * b->n * (b->mode == BENCH_NET_INFER ? 1 : 3);
    const char *direction = bench_net_modes[b->mode];
    if ((strcmp(request->dir, "all") == 0 || strcmp(request->dir, direction) == 0) &&
        (strcmp(request->algo, "auto") == 0 || strcmp(request->algo, "all") == 0)) {
        cases[(*n)++] = (struct bench_case){.kind = &bench_net,
                                            .problem = arena_printf(keep, "net:%s", text),
                                            .direction = direction,
                                            .algo = "auto",
                                            .flops = flops,
                                            .mc = request->mc,
                                            .state = b};
    }
    return true;
}

static void bench_net_run(const struct bench_case *c, struct arena tmp)
{
    const struct bench_net *b = c->state;
    (void)tmp;
    const float *logits = net_forward(b->net, c->mc, b->x, b->n, b->mode != BENCH_NET_INFER);
    if (b->mode != BENCH_NET_INFER) {
        loss_cross_entropy(logits, b->labels, b->n, b->n_classes, 0, 1, net_output_seed(b->net),
                           NULL);
        net_backward(b->net, c->mc);
    }
    if (b->optim) {
        optim_step(b->optim, b->net, c->mc, 1e-4F);
    }
}

/* The same start by the plain C kernels, on a few images. */
static bool bench_net_check(const struct bench_case *c, struct arena tmp, struct err *e)
{
    const struct bench_net *b = c->state;
    struct machine ref;
    struct bench_net few = *b;
    few.n = MIN(b->n, BENCH_NET_CHECKED);
    size_t n = (size_t)few.n * (size_t)b->n_classes;
    float *expected = arena_try(&tmp, n, sizeof *expected, e);
    if (!expected || !machine_init(&ref, "ref", c->mc->n_threads, e) ||
        !bench_net_build(&few, &tmp, &ref, e)) {
        return false;
    }
    memcpy(expected, net_forward(few.net, &ref, few.x, few.n, few.mode != BENCH_NET_INFER),
           n * sizeof *expected);
    if (!bench_net_build(&few, &tmp, c->mc, e)) {
        return false;
    }
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs((double)expected[i]));
    }
    return bench_compare(net_forward(few.net, c->mc, few.x, few.n, few.mode != BENCH_NET_INFER),
                         expected, n, bench_share(c->mc) * largest, e);
}

const struct bench_kind bench_net = {
    .name = "net",
    .form = "net:ARCH:n32:train",
    .help = "a whole network on images of --image: one inference (infer), the gradients (grad) or "
            "a training "
            "step (train) of n images; nb201/13714 is an index",
    .open = bench_net_open,
    .check = bench_net_check,
    .run = bench_net_run,
};
