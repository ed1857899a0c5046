/*
 * bench_kernels.c: time of convolutions by direction and algorithm.
 *
 *   bench_kernels [--cpu TIER] [--threads N] [--dir D] [--algo A] [--reps N] [problem ...]
 *
 * A problem is conv:n32h32w32c16k16r3s1p1g1 (r: kernel size). Without problems: the convolutions of
 * NAS-Bench-201 at batch 32. All cases take turns, so that a slow spell of the machine hits all;
 * rows give the median and the least of the turns, and the share of the peak of multiply-adds
 * measured in the same turns. One thread is timed by its own CPU clock, which other processes do
 * not stop. GFLOP/s are counted as direct convolution, whatever the algorithm.
 */
#include "core/clock.h"
#include "core/conv.h"
#include "core/kernel.h"
#include "core/problem.h"
#include "core/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CASES = 512, MAX_REPS = 101 };

struct bench_case {
    const char *problem;
    struct conv_shape s;
    enum conv_dir dir;
    enum conv_algo algo;
    float *x, *y, *w, *out;
    int inner; /* calls in one timing */
    double seconds[MAX_REPS];
};

struct bench {
    struct machine mc;
    struct arena arena;
    int dir, algo, reps; /* -1: all */
    struct bench_case cases[MAX_CASES];
    int n_cases;
    double peak[MAX_REPS]; /* GFLOP/s of one thread */
};

static const char *const bench_dirs[] = {"fwd", "bwd_data", "bwd_weights"};

static const char *const bench_nb201[] = {
    "conv:n32h32w32c16k16r3s1p1g1", "conv:n32h16w16c32k32r3s1p1g1", "conv:n32h8w8c64k64r3s1p1g1",
    "conv:n32h32w32c16k16r1s1p0g1", "conv:n32h16w16c32k32r1s1p0g1", "conv:n32h8w8c64k64r1s1p0g1",
    "conv:n32h32w32c16k32r3s2p1g1", "conv:n32h16w16c32k64r3s2p1g1", "conv:n32h16w16c16k32r1s1p0g1",
    "conv:n32h32w32c3k16r3s1p1g1",
};

static void bench_fail(const char *text)
{
    fprintf(stderr, "bench_kernels: %s\n", text);
    exit(2);
}

static struct conv_shape bench_parse(const char *problem)
{
    struct conv_shape s = {0};
    struct err e;
    if (!problem_conv(&s, problem, &e)) {
        bench_fail(e.text);
    }
    return s;
}

static float *bench_floats(struct arena *a, size_t n)
{
    float *p = arena_push(a, n, sizeof *p);
    struct rng r = rng_key(1, RNG_TEST, n);
    for (size_t i = 0; i < n; i++) {
        p[i] = (float)(rng_f64(&r) - 0.5);
    }
    return p;
}

static void bench_call(struct bench *b, const struct bench_case *c)
{
    if (c->dir == CONV_FWD) {
        conv_forward(&b->mc, c->out, c->x, c->w, &c->s, false, NULL, c->algo, b->arena);
    } else if (c->dir == CONV_BWD_DATA) {
        conv_backward_data(&b->mc, c->out, c->y, c->w, &c->s, false, NULL, c->algo, b->arena);
    } else {
        conv_backward_weights(&b->mc, c->out, c->x, c->y, &c->s, false, c->algo, b->arena);
    }
}

static double bench_now(const struct bench *b)
{
    return b->mc.n_threads == 1 ? clock_thread_s() : clock_now_s();
}

static void bench_add(struct bench *b, const char *problem)
{
    struct conv_shape s = bench_parse(problem);
    size_t n_x = (size_t)s.n * (size_t)s.h * (size_t)s.w * (size_t)s.c;
    size_t n_y = (size_t)s.n * (size_t)s.oh * (size_t)s.ow * (size_t)s.k;
    size_t n_w = (size_t)s.kh * (size_t)s.kw * (size_t)(s.c / s.groups) * (size_t)s.k;
    float *x = bench_floats(&b->arena, n_x), *y = bench_floats(&b->arena, n_y);
    float *w = bench_floats(&b->arena, n_w);
    float *out = bench_floats(&b->arena, MAX(n_x, MAX(n_y, n_w)));
    for (int dir = 0; dir < 3; dir++) {
        for (int algo = CONV_DIRECT; algo < CONV_N_ALGOS; algo++) {
            bool wanted = (b->dir < 0 || b->dir == dir) && (b->algo < 0 || b->algo == algo);
            if (!wanted || !conv_can(&b->mc, &s, (enum conv_dir)dir, (enum conv_algo)algo)) {
                continue;
            }
            if (b->n_cases == MAX_CASES) {
                bench_fail("too many cases");
            }
            struct bench_case *c = &b->cases[b->n_cases++];
            *c = (struct bench_case){.problem = problem,
                                     .s = s,
                                     .dir = (enum conv_dir)dir,
                                     .algo = (enum conv_algo)algo,
                                     .x = x,
                                     .y = y,
                                     .w = w,
                                     .out = out,
                                     .inner = 1};
            bench_call(b, c);
            double start = bench_now(b);
            bench_call(b, c);
            double once = bench_now(b) - start;
            c->inner = once > 2e-3 ? 1 : (int)(2e-3 / once) + 1;
        }
    }
}

