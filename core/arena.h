/*
 * arena.h: memory asked for once. An arena is one reserved range of address space that only grows;
 * pages cost nothing until they are touched. What is pushed is never freed alone: pass an arena by
 * value for scratch that is forgotten on return, or remember `used` and set it back. A function
 * that takes both `keep` and `tmp` pushes to both: never give it a copy of keep as tmp.
 */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include "core/err.h"

struct arena {
    unsigned char *base; /* start of the range, 2 MiB aligned where large */
    size_t used;         /* bytes handed out, a multiple of ARENA_ALIGN */
    size_t cap;          /* bytes reserved */
    int64_t n_left;      /* tests: arena_try fails when this reaches 0; negative = off */
};

enum { ARENA_ALIGN = 64 };

/* Reserve cap bytes (rounded up to pages). Fails with ERR_FAILED where the system refuses. Release
 * with arena_release. */
MUST_USE bool arena_init(struct arena *a, size_t cap, struct err *e);

/* Give the range back; safe on an arena filled with zeros. */
void arena_release(struct arena *a);

/* n * size bytes, 64-byte aligned, contents undefined. Running out is a bug: plan first. Never
 * NULL. */
void *arena_push(struct arena *a, size_t n, size_t size);

/* The same, filled with zeros. */
void *arena_push_zero(struct arena *a, size_t n, size_t size);

/* For sizes that come from outside: NULL and ERR_FAILED when it does not fit or n * size overflows.
 */
MUST_USE void *arena_try(struct arena *a, size_t n, size_t size, struct err *e);

/* Copy a string into the arena. */
char *arena_strdup(struct arena *a, const char *s);

/* printf into the arena. */
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Carve an arena of exactly cap bytes out of another (scratch for one thread). */
struct arena arena_carve(struct arena *from, size_t cap);

/* Bytes a push of `bytes` takes: for plan_bytes functions. */
static inline size_t arena_round(size_t bytes)
{
    return (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
}

#endif
