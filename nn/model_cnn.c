#include "nn/model_cnn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number at *s, which then stands behind it; -1 if there is none within the limits. */
static int parse_number(const char **s, int min)
{
    char *end = NULL;
    long v = **s >= '0' && **s <= '9' ? strtol(*s, &end, 10) : -1;
    if (!end || v < min || v > MODEL_CNN_MAX_WIDTH) {
        return -1;
    }
    *s = end;
    return (int)v;
}

static bool parse_convs(struct model_cnn_spec *spec, const char **s)
{
    for (;;) {
        struct model_cnn_conv *last = &spec->convs[MAX(spec->n_convs - 1, 0)];
        if (**s == 'M') {
            if (spec->n_convs == 0 || last->pool) {
                return false;
            }
            last->pool = true;
            (*s)++;
        } else {
            int width = parse_number(s, 1);
            if (width < 0 || spec->n_convs == MODEL_CNN_MAX_CONVS) {
                return false;
            }
            spec->convs[spec->n_convs++] =
                (struct model_cnn_conv){.width = width, .stride = **s == 's' ? 2 : 1};
            *s += **s == 's';
        }
        if (**s != ',') {
            return true;
        }
        (*s)++;
    }
}

static bool parse_decoder(struct model_cnn_spec *spec, const char **s)
{
    do {
        (*s)++;
        int width = parse_number(s, 1);
        if (width < 0 || spec->n_decoder == MODEL_CNN_MAX_DECODER) {
            return false;
        }
        spec->decoder[spec->n_decoder++] = width;
    } while (**s == ',');
    return true;
}

bool model_cnn_parse(struct model_cnn_spec *spec, const char *arch)
{
    *spec = (struct model_cnn_spec){.drawn = strncmp(arch, "vae:", 4) == 0};
    if (!spec->drawn && strncmp(arch, "cnn:", 4) != 0) {
        return false;
    }
    const char *s = arch + 4;
    if (!parse_convs(spec, &s) || *s++ != ':') {
        return false;
    }
    spec->hidden = parse_number(&s, 0);
    if (spec->hidden < 0 || *s++ != ':') {
        return false;
    }
    spec->code = parse_number(&s, 1);
    if (spec->code < 0 || (*s == ':' && (!spec->drawn || !parse_decoder(spec, &s)))) {
        return false;
    }
    return *s == 0;
}

void model_cnn_print(const struct model_cnn_spec *spec, char arch[256])
{
    int at = snprintf(arch, 256, "%s:", spec->drawn ? "vae" : "cnn");
    for (int i = 0; i < spec->n_convs; i++) {
        const struct model_cnn_conv *c = &spec->convs[i];
        at += snprintf(arch + at, 256 - (size_t)at, "%s%d%s%s", i ? "," : "", c->width,
                       c->stride == 2 ? "s" : "", c->pool ? ",M" : "");
    }
    at += snprintf(arch + at, 256 - (size_t)at, ":%d:%d", spec->hidden, spec->code);
    for (int i = 0; i < spec->n_decoder; i++) {
        at += snprintf(arch + at, 256 - (size_t)at, "%c%d", i ? ',' : ':', spec->decoder[i]);
    }
    ASSERT(at < 256); /* 20 convolutions of 4 digits, 6 of the decoder, and what is between */
}

/* Convolutions and hidden layer: what mu and logvar read. */
static int encoder(struct graph *g, const struct model_cnn_spec *spec)
{
    int x = 0;
    char name[48];
    for (int i = 0; i < spec->n_convs; i++) {
        const struct model_cnn_conv *c = &spec->convs[i];
        snprintf(name, sizeof name, "encoder.conv%d", i + 1);
        x = graph_conv(g, x, c->width, 3, c->stride, 1, 1, false, name);
        snprintf(name, sizeof name, "encoder.bn%d", i + 1);
        x = graph_relu(g, graph_bn(g, x, name));
        if (c->pool) {
            x = graph_add(g, "max_pool", &(struct op_attr){.kernel = 2, .stride = 2}, &x, 1, NULL);
        }
        graph_block(g, x);
    }
    x = graph_unary(g, x, "flatten");
    return spec->hidden ? graph_relu(g, graph_linear(g, x, spec->hidden, "encoder.hidden")) : x;
}

/* Sides before each doubling: the ceilings of the halves, so that any side can be reached. */
static int side_before(int side, int n_doublings)
{
    for (int i = 0; i < n_doublings; i++) {
        side = DIV_UP(side, 2);
    }
    return side;
}

/* Pixels as logits or values: no activation behind the last convolution. */
static int decoder(struct graph *g, int z, const struct model_cnn_spec *spec, struct shape image)
{
    int n = spec->n_decoder;
    int h = side_before(image.h, n), w = side_before(image.w, n);
    int x = graph_linear(g, z, h * w * spec->decoder[0], "decoder.input");
    struct op_attr as_image = {.k = spec->decoder[0], .kernel = h};
    x = graph_add(g, "reshape", &as_image, (int[]){graph_relu(g, x)}, 1, NULL);
    for (int i = 0; i < n; i++) {
        char name[48];
        snprintf(name, sizeof name, "decoder.up%d", i + 1);
        int after = side_before(image.h, n - 1 - i);
        struct op_attr up = {.k = i + 1 < n ? spec->decoder[i + 1] : image.c,
                             .kernel = 3,
                             .stride = 2,
                             .pad = 1,
                             .bias = true,
                             .times = after % 2 == 0};
        x = graph_add(g, "conv_transpose", &up, &x, 1, name);
        x = i + 1 < n ? graph_relu(g, x) : x;
    }
    return x;
}

static bool check_image(const struct model_cnn_spec *spec, struct shape image, struct err *e)
{
    return spec->n_decoder == 0 || image.h == image.w ||
           err_set(e, ERR_INPUT, "a decoder makes square images, these are %d x %d", image.h,
                   image.w);
}

bool model_cnn_decoder(struct graph **out, struct arena *keep, const struct model_cnn_spec *spec,
                       struct shape image, struct err *e)
{
    ASSERT(spec->n_decoder > 0);
    struct graph *g = graph_new(keep, (struct shape){1, 1, spec->code});
    *out = g;
    return check_image(spec, image, e) && graph_finish(g, decoder(g, 0, spec, image), e);
}

static bool cnn_build(struct graph *g, const struct model_spec *spec, struct err *e)
{
    struct model_cnn_spec cnn;
    bool ok = model_cnn_parse(&cnn, spec->arch);
    ASSERT(ok);
    if (!check_image(&cnn, spec->input, e)) {
        return false;
    }
    int h = encoder(g, &cnn);
    int code = graph_linear(g, h, cnn.code, "mu"), z = code;
    graph_tap(g, code);
    if (cnn.drawn) {
        int logvar = graph_linear(g, h, cnn.code, "logvar");
        graph_tap(g, logvar);
        z = graph_add(g, "latent", &(struct op_attr){0}, (int[]){code, logvar}, 2, NULL);
    }
    if (cnn.n_decoder > 0) {
        graph_tap(g, decoder(g, z, &cnn, spec->input));
    }
    return graph_finish(g, graph_linear(g, z, spec->n_classes, "head"), e);
}

static bool cnn_match(const char *arch)
{
    struct model_cnn_spec spec;
    return model_cnn_parse(&spec, arch);
}

const struct model model_cnn = {
    .name = "cnn",
    .help = "cnn:WIDTHS:HIDDEN:CODE, vae:WIDTHS:HIDDEN:CODE[:DECODER]: convolutions and a code",
    .match = cnn_match,
    .build = cnn_build,
};
