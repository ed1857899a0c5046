/*
 * model_resnet.c: the CIFAR ResNets of [He2016, sec. 4.2], depth 6 n + 2, with option-A shortcuts
 * and the tensor names of the widely used public weights (conv1, bn1,
 * layer{1,2,3}.{i}.{conv,bn}{1,2}, linear).
 */
#include "nn/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Blocks per stage, 0 for a name that is not a ResNet of this kind. */
static int blocks_of(const char *arch)
{
    static const struct {
        const char *name;
        int n_blocks;
    } known[] = {{"resnet20", 3}, {"resnet32", 5}, {"resnet44", 7}, {"resnet56", 9}};
    for (size_t i = 0; i < N_ELEMS(known); i++) {
        if (strcmp(arch, known[i].name) == 0) {
            return known[i].n_blocks;
        }
    }
    return 0;
}

static bool resnet_match(const char *arch)
{
    return blocks_of(arch) > 0;
}

static int block(struct graph *g, int x, int k, int stride, int stage, int i)
{
    char conv1[48], bn1[48], conv2[48], bn2[48];
    snprintf(conv1, sizeof conv1, "layer%d.%d.conv1", stage, i);
    snprintf(bn1, sizeof bn1, "layer%d.%d.bn1", stage, i);
    snprintf(conv2, sizeof conv2, "layer%d.%d.conv2", stage, i);
    snprintf(bn2, sizeof bn2, "layer%d.%d.bn2", stage, i);
    int y = graph_relu(g, graph_bn(g, graph_conv(g, x, k, 3, stride, 1, 1, false, conv1), bn1));
    y = graph_bn(g, graph_conv(g, y, k, 3, 1, 1, 1, false, conv2), bn2);
    if (stride != 1) {
        x = graph_add(g, "shortcut_a", &(struct op_attr){.k = k}, &x, 1, NULL);
    }
    return graph_relu(g, graph_sum(g, (int[]){y, x}, 2));
}

static bool resnet_build(struct graph *g, const struct model_spec *spec, struct err *e)
{
    int n_blocks = blocks_of(spec->arch);
    int x = graph_relu(g, graph_bn(g, graph_conv(g, 0, 16, 3, 1, 1, 1, false, "conv1"), "bn1"));
    graph_block(g, x);
    for (int stage = 1; stage <= 3; stage++) {
        for (int i = 0; i < n_blocks; i++) {
            x = block(g, x, 8 << stage, stage > 1 && i == 0 ? 2 : 1, stage, i);
            graph_block(g, x);
        }
        graph_tap(g, x);
    }
    return graph_finish(
        g, graph_linear(g, graph_unary(g, x, "global_pool"), spec->n_classes, "linear"), e);
}

/* conv1, bn1 and linear, and as many blocks in every stage as a known depth has. */
static bool resnet_recognise(const char *const *names, int n, char arch[256])
{
    int last[3] = {-1, -1, -1}, n_outer = 0;
    for (int i = 0; i < n; i++) {
        int stage, block_no, end = 0;
        if (sscanf(names[i], "layer%1d.%3d.conv2.weight%n", &stage, &block_no, &end) == 2 &&
            end > 0 && names[i][end] == 0 && stage >= 1 && stage <= 3) {
            last[stage - 1] = MAX(last[stage - 1], block_no);
        }
        n_outer += strcmp(names[i], "conv1.weight") == 0 || strcmp(names[i], "linear.weight") == 0;
        if (strstr(names[i], "shortcut")) {
            return false; /* option B: another network */
        }
    }
    if (n_outer != 2 || last[0] < 0 || last[0] != last[1] || last[0] != last[2]) {
        return false;
    }
    snprintf(arch, 256, "resnet%d", 6 * (last[0] + 1) + 2);
    return resnet_match(arch);
}

const struct model model_resnet = {
    .name = "resnet",
    .help = "resnet20 | resnet32 | resnet44 | resnet56: residual networks with option-A shortcuts",
    .match = resnet_match,
    .build = resnet_build,
    .recognise = resnet_recognise,
};
