/* model_mlp.c: a perceptron with ReLU, as torch.nn.Sequential numbers it: layers.0, layers.2, ...
 */
#include "nn/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HIDDEN = 16, MAX_WIDTH = 1 << 16 };

/* The widths after "mlp:"; -1 if this is no such name. */
static int parse(const char *arch, int width[MAX_HIDDEN])
{
    if (strncmp(arch, "mlp:", 4) != 0) {
        return -1;
    }
    const char *s = arch + 4;
    for (int n = 0; n < MAX_HIDDEN; n++) {
        char *end = NULL;
        long w = strtol(s, &end, 10);
        if (end == s || *s < '0' || *s > '9' || w < 1 || w > MAX_WIDTH) {
            return -1;
        }
        width[n] = (int)w;
        if (*end == 0) {
            return n + 1;
        }
        if (*end != ',') {
            return -1;
        }
        s = end + 1;
    }
    return -1;
}

static bool mlp_match(const char *arch)
{
    int width[MAX_HIDDEN];
    return parse(arch, width) > 0;
}

static bool mlp_build(struct graph *g, const struct model_spec *spec, struct err *e)
{
    int width[MAX_HIDDEN];
    int n = parse(spec->arch, width);
    ASSERT(n > 0);
    int x = graph_unary(g, 0, "flatten");
    char name[32];
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "layers.%d", 2 * i);
        x = graph_relu(g, graph_linear(g, x, width[i], name));
        graph_tap(g, x);
    }
    snprintf(name, sizeof name, "layers.%d", 2 * n);
    return graph_finish(g, graph_linear(g, x, spec->n_classes, name), e);
}

const struct model model_mlp = {
    .name = "mlp",
    .help = "mlp:W1,W2,...: fully connected layers of these widths with ReLU",
    .match = mlp_match,
    .build = mlp_build,
};
