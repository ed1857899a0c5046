/*
 * CSV, IDX and tar from hostile hands; the first byte of the input chooses which. libFuzzer:
 * tests/fuzz.sh builds and runs it.
 */
#define _GNU_SOURCE
#include "core/csv.h"
#include "data/idx.h"
#include "data/tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void read_csv(const char *path, struct arena *keep)
{
    struct csv csv;
    struct err e;
    if (csv_read(&csv, keep, path, &e)) {
        double value;
        size_t n_bad = 0;
        for (size_t i = 0; i < csv.n_rows && i < 100; i++) {
            n_bad += !csv_number(&csv, i, (int)(i % (size_t)csv.n_cols), &value, &e);
        }
        if (n_bad > csv.n_rows) {
            abort();
        }
    }
}

static void read_idx(const char *path, struct arena *keep)
{
    struct dataset ds = {.n = 0};
    struct source src;
    struct idx idx;
    struct err e;
    if (source_init(&src, &e)) {
        if (idx_read(&idx, keep, &src, path, &e) && idx.n_dims == 1 && idx.dims[0] > 0) {
            volatile uint8_t last = idx.bytes[idx.dims[0] - 1];
            (void)last;
        }
        source_release(&src);
    }
    if (idx_open(&ds, keep, path, path, 10, 0, &e)) {
        abort(); /* one file cannot be images and labels */
    }
}

static void read_tar(const char *path, struct arena *keep)
{
    struct tar_member members[2] = {{.name = "a.bin", .max_bytes = 1 << 20},
                                    {.name = "b.bin", .max_bytes = 1 << 20}};
    struct err e;
    if (tar_read_gz(path, members, 2, keep, &e) && (!members[0].bytes || members[1].n > 1 << 20)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const struct {
        void (*read)(const char *path, struct arena *keep);
    } readers[] = {{read_csv}, {read_idx}, {read_tar}};
    struct arena keep;
    struct err e;
    char path[64];
    if (n < 1 || !arena_init(&keep, 64 << 20, &e)) {
        return 0;
    }
    int fd = memfd_create("fuzz", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (write(fd, bytes + 1, n - 1) == (ssize_t)(n - 1)) {
        readers[bytes[0] % N_ELEMS(readers)].read(path, &keep);
    }
    close(fd);
    arena_release(&keep);
    return 0;
}
