/*
 * space.h: the contract of a search space: architectures as short words over small alphabets. Rooms
 * nas/space_*.c, table nas/spaces.c. Searches see only this.
 */
#ifndef NAS_SPACE_H
#define NAS_SPACE_H

#include "core/rng.h"
#include "nn/model.h"

enum { SPACE_MAX_GENES = 32, SPACE_TEXT_LEN = 256 };

/* A genotype. Bytes beyond the space's n_genes are 0, so two are equal if their bytes are. */
struct arch {
    uint8_t gene[SPACE_MAX_GENES];
};

/* What of an architecture a device may really run: compilers drop what does not matter. */
enum space_reading {
    SPACE_AS_WRITTEN,
    SPACE_USED, /* without what never reaches the output */
    SPACE_LIVE, /* without what does not lie on a way from the input to the output */
    SPACE_N_READINGS
};

struct space {
    const char *name; /* "nb201" */
    int n_genes;
    const uint8_t *n_choices; /* [n_genes] alphabet size of each gene */
    int64_t size;             /* number of genotypes, -1 = beyond counting */
    bool repeats;             /* networks stack one cell: spec->size counts */
    /* From an index, a string or a code; ERR_INPUT says what was found. */
    bool (*parse)(struct arch *a, const char *text, struct err *e);
    void (*format)(const struct arch *a,
                   char text[SPACE_TEXT_LEN]); /* canonical string of the field */
    void (*code)(const struct arch *a, char text[SPACE_TEXT_LEN]); /* digits */
    int64_t (*index)(const struct arch *a); /* benchmark index, -1 = has none */
    bool (*from_index)(struct arch *a, int64_t index);
    /* The representative of all architectures that compute the same function; equal genotype =
     * isomorphic. */
    void (*canonical)(const struct arch *a, struct arch *out);
    bool (*connected)(const struct arch *a); /* does the output depend on the input */
    /* The same with "nothing" for what a reading drops; NULL: all readings are as written. */
    void (*prune)(const struct arch *a, enum space_reading reading, struct arch *out);
    /* The network: fills spec->arch; build with model_build. */
    void (*model)(const struct arch *a, struct model_spec *spec);
    int64_t (*params)(const struct arch *a, const struct model_spec *spec);
    int64_t (*macs)(const struct arch *a, const struct model_spec *spec);
};

int space_count(void);
const struct space *space_at(int i);
MUST_USE bool space_find(const struct space **out, const char *name, struct err *e);

/* What every space can do from its alphabet alone. */
void space_random(const struct space *s, struct arch *a, struct rng *r);
bool space_equal(const struct arch *a, const struct arch *b);
/* One genotype on, last gene fastest, from all zeros; false after the last, which becomes the
 * first. */
bool space_next(const struct space *s, struct arch *a);
/* All genotypes that differ in one gene; returns how many were written, at most max. */
int space_neighbours(const struct space *s, const struct arch *a, struct arch *out, int max);
/* Each gene is drawn anew among the other choices with probability rate. */
void space_mutate(const struct space *s, struct arch *a, double rate, struct rng *r);
/* Each gene from either parent with probability 1/2. */
void space_crossover(const struct space *s, const struct arch *a, const struct arch *b,
                     struct arch *child, struct rng *r);

#endif
