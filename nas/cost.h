/*
 * cost.h: the contract of a hardware cost. Rooms nas/cost_*.c (params, flops, local measurement,
 * table), table nas/costs.c. Lower is better.
 */
#ifndef NAS_COST_H
#define NAS_COST_H

#include "core/machine.h"
#include "nas/space.h"

struct cost_options {
    const struct space *space;
    const char *device; /* SPEC: params | flops | local | table:FILE[:COLUMN] |
                           predict:FILE[:DEVICE] | a name from a table or predicted */
    const char *metric; /* latency (default) | energy */
    const char *tables_dir;  /* --tables or HDNAS_TABLES; NULL = none */
    struct model_spec model; /* input shape and classes for params, flops, local */
    const struct machine *mc;
};

struct cost {
    const struct cost_kind *kind;
    char name[96];    /* "fpga latency" */
    char unit[16];    /* "ms", "mJ", "MFLOP", "params" */
    char source[512]; /* file and column, or how it is measured */
    char sha256[65];  /* of the table; "" without one */
    void *state;      /* the room's own, in the arena */
};

struct cost_kind {
    const char *name, *help;
    bool parallel_safe; /* false: a measurement, one at a time on a quiet machine */
    bool has_energy;    /* it may know --metric energy */
    /* false without touching e: the SPEC is not this room's. */
    bool (*match)(const struct cost_options *o);
    bool (*open)(struct cost *c, struct arena *keep, const struct cost_options *o, struct err *e);
    /* False = the device cannot run it (infeasible). tmp is scratch. Deterministic, except for
     * measurements, which are logged and replayed from the log. */
    bool (*of)(const struct cost *c, const struct arch *a, double *value, struct arena tmp);
    /* NULL, or what is to be said of the measurements so far (how quiet the machine was). */
    void (*remark)(const struct cost *c, char text[256]);
};

MUST_USE bool cost_open(struct cost *c, struct arena *keep, const struct cost_options *o,
                        struct err *e);
static inline bool cost_of(const struct cost *c, const struct arch *a, double *value,
                           struct arena tmp)
{
    return c->kind->of(c, a, value, tmp);
}

int cost_kind_count(void);
const struct cost_kind *cost_kind_at(int i);

#endif
