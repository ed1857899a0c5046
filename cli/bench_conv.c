/* bench_conv.c: convolutions, forward and both ways backward, by every algorithm there is. */
#include "cli/bench.h"
#include "core/problem.h"

#include <string.h>

struct bench_conv {
    struct conv_shape s;
    size_t n_x, n_y, n_w;
    float *x, *y, *w, *out, *expected; /* out, expected: [largest of the three] */
    struct conv_prepared ready[CONV_N_DIRS][CONV_N_ALGOS]; /* forward, backward data */
};

static bool bench_conv_buffers(struct bench_conv *b, struct arena *keep, struct err *e)
{
    const struct conv_shape *s = &b->s;
    b->n_x = (size_t)s->n * (size_t)s->h * (size_t)s->w * (size_t)s->c;
    b->n_y = (size_t)s->n * (size_t)s->oh * (size_t)s->ow * (size_t)s->k;
    b->n_w = (size_t)s->kh * (size_t)s->kw * (size_t)(s->c / s->groups) * (size_t)s->k;
    size_t largest = MAX(b->n_x, MAX(b->n_y, b->n_w));
    b->x = bench_data(keep, b->n_x, 0, e);
    b->y = b->x ? bench_data(keep, b->n_y, 1, e) : NULL;
    b->w = b->y ? bench_data(keep, b->n_w, 2, e) : NULL;
    b->out = b->w ? bench_data(keep, largest, 3, e) : NULL;
    b->expected = b->out ? bench_data(keep, largest, 4, e) : NULL;
    return b->expected;
}

static bool bench_conv_wanted(const struct bench_request *r, const struct conv_shape *s,
                              enum conv_dir dir, enum conv_algo algo)
{
    bool all = strcmp(r->algo, "all") == 0, automatic = strcmp(r->algo, "auto") == 0;
    bool named = strcmp(r->algo, conv_algo_name(algo)) == 0;
    bool chosen = automatic && conv_choose(r->mc, s, dir) == algo;
    return algo != CONV_AUTO && (chosen || named || (all && algo != CONV_REF)) &&
           conv_can(r->mc, s, dir, algo);
}

/* Weights are kept from call to call, as inference does: made ready outside of the timed part. */
static bool bench_conv_prepare(struct bench_conv *b, const struct machine *mc, enum conv_dir dir,
                               enum conv_algo algo, struct arena *keep, struct err *e)
{
    size_t bytes = dir == CONV_BWD_WEIGHTS ? 0 : conv_prepare_bytes(mc, &b->s, dir, algo);
    void *data = arena_try(keep, bytes, 1, e);
    if (data && dir != CONV_BWD_WEIGHTS) {
        b->ready[dir][algo] = conv_prepare(mc, data, b->w, &b->s, dir, algo, *keep);
    }
    return data;
}

static bool bench_conv_open(struct bench_case cases[BENCH_MAX_CASES], int *n, struct arena *keep,
                            const char *text, const struct bench_request *request, struct err *e)
{
    struct bench_conv *b = arena_push_zero(keep, 1, sizeof *b);
    if (!problem_conv(&b->s, text, e) || !bench_conv_buffers(b, keep, e)) {
        return false;
    }
    const struct conv_shape *s = &b->s;
    char *problem = arena_push(keep, PROBLEM_CONV_LEN, 1);
    problem_conv_format(problem, s);
    double bytes = sizeof(float) * (double)(b->n_x + b->n_y + b->n_w);
    *n = 0;
    for (int dir = 0; dir < CONV_N_DIRS; dir++) {
        bool wanted = strcmp(request->dir, "all") == 0 ||
                      strcmp(request->dir, conv_dir_name((enum conv_dir)dir)) == 0;
        for (int algo = 0; wanted && algo < CONV_N_ALGOS; algo++) {
            if (bench_conv_wanted(request, s, (enum conv_dir)dir, (enum conv_algo)algo)) {
                ASSERT(*n < BENCH_MAX_CASES);
                if (!bench_conv_prepare(b, request->mc, (enum conv_dir)dir, (enum conv_algo)algo,
                                        keep, e)) {
                    return false;
                }
                cases[(*n)++] = (struct bench_case){.kind = &bench_conv,
                                                    .problem = problem,
                                                    .direction = conv_dir_name((enum conv_dir)dir),
                                                    .algo = conv_algo_name((enum conv_algo)algo),
                                                    .flops = 2.0 * (double)conv_macs(s) * s->n,
                                                    .bytes = bytes,
                                                    .mc = request->mc,
                                                    .state = b,
                                                    .variant = {dir, algo}};
            }
        }
    }
    return true;
}

static void bench_conv_call(const struct bench_case *c, float *out, enum conv_algo algo,
                            struct arena tmp)
{
    const struct bench_conv *b = c->state;
    const struct conv_prepared plain = {.algo = algo}, *ready = &b->ready[c->variant[0]][algo];
    ready = ready->algo == algo ? ready : &plain; /* the reference was not prepared */
    switch ((enum conv_dir)c->variant[0]) {
    case CONV_FWD:
        conv_forward_prepared(c->mc, out, b->x, b->w, ready, &b->s, false, NULL, tmp);
        break;
    case CONV_BWD_DATA:
        conv_backward_data_prepared(c->mc, out, b->y, b->w, ready, &b->s, false, NULL, tmp);
        break;
    case CONV_BWD_WEIGHTS:
        conv_backward_weights(c->mc, out, b->x, b->y, &b->s, false, algo, tmp);
        break;
    }
}

static void bench_conv_run(const struct bench_case *c, struct arena tmp)
{
    const struct bench_conv *b = c->state;
    bench_conv_call(c, b->out, (enum conv_algo)c->variant[1], tmp);
}

/* With data from -1, 0, 1 every sum is an integer below 2^24, so all algorithms but Winograd are
 * exact. Its transforms multiply by fractions: a tile of 6 x 6 passes three of them, each adding at
 * most 6 terms of at most 20 times the data, in u = 2^-24: (6 * 20)^2 u times the number of
 * channels summed is a bound, and a loose one. With its products in bf16: its own bound. */
static bool bench_conv_check(const struct bench_case *c, struct arena tmp, struct err *e)
{
    const struct bench_conv *b = c->state;
    const size_t n[] = {[CONV_FWD] = b->n_y, [CONV_BWD_DATA] = b->n_x, [CONV_BWD_WEIGHTS] = b->n_w};
    bool winograd = c->variant[1] == CONV_WINOGRAD, rounded = c->variant[1] == CONV_WINOGRAD_BF16;
    double n_sum = c->flops / 2 / (double)n[c->variant[0]];
    bench_conv_call(c, b->expected, CONV_REF, tmp);
    bench_conv_run(c, tmp);
    return bench_compare(b->out, b->expected, n[c->variant[0]],
                         (winograd  ? 14400.0 / (1 << 24)
                          : rounded ? CONV_WINOGRAD_BF16_FACTOR / 512.0
                                    : 0) *
                             n_sum,
                         e);
}

const struct bench_kind bench_conv = {
    .name = "conv",
    .form = PROBLEM_CONV_FORM,
    .help = "convolution: images, input height and width, channels in and out, kernel side, "
            "stride, padding, groups; "
            "left out: w = h, s = 1, p = r / 2, g = 1",
    .open = bench_conv_open,
    .check = bench_conv_check,
    .run = bench_conv_run,
};
