/*
 * numerics.h: what tests of numerics share: a fixture with an arena and numbers, and the machines
 * of this processor. Before it: cmocka.h and what that needs.
 */
#ifndef TESTS_NUMERICS_H
#define TESTS_NUMERICS_H

#include "core/conv.h"
#include "core/rng.h"

/* The unit of roundoff of fp32. */
static const double u = 1.0 / (1 << 24);

struct fixture {
    struct arena arena;
    struct rng rng;
    double worst[CONV_N_ALGOS]; /* error over bound, seen so far */
};

static int setup(void **state)
{
    static struct fixture f;
    struct err e;
    if (!arena_init(&f.arena, (size_t)4 << 30, &e)) {
        return -1;
    }
    f.rng = rng_key(7, RNG_TEST, 0);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (int a = 0; a < CONV_N_ALGOS; a++) {
        if (f->worst[a] > 0) {
            print_message("# worst error of %s: %.3f of its bound\n",
                          conv_algo_name((enum conv_algo)a), f->worst[a]);
        }
    }
    arena_release(&f->arena);
    return 0;
}

static float *random_floats(struct fixture *f, size_t n)
{
    float *p = arena_push(&f->arena, n, sizeof *p);
    for (size_t i = 0; i < n; i++) {
        p[i] = (float)(rng_f64(&f->rng) * 2 - 1);
    }
    return p;
}

static int machines_of(struct machine out[CPU_N_TIERS], const char *precision, enum cpu_tier last)
{
    int n = 0;
    for (int t = 0; t <= (int)last; t++) {
        struct err e;
        const char *name = cpu_tier_name((enum cpu_tier)t);
        if (cpu_has((enum cpu_tier)t) &&
            !machine_init_precision(&out[n++], name, precision, 1, &e)) {
            fail_msg("%s", e.text);
        }
    }
    return n;
}

/* The machines to test: every tier this processor has that has fp32 kernels of its own. */
static int machines(struct machine out[CPU_N_TIERS])
{
    return machines_of(out, "fp32", CPU_AVX512);
}

#endif
