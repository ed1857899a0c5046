/*
 * idx.h: the IDX format of MNIST and its kin: 00 00 type n_dims, big-endian 32-bit sizes, then the
 * bytes. Only unsigned bytes (type 8) are read; gzip is undone where its magic is seen. For the
 * rooms of data/ and for export.
 */
#ifndef DATA_IDX_H
#define DATA_IDX_H

#include "data/dataset.h"
#include "data/source.h"

enum { IDX_MAX_DIMS = 4 };

struct idx {
    int n_dims;
    size_t dims[IDX_MAX_DIMS];
    uint8_t *bytes; /* [dims[0] * ... * dims[n_dims-1]] */
};

/* Read a file whole. The size must be exactly what the header says; nothing is allocated beyond it.
 */
MUST_USE bool idx_read(struct idx *idx, struct arena *keep, struct source *src, const char *path,
                       struct err *e);

/* Write it gzipped, atomically; the same bytes every time (no name, no date). */
MUST_USE bool idx_write(const struct idx *idx, const char *path, struct arena tmp, struct err *e);

/* Find dir/stem, dir/stem.gz, or the same with "-idx" spelled ".idx"; stem is
 * "train-images-idx3-ubyte" or the like. ERR_INPUT names what was looked for. */
MUST_USE bool idx_find(char path[SOURCE_MAX_PATH], const char *dir, const char *stem,
                       struct err *e);

/* Images [n,h,w] or [n,h,w,c] and labels [n] below n_classes into ds: shape, n, n_classes, pixels,
 * labels, sha256. */
MUST_USE bool idx_open(struct dataset *ds, struct arena *keep, const char *images_path,
                       const char *labels_path, int n_classes, size_t limit, struct err *e);

#endif
