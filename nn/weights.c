#include "nn/weights.h"

#include "nn/models.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SIDE = 4096, MAX_CLASSES = 100000 };
enum { MAX_META = 8 }; /* pairs that put_info writes, at most */
static const float imagenet_mean[3] = {0.485f, 0.456f, 0.406f},
                   imagenet_std[3] = {0.229f, 0.224f, 0.225f};

/* Exactly n numbers separated by commas. */
static bool read_floats(const char *text, float *values, int n)
{
    for (int i = 0; i < n; i++) {
        char *end = NULL;
        values[i] = text ? strtof(text, &end) : 0;
        if (!end || end == text || !isfinite(values[i]) || *end != (i + 1 < n ? ',' : 0)) {
            return false;
        }
        text = end + 1;
    }
    return true;
}

static bool read_norm(struct weights_info *info, const struct safetensors *st, struct err *e)
{
    const char *mean = safetensors_meta(st, "normalize_mean"),
               *std = safetensors_meta(st, "normalize_std");
    int c = info->spec.input.c;
    for (int i = 0; i < FEED_MAX_CHANNELS; i++) {
        info->mean[i] = c == 3 && i < 3 ? imagenet_mean[i] : 0;
        info->std[i] = c == 3 && i < 3 ? imagenet_std[i] : 1;
    }
    info->has_norm = mean || std;
    if (!info->has_norm) {
        return true;
    }
    bool ok = read_floats(mean, info->mean, c) && read_floats(std, info->std, c);
    for (int i = 0; i < c; i++) {
        ok = ok && info->std[i] > 0;
    }
    return ok || err_set(e, ERR_INPUT,
                         "%s: normalize_mean and normalize_std are not %d numbers each, std > 0",
                         st->path, c);
}

/* Size i of the tensor if it is there with n_dims sizes, else 0. */
static int size_of(const struct safetensors *st, const char *name, int n_dims, int i)
{
    const struct safetensors_entry *t = safetensors_find(st, name);
    return t && t->n_dims == n_dims && t->dims[i] <= MAX_CLASSES ? (int)t->dims[i] : 0;
}

/* Input and classes from the first and last layer of the known architectures; what they do not tell
 * is CIFAR's. */
static void guess_shape(struct model_spec *spec, const struct safetensors *st)
{
    int c = MAX(size_of(st, "conv1.weight", 4, 1), size_of(st, "stem.0.weight", 4, 1));
    int n_classes = MAX(size_of(st, "linear.weight", 2, 0), size_of(st, "classifier.weight", 2, 0));
    spec->input = (struct shape){32, 32, c > 0 ? c : 3};
    int features = size_of(st, "layers.0.weight", 2, 1);
    if (features == 28 * 28) {
        spec->input = (struct shape){28, 28, 1};
    }
    for (int i = 0; n_classes == 0 && i < 64; i++) {
        char name[32];
        snprintf(name, sizeof name, "layers.%d.weight", 2 * (63 - i));
        n_classes = size_of(st, name, 2, 0);
    }
    spec->n_classes = n_classes;
}

static bool read_spec(struct model_spec *spec, const struct safetensors *st, const char *arch_hint,
                      struct err *e)
{
    guess_shape(spec, st);
    const char *arch = arch_hint ? arch_hint : safetensors_meta(st, "arch");
    if (arch) {
        snprintf(spec->arch, sizeof spec->arch, "%s", arch);
    } else {
        struct arena names_arena;
        if (!arena_init(&names_arena, ((size_t)st->n + 1) * sizeof(char *), e)) {
            return false;
        }
        const char **names = arena_push(&names_arena, (size_t)st->n + 1, sizeof *names);
        for (int i = 0; i < st->n; i++) {
            names[i] = st->entries[i].name;
        }
        bool known = models_recognise(names, st->n, spec->arch);
        arena_release(&names_arena);
        if (!known) {
            err_set(e, ERR_INPUT,
                    "%s: no architecture in __metadata__, and the tensor names tell none",
                    st->path);
            return err_hint(e, "name it with --arch");
        }
    }
    const char *input = safetensors_meta(st, "input"), *classes = safetensors_meta(st, "classes");
    struct shape *s = &spec->input;
    int end = 0;
    bool ok = !input ||
              (sscanf(input, "%5d,%5d,%5d%n", &s->h, &s->w, &s->c, &end) == 3 && input[end] == 0);
    ok = ok &&
         (!classes || (sscanf(classes, "%7d%n", &spec->n_classes, &end) == 1 && classes[end] == 0));
    ok = ok && s->h > 0 && s->h <= MAX_SIDE && s->w > 0 && s->w <= MAX_SIDE && s->c > 0 &&
         s->c <= FEED_MAX_CHANNELS && spec->n_classes > 0 && spec->n_classes <= MAX_CLASSES;
    return ok || err_set(e, ERR_INPUT, "%s: input %d x %d x %d or %d classes cannot be", st->path,
                         s->h, s->w, s->c, spec->n_classes);
}

