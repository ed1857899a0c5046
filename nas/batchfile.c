#include "nas/batchfile.h"

#include <math.h>
#include <stdio.h>

#include "nn/safetensors.h"

/* A batch is for one step: more images than this is not a batch. */
enum { MAX_IMAGES = 65536, MAX_SIDE = 4096 };

static bool batchfile_check(const struct safetensors_entry *images,
                            const struct safetensors_entry *labels, const char *path, struct err *e)
{
    if (!images || !labels) {
        return err_set(e, ERR_INPUT,
                       "%s: expected the tensors \"images\" and \"labels\"; %s is missing", path,
                       images ? "labels" : "images");
    }
    if (images->type != SAFETENSORS_F32 || images->n_dims != 4) {
        return err_set(e, ERR_INPUT, "%s: images: expected float32 [n, channels, height, width]",
                       path);
    }
    if (labels->type != SAFETENSORS_I64 || labels->n_dims != 1 ||
        labels->dims[0] != images->dims[0]) {
        return err_set(e, ERR_INPUT, "%s: labels: expected int64 [%lld], one an image", path,
                       (long long)images->dims[0]);
    }
    const int64_t *d = images->dims;
    if (d[0] < 2 || d[0] > MAX_IMAGES || d[1] < 1 || d[1] > FEED_MAX_CHANNELS || d[2] < 1 ||
        d[2] > MAX_SIDE || d[3] < 1 || d[3] > MAX_SIDE) {
        return err_set(e, ERR_INPUT,
                       "%s: images: a batch of %lld x %lld x %lld x %lld is out of range", path,
                       (long long)d[0], (long long)d[1], (long long)d[2], (long long)d[3]);
    }
    return true;
}

bool batchfile_read(struct score_batch *batch, struct arena *keep, const char *path, int n_classes,
                    struct err *e)
{
    struct safetensors st;
    if (!safetensors_read(&st, keep, path, e)) {
        return false;
    }
    const struct safetensors_entry *images = safetensors_find(&st, "images");
    const struct safetensors_entry *labels = safetensors_find(&st, "labels");
    if (!batchfile_check(images, labels, path, e)) {
        return false;
    }
    int n = (int)images->dims[0], c = (int)images->dims[1], h = (int)images->dims[2],
        w = (int)images->dims[3];
    size_t plane = (size_t)h * (size_t)w;
    float *x = arena_try(keep, (size_t)n * (size_t)c * plane, sizeof *x, e);
    int32_t *y = x ? arena_try(keep, (size_t)n, sizeof *y, e) : NULL;
    if (!y) {
        return false;
    }
    const float *in = images->data;
    for (size_t i = 0; i < (size_t)n; i++) {
        for (size_t p = 0; p < plane; p++) {
            for (size_t k = 0; k < (size_t)c; k++) {
                float v = in[(i * (size_t)c + k) * plane + p];
                if (!isfinite(v)) {
                    return err_set(e, ERR_INPUT,
                                   "%s: images: image %zu holds a value that is not finite", path,
                                   i);
                }
                x[(i * plane + p) * (size_t)c + k] = v;
            }
        }
        int64_t label = ((const int64_t *)labels->data)[i];
        if (label < 0 || label >= n_classes) {
            return err_set(e, ERR_INPUT, "%s: labels: image %zu has label %lld, expected 0..%d",
                           path, i, (long long)label, n_classes - 1);
        }
        y[i] = (int32_t)label;
    }
    *batch = (struct score_batch){
        .n = n, .shape = {h, w, c}, .n_classes = n_classes, .x = x, .labels = y};
    return true;
}

bool batchfile_write(const struct score_batch *batch, const char *path, struct arena tmp,
                     struct err *e)
{
    size_t n = (size_t)batch->n, c = (size_t)batch->shape.c,
           plane = (size_t)batch->shape.h * (size_t)batch->shape.w;
    float *images = arena_push(&tmp, n * c * plane, sizeof *images);
    int64_t *labels = arena_push(&tmp, n, sizeof *labels);
    for (size_t i = 0; i < n; i++) {
        for (size_t p = 0; p < plane; p++) {
            for (size_t k = 0; k < c; k++) {
                images[(i * c + k) * plane + p] = batch->x[(i * plane + p) * c + k];
            }
        }
        labels[i] = batch->labels[i];
    }
    struct safetensors_entry entries[] = {
        {.name = "images",
         .type = SAFETENSORS_F32,
         .n_dims = 4,
         .dims = {batch->n, batch->shape.c, batch->shape.h, batch->shape.w},
         .data = images,
         .bytes = n * c * plane * sizeof *images},
        {.name = "labels",
         .type = SAFETENSORS_I64,
         .n_dims = 1,
         .dims = {batch->n},
         .data = labels,
         .bytes = n * sizeof *labels},
    };
    struct safetensors st = {.path = path, .entries = entries, .n = (int)N_ELEMS(entries)};
    return safetensors_write(&st, path, tmp, e);
}
