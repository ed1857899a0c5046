/*
 * cifar.c: the binary versions of CIFAR-10 and CIFAR-100 [Krizhevsky2009]. A file is a row of
 * records without any header: one label byte (CIFAR-100: coarse, then fine), then three planes of
 * 32 x 32 bytes, red, green, blue.
 */
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "data/dataset.h"
#include "data/source.h"

enum {
    CIFAR_SIDE = 32,
    CIFAR_PLANE = CIFAR_SIDE * CIFAR_SIDE,
    CIFAR_MAX_FILES = 5,
};

/* A file holds at most 50,000 records of 3,074 bytes where it is official; six times that is let
 * in. */
static const size_t cifar_max_bytes = (size_t)1 << 30;

struct cifar_layout {
    const char *name;
    int n_classes;
    int n_label_bytes;                     /* the last one is the label that is used */
    int n_coarse;                          /* bound of the byte before it */
    const char *files[2][CIFAR_MAX_FILES]; /* [split] */
    const char *const *class_names;
    float mean[3], std[3]; /* over the training images, of value/255 */
};

static const char *const cifar_names10[10] = {
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
};

static const char *const cifar_names100[100] = {
    "apple",       "aquarium_fish", "baby",      "bear",       "beaver",       "bed",
    "bee",         "beetle",        "bicycle",   "bottle",     "bowl",         "boy",
    "bridge",      "bus",           "butterfly", "camel",      "can",          "castle",
    "caterpillar", "cattle",        "chair",     "chimpanzee", "clock",        "cloud",
    "cockroach",   "couch",         "crab",      "crocodile",  "cup",          "dinosaur",
    "dolphin",     "elephant",      "flatfish",  "forest",     "fox",          "girl",
    "hamster",     "house",         "kangaroo",  "keyboard",   "lamp",         "lawn_mower",
    "leopard",     "lion",          "lizard",    "lobster",    "man",          "maple_tree",
    "motorcycle",  "mountain",      "mouse",     "mushroom",   "oak_tree",     "orange",
    "orchid",      "otter",         "palm_tree", "pear",       "pickup_truck", "pine_tree",
    "plain",       "plate",         "poppy",     "porcupine",  "possum",       "rabbit",
    "raccoon",     "ray",           "road",      "rocket",     "rose",         "sea",
    "seal",        "shark",         "shrew",     "skunk",      "skyscraper",   "snail",
    "snake",       "spider",        "squirrel",  "streetcar",  "sunflower",    "sweet_pepper",
    "table",       "tank",          "telephone", "television", "tiger",        "tractor",
    "train",       "trout",         "tulip",     "turtle",     "wardrobe",     "whale",
    "willow_tree", "wolf",          "woman",     "worm",
};

/* Mean and deviation were computed over all training images (tests/test_data_cifar.c does it
 * again). */
static const struct cifar_layout cifar_layout10 = {
    .name = "cifar10",
    .n_classes = 10,
    .n_label_bytes = 1,
    .files = {{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
               "data_batch_5.bin"},
              {"test_batch.bin"}},
    .class_names = cifar_names10,
    .mean = {0.49140f, 0.48216f, 0.44653f},
    .std = {0.24703f, 0.24349f, 0.26159f},
};

static const struct cifar_layout cifar_layout100 = {
    .name = "cifar100",
    .n_classes = 100,
    .n_label_bytes = 2,
    .n_coarse = 20,
    .files = {{"train.bin"}, {"test.bin"}},
    .class_names = cifar_names100,
    .mean = {0.50708f, 0.48655f, 0.44092f},
    .std = {0.26733f, 0.25644f, 0.27615f},
};

/* The files of the split that are there, and how many records they hold together. */
struct cifar_files {
    char paths[CIFAR_MAX_FILES][SOURCE_MAX_PATH];
    size_t n_records[CIFAR_MAX_FILES];
    int n;
    size_t n_total;
};

static bool cifar_find(struct cifar_files *files, const struct cifar_layout *layout,
                       const char *dir, enum dataset_split split, struct err *e)
{
    size_t record = (size_t)layout->n_label_bytes + 3 * CIFAR_PLANE;
    for (int i = 0; i < CIFAR_MAX_FILES && layout->files[split][i]; i++) {
        char *path = files->paths[files->n];
        struct stat st;
        if (!source_path(path, dir, layout->files[split][i], e)) {
            return false;
        }
        if (stat(path, &st) != 0) {
            continue;
        }
        if (!S_ISREG(st.st_mode)) {
            return err_set(e, ERR_INPUT, "%s: expected a regular file", path);
        }
        size_t n_bytes = (size_t)st.st_size;
        if (n_bytes == 0 || n_bytes % record != 0 || n_bytes > cifar_max_bytes) {
            return err_set(
                e, ERR_INPUT,
                "%s: expected a size that is a multiple of %zu bytes (at least one image, "
                "at most 1 GiB), found %zu: %zu bytes are left over at byte %zu",
                path, record, n_bytes, n_bytes % record, n_bytes - n_bytes % record);
        }
        files->n_records[files->n] = n_bytes / record;
        files->n_total += n_bytes / record;
        files->n++;
    }
    if (files->n == 0) {
        err_set(e, ERR_INPUT, "%s: expected %s%s there, found none", dir, layout->files[split][0],
                layout->files[split][1] ? " or one of its sisters" : "");
        return err_hint(e, "hdnas data fetch %s gets the official files", layout->name);
    }
    return true;
}

