#define _GNU_SOURCE
#include "core/arena.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Transparent huge pages are 2 MiB on x86-64 and on AArch64 with 4 KiB pages. */
static const size_t huge_page_bytes = (size_t)2 << 20;

bool arena_init(struct arena *a, size_t cap, struct err *e)
{
    ASSERT(a && cap > 0);
    *a = (struct arena){.n_left = -1};
    if (cap > SIZE_MAX / 2) {
        return err_set(e, ERR_FAILED, "cannot reserve %zu bytes of memory", cap);
    }
    cap = DIV_UP(cap, huge_page_bytes) * huge_page_bytes;
    unsigned char *p = mmap(NULL, cap + huge_page_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        err_set(e, ERR_FAILED, "cannot reserve %zu MiB of memory: %s", cap >> 20, strerror(errno));
        return err_hint(e, "lower --memory, or raise the limit on address space (ulimit -v)");
    }
    size_t skip = (huge_page_bytes - (uintptr_t)p % huge_page_bytes) % huge_page_bytes;
    if (skip > 0) {
        munmap(p, skip);
    }
    munmap(p + skip + cap, huge_page_bytes - skip);
    a->base = p + skip;
    a->cap = cap;
    madvise(a->base, cap, MADV_HUGEPAGE); /* a hint: fewer TLB misses on large activations */
    return true;
}

void arena_release(struct arena *a)
{
    if (a->base) {
        munmap(a->base, a->cap);
    }
    *a = (struct arena){.n_left = -1};
}

static bool arena_fits(const struct arena *a, size_t n, size_t size, size_t *bytes)
{
    return base_mul(n, size, bytes) && *bytes <= a->cap - a->used &&
           (*bytes = arena_round(*bytes)) <= a->cap - a->used;
}

void *arena_push(struct arena *a, size_t n, size_t size)
{
    size_t bytes = 0;
    bool fits = arena_fits(a, n, size, &bytes);
    ASSERT(fits);
    void *p = a->base + a->used;
    a->used += bytes;
    return p;
}

void *arena_push_zero(struct arena *a, size_t n, size_t size)
{
    void *p = arena_push(a, n, size);
    memset(p, 0, n * size);
    return p;
}

void *arena_try(struct arena *a, size_t n, size_t size, struct err *e)
{
    size_t bytes = 0;
    if (a->n_left == 0 || !arena_fits(a, n, size, &bytes)) {
        err_set(e, ERR_FAILED, "out of memory: %zu x %zu bytes wanted, %zu of %zu left", n, size,
                a->cap - a->used, a->cap);
        err_hint(e, "raise --memory");
        return NULL;
    }
    a->n_left -= a->n_left > 0;
    void *p = a->base + a->used;
    a->used += bytes;
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    size_t len = strlen(s) + 1;
    return memcpy(arena_push(a, len, 1), s, len);
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    ASSERT(len >= 0);
    char *s = arena_push(a, (size_t)len + 1, 1);
    vsnprintf(s, (size_t)len + 1, fmt, again);
    va_end(again);
    return s;
}

struct arena arena_carve(struct arena *from, size_t cap)
{
    cap = arena_round(cap);
    return (struct arena){.base = arena_push(from, cap, 1), .cap = cap, .n_left = -1};
}
