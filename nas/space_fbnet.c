/*
 * FBNet as in HW-NAS-Bench [Wu2019, Li2021]: 22 layers of nine choices each, 9^22 = 9.8e20
 * networks. A gene is the choice of a layer: 0 to 3 kernel 3 with expansion 1, 1 in two groups, 3,
 * 6; 4 to 7 the same with kernel 5; 8 skip. Every word is a network: a skip is the identity where
 * shapes allow and a 1x1 convolution where they do not, so the output always depends on the input.
 */
#include "nas/space.h"

#include <stdio.h>
#include <string.h>

#include "nn/model_fbnet.h"

enum { N = MODEL_FBNET_N_LAYERS };

static const uint8_t n_choices[N] = {9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
                                     9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9};

static void fbnet_format(const struct arch *a, char text[SPACE_TEXT_LEN])
{
    for (int i = 0; i < N; i++) {
        ASSERT(a->gene[i] < MODEL_FBNET_N_CHOICES);
        text[i] = (char)('0' + a->gene[i]);
    }
    text[N] = 0;
}

/* Twenty-two digits; "fbnet:" and "fbnet/" may stand before them. */
static bool fbnet_parse(struct arch *a, const char *text, struct err *e)
{
    ASSERT(a && text);
    *a = (struct arch){{0}};
    const char *digits =
        strncmp(text, "fbnet:", 6) == 0 || strncmp(text, "fbnet/", 6) == 0 ? text + 6 : text;
    size_t good = strspn(digits, "012345678");
    if (good != N || digits[good]) {
        err_set(e, ERR_INPUT,
                "architecture '%.80s' of fbnet: %d digits 0 to 8 expected, found %zu%s", text, N,
                good, digits[good] ? " and something else" : "");
        return err_hint(e, "for instance 7818488874147327324245");
    }
    for (int i = 0; i < N; i++) {
        a->gene[i] = (uint8_t)(digits[i] - '0');
    }
    return true;
}

static int64_t fbnet_index(const struct arch *a)
{
    (void)a;
    return -1;
}

static bool fbnet_from_index(struct arch *a, int64_t index)
{
    (void)a, (void)index;
    return false;
}

/* Within a stage all layers but the first are alike, so it does not matter which of them are
 * skipped: skips go to the end of the stage. A first layer that keeps its shape makes up a stage
 * alone. */
static void fbnet_canonical(const struct arch *a, struct arch *out)
{
    static const struct shape any = {32, 32, 3};
    struct arch c = {{0}};
    int n = 0; /* layers of this stage that are already in place */
    int first = 0;
    for (int i = 0; i < N; i++) {
        struct model_fbnet_layer l = model_fbnet_layer(any, i);
        bool movable = l.cin == l.cout && a->gene[i] == MODEL_FBNET_SKIP;
        if (!movable) {
            c.gene[first + n++] = a->gene[i];
        }
        if (l.last) {
            for (int k = first + n; k <= i; k++) {
                c.gene[k] = MODEL_FBNET_SKIP;
            }
            first = i + 1;
            n = 0;
        }
    }
    *out = c;
}

static bool fbnet_connected(const struct arch *a)
{
    (void)a;
    return true;
}

static void fbnet_model(const struct arch *a, struct model_spec *spec)
{
    char code[SPACE_TEXT_LEN];
    fbnet_format(a, code);
    snprintf(spec->arch, sizeof spec->arch, "fbnet:%.*s", N, code);
}

/* Weights of a layer's convolutions with their BNs, and its multiply-adds. */
static void layer_count(const struct model_fbnet_layer *l, int gene, int64_t *params, int64_t *macs)
{
    struct model_fbnet_choice c = model_fbnet_choice(gene);
    int64_t in = l->cin, out = l->cout, hidden = in * c.expansion;
    int64_t area = (int64_t)l->h * l->w;
    int64_t area_out = (int64_t)DIV_UP(l->h, l->stride) * DIV_UP(l->w, l->stride);
    if (gene != MODEL_FBNET_SKIP) {
        int64_t expand = in * hidden / c.groups, depth = (int64_t)c.kernel * c.kernel * hidden;
        int64_t project = hidden * out / c.groups;
        *params += expand + depth + project + 4 * hidden + 2 * out;
        *macs += expand * area + (depth + project) * area_out;
    } else if (in != out || l->stride != 1) {
        *params += in * out + 2 * out;
        *macs += in * out * area_out;
    }
}

static void count(const struct arch *a, const struct model_spec *spec, int64_t *params,
                  int64_t *macs)
{
    struct model_fbnet_layer first = model_fbnet_layer(spec->input, 0);
    struct model_fbnet_layer last = model_fbnet_layer(spec->input, N - 1);
    int64_t head = model_fbnet_head(spec->input), stem = 9 * spec->input.c * MODEL_FBNET_STEM;
    *params =
        stem + 2 * MODEL_FBNET_STEM + last.cout * head + 2 * head + (head + 1) * spec->n_classes;
    *macs = stem * first.h * first.w;
    for (int i = 0; i < N; i++) {
        struct model_fbnet_layer l = model_fbnet_layer(spec->input, i);
        layer_count(&l, a->gene[i], params, macs);
    }
    /* The last layer has stride 1. */
    *macs += last.cout * head * last.h * last.w + head * spec->n_classes;
}

static int64_t fbnet_params(const struct arch *a, const struct model_spec *spec)
{
    int64_t params, macs;
    count(a, spec, &params, &macs);
    return params;
}

static int64_t fbnet_macs(const struct arch *a, const struct model_spec *spec)
{
    int64_t params, macs;
    count(a, spec, &params, &macs);
    return macs;
}

const struct space space_fbnet = {
    .name = "fbnet",
    .n_genes = N,
    .n_choices = n_choices,
    .size = -1,
    .parse = fbnet_parse,
    .format = fbnet_format,
    .code = fbnet_format,
    .index = fbnet_index,
    .from_index = fbnet_from_index,
    .canonical = fbnet_canonical,
    .connected = fbnet_connected,
    .model = fbnet_model,
    .params = fbnet_params,
    .macs = fbnet_macs,
};
