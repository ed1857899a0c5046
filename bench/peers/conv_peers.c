/*
 * conv_peers.c: convolutions by hdnas and by one peer, call by call in turns, in one process.
 *
 *   conv_NAME [--threads N] [--rounds N] [--dir D] [--min-ms X] [--cpu TIER] PROBLEM|FILE ...
 *
 * Rows: problem,direction,peer,threads,ms_ours,ms_peer,ratio,ratio_low,ratio_high. The times are
 * medians over rounds, the ratio (peer / ours: above 1, hdnas is faster) the median of the ratios
 * of each round, low and high its quartiles. One thread is timed by the processor time it used, so
 * that other processes on the machine cost little; more threads by the clock on the wall. Both
 * results are compared before anything is timed; a peer that computes something else is an error.
 */
#include "bench/peers/peer.h"
#include "cli/bench.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/problem.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PEERS_MAX_ROUNDS = 201, PEERS_MAX_VARIANTS = 8, PEERS_FILE_MAX = 1 << 20 };

struct peers_run {
    struct machine mc;
    struct arena arena;
    const char *dir; /* NULL: all */
    int n_rounds;
    double enough_s; /* a timing repeats a call until it takes this long */
};

/* Ours or a variant of the peer's: what is timed. */
struct peers_side {
    const struct peer_variant *variant; /* NULL: hdnas */
    void *state;                        /* of the variant; hdnas: its prepared weights */
    int inner;
    double seconds[PEERS_MAX_ROUNDS];
};

static _Noreturn void peers_fail(const char *what, const struct err *e)
{
    fprintf(stderr, "conv_%s: %s%s%s\n", peer.name, what, e ? ": " : "", e ? e->text : "");
    exit(1);
}

static double peers_now(const struct peers_run *r)
{
    return r->mc.n_threads == 1 ? clock_thread_s() : clock_now_s();
}

/* Weights in the form their algorithm wants, made outside of the timed part, as the peers do. */
static struct conv_prepared peers_prepare_weights(struct peers_run *r, const struct peer_problem *p)
{
    if (p->dir == CONV_BWD_WEIGHTS) {
        return (struct conv_prepared){.algo = CONV_AUTO};
    }
    size_t bytes = conv_prepare_bytes(&r->mc, &p->s, p->dir, CONV_AUTO);
    void *data = arena_push(&r->arena, bytes, 1);
    return conv_prepare(&r->mc, data, p->w, &p->s, p->dir, CONV_AUTO, r->arena);
}

static void peers_ours(const struct peers_run *r, const struct peer_problem *p,
                       const struct conv_prepared *ready, float *out)
{
    switch (p->dir) {
    case CONV_FWD:
        conv_forward_prepared(&r->mc, out, p->x, p->w, ready, &p->s, false, NULL, r->arena);
        break;
    case CONV_BWD_DATA:
        conv_backward_data_prepared(&r->mc, out, p->y, p->w, ready, &p->s, false, NULL, r->arena);
        break;
    case CONV_BWD_WEIGHTS:
        conv_backward_weights(&r->mc, out, p->x, p->y, &p->s, false, CONV_AUTO, r->arena);
        break;
    }
}

static void peers_call(const struct peers_run *r, const struct peer_problem *p,
                       struct peers_side *side, float *out, int n)
{
    for (int i = 0; i < n; i++) {
        if (side->variant) {
            side->variant->run(side->state);
        } else {
            peers_ours(r, p, side->state, out);
        }
    }
}

/* The data are -1, 0 and 1, so that direct sums are exact and at most n_sum; Winograd on either
 * side may be off by its bound (core/conv.h). Ours against the definition, the peer against ours.
 */
static void peers_check(const struct peers_run *r, const struct peer_problem *p,
                        const struct peers_side *side, const float *ours, const char *problem)
{
    const size_t n[] = {[CONV_FWD] = p->n_y, [CONV_BWD_DATA] = p->n_x, [CONV_BWD_WEIGHTS] = p->n_w};
    double n_sum = (double)conv_macs(&p->s) * p->s.n / (double)n[p->dir];
    double tolerance = 2.0 * CONV_WINOGRAD_FACTOR / (1 << 24) * n_sum;
    struct arena tmp = r->arena;
    float *out = arena_push(&tmp, n[p->dir], sizeof *out);
    struct err e;
    side->variant->result(side->state, out);
    if (!bench_compare(out, ours, n[p->dir], tolerance, &e)) {
        err_wrap(&e, "%s %s by %s (reference: hdnas)", problem, conv_dir_name(p->dir),
                 side->variant->name);
        peers_fail("results differ", &e);
    }
}

static int peers_ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value below which a share q of v lies; v is sorted. */
static double peers_quantile(double *v, int n, double q)
{
    qsort(v, (size_t)n, sizeof *v, peers_ascending);
    double at = q * (n - 1);
    int i = (int)at;
    return i + 1 < n ? v[i] + (at - i) * (v[i + 1] - v[i]) : v[n - 1];
}

static double peers_median(const double *v, int n)
{
    double sorted[PEERS_MAX_ROUNDS];
    memcpy(sorted, v, (size_t)n * sizeof *v);
    return peers_quantile(sorted, n, 0.5);
}

static void peers_row(const struct peers_run *r, const char *problem, const struct peer_problem *p,
                      const struct peers_side *ours, const struct peers_side *side)
{
    double ratios[PEERS_MAX_ROUNDS];
    for (int i = 0; i < r->n_rounds; i++) {
        ratios[i] = side->seconds[i] / ours->seconds[i];
    }
    printf("%s,%s,%s-%s,%d,%.5g,%.5g,%.3f,%.3f,%.3f\n", problem, conv_dir_name(p->dir), peer.name,
           side->variant->name, r->mc.n_threads, 1e3 * peers_median(ours->seconds, r->n_rounds),
           1e3 * peers_median(side->seconds, r->n_rounds), peers_quantile(ratios, r->n_rounds, 0.5),
           peers_quantile(ratios, r->n_rounds, 0.25), peers_quantile(ratios, r->n_rounds, 0.75));
    fflush(stdout);
}