/* Address space for one file and what reading it needs; only what is used is touched. */
static const size_t read_max_bytes = (size_t)2500 << 20;

bool weights_info_read(struct weights_info *info, const char *path, const char *arch_hint,
                       struct err *e)
{
    ASSERT(info && path);
    *info = (struct weights_info){0};
    struct arena tmp;
    if (!arena_init(&tmp, read_max_bytes, e)) {
        return false;
    }
    struct safetensors st;
    bool ok = safetensors_read(&st, &tmp, path, e) && read_spec(&info->spec, &st, arch_hint, e) &&
              read_norm(info, &st, e);
    if (ok) {
        const char *data = safetensors_meta(&st, "data");
        snprintf(info->data, sizeof info->data, "%.63s", data ? data : "");
    }
    arena_release(&tmp);
    return ok;
}

int weights_dims(const struct param_spec *spec, int64_t dims[4])
{
    static const int order[5][4] = {{0}, {0}, {1, 0}, {0}, {3, 2, 0, 1}};
    for (int i = 0; i < spec->n_dims; i++) {
        dims[i] = spec->dims[order[spec->n_dims][i]];
    }
    return spec->n_dims;
}

void weights_swap_layout(float *ours, float *theirs, const struct param_spec *spec, bool to_ours)
{
    size_t area = 1, c = 1, k = 1;
    if (spec->n_dims == 4) {
        area = (size_t)spec->dims[0] * (size_t)spec->dims[1];
        c = (size_t)spec->dims[2];
        k = (size_t)spec->dims[3];
    } else {
        c = (size_t)spec->dims[0];
        k = spec->n_dims == 2 ? (size_t)spec->dims[1] : 1;
    }
    for (size_t a = 0; a < area; a++) {
        for (size_t i = 0; i < c; i++) {
            for (size_t j = 0; j < k; j++) {
                float *p = &ours[(a * c + i) * k + j], *q = &theirs[(j * c + i) * area + a];
                if (to_ours) {
                    *p = *q;
                } else {
                    *q = *p;
                }
            }
        }
    }
}

