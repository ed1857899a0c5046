/* What every space can do from its alphabet alone. */
#include "nas/space.h"

#include <string.h>

void space_random(const struct space *s, struct arch *a, struct rng *r)
{
    *a = (struct arch){{0}};
    for (int i = 0; i < s->n_genes; i++) {
        a->gene[i] = (uint8_t)rng_below(r, s->n_choices[i]);
    }
}

bool space_equal(const struct arch *a, const struct arch *b)
{
    return memcmp(a->gene, b->gene, sizeof a->gene) == 0;
}

int space_neighbours(const struct space *s, const struct arch *a, struct arch *out, int max)
{
    int n = 0;
    for (int i = 0; i < s->n_genes; i++) {
        for (int choice = 0; choice < s->n_choices[i]; choice++) {
            if (choice == a->gene[i] || n >= max) {
                continue;
            }
            out[n] = *a;
            out[n++].gene[i] = (uint8_t)choice;
        }
    }
    return n;
}

void space_mutate(const struct space *s, struct arch *a, double rate, struct rng *r)
{
    for (int i = 0; i < s->n_genes; i++) {
        if (s->n_choices[i] < 2 || rng_f64(r) >= rate) {
            continue;
        }
        /* Among the others: skip over the choice that is there. */
        int choice = (int)rng_below(r, (uint64_t)s->n_choices[i] - 1);
        a->gene[i] = (uint8_t)(choice + (choice >= a->gene[i]));
    }
}

void space_crossover(const struct space *s, const struct arch *a, const struct arch *b,
                     struct arch *child, struct rng *r)
{
    struct arch mixed = *a; /* child may be a or b */
    for (int i = 0; i < s->n_genes; i++) {
        if (rng_u64(r) >> 63) {
            mixed.gene[i] = b->gene[i];
        }
    }
    *child = mixed;
}

bool space_next(const struct space *s, struct arch *a)
{
    for (int i = s->n_genes - 1; i >= 0; i--) {
        if (++a->gene[i] < s->n_choices[i]) {
            return true;
        }
        a->gene[i] = 0;
    }
    return false;
}
