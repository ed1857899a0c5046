#include "cli/cmds.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "data/fetch.h"
#include "data/hwnas.h"
#include "data/sample.h"
#include "data/summary.h"

#include <stdio.h>
#include <string.h>

#include "cli/signals.h"
#include "core/file.h"

/* A verb of `hdnas data`. args: what follows it. */
struct data_verb {
    const char *name;
    int n_args;
    const char *wants; /* "SPEC" */
    bool (*run)(const struct options *o, const char *const *args, struct arena *keep,
                struct err *e);
};

static bool data_list(const struct options *o, const char *const *args, struct arena *keep,
                      struct err *e)
{
    (void)args;
    (void)e;
    if (o->json) {
        struct json json;
        json_init(&json, keep);
        json_array(&json, NULL);
        for (int i = 0; i < dataset_n_formats(); i++) {
            json_object(&json, NULL);
            json_text(&json, "format", dataset_format(i)->name);
            json_text(&json, "help", dataset_format(i)->help);
            json_end(&json);
        }
        json_end(&json);
        json_print(&json, stdout);
        return true;
    }
    static const char *const heads[] = {"format", "what"};
    struct table table;
    table_init(&table, keep, heads, 2);
    for (int i = 0; i < dataset_n_formats(); i++) {
        table_add(&table, dataset_format(i)->name);
        table_add(&table, dataset_format(i)->help);
    }
    table_print(&table, stdout);
    printf("\nhdnas data fetch gets:");
    for (int i = 0; i < fetch_sets_count(); i++) {
        printf(" %s", fetch_sets_at(i)->name);
    }
    printf("\n");
    return true;
}

struct data_split {
    const char *name;
    enum dataset_split split;
    bool wanted;
    struct dataset ds;
    struct summary summary;
};

static bool data_open_splits(struct data_split splits[2], const struct options *o, const char *spec,
                             struct arena *keep, struct err *e)
{
    const char *only = options_text(o, "split");
    struct dataset_options options = {
        .resize = (int)options_int(o, "resize"),
        .limit = (size_t)options_int(o, "limit"),
        .seed = (uint64_t)options_int(o, "seed"),
    };
    if (strcmp(only, "train") != 0 && strcmp(only, "test") != 0 && strcmp(only, "both") != 0) {
        return err_set(e, ERR_USAGE, "--split %.40s: expected train, test or both", only);
    }
    splits[0] = (struct data_split){.name = "train", .split = DATASET_TRAIN};
    splits[1] = (struct data_split){.name = "test", .split = DATASET_TEST};
    for (int i = 0; i < 2; i++) {
        struct data_split *s = &splits[i];
        s->wanted = strcmp(only, "both") == 0 || strcmp(only, s->name) == 0;
        if (!s->wanted) {
            continue;
        }
        if (!dataset_open(&s->ds, keep, spec, s->split, &options, e) ||
            !summary_of(&s->summary, keep, &s->ds, e)) {
            return e->hint[0] || strcmp(only, "both") != 0
                       ? false
                       : err_hint(e, "--split train or --split test looks at one half only");
        }
    }
    return true;
}

static const char *data_class_name(const struct dataset *ds, int i, char buf[16])
{
    if (ds->class_names) {
        return ds->class_names[i];
    }
    snprintf(buf, 16, "%d", i);
    return buf;
}

static void data_channels_json(struct json *json, const char *key, const double *values, int n)
{
    json_array(json, key);
    for (int c = 0; c < n; c++) {
        json_real(json, NULL, values[c]);
    }
    json_end(json);
}

static void data_info_json(const struct data_split splits[2], const char *spec, struct arena *keep)
{
    struct json json;
    char buf[16];
    json_init(&json, keep);
    json_object(&json, NULL);
    json_text(&json, "spec", spec);
    for (int i = 0; i < 2; i++) {
        const struct data_split *s = &splits[i];
        if (!s->wanted) {
            continue;
        }
        json_object(&json, s->name);
        json_int(&json, "images", (int64_t)s->ds.n);
        json_int(&json, "height", s->ds.shape.h);
        json_int(&json, "width", s->ds.shape.w);
        json_int(&json, "channels", s->ds.shape.c);
        data_channels_json(&json, "mean", s->summary.mean, s->ds.shape.c);
        data_channels_json(&json, "std", s->summary.std, s->ds.shape.c);
        json_array(&json, "classes");
        for (int k = 0; k < s->ds.n_classes; k++) {
            json_object(&json, NULL);
            json_text(&json, "name", data_class_name(&s->ds, k, buf));
            json_int(&json, "images", (int64_t)s->summary.n_of_class[k]);
            json_end(&json);
        }
        json_end(&json);
        json_text(&json, "sha256", s->ds.sha256);
        json_end(&json);
    }
    json_end(&json);
    json_print(&json, stdout);
}

