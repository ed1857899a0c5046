/*
 * The architectures: parameters and multiply-adds equal published counts, names parse, broken ones
 * are refused, and the public ResNets give the stored logits of four CIFAR-10 test images (real
 * data; skipped where it is absent).
 */
#include "nn/models.h"
#include "nn/weights.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct state {
    struct machine mc;
    struct arena arena;
};

static int setup(void **state)
{
    static struct state s;
    struct err e;
    if (!machine_init(&s.mc, "auto", 1, &e) || !arena_init(&s.arena, (size_t)1 << 30, &e)) {
        return 1;
    }
    *state = &s;
    return 0;
}

static struct graph *build(struct arena *tmp, const char *arch, struct shape input, int n_classes)
{
    struct model_spec spec = {.input = input, .n_classes = n_classes};
    struct err e = {0};
    struct graph *g = NULL;
    snprintf(spec.arch, sizeof spec.arch, "%s", arch);
    if (!model_build(&g, tmp, &spec, &e)) {
        fail_msg("%s: %s", arch, e.text);
    }
    return g;
}

static const struct shape cifar = {32, 32, 3};

/* ResNets: counts published with the weights. NB201: benchmark indices 13714, 3558 and 0; MACs of
 * the second kind are 7.78305 + 3.93216 n_1x1 + 35.38944 n_3x3 million. MLP by hand: 784 * 32 + 32
 * + 32 * 10 + 10. */
static void counts_are_the_published_ones(void **state)
{
    struct state *s = *state;
    static const struct {
        const char *arch;
        int64_t params;
        double mega_macs; /* 0 = not published */
    } known[] = {
        {"resnet20", 269722, 0},
        {"resnet32", 464154, 0},
        {"resnet44", 658586, 0},
        {"resnet56", 853018, 0},
        {"nb201:333123", 1073466, 153.27},
        {"nb201:132323", 858426, 121.82},
        {"nb201:421211", 129306, 7.78305 + 3.93216 * 2},
    };
    for (size_t i = 0; i < N_ELEMS(known); i++) {
        struct arena tmp = s->arena;
        struct graph *g = build(&tmp, known[i].arch, cifar, 10);
        assert_int_equal(graph_param_count(g), known[i].params);
        if (known[i].mega_macs > 0) {
            assert_true(fabs((double)graph_macs(g) / 1e6 - known[i].mega_macs) < 0.006);
        }
        assert_int_equal(g->n_taps, 3);
    }
    struct arena tmp = s->arena;
    assert_int_equal(graph_param_count(build(&tmp, "mlp:32", (struct shape){28, 28, 1}, 10)),
                     25450);
}

static void string_and_code_are_one_network(void **state)
{
    struct state *s = *state;
    struct arena tmp = s->arena;
    const char *text =
        "nb201:|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|"
        "nor_conv_3x3~2|";
    struct graph *a = build(&tmp, text, cifar, 10), *b = build(&tmp, "nb201:333123", cifar, 10);
    /* edge order of the digits is (0>1)(0>2)(1>2)(0>3)(1>3)(2>3) */
    assert_int_equal(a->n_nodes, b->n_nodes);
    assert_int_equal(a->n_params, b->n_params);
    for (int i = 0; i < a->n_params; i++) {
        assert_string_equal(a->params[i].name, b->params[i].name);
        assert_int_equal(a->params[i].count, b->params[i].count);
    }
}

static void taps_have_the_shapes_of_the_paper(void **state)
{
    struct state *s = *state;
    static const char *const archs[] = {"nb201:333333", "nb201:111111", "nb201:000000", "resnet20"};
    for (size_t i = 0; i < N_ELEMS(archs); i++) {
        struct arena tmp = s->arena;
        struct graph *g = build(&tmp, archs[i], cifar, 10);
        for (int j = 0; j < 3; j++) {
            struct shape t = g->nodes[g->taps[j]].shape;
            assert_int_equal(t.h, 32 >> j);
            assert_int_equal(t.w, 32 >> j);
            assert_int_equal(t.c, 16 << j);
        }
    }
}

static void other_inputs_work(void **state)
{
    struct state *s = *state;
    static const char *const archs[] = {"resnet20", "nb201:432104", "mlp:8,8"};
    for (size_t i = 0; i < N_ELEMS(archs); i++) {
        struct arena tmp = s->arena;
        struct graph *g = build(&tmp, archs[i], (struct shape){28, 28, 1}, 7);
        struct net *net = NULL;
        struct err e = {0};
        assert_true(net_new(&net, &tmp, &s->mc, g, 2, NET_TRAIN, &e));
        net_init_params(net, NET_INIT_KAIMING, 1);
        float *x = arena_push(&tmp, 2 * 28 * 28, sizeof *x);
        for (int j = 0; j < 2 * 28 * 28; j++) {
            x[j] = (float)(j % 13) / 13;
        }
        const float *y = net_forward(net, &s->mc, x, 2, true);
        for (int j = 0; j < 14; j++) {
            assert_true(isfinite(y[j]));
        }
    }
}

