/* ahead_body.h: struct kernel_ahead in pieces: a few lines at a time, between other work. */
#ifndef CORE_KERNELS_AHEAD_BODY_H
#define CORE_KERNELS_AHEAD_BODY_H

#include "core/kernels/declare.h"

enum { AHEAD_LINE = 16 };

/* What is left of the two runs, and lines of a piece. */
struct ahead {
    struct kernel_ahead left[2];
    size_t lines;
};

static inline bool ahead_any(const struct kernel_ahead runs[2])
{
    return runs[0].n + runs[1].n > 0;
}

/* About so many pieces are to be asked for. */
static inline struct ahead ahead_of(const struct kernel_ahead runs[2], size_t pieces)
{
    size_t lines = (runs[0].n + runs[1].n) / AHEAD_LINE;
    return (struct ahead){.left = {runs[0], runs[1]},
                          .lines = pieces > 0 ? (lines + pieces - 1) / pieces : 0};
}

/* The next piece: of the first run and then of the second. Its n is 0 at the end of both. */
static inline struct kernel_ahead ahead_take(struct ahead *a)
{
    struct kernel_ahead *from = &a->left[a->left[0].n > 0 ? 0 : 1];
    size_t floats = a->lines * AHEAD_LINE;
    struct kernel_ahead taken = {from->p, floats < from->n ? floats : from->n};
    from->p += taken.n;
    from->n -= taken.n;
    return taken;
}

/* The next n floats of a run, for who asks for them line by line; elsewhere, if it has fewer. */
static inline const float *ahead_next(struct kernel_ahead *run, size_t n, const float *elsewhere)
{
    const float *p = run->p;
    if (run->n < n) {
        return elsewhere;
    }
    run->p += n;
    run->n -= n;
    return p;
}

/* Ask for a piece now. */
static inline void ahead_ask(struct ahead *a)
{
    struct kernel_ahead piece = ahead_take(a);
    for (size_t i = 0; i < piece.n; i += AHEAD_LINE) {
        __builtin_prefetch(piece.p + i, 0, 2);
    }
}

#endif
