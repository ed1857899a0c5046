#include "data/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "data/idx.h"

struct sample_item {
    uint64_t key;
    size_t i;
};

static int sample_by_key(const void *a, const void *b)
{
    const struct sample_item *x = a, *y = b;
    return x->key != y->key ? (x->key < y->key ? -1 : 1) : (x->i > y->i) - (x->i < y->i);
}

/* Keep the first of each class, in the order of their keys, until its share is full; *n_chosen of
 * them. */
static bool sample_choose(struct sample_item *items, size_t *n_chosen, const struct dataset *ds,
                          size_t n, struct arena tmp, struct err *e)
{
    size_t n_classes = (size_t)ds->n_classes;
    size_t *n_of_class = arena_try(&tmp, n_classes, sizeof *n_of_class, e);
    if (!n_of_class) {
        return false;
    }
    memset(n_of_class, 0, n_classes * sizeof *n_of_class);
    *n_chosen = 0;
    for (size_t k = 0; k < ds->n; k++) {
        size_t label = (size_t)ds->labels[items[k].i];
        size_t share = n / n_classes + (label < n % n_classes);
        if (n_of_class[label] < share) {
            n_of_class[label]++;
            items[(*n_chosen)++] = items[k];
        }
    }
    return *n_chosen == n ||
           err_set(e, ERR_INPUT, "%s: expected %zu images, %zu of each class, found only %zu",
                   ds->spec, n, n / n_classes, *n_chosen);
}

bool sample_write(const struct dataset *ds, enum dataset_split split, size_t n, uint64_t seed,
                  const char *dir, struct arena tmp, struct err *e)
{
    ASSERT(ds && dir && n > 0);
    if (ds->n_classes > 256) {
        return err_set(e, ERR_INPUT, "%s: IDX labels hold at most 256 classes, found %d", ds->spec,
                       ds->n_classes);
    }
    const char *stem = split == DATASET_TRAIN ? "train" : "t10k";
    char name[64], images_path[SOURCE_MAX_PATH], labels_path[SOURCE_MAX_PATH];
    snprintf(name, sizeof name, "%s-images-idx3-ubyte.gz", stem);
    if (!source_path(images_path, dir, name, e)) {
        return false;
    }
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte.gz", stem);
    struct sample_item *items = arena_try(&tmp, ds->n, sizeof *items, e);
    if (!items || !source_path(labels_path, dir, name, e)) {
        return false;
    }
    for (size_t i = 0; i < ds->n; i++) {
        struct rng r = rng_key(seed, RNG_SHUFFLE, i);
        items[i] = (struct sample_item){.key = rng_u64(&r), .i = i};
    }
    qsort(items, ds->n, sizeof *items, sample_by_key);
    size_t n_chosen = 0, image_bytes = shape_count(ds->shape);
    if (!sample_choose(items, &n_chosen, ds, n, tmp, e)) {
        return false;
    }
    uint8_t *pixels = arena_try(&tmp, n, image_bytes, e);
    uint8_t *labels = pixels ? arena_try(&tmp, n, 1, e) : NULL;
    if (!labels) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(pixels + i * image_bytes, ds->pixels + items[i].i * image_bytes, image_bytes);
        labels[i] = (uint8_t)ds->labels[items[i].i];
    }
    struct idx images_idx = {
        .n_dims = ds->shape.c == 1 ? 3 : 4,
        .dims = {n, (size_t)ds->shape.h, (size_t)ds->shape.w, (size_t)ds->shape.c},
        .bytes = pixels};
    struct idx labels_idx = {.n_dims = 1, .dims = {n}, .bytes = labels};
    return idx_write(&images_idx, images_path, tmp, e) &&
           idx_write(&labels_idx, labels_path, tmp, e);
}