static void peers_prepare(const struct peers_run *r, const struct peer_problem *p,
                          struct peers_side *side, float *out)
{
    peers_call(r, p, side, out, 1);
    double start = peers_now(r);
    peers_call(r, p, side, out, 1);
    double once = peers_now(r) - start;
    side->inner = (int)MIN(1e6, r->enough_s / MAX(once, 1e-7)) + 1;
}

static void peers_direction(struct peers_run *r, struct peer_problem *p, const char *problem,
                            float *out)
{
    struct conv_prepared ready = peers_prepare_weights(r, p);
    struct peers_side sides[1 + PEERS_MAX_VARIANTS] = {{.state = &ready}};
    int n = 1;
    peers_ours(r, p, &ready, out);
    for (int i = 0; i < peer.n_variants; i++) {
        void *state = peer.variants[i].open(p);
        if (state) {
            sides[n] = (struct peers_side){.variant = &peer.variants[i], .state = state};
            peers_call(r, p, &sides[n], out, 1);
            peers_check(r, p, &sides[n], out, problem);
            n++;
        }
    }
    for (int i = 0; i < n; i++) {
        peers_prepare(r, p, &sides[i], out);
    }
    for (int round = 0; n > 1 && round < r->n_rounds; round++) {
        for (int i = 0; i < n; i++) {
            peers_call(r, p, &sides[i], out, 1); /* its data come back into the caches */
            double start = peers_now(r);
            peers_call(r, p, &sides[i], out, sides[i].inner);
            sides[i].seconds[round] = (peers_now(r) - start) / sides[i].inner;
        }
    }
    for (int i = 1; i < n; i++) {
        peers_row(r, problem, p, &sides[0], &sides[i]);
        sides[i].variant->close(sides[i].state);
    }
}

static void peers_problem(struct peers_run *r, const char *problem)
{
    struct arena mark = r->arena;
    struct peer_problem p = {.n_threads = r->mc.n_threads, .keep = &r->arena};
    struct err e;
    if (strncmp(problem, "conv:", 5) != 0) {
        return;
    }
    if (!problem_conv(&p.s, problem, &e)) {
        peers_fail("bad problem", &e);
    }
    p.n_x = (size_t)p.s.n * (size_t)p.s.h * (size_t)p.s.w * (size_t)p.s.c;
    p.n_y = (size_t)p.s.n * (size_t)p.s.oh * (size_t)p.s.ow * (size_t)p.s.k;
    p.n_w = (size_t)p.s.kh * (size_t)p.s.kw * (size_t)(p.s.c / p.s.groups) * (size_t)p.s.k;
    p.x = bench_data(&r->arena, p.n_x, 0, &e);
    p.y = bench_data(&r->arena, p.n_y, 1, &e);
    p.w = bench_data(&r->arena, p.n_w, 2, &e);
    float *out = arena_push(&r->arena, MAX(p.n_x, MAX(p.n_y, p.n_w)), sizeof *out);
    for (int dir = 0; dir < CONV_N_DIRS; dir++) {
        if (!r->dir || strcmp(r->dir, conv_dir_name((enum conv_dir)dir)) == 0) {
            struct arena before = r->arena;
            p.dir = (enum conv_dir)dir;
            peers_direction(r, &p, problem, out);
            r->arena = before;
        }
    }
    r->arena = mark;
}

static void peers_file(struct peers_run *r, const char *path)
{
    unsigned char *bytes;
    size_t n;
    struct err e;
    if (!file_read(&r->arena, path, PEERS_FILE_MAX, &bytes, &n, &e)) {
        peers_fail("cannot read problems", &e);
    }
    for (char *save, *line = strtok_r((char *)bytes, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        line[strcspn(line, " \t\r#")] = 0;
        peers_problem(r, line);
    }
}

int main(int argc, char **argv)
{
    struct peers_run r = {.n_rounds = 11, .enough_s = 3e-3};
    const char *tier = "auto";
    int n_threads = 1, i = 1;
    struct err e;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--threads") == 0) {
            n_threads = MAX(1, atoi(value));
        } else if (strcmp(argv[i], "--rounds") == 0) {
            r.n_rounds = MIN(MAX(1, atoi(value)), PEERS_MAX_ROUNDS);
        } else if (strcmp(argv[i], "--dir") == 0) {
            r.dir = value;
        } else if (strcmp(argv[i], "--min-ms") == 0) {
            r.enough_s = atof(value) * 1e-3;
        } else if (strcmp(argv[i], "--cpu") == 0) {
            tier = value;
        } else {
            peers_fail("unknown option, see the head of conv_peers.c", NULL);
        }
    }
    if (!machine_init(&r.mc, tier, n_threads, &e) || !arena_init(&r.arena, (size_t)64 << 30, &e)) {
        peers_fail("cannot start", &e);
    }
    omp_set_num_threads(n_threads);
    fprintf(stderr, "%s %s, %d thread%s\n", peer.name, peer.version(), n_threads,
            n_threads > 1 ? "s" : "");
    for (; i < argc; i++) {
        if (strchr(argv[i], ':') && !file_exists(argv[i])) {
            peers_problem(&r, argv[i]);
        } else {
            peers_file(&r, argv[i]);
        }
    }
    arena_release(&r.arena);
    return 0;
}
