/*
 * model_fbnet.c: FBNet as in HW-NAS-Bench: stem, 22 layers in seven stages, 1x1 head, global pool,
 * linear. A block is conv 1x1 - BN - ReLU (- shuffle), depthwise - BN - ReLU, conv 1x1 - BN, plus
 * its input where shapes match; no ReLU behind the sum. Tensor names are those of HW-NAS-Bench's
 * network: stem.{conv,bn}, cells.I.{conv,bn}{1,2,3} or, for a skip that changes shape,
 * cells.I.{conv,bn}, header.{conv,bn}, fc.
 *
 * Taps: the ends of the second, third and last stage (32x32x24, 16x16x32, 4x4x352 for CIFAR). The
 * first two have the resolution of ResNet-20's. For the third, 8x8 would leave the last five layers
 * outside of every tap, and a score could not tell what they do; so it is the deepest feature map,
 * as ResNet-20's is.
 */
#include "nn/model_fbnet.h"

#include <stdio.h>
#include <string.h>

/* From this side on images are large. */
enum { LARGE_SIDE = 96, HEAD_SMALL = 1504, HEAD_LARGE = 1984 };

static const struct {
    int n_layers, width, stride_large, stride_small;
} stages[MODEL_FBNET_N_STAGES] = {{1, 16, 1, 1},  {4, 24, 2, 1},  {4, 32, 2, 2}, {4, 64, 2, 2},
                                  {4, 112, 1, 1}, {4, 184, 2, 2}, {1, 352, 1, 1}};

static const struct model_fbnet_choice choices[MODEL_FBNET_N_CHOICES] = {
    {3, 1, 1}, {3, 1, 2}, {3, 3, 1}, {3, 6, 1}, {5, 1, 1},
    {5, 1, 2}, {5, 3, 1}, {5, 6, 1}, {0, 0, 0}};

static bool is_large(struct shape input)
{
    return MIN(input.h, input.w) >= LARGE_SIDE;
}

int model_fbnet_stem_stride(struct shape input)
{
    return is_large(input) ? 2 : 1;
}

int model_fbnet_head(struct shape input)
{
    return is_large(input) ? HEAD_LARGE : HEAD_SMALL;
}

struct model_fbnet_choice model_fbnet_choice(int choice)
{
    ASSERT(choice >= 0 && choice < MODEL_FBNET_N_CHOICES);
    return choices[choice];
}

struct model_fbnet_layer model_fbnet_layer(struct shape input, int i)
{
    ASSERT(i >= 0 && i < MODEL_FBNET_N_LAYERS);
    int stem = model_fbnet_stem_stride(input), stage = 0, first = 0;
    struct model_fbnet_layer l = {.h = DIV_UP(input.h, stem), .w = DIV_UP(input.w, stem)};
    for (; i >= first + stages[stage].n_layers; stage++) {
        int stride = is_large(input) ? stages[stage].stride_large : stages[stage].stride_small;
        l.h = DIV_UP(l.h, stride);
        l.w = DIV_UP(l.w, stride);
        first += stages[stage].n_layers;
    }
    int stride = is_large(input) ? stages[stage].stride_large : stages[stage].stride_small;
    l.stage = stage;
    l.cout = stages[stage].width;
    l.last = i == first + stages[stage].n_layers - 1;
    if (i == first) {
        l.stride = stride;
        l.cin = stage > 0 ? stages[stage - 1].width : MODEL_FBNET_STEM;
    } else {
        l.stride = 1;
        l.cin = l.cout;
        l.h = DIV_UP(l.h, stride);
        l.w = DIV_UP(l.w, stride);
    }
    return l;
}

/* The digits after "fbnet:"; NULL if this is no such name. */
static const char *digits_of(const char *arch)
{
    const char *digits = arch + 6;
    return strncmp(arch, "fbnet:", 6) == 0 && strlen(digits) == MODEL_FBNET_N_LAYERS &&
                   strspn(digits, "012345678") == MODEL_FBNET_N_LAYERS
               ? digits
               : NULL;
}

static bool fbnet_match(const char *arch)
{
    return digits_of(arch) != NULL;
}

/* Convolution and BN without bias; number is the suffix of both names, "" for none. */
static int conv_bn(struct graph *g, int x, int k, int kernel, int stride, int groups,
                   const char *prefix, const char *number)
{
    char conv[40], bn[40];
    snprintf(conv, sizeof conv, "%s.conv%s", prefix, number);
    snprintf(bn, sizeof bn, "%s.bn%s", prefix, number);
    return graph_bn(g, graph_conv(g, x, k, kernel, stride, kernel / 2, groups, false, conv), bn);
}

static int block(struct graph *g, int x, const struct model_fbnet_layer *l, int choice,
                 const char *prefix)
{
    struct model_fbnet_choice c = model_fbnet_choice(choice);
    bool same = l->cin == l->cout && l->stride == 1;
    if (choice == MODEL_FBNET_SKIP) {
        return same ? x : graph_relu(g, conv_bn(g, x, l->cout, 1, l->stride, 1, prefix, ""));
    }
    int hidden = l->cin * c.expansion;
    int y = graph_relu(g, conv_bn(g, x, hidden, 1, 1, c.groups, prefix, "1"));
    if (c.groups > 1) {
        struct op_attr attr = {.groups = c.groups};
        y = graph_add(g, "shuffle", &attr, &y, 1, NULL);
    }
    y = graph_relu(g, conv_bn(g, y, hidden, c.kernel, l->stride, hidden, prefix, "2"));
    y = conv_bn(g, y, l->cout, 1, 1, c.groups, prefix, "3");
    return same ? graph_sum(g, (int[]){y, x}, 2) : y;
}

static bool fbnet_build(struct graph *g, const struct model_spec *spec, struct err *e)
{
    const char *digits = digits_of(spec->arch);
    ASSERT(digits);
    int stride = model_fbnet_stem_stride(spec->input);
    int x = graph_relu(g, conv_bn(g, 0, MODEL_FBNET_STEM, 3, stride, 1, "stem", ""));
    graph_block(g, x);
    for (int i = 0; i < MODEL_FBNET_N_LAYERS; i++) {
        struct model_fbnet_layer l = model_fbnet_layer(spec->input, i);
        char prefix[24];
        snprintf(prefix, sizeof prefix, "cells.%d", i);
        int before = x;
        x = block(g, x, &l, digits[i] - '0', prefix);
        if (x != before) {
            graph_block(g, x);
        }
        if (l.last && (l.stage == 1 || l.stage == 2 || l.stage == MODEL_FBNET_N_STAGES - 1)) {
            graph_tap(g, x);
        }
    }
    x = graph_relu(g, conv_bn(g, x, model_fbnet_head(spec->input), 1, 1, 1, "header", ""));
    return graph_finish(g, graph_linear(g, graph_unary(g, x, "global_pool"), spec->n_classes, "fc"),
                        e);
}

const struct model model_fbnet = {
    .name = "fbnet",
    .help = "fbnet:CODE (22 digits, 0 to 8): an FBNet network as in HW-NAS-Bench",
    .match = fbnet_match,
    .build = fbnet_build,
};
