/* mnist.c: MNIST [LeCun1998] and Fashion-MNIST [Xiao2017]: two IDX files a split, as published,
 * gzipped or not. */
#include "data/idx.h"

static const char *const mnist_stems[2][2] = {
    [DATASET_TRAIN] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"},
    [DATASET_TEST] = {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"},
};

static const char *const mnist_digits[10] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

static const char *const mnist_clothes[10] = {
    "t-shirt", "trouser", "pullover", "dress", "coat",
    "sandal",  "shirt",   "sneaker",  "bag",   "ankle boot",
};

/* Where Debian's package dataset-fashion-mnist puts its files. */
static const char *const mnist_debian_dir = "/usr/share/datasets/fashion-mnist";

static bool mnist_open_dir(struct dataset *ds, struct arena *keep, const char *dir,
                           enum dataset_split split, const struct dataset_options *options,
                           struct err *e)
{
    char images[SOURCE_MAX_PATH], labels[SOURCE_MAX_PATH];
    return idx_find(images, dir, mnist_stems[split][0], e) &&
           idx_find(labels, dir, mnist_stems[split][1], e) &&
           idx_open(ds, keep, images, labels, 10, options->limit, e);
}

/* Customary mean and deviation of value/255 over the training images (tests/test_data_idx.c
 * computes them). */
static void mnist_normalise(struct dataset *ds, float mean, float std)
{
    for (int i = 0; i < ds->shape.c; i++) {
        ds->mean[i] = mean;
        ds->std[i] = std;
    }
}

static bool mnist_open(struct dataset *ds, struct arena *keep, const char *rest,
                       enum dataset_split split, const struct dataset_options *options,
                       struct err *e)
{
    if (!*rest) {
        return err_set(e, ERR_USAGE, "mnist needs a folder: mnist:DIR");
    }
    if (!mnist_open_dir(ds, keep, rest, split, options, e)) {
        return e->hint[0] ? false : err_hint(e, "hdnas data fetch mnist gets the official files");
    }
    mnist_normalise(ds, 0.1307f, 0.3081f);
    ds->class_names = mnist_digits;
    return true;
}

static bool mnist_open_fashion(struct dataset *ds, struct arena *keep, const char *rest,
                               enum dataset_split split, const struct dataset_options *options,
                               struct err *e)
{
    if (!mnist_open_dir(ds, keep, *rest ? rest : mnist_debian_dir, split, options, e)) {
        return e->hint[0] ? false
                          : err_hint(e, "apt-get install dataset-fashion-mnist, or hdnas data "
                                        "fetch fashion-mnist");
    }
    mnist_normalise(ds, 0.2860f, 0.3530f);
    ds->class_names = mnist_clothes;
    return true;
}

const struct dataset_format mnist_format = {
    .name = "mnist",
    .help = "MNIST: DIR with the four IDX files, .gz or not",
    .open = mnist_open,
};

const struct dataset_format mnist_format_fashion = {
    .name = "fashion-mnist",
    .help = "Fashion-MNIST: four IDX files; without DIR those of Debian's package",
    .open = mnist_open_fashion,
};