static bool same_dims(const struct safetensors_entry *t, const int64_t *dims, int n_dims)
{
    return t->type == SAFETENSORS_F32 && t->n_dims == n_dims &&
           memcmp(t->dims, dims, (size_t)n_dims * sizeof *dims) == 0;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* Tensors that a weights file may hold beside the parameters. */
static bool is_passed_over(const char *name)
{
    return ends_with(name, "num_batches_tracked") || strncmp(name, "optim.", 6) == 0 ||
           ends_with(name, "_mask");
}

/* Every tensor of the file must be a parameter of the net. */
static bool check_extra(const struct graph *g, const struct safetensors *st, struct err *e)
{
    int n_known = 0;
    for (int i = 0; i < st->n; i++) {
        n_known += is_passed_over(st->entries[i].name);
    }
    if (st->n - n_known == g->n_params) {
        return true; /* all parameters were found and names are unique */
    }
    for (int i = 0; i < st->n; i++) {
        bool known = is_passed_over(st->entries[i].name);
        for (int j = 0; !known && j < g->n_params; j++) {
            known = strcmp(st->entries[i].name, g->params[j].name) == 0;
        }
        if (!known) {
            return err_set(e, ERR_INPUT, "%s: tensor %s is not part of this network", st->path,
                           st->entries[i].name);
        }
    }
    return true;
}

bool weights_load(struct net *net, const char *path, struct arena tmp, struct err *e)
{
    const struct graph *g = net_graph(net);
    struct safetensors st;
    if (!safetensors_read(&st, &tmp, path, e)) {
        return false;
    }
    for (int pass = 0; pass < 2; pass++) { /* nothing is changed before all is known to be right */
        for (int i = 0; i < g->n_params; i++) {
            const struct param *p = &g->params[i];
            const struct safetensors_entry *t = safetensors_find(&st, p->name);
            int64_t dims[4];
            int n_dims = weights_dims(&p->spec, dims);
            if (!t) {
                return err_set(e, ERR_INPUT, "%s: tensor %s is missing", path, p->name);
            }
            if (!same_dims(t, dims, n_dims)) {
                return err_set(e, ERR_INPUT,
                               "%s: tensor %s is not float32 of %d sizes with %zu elements", path,
                               p->name, n_dims, p->count);
            }
            if (pass == 1) {
                weights_swap_layout(net_param(net, i), (float *)t->data, &p->spec, true);
            }
        }
        if (pass == 0 && !check_extra(g, &st, e)) {
            return false;
        }
    }
    net_params_changed(net);
    return true;
}

static void put_meta(struct safetensors *st, const char *key, const char *value)
{
    snprintf(st->meta[st->n_meta][0], 256, "%s", key);
    snprintf(st->meta[st->n_meta][1], 256, "%s", value);
    st->n_meta++;
}

static void put_floats(struct safetensors *st, const char *key, const float *values, int n)
{
    char text[128];
    int len = 0;
    for (int i = 0; i < n; i++) {
        len += snprintf(text + len, sizeof text - (size_t)len, "%s%.9g", i ? "," : "",
                        (double)values[i]);
    }
    put_meta(st, key, text);
}

static void put_info(struct safetensors *st, const struct weights_info *info)
{
    char text[64];
    struct shape s = info->spec.input;
    put_meta(st, "format", "pt");
    put_meta(st, "arch", info->spec.arch);
    snprintf(text, sizeof text, "%d,%d,%d", s.h, s.w, s.c);
    put_meta(st, "input", text);
    snprintf(text, sizeof text, "%d", info->spec.n_classes);
    put_meta(st, "classes", text);
    if (info->has_norm) {
        put_floats(st, "normalize_mean", info->mean, s.c);
        put_floats(st, "normalize_std", info->std, s.c);
    }
    if (info->data[0]) {
        put_meta(st, "data", info->data);
    }
}

bool weights_collect(struct safetensors *st, struct arena *keep, struct net *net,
                     const struct weights_info *info, int n_more, struct err *e)
{
    const struct graph *g = net_graph(net);
    ASSERT(info->spec.input.c <= FEED_MAX_CHANNELS);
    *st = (struct safetensors){0};
    st->meta = arena_try(keep, (size_t)(MAX_META + n_more), sizeof *st->meta, e);
    st->entries =
        st->meta ? arena_try(keep, (size_t)(g->n_params + n_more), sizeof *st->entries, e) : NULL;
    if (!st->entries) {
        return false;
    }
    put_info(st, info);
    for (int i = 0; i < g->n_params; i++) {
        const struct param *p = &g->params[i];
        struct safetensors_entry *t = &st->entries[st->n++];
        *t = (struct safetensors_entry){.type = SAFETENSORS_F32, .bytes = p->count * sizeof(float)};
        snprintf(t->name, sizeof t->name, "%s", p->name);
        t->n_dims = weights_dims(&p->spec, t->dims);
        float *data = arena_try(keep, p->count, sizeof *data, e);
        if (!data) {
            return false;
        }
        weights_swap_layout(net_param(net, i), data, &p->spec, false);
        t->data = data;
    }
    return true;
}

bool weights_save(struct net *net, const struct weights_info *info, const char *path,
                  struct arena tmp, struct err *e)
{
    struct safetensors st;
    if (!weights_collect(&st, &tmp, net, info, 0, e)) {
        return err_wrap(e, "writing %s", path);
    }
    return safetensors_write(&st, path, tmp, e);
}

size_t weights_scratch_bytes(const struct graph *g, int n_more, size_t more_bytes)
{
    size_t n = (size_t)(g->n_params + n_more), data = more_bytes;
    for (int i = 0; i < g->n_params; i++) {
        data += arena_round(g->params[i].count * sizeof(float));
    }
    /* The file or its image, the arrays in PyTorch's layout, entries and their text. */
    return 2 * data + n * (sizeof(struct safetensors_entry) + 2048) + 65536;
}
