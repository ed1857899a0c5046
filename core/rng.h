/*
 * rng.h: every random draw of the project. A generator is made from (seed, purpose, index), so any
 * part of a run can be recomputed alone and in any order, on any thread. xoshiro256**
 * [Blackman2021] seeded by splitmix64.
 */
#ifndef CORE_RNG_H
#define CORE_RNG_H

#include "core/base.h"

/* What a stream of draws is for. Append only: the numbers are part of every recorded run. */
enum rng_purpose {
    RNG_INIT = 1,       /* weights; index = parameter */
    RNG_SHUFFLE = 2,    /* order of examples; index = epoch */
    RNG_AUGMENT = 3,    /* crop, flip, cutout; index = epoch * 2^32 + example */
    RNG_SEARCH = 4,     /* evolution; index = generation */
    RNG_ARCH = 5,       /* random architectures; index = number of the architecture */
    RNG_BATCH = 6,      /* the batch of the representation score */
    RNG_SYNTH = 7,      /* synthetic images; index = example */
    RNG_LATENT = 8,     /* reparameterisation noise; index = step */
    RNG_TEST = 9,       /* tests and benchmarks */
    RNG_SCORE = 10,     /* draws of training-free scores; index = architecture */
    RNG_BOOTSTRAP = 11, /* resampling; index = number of the sample */
    RNG_SPLIT = 12,     /* which examples are for training; index = 0 */
    RNG_METRIC = 13,    /* draws of disentanglement metrics; index = the metric's own */
    RNG_PRUNE = 14,     /* random pruning; index = parameter, or layer of channels */
    RNG_SHORTLIST = 15, /* mistakes supposed of scores; index = network */
};

struct rng {
    uint64_t s[4];
};

/* z with its bits mixed, one to one: splitmix64's output, good as a hash. */
uint64_t rng_mix(uint64_t z);

struct rng rng_key(uint64_t seed, enum rng_purpose purpose, uint64_t index);

uint64_t rng_u64(struct rng *r);

/* Uniform in [0, 1), 53 bits. */
double rng_f64(struct rng *r);

/* Uniform in 0 .. n-1, exactly (rejection); n > 0. */
uint64_t rng_below(struct rng *r, uint64_t n);

/* Standard normal (Box-Muller, one value a call, two draws: no hidden state). */
double rng_normal(struct rng *r);

/* Fill order[n] with a random permutation of 0 .. n-1 (Fisher-Yates). */
void rng_permutation(struct rng *r, uint32_t *order, uint32_t n);

#endif