/* A bar as long as the class is large, the largest being 30 characters. */
static void data_bar(struct table *table, size_t n, size_t most)
{
    char bar[31] = {0};
    size_t len = most ? (n * 30 + most - 1) / most : 0;
    memset(bar, '#', MIN(len, (size_t)30));
    table_add(table, bar);
}

static void data_info_text(const struct data_split splits[2], struct arena *keep)
{
    const struct data_split *first = splits[0].wanted ? &splits[0] : &splits[1];
    for (int i = 0; i < 2; i++) {
        const struct data_split *s = &splits[i];
        if (!s->wanted) {
            continue;
        }
        printf("%-6s %zu images, %d x %d x %d, %d classes\n       mean", s->name, s->ds.n,
               s->ds.shape.h, s->ds.shape.w, s->ds.shape.c, s->ds.n_classes);
        for (int c = 0; c < s->ds.shape.c; c++) {
            printf(" %.5f", s->summary.mean[c]);
        }
        printf("  std");
        for (int c = 0; c < s->ds.shape.c; c++) {
            printf(" %.5f", s->summary.std[c]);
        }
        printf("\n       sha256 %s\n", s->ds.sha256);
    }
    static const char *const heads[] = {"class", "name", "train", "test", ""};
    struct table table;
    char buf[16];
    size_t most = 0;
    table_init(&table, keep, heads, 5);
    for (int k = 0; k < first->ds.n_classes; k++) {
        most = MAX(most, first->summary.n_of_class[k]);
    }
    for (int k = 0; k < first->ds.n_classes; k++) {
        table_printf(&table, "%d", k);
        table_add(&table, data_class_name(&first->ds, k, buf));
        for (int i = 0; i < 2; i++) {
            if (splits[i].wanted) {
                table_printf(&table, "%zu", splits[i].summary.n_of_class[k]);
            } else {
                table_add(&table, "-");
            }
        }
        data_bar(&table, first->summary.n_of_class[k], most);
    }
    printf("\n");
    table_print(&table, stdout);
}

static bool data_info(const struct options *o, const char *const *args, struct arena *keep,
                      struct err *e)
{
    struct data_split splits[2];
    if (!data_open_splits(splits, o, args[0], keep, e)) {
        return false;
    }
    if (o->json) {
        data_info_json(splits, args[0], keep);
    } else {
        data_info_text(splits, keep);
    }
    return true;
}

static bool data_sample(const struct options *o, const char *const *args, struct arena *keep,
                        struct err *e)
{
    struct data_split splits[2];
    size_t wanted[2] = {(size_t)options_int(o, "train"), (size_t)options_int(o, "test")};
    const char *dir = options_text(o, "out");
    if (!dir) {
        return err_set(e, ERR_USAGE, "hdnas data sample wants --out DIR");
    }
    if (!data_open_splits(splits, o, args[0], keep, e) || !file_mkdirs(dir, e)) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (splits[i].wanted && wanted[i] > 0 &&
            !sample_write(&splits[i].ds, splits[i].split, wanted[i],
                          (uint64_t)options_int(o, "seed"), dir, *keep, e)) {
            return false;
        }
    }
    if (!o->quiet) {
        fprintf(stderr, "%s: %zu training and %zu test images of %s\n", dir,
                splits[0].wanted ? wanted[0] : 0, splits[1].wanted ? wanted[1] : 0, args[0]);
    }
    return true;
}

/* A bar for each file that is downloaded. */
struct data_progress {
    struct progress bar;
    const char *file; /* the bar's */
    size_t n_total;
    bool quiet;
};

