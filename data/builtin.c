/*
 * builtin.c: the sample that ships with hdnas: 1,024 training and 512 test images of Fashion-MNIST
 * [Xiao2017], as many of each class as there can be (bench/experiments/make_builtin.sh chose them).
 */
#include "core/file.h"
#include "data/idx.h"

static const char *const builtin_files[2][2] = {
    [DATASET_TRAIN] = {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"},
    [DATASET_TEST] = {"t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"},
};

static const char *const builtin_classes[10] = {
    "t-shirt", "trouser", "pullover", "dress", "coat",
    "sandal",  "shirt",   "sneaker",  "bag",   "ankle boot",
};

static bool builtin_open(struct dataset *ds, struct arena *keep, const char *rest,
                         enum dataset_split split, const struct dataset_options *options,
                         struct err *e)
{
    if (*rest) {
        return err_set(e, ERR_USAGE, "builtin takes nothing after a colon, found \"%.60s\"", rest);
    }
    char *images = NULL, *labels = NULL;
    if (!file_share_path(keep, builtin_files[split][0], &images, e) ||
        !file_share_path(keep, builtin_files[split][1], &labels, e) ||
        !idx_open(ds, keep, images, labels, 10, options->limit, e)) {
        return false;
    }
    for (int i = 0; i < ds->shape.c; i++) {
        ds->mean[i] = 0.2860f; /* those of the full training set, as for fashion-mnist */
        ds->std[i] = 0.3530f;
    }
    ds->class_names = builtin_classes;
    return true;
}

const struct dataset_format builtin_format = {
    .name = "builtin",
    .help = "1,024 training and 512 test images of Fashion-MNIST that ship with hdnas",
    .open = builtin_open,
};