static void broken_names_are_refused(void **state)
{
    struct state *s = *state;
    static const char *const bad[] = {"",
                                      "resnet",
                                      "resnet21",
                                      "resnet200",
                                      "nb201",
                                      "nb201:",
                                      "nb201:33333",
                                      "nb201:3333333",
                                      "nb201:333335",
                                      "nb201:|nor_conv_3x3~0|",
                                      "mlp",
                                      "mlp:",
                                      "mlp:0",
                                      "mlp:-3",
                                      "mlp:3,",
                                      "mlp:3,,4",
                                      "mlp:99999999999999999999",
                                      "mlp: 3",
                                      "nb201:|none~0|+|none~0|none~1|+|none~0|none~1|none~1|"};
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        struct arena tmp = s->arena;
        struct model_spec spec = {.input = cifar, .n_classes = 10};
        struct err e = {0};
        struct graph *g;
        snprintf(spec.arch, sizeof spec.arch, "%s", bad[i]);
        if (model_build(&g, &tmp, &spec, &e)) {
            fail_msg("'%s' was built", bad[i]);
        }
        assert_int_equal(e.code, ERR_USAGE);
        assert_true(e.hint[0] != 0);
    }
}

static void shapes_that_cannot_be_are_refused(void **state)
{
    struct state *s = *state;
    struct arena tmp = s->arena;
    struct err e = {0};
    struct graph *g;
    struct model_spec none = {.arch = "resnet20", .input = {0, 32, 3}, .n_classes = 10};
    assert_false(model_build(&g, &tmp, &none, &e));
    assert_int_equal(e.code, ERR_INPUT);
    struct model_spec classless = {.arch = "resnet20", .input = cifar};
    assert_false(model_build(&g, &tmp, &classless, &e));
    assert_int_equal(e.code, ERR_INPUT);
    /* An odd map: the benchmark's own pooling shortcut does not fit its convolution. */
    struct model_spec odd = {.arch = "nb201:333333", .input = {25, 25, 3}, .n_classes = 10};
    assert_false(model_build(&g, &tmp, &odd, &e));
    assert_int_equal(e.code, ERR_INPUT);
    assert_non_null(strstr(e.text, "sum"));
}

/* Four images and four rows of ten logits, or a skip. */
struct public_data {
    float x[4 * 3072], logits[40];
};

static const char *data_dir(void)
{
    const char *dir = getenv("HDNAS_TEST_DATA");
    return dir ? dir : "../shared/data";
}

static bool read_at(const char *path, long at, void *to, size_t n)
{
    FILE *f = fopen(path, "rb");
    bool ok = f && fseek(f, at, SEEK_SET) == 0 && fread(to, 1, n, f) == n;
    if (f) {
        fclose(f);
    }
    return ok;
}

static void load_public(struct public_data *d, const char *arch, const struct weights_info *info)
{
    char path[512];
    static unsigned char images[4 * 3073];
    snprintf(path, sizeof path, "%s/cifar10-small/test_batch.bin", data_dir());
    assert_true(read_at(path, 0, images, sizeof images));
    snprintf(path, sizeof path, "%s/weights/%s_logits.npy", data_dir(), arch);
    assert_true(
        read_at(path, 128, d->logits, sizeof d->logits)); /* npy 1.0: a header of 128 bytes */
    for (int i = 0; i < 4 * 3072; i++) {
        int n = i / 3072, c = i % 3, pixel = i % 3072 / 3;
        float v = (float)images[n * 3073 + 1 + c * 1024 + pixel] / 255.0f;
        d->x[i] = (v - info->mean[c]) / info->std[c];
    }
}

static void check_public(struct state *s, const char *arch, const char *path, enum net_mode mode)
{
    static struct public_data d;
    struct arena tmp = s->arena;
    struct weights_info info;
    struct err e = {0};
    struct net *net = NULL;
    if (!weights_info_read(&info, path, NULL, &e)) {
        fail_msg("%s", e.text);
    }
    assert_string_equal(info.spec.arch, arch);
    assert_true(info.has_norm);
    assert_true(info.mean[0] == 0.485f && info.std[2] == 0.225f);
    load_public(&d, arch, &info);
    struct graph *g = build(&tmp, arch, info.spec.input, info.spec.n_classes);
    assert_true(net_new(&net, &tmp, &s->mc, g, 4, mode, &e));
    assert_true(weights_load(net, path, tmp, &e));
    const float *y = net_forward(net, &s->mc, d.x, 4, false);
    for (int i = 0; i < 40; i++) {
        if (!(fabs((double)y[i] - (double)d.logits[i]) <= 1e-4)) {
            fail_msg("%s: logit %d is %.6f, stored %.6f", arch, i, (double)y[i],
                     (double)d.logits[i]);
        }
    }
}

static void public_resnets_give_their_logits(void **state)
{
    static const char *const archs[] = {"resnet20", "resnet32", "resnet44", "resnet56"};
    for (size_t i = 0; i < N_ELEMS(archs); i++) {
        char path[512];
        char byte;
        snprintf(path, sizeof path, "%s/weights/%s_cifar10.safetensors", data_dir(), archs[i]);
        if (!read_at(path, 0, &byte, 1)) {
            skip();
        }
        check_public(*state, archs[i], path, NET_TRAIN);
        check_public(*state, archs[i], path, NET_EVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_the_published_ones),
        cmocka_unit_test(string_and_code_are_one_network),
        cmocka_unit_test(taps_have_the_shapes_of_the_paper),
        cmocka_unit_test(other_inputs_work),
        cmocka_unit_test(broken_names_are_refused),
        cmocka_unit_test(shapes_that_cannot_be_are_refused),
        cmocka_unit_test(public_resnets_give_their_logits),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