static bool data_show(void *ctx, const char *file, size_t n_done, size_t n_total)
{
    struct data_progress *p = ctx;
    if (file != p->file || n_total != p->n_total) {
        if (p->file) {
            progress_close(&p->bar);
        }
        p->file = file;
        p->n_total = n_total;
        progress_open(&p->bar, file, "KiB", (int64_t)(n_done >> 10), (int64_t)(n_total >> 10),
                      p->quiet);
    }
    progress_show(&p->bar, (int64_t)(n_done >> 10), NULL);
    return !signals_pending();
}

static bool data_fetch(const struct options *o, const char *const *args, struct arena *keep,
                       struct err *e)
{
    const struct fetch_set *set = NULL;
    if (!fetch_sets_find(&set, args[0], e)) {
        return false;
    }
    signals_install(); /* what has come so far is kept for the next try */
    struct data_progress progress = {.quiet = o->quiet};
    struct fetch_options options = {
        .dir = options_text(o, "out") ? options_text(o, "out") : set->name,
        .base = options_text(o, "url"),
        .progress = data_show,
        .ctx = &progress,
        .timeout_s = (int)options_int(o, "timeout"),
    };
    bool ok = fetch_run(set, &options, *keep, e);
    if (progress.file) {
        progress_close(&progress.bar);
    }
    if (ok && o->json) {
        struct json json;
        json_init(&json, keep);
        json_object(&json, NULL);
        json_text(&json, "name", set->name);
        json_text(&json, "dir", options.dir);
        json_text(&json, "spec", arena_printf(keep, "%s:%s", set->name, options.dir));
        json_end(&json);
        json_print(&json, stdout);
    } else if (ok && !o->quiet) {
        printf("%s is in %s; use it as --data %s:%s\n", set->name, options.dir, set->name,
               options.dir);
    }
    return ok;
}

static bool data_import(const struct options *o, const char *const *args, struct arena *keep,
                        struct err *e)
{
    struct hwnas_table tables[HWNAS_MAX_TABLES];
    const char *dir = options_text(o, "out");
    int n;
    if (!dir) {
        return err_set(e, ERR_USAGE, "hdnas data import wants --out DIR");
    }
    if (!hwnas_import(tables, &n, keep, args[0], dir, e)) {
        return false;
    }
    struct json json;
    json_init(&json, keep);
    json_array(&json, NULL);
    for (int i = 0; i < n; i++) {
        json_object(&json, NULL);
        json_text(&json, "table", tables[i].path);
        json_text(&json, "what", tables[i].what);
        json_int(&json, "rows", (int64_t)tables[i].n_rows);
        json_int(&json, "metrics", tables[i].n_metrics);
        json_end(&json);
        if (!o->json) {
            printf("%s: %s, %zu rows of %d metrics\n", tables[i].path, tables[i].what,
                   tables[i].n_rows, tables[i].n_metrics);
        }
    }
    json_end(&json);
    if (o->json) {
        json_print(&json, stdout);
    }
    return true;
}

static void data_factors_csv(const struct dataset *ds)
{
    const struct dataset_factors *factors = &ds->factors;
    for (int f = 0; f < factors->n; f++) {
        printf("%s%s", f ? "," : "", factors->names[f]);
    }
    printf("\n");
    for (size_t i = 0; i < ds->n; i++) {
        for (int f = 0; f < factors->n; f++) {
            printf("%s%d", f ? "," : "", (int)factors->values[i * (size_t)factors->n + (size_t)f]);
        }
        printf("\n");
    }
}

/* An array of factors: name, how many values there are, the value of each image. */
static void data_factors_json(const struct dataset *ds, struct arena *keep)
{
    const struct dataset_factors *factors = &ds->factors;
    struct json json;
    json_init(&json, keep);
    json_array(&json, NULL);
    for (int f = 0; f < factors->n; f++) {
        json_object(&json, NULL);
        json_text(&json, "name", factors->names[f]);
        json_int(&json, "values", factors->cards[f]);
        json_array(&json, "images");
        for (size_t i = 0; i < ds->n; i++) {
            json_int(&json, NULL, factors->values[i * (size_t)factors->n + (size_t)f]);
        }
        json_end(&json);
        json_end(&json);
    }
    json_end(&json);
    json_print(&json, stdout);
}

