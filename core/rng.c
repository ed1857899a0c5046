#include "core/rng.h"

#include <math.h>

uint64_t rng_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t splitmix64(uint64_t *state)
{
    return rng_mix(*state += 0x9e3779b97f4a7c15u);
}

struct rng rng_key(uint64_t seed, enum rng_purpose purpose, uint64_t index)
{
    /* Each part is mixed before the next is added, so that (1, 2, 3) and (2, 1, 3) share nothing.
     */
    uint64_t state = seed;
    state = splitmix64(&state) ^ (uint64_t)purpose;
    state = splitmix64(&state) ^ index;
    struct rng r;
    for (int i = 0; i < 4; i++) {
        r.s[i] = splitmix64(&state);
    }
    return r;
}

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

double rng_f64(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    ASSERT(n > 0);
    uint64_t limit = UINT64_MAX - UINT64_MAX % n; /* the largest multiple of n that fits */
    uint64_t x;
    do {
        x = rng_u64(r);
    } while (x >= limit);
    return x % n;
}

double rng_normal(struct rng *r)
{
    double u = 1.0 - rng_f64(r); /* (0, 1]: the logarithm is finite */
    double v = rng_f64(r);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586476925 * v);
}

void rng_permutation(struct rng *r, uint32_t *order, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        order[i] = i;
    }
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = (uint32_t)rng_below(r, i);
        uint32_t swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
}
