#include "data/dataset.h"

#include <stdio.h>
#include <string.h>

/* The rooms. A new one is a file, its row here and its test. */
extern const struct dataset_format builtin_format, cifar_format10, cifar_format100, mnist_format,
    mnist_format_fashion, images_format, synthetic_format, sprites_format;

static const struct dataset_format *const dataset_formats[] = {
    &builtin_format,       &cifar_format10, &cifar_format100,  &mnist_format,
    &mnist_format_fashion, &images_format,  &synthetic_format, &sprites_format,
};

int dataset_n_formats(void)
{
    return (int)N_ELEMS(dataset_formats);
}

const struct dataset_format *dataset_format(int i)
{
    ASSERT(i >= 0 && i < dataset_n_formats());
    return dataset_formats[i];
}

static bool dataset_unknown(const char *spec, struct err *e)
{
    char names[200] = "";
    for (int i = 0; i < dataset_n_formats(); i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                 dataset_formats[i]->name);
    }
    err_set(e, ERR_USAGE, "unknown data set \"%.100s\": expected one of %s", spec, names);
    return err_hint(e, "hdnas data list explains them");
}

bool dataset_open(struct dataset *ds, struct arena *keep, const char *spec,
                  enum dataset_split split, const struct dataset_options *options, struct err *e)
{
    ASSERT(ds && keep && spec && (split == DATASET_TRAIN || split == DATASET_TEST));
    static const struct dataset_options none = {0};
    size_t len = strcspn(spec, ":");
    *ds = (struct dataset){.n = 0};
    if (strlen(spec) >= sizeof ds->spec) {
        return err_set(e, ERR_USAGE, "the data set's name is longer than %zu characters",
                       sizeof ds->spec - 1);
    }
    for (int i = 0; i < dataset_n_formats(); i++) {
        const struct dataset_format *format = dataset_formats[i];
        if (strlen(format->name) != len || strncmp(format->name, spec, len) != 0) {
            continue;
        }
        snprintf(ds->name, sizeof ds->name, "%s", format->name);
        snprintf(ds->spec, sizeof ds->spec, "%s", spec);
        if (!format->open(ds, keep, spec[len] ? spec + len + 1 : "", split,
                          options ? options : &none, e)) {
            return false;
        }
        ASSERT(ds->n > 0 && ds->pixels && ds->labels && ds->n_classes > 0);
        ASSERT(ds->shape.c >= 1 && ds->shape.c <= FEED_MAX_CHANNELS);
        return true;
    }
    return dataset_unknown(spec, e);
}