static int bench_compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void bench_run(struct bench *b)
{
    for (int rep = 0; rep < b->reps; rep++) {
        float value;
        double start = bench_now(b);
        double flops = b->mc.k->peak_fma_f32(&value, 200000);
        b->peak[rep] = flops / (bench_now(b) - start) * 1e-9;
        for (int i = 0; i < b->n_cases; i++) {
            struct bench_case *c = &b->cases[i];
            start = bench_now(b);
            for (int j = 0; j < c->inner; j++) {
                bench_call(b, c);
            }
            c->seconds[rep] = (bench_now(b) - start) / c->inner;
        }
    }
    size_t n = (size_t)b->reps;
    qsort(b->peak, n, sizeof(double), bench_compare);
    double peak = b->peak[n / 2] * b->mc.n_threads;
    puts("problem,direction,algo,tier,threads,ms_median,ms_min,gflops,share_of_peak");
    for (int i = 0; i < b->n_cases; i++) {
        struct bench_case *c = &b->cases[i];
        qsort(c->seconds, n, sizeof(double), bench_compare);
        double gflops = 2e-9 * (double)conv_macs(&c->s) * c->s.n / c->seconds[n / 2];
        bool chosen = conv_choose(&b->mc, &c->s, c->dir) == c->algo;
        printf("%s,%s,%s%s,%s,%d,%.4f,%.4f,%.1f,%.3f\n", c->problem, bench_dirs[c->dir],
               conv_algo_name(c->algo), chosen ? "*" : "", cpu_tier_name(b->mc.tier),
               b->mc.n_threads, c->seconds[n / 2] * 1e3, c->seconds[0] * 1e3, gflops,
               gflops / peak);
    }
    printf(
        "# peak of one thread: median %.1f, best %.1f GFLOP/s; * the algorithm that auto takes\n",
        b->peak[n / 2], b->peak[n - 1]);
}

static int bench_word(const char *word, const char *const *words, int n)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(word, words[i]) == 0) {
            return i;
        }
    }
    bench_fail("unknown direction or algorithm");
    return -1;
}

int main(int argc, char **argv)
{
    static struct bench b = {.dir = -1, .algo = -1, .reps = 21};
    const char *tier = "auto", *algos[CONV_N_ALGOS];
    int threads = 1, i = 1;
    struct err e;
    for (int a = 0; a < CONV_N_ALGOS; a++) {
        algos[a] = conv_algo_name((enum conv_algo)a);
    }
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (strcmp(argv[i], "--cpu") == 0) {
            tier = argv[i + 1];
        } else if (strcmp(argv[i], "--threads") == 0) {
            threads = atoi(argv[i + 1]);
        } else if (strcmp(argv[i], "--dir") == 0) {
            b.dir = bench_word(argv[i + 1], bench_dirs, 3);
        } else if (strcmp(argv[i], "--algo") == 0) {
            b.algo = bench_word(argv[i + 1], algos, CONV_N_ALGOS);
        } else if (strcmp(argv[i], "--reps") == 0) {
            b.reps = MAX(1, MIN(MAX_REPS, atoi(argv[i + 1])));
        } else {
            bench_fail("unknown option; see the head of bench/bench_kernels.c");
        }
    }
    if (!machine_init(&b.mc, tier, threads, &e) || !arena_init(&b.arena, (size_t)16 << 30, &e)) {
        bench_fail(e.text);
    }
    for (int p = i; p < argc; p++) {
        bench_add(&b, argv[p]);
    }
    for (size_t p = 0; i >= argc && p < N_ELEMS(bench_nb201); p++) {
        bench_add(&b, bench_nb201[p]);
    }
    bench_run(&b);
    arena_release(&b.arena);
    return 0;
}
