/* Pickles from hostile hands. libFuzzer: tests/fuzz.sh builds and runs it. */
#define _GNU_SOURCE
#include "core/pickle.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* What an import looks at: two levels of dicts, then numbers. */
static void look(const struct pickle_value *v, int depth)
{
    double x, sum = 0;
    for (size_t i = 0; i < pickle_count(v) && i < 100; i++) {
        sum += pickle_number(v, i, &x) ? x : 0;
    }
    if (pickle_get(v, "cifar10") && depth < 3) {
        look(pickle_get(v, "cifar10"), depth + 1);
    }
    for (size_t i = 0; v->type == PICKLE_DICT && i < v->u.seq.n && i < 20 && depth < 3; i++) {
        look(v->u.seq.items[i], depth + 1);
    }
    if (pickle_scalar(v, &x)) {
        sum += x;
    }
    volatile double keep = sum;
    (void)keep;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct arena keep;
    struct err e = {0};
    char path[64];
    int fd = memfd_create("pickle", 0);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n || !arena_init(&keep, (size_t)16 << 20, &e)) {
        abort();
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const struct pickle_value *root = NULL;
    if (pickle_read(&root, &keep, path, &e)) {
        look(root, 0);
    } else if (e.code != ERR_INPUT && e.code != ERR_FAILED) {
        abort();
    }
    arena_release(&keep);
    close(fd);
    return 0;
}