/* Records into labels and pixels: planes become triples. */
static bool cifar_unpack(struct dataset *ds, size_t first, size_t n,
                         const struct cifar_layout *layout, const char *path,
                         const unsigned char *bytes, struct err *e)
{
    size_t n_label = (size_t)layout->n_label_bytes;
    size_t record = n_label + 3 * CIFAR_PLANE;
    for (size_t i = 0; i < n; i++) {
        const unsigned char *p = bytes + i * record;
        int label = p[n_label - 1];
        if (label >= layout->n_classes || (n_label == 2 && p[0] >= layout->n_coarse)) {
            bool coarse = label < layout->n_classes;
            return err_set(e, ERR_INPUT, "%s: byte %zu: expected a %slabel below %d, found %d",
                           path, i * record + (coarse ? 0 : n_label - 1), coarse ? "coarse " : "",
                           coarse ? layout->n_coarse : layout->n_classes, coarse ? p[0] : label);
        }
        ds->labels[first + i] = label;
        uint8_t *out = ds->pixels + (first + i) * 3 * CIFAR_PLANE;
        p += n_label;
        for (int k = 0; k < CIFAR_PLANE; k++) {
            out[3 * k] = p[k];
            out[3 * k + 1] = p[CIFAR_PLANE + k];
            out[3 * k + 2] = p[2 * CIFAR_PLANE + k];
        }
    }
    return true;
}

static bool cifar_read(struct dataset *ds, struct arena *keep, const struct cifar_files *files,
                       const struct cifar_layout *layout, struct source *src, struct err *e)
{
    size_t record = (size_t)layout->n_label_bytes + 3 * CIFAR_PLANE;
    size_t done = 0;
    for (int i = 0; i < files->n && done < ds->n; i++) {
        size_t mark = keep->used; /* the raw file is forgotten */
        unsigned char *bytes = NULL;
        size_t n_bytes = 0;
        if (!source_read(src, keep, files->paths[i], cifar_max_bytes, &bytes, &n_bytes, e)) {
            return false;
        }
        if (n_bytes != files->n_records[i] * record) {
            return err_set(e, ERR_INPUT, "%s: its size changed while it was read", files->paths[i]);
        }
        size_t n = MIN(files->n_records[i], ds->n - done);
        if (!cifar_unpack(ds, done, n, layout, files->paths[i], bytes, e)) {
            return false;
        }
        done += n;
        keep->used = mark;
    }
    ASSERT(done == ds->n);
    return true;
}

static bool cifar_open(struct dataset *ds, struct arena *keep, const char *dir,
                       enum dataset_split split, const struct dataset_options *options,
                       const struct cifar_layout *layout, struct err *e)
{
    if (!*dir) {
        return err_set(e, ERR_USAGE, "%s needs a folder: %s:DIR", layout->name, layout->name);
    }
    struct cifar_files files = {.n = 0};
    if (!cifar_find(&files, layout, dir, split, e)) {
        return false;
    }
    ds->shape = (struct shape){CIFAR_SIDE, CIFAR_SIDE, 3};
    ds->n = options->limit ? MIN(options->limit, files.n_total) : files.n_total;
    ds->n_classes = layout->n_classes;
    ds->class_names = layout->class_names;
    memcpy(ds->mean, layout->mean, sizeof layout->mean);
    memcpy(ds->std, layout->std, sizeof layout->std);
    ds->pixels = arena_try(keep, ds->n, 3 * CIFAR_PLANE, e);
    ds->labels = ds->pixels ? arena_try(keep, ds->n, sizeof *ds->labels, e) : NULL;
    struct source src;
    if (!ds->labels || !source_init(&src, e)) {
        return false;
    }
    bool ok = cifar_read(ds, keep, &files, layout, &src, e);
    source_sha256(&src, ds->sha256);
    source_release(&src);
    return ok;
}

static bool cifar_open10(struct dataset *ds, struct arena *keep, const char *rest,
                         enum dataset_split split, const struct dataset_options *options,
                         struct err *e)
{
    return cifar_open(ds, keep, rest, split, options, &cifar_layout10, e);
}

static bool cifar_open100(struct dataset *ds, struct arena *keep, const char *rest,
                          enum dataset_split split, const struct dataset_options *options,
                          struct err *e)
{
    return cifar_open(ds, keep, rest, split, options, &cifar_layout100, e);
}

const struct dataset_format cifar_format10 = {
    .name = "cifar10",
    .help = "CIFAR-10: DIR with data_batch_1..5.bin (any of them) and test_batch.bin",
    .open = cifar_open10,
};

const struct dataset_format cifar_format100 = {
    .name = "cifar100",
    .help = "CIFAR-100, fine labels: DIR with train.bin and test.bin",
    .open = cifar_open100,
};