/* What the images of one half were made from: for hdnas disentangle. */
static bool data_factors(const struct options *o, const char *const *args, struct arena *keep,
                         struct err *e)
{
    struct data_split splits[2];
    if (strcmp(options_text(o, "split"), "both") == 0) {
        return err_set(e, ERR_USAGE, "hdnas data factors wants --split train or --split test");
    }
    if (!data_open_splits(splits, o, args[0], keep, e)) {
        return false;
    }
    const struct dataset *ds = &splits[splits[1].wanted].ds;
    if (ds->factors.n == 0) {
        err_set(e, ERR_INPUT, "%s: what its images were made from is not known", args[0]);
        return err_hint(e, "sprites have known factors");
    }
    if (o->json) {
        data_factors_json(ds, keep);
    } else {
        data_factors_csv(ds);
    }
    return true;
}

static const struct data_verb data_verbs[] = {
    {"list", 0, "", data_list},
    {"info", 1, " SPEC", data_info},
    {"fetch", 1, " NAME", data_fetch},
    {"sample", 1, " SPEC", data_sample},
    {"factors", 1, " SPEC", data_factors},
    {"import", 1, " FILE", data_import},
};

static bool data_run(const struct options *o, struct arena *keep, struct err *e)
{
    const char *word = o->n_args > 0 ? o->args[0] : "list";
    for (size_t i = 0; i < N_ELEMS(data_verbs); i++) {
        const struct data_verb *verb = &data_verbs[i];
        if (strcmp(verb->name, word) != 0) {
            continue;
        }
        if (MAX(o->n_args - 1, 0) != verb->n_args) {
            return err_set(e, ERR_USAGE, "expected hdnas data %s%s, found %d arguments after %s",
                           verb->name, verb->wants, MAX(o->n_args - 1, 0), verb->name);
        }
        return verb->run(o, o->n_args > 0 ? o->args + 1 : NULL, keep, e);
    }
    err_set(e, ERR_USAGE, "unknown verb \"%.60s\": expected list, info, fetch, sample, factors or import", word);
    return err_hint(e, "hdnas data --help shows examples");
}

static const struct option_spec data_options[] = {
    {"out", OPTION_TEXT, "DIR", NULL, "fetch, sample, import: where to write (fetch: ./NAME)", 0, 0},
    {"url", OPTION_TEXT, "BASE", NULL, "fetch: another address that holds the same files", 0, 0},
    {"timeout", OPTION_INT, "S", "60", "fetch: give up after so many seconds without a byte", 1,
     86400},
    {"split", OPTION_TEXT, "WHICH", "both", "info, sample, factors: train, test or both", 0, 0},
    {"limit", OPTION_INT, "N", "0", "info, sample, factors: only the first N images; 0 = all", 0, 1e9},
    {"resize", OPTION_INT, "PIXELS", "32", "images: the side to resize to", 1, 1024},
    {"train", OPTION_INT, "N", "1024", "sample: training images", 0, 1e9},
    {"test", OPTION_INT, "N", "512", "sample: test images", 0, 1e9},
    OPTIONS_COMMON,
};

const struct cmd cmd_data = {
    .name = "data",
    .summary = "list, look at, fetch and sample data sets; import benchmark tables",
    .usage = "hdnas data list | info SPEC | fetch NAME | sample SPEC --out DIR | factors SPEC | "
             "import FILE --out DIR",
    .about = "list shows the formats that --data understands. info reads a set whole, checks it, "
             "and prints counts, "
             "mean and deviation of each channel, images of each class, and a checksum. fetch "
             "downloads a public set "
             "from its official address and verifies it; a broken download goes on where it "
             "stopped. sample writes a "
             "small, balanced part of a set as gzipped IDX files, which mnist:DIR reads. factors "
             "prints as CSV what each image of sprites was made from, in the order of the images. import turns "
             "HW-NAS-Bench's pickle into CSV tables, a folder for each data set, for --tables; "
             "nothing in the pickle is executed.",
    .examples = "hdnas data list\n"
                "hdnas data info builtin\n"
                "hdnas data info images:photos --resize 64 --json\n"
                "hdnas data fetch cifar10 --out cifar10\n"
                "hdnas data sample fashion-mnist --train 1024 --test 512 --out sample\n"
                "hdnas data factors sprites:5000 --split test >factors.csv\n"
                "hdnas data import HW-NAS-Bench-v1_0.pickle --out tables",
    .options = data_options,
    .n_options = (int)N_ELEMS(data_options),
    .light = true,
    .run = data_run,
};
