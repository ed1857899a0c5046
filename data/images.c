/*
 * images.c: pictures in folders, one folder a class: DIR/train/CLASS and DIR/test/CLASS, or
 * DIR/CLASS alone, of which every fifth picture, by a hash of its name, is for testing. Classes and
 * pictures in byte order of their names; one picture of each class in turn, so that the first n are
 * a fair sample. Names that begin with a dot and files of other kinds are passed over.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/rng.h"
#include "data/dataset.h"
#include "data/decode.h"
#include "data/resample.h"
#include "data/source.h"

enum {
    IMAGES_SIDE = 32, /* without --resize */
    IMAGES_MAX_SIDE = 1024,
    IMAGES_MAX_CLASSES = 10000,
    IMAGES_TEST_SHARE = 5, /* one in five is for testing where the folders do not say */
    IMAGES_MAX_BYTES = 64 << 20,
};

/* Sorted names of one folder. */
struct images_names {
    const char **names;
    size_t n;
};

struct images_link {
    struct images_link *next;
    char name[];
};

static bool images_is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool images_is_picture(const char *name)
{
    static const char *const known[] = {".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".pnm"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < N_ELEMS(known); i++) {
        if (strcasecmp(dot, known[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int images_by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The chain of names as a sorted array. A folder holds a name once, so the order is total. */
static bool images_sort(struct images_names *list, const struct images_link *chain,
                        struct arena *keep, struct err *e)
{
    list->names = arena_try(keep, list->n, sizeof *list->names, e);
    if (!list->names) {
        return false;
    }
    for (size_t i = 0; i < list->n; i++, chain = chain->next) {
        list->names[i] = chain->name;
    }
    qsort(list->names, list->n, sizeof *list->names, images_by_name);
    return true;
}

/* Folders or pictures in dir. */
static bool images_list(struct images_names *list, struct arena *keep, const char *dir,
                        bool folders, struct err *e)
{
    DIR *d = opendir(dir);
    if (!d) {
        return err_set(e, ERR_INPUT, "%s: cannot open the folder: %s", dir, strerror(errno));
    }
    bool ok = false;
    struct images_link *chain = NULL;
    char path[SOURCE_MAX_PATH];
    list->n = 0;
    for (struct dirent *entry; (errno = 0, entry = readdir(d));) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        if (!source_path(path, dir, entry->d_name, e)) {
            goto out;
        }
        if (folders ? !images_is_folder(path) : !images_is_picture(entry->d_name)) {
            continue;
        }
        size_t len = strlen(entry->d_name) + 1;
        struct images_link *link = arena_try(keep, 1, sizeof *link + len, e);
        if (!link) {
            goto out;
        }
        memcpy(link->name, entry->d_name, len);
        link->next = chain;
        chain = link;
        list->n++;
    }
    ok = errno == 0 ? images_sort(list, chain, keep, e)
                    : err_set(e, ERR_INPUT, "%s: cannot read the folder: %s", dir, strerror(errno));
out:
    closedir(d);
    return ok;
}

/* A picture's rank among its class for the split: a hash of its name, so that adding pictures moves
 * few others. */
static uint64_t images_key(const char *class_name, const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a, then well mixed by rng_key */
    for (const char *p = class_name; *p; p++) {
        hash = (hash ^ (unsigned char)*p) * 0x100000001b3u;
    }
    hash *= 0x100000001b3u;
    for (const char *p = name; *p; p++) {
        hash = (hash ^ (unsigned char)*p) * 0x100000001b3u;
    }
    struct rng r = rng_key(hash, RNG_SHUFFLE, 0);
    return rng_u64(&r);
}

struct images_ranked {
    uint64_t key;
    size_t i;
};

static int images_by_key(const void *a, const void *b)
{
    const struct images_ranked *x = a, *y = b;
    return x->key != y->key ? (x->key < y->key ? -1 : 1) : (x->i > y->i) - (x->i < y->i);
}

static int images_by_index(const void *a, const void *b)
{
    const struct images_ranked *x = a, *y = b;
    return (x->i > y->i) - (x->i < y->i);
}

/* Keep of a class's pictures those of the split: the n/5 lowest keys are for testing. Stays sorted
 * by name. */
static bool images_divide(struct images_names *list, const char *class_name,
                          enum dataset_split split, struct arena tmp, struct err *e)
{
    struct images_ranked *ranked = arena_try(&tmp, list->n, sizeof *ranked, e);
    if (!ranked) {
        return false;
    }
    for (size_t i = 0; i < list->n; i++) {
        ranked[i] = (struct images_ranked){.key = images_key(class_name, list->names[i]), .i = i};
    }
    qsort(ranked, list->n, sizeof *ranked, images_by_key);
    size_t n_test = list->n / IMAGES_TEST_SHARE;
    const struct images_ranked *mine = split == DATASET_TEST ? ranked : ranked + n_test;
    size_t n_mine = split == DATASET_TEST ? n_test : list->n - n_test;
    qsort((void *)(uintptr_t)mine, n_mine, sizeof *mine, images_by_index);
    for (size_t i = 0; i < n_mine; i++) {
        list->names[i] =
            list->names[mine[i].i]; /* mine[i].i >= i: nothing is overwritten before it is read */
    }
    list->n = n_mine;
    return true;
}

/* What is to be read: classes, and for each its pictures of the split. */
struct images_plan {
    char base[SOURCE_MAX_PATH]; /* DIR/, DIR/train or DIR/test */
    struct images_names classes;
    struct images_names *pictures; /* [classes.n] */
    size_t n, n_longest;
};

static bool images_pictures(struct images_plan *plan, struct arena *keep, bool divide,
                            enum dataset_split split, struct err *e)
{
    plan->pictures = arena_try(keep, plan->classes.n, sizeof *plan->pictures, e);
    for (size_t i = 0; plan->pictures && i < plan->classes.n; i++) {
        char dir[SOURCE_MAX_PATH];
        struct images_names *list = &plan->pictures[i];
        *list = (struct images_names){.n = 0};
        if (!source_path(dir, plan->base, plan->classes.names[i], e)) {
            return false;
        }
        if (split == DATASET_TEST && !divide && !images_is_folder(dir)) {
            continue; /* a class that is trained on and not tested */
        }
        if (!images_list(list, keep, dir, false, e) ||
            (divide && !images_divide(list, plan->classes.names[i], split, *keep, e))) {
            return false;
        }
        plan->n += list->n;
        plan->n_longest = MAX(plan->n_longest, list->n);
    }
    return plan->pictures != NULL;
}

/* A class that is tested must have been trained on. */
static bool images_check_test_classes(const struct images_plan *plan, struct arena tmp,
                                      struct err *e)
{
    struct images_names test;
    if (!images_list(&test, &tmp, plan->base, true, e)) {
        return false;
    }
    for (size_t i = 0; i < test.n; i++) {
        if (!bsearch(&test.names[i], plan->classes.names, plan->classes.n, sizeof *test.names,
                     images_by_name)) {
            return err_set(e, ERR_INPUT,
                           "%s: the class \"%.100s\" has no folder beside it under train",
                           plan->base, test.names[i]);
        }
    }
    return true;
}

static bool images_find(struct images_plan *plan, struct arena *keep, const char *dir,
                        enum dataset_split split, struct err *e)
{
    char train[SOURCE_MAX_PATH];
    if (!source_path(train, dir, "train", e)) {
        return false;
    }
    bool divide = !images_is_folder(train);
    const char *base = split == DATASET_TEST ? "test" : "train";
    if (!source_path(plan->base, dir, divide ? "" : base, e) ||
        !images_list(&plan->classes, keep, divide ? dir : train, true, e)) {
        return false;
    }
    if (plan->classes.n == 0 || plan->classes.n > IMAGES_MAX_CLASSES) {
        err_set(e, ERR_INPUT, "%s: expected 1 to %d folders, one for each class, found %zu",
                divide ? dir : train, IMAGES_MAX_CLASSES, plan->classes.n);
        return err_hint(
            e,
            "images:DIR wants DIR/train/CLASS/*.png and DIR/test/CLASS/*.png, or DIR/CLASS/*.png");
    }
    if (!divide && split == DATASET_TEST && !images_check_test_classes(plan, *keep, e)) {
        return false;
    }
    if (!images_pictures(plan, keep, divide, split, e)) {
        return false;
    }
    return plan->n > 0 ||
           err_set(e, ERR_INPUT,
                   "%s: expected pictures (png, jpg, bmp, ppm, pgm) for %s, found none", plan->base,
                   base);
}

/* Read, decode and resize one picture. Its name and bytes go into the sum: moved to another class,
 * it is other data. */
static bool images_load(uint8_t *out, int side, const struct images_plan *plan, size_t i_class,
                        const char *name, struct source *src, struct arena tmp, struct err *e)
{
    char dir[SOURCE_MAX_PATH], path[SOURCE_MAX_PATH];
    unsigned char *bytes = NULL;
    size_t n = 0;
    const char *class_name = plan->classes.names[i_class];
    if (!source_path(dir, plan->base, class_name, e) || !source_path(path, dir, name, e)) {
        return false;
    }
    source_add(src, class_name, strlen(class_name) + 1);
    source_add(src, name, strlen(name) + 1);
    struct decode d;
    if (!source_read(src, &tmp, path, IMAGES_MAX_BYTES, &bytes, &n, e) ||
        !decode_open(&d, path, bytes, n, e)) {
        return false;
    }
    bool ok = resample_square(out, side, d.rgb, d.w, d.h, tmp, e);
    decode_close(&d);
    return ok;
}

static bool images_load_all(struct dataset *ds, struct arena *keep, const struct images_plan *plan,
                            struct source *src, struct err *e)
{
    size_t n_bytes = shape_count(ds->shape), done = 0;
    for (size_t rank = 0; rank < plan->n_longest; rank++) {
        for (size_t k = 0; k < plan->classes.n && done < ds->n; k++) {
            if (rank >= plan->pictures[k].n) {
                continue;
            }
            if (!images_load(ds->pixels + done * n_bytes, ds->shape.h, plan, k,
                             plan->pictures[k].names[rank], src, *keep, e)) {
                return false;
            }
            ds->labels[done++] = (int32_t)k;
        }
    }
    ASSERT(done == ds->n);
    return true;
}

static bool images_open(struct dataset *ds, struct arena *keep, const char *rest,
                        enum dataset_split split, const struct dataset_options *options,
                        struct err *e)
{
    if (!*rest) {
        return err_set(e, ERR_USAGE, "images needs a folder: images:DIR");
    }
    int side = options->resize ? options->resize : IMAGES_SIDE;
    if (side < 1 || side > IMAGES_MAX_SIDE) {
        return err_set(e, ERR_USAGE, "images: expected a size from 1 to %d to resize to, found %d",
                       IMAGES_MAX_SIDE, side);
    }
    struct images_plan plan = {.n = 0};
    if (!images_find(&plan, keep, rest, split, e)) {
        return false;
    }
    static const float mean[3] = {0.485f, 0.456f, 0.406f},
                       std[3] = {0.229f, 0.224f, 0.225f}; /* ImageNet's */
    ds->n = options->limit ? MIN(options->limit, plan.n) : plan.n;
    ds->shape = (struct shape){side, side, 3};
    ds->n_classes = (int)plan.classes.n;
    ds->class_names = plan.classes.names;
    memcpy(ds->mean, mean, sizeof mean);
    memcpy(ds->std, std, sizeof std);
    ds->pixels = arena_try(keep, ds->n, shape_count(ds->shape), e);
    ds->labels = ds->pixels ? arena_try(keep, ds->n, sizeof *ds->labels, e) : NULL;
    struct source src;
    if (!ds->labels || !source_init(&src, e)) {
        return false;
    }
    bool ok = images_load_all(ds, keep, &plan, &src, e);
    source_sha256(&src, ds->sha256);
    source_release(&src);
    return ok;
}

const struct dataset_format images_format = {
    .name = "images",
    .help = "PNG, JPEG, BMP, PNM: DIR/train/CLASS/* and DIR/test/CLASS/*, or DIR/CLASS/*",
    .open = images_open,
};
