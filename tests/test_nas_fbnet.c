/*
 * The FBNet space: parameters and multiply-adds as PyTorch counts them on the same network, by
 * formula and by graph; taps; what is one network under two names; refusals. Block tables: made
 * here and broken in every way, and the published one: its check sums and the 5,000 architectures
 * whose latencies HELP published.
 */
#define _GNU_SOURCE
#include "core/csv.h"
#include "core/file.h"
#include "nas/cost.h"
#include "nas/devices.h"
#include "nn/model_fbnet.h"

#include <math.h>

#include "tests/scratch.h"

static const struct space *fbnet(void)
{
    const struct space *s = NULL;
    struct err e = {0};
    assert_true(space_find(&s, "fbnet", &e));
    return s;
}

static struct arch parsed(const char *text)
{
    struct arch a;
    struct err e = {0};
    if (!fbnet()->parse(&a, text, &e)) {
        fail_msg("%s: %s", text, e.text);
    }
    return a;
}

static struct graph *build(struct arena *tmp, const struct arch *a, struct model_spec *spec)
{
    struct graph *g = NULL;
    struct err e = {0};
    fbnet()->model(a, spec);
    if (!model_build(&g, tmp, spec, &e)) {
        fail_msg("%s: %s", spec->arch, e.text);
    }
    return g;
}

/* Counted with hooks on tests/torch/cases.py's network in PyTorch 1.13. */
static void test_counts(void **state)
{
    struct scratch *s = *state;
    static const struct {
        const char *arch;
        int side, classes;
        int64_t params, macs;
    } known[] = {
        {"0000000000000000000000", 32, 10, 1035226, 31186880},
        {"0000000000000000000000", 32, 100, 1170676, 31322240},
        {"0000000000000000000000", 224, 1000, 3175096, 118371152},
        {"8888888888888888888888", 32, 100, 780660, 11608960},
        {"8888888888888888888888", 224, 1000, 2785080, 49419136},
        {"7818488874147327324245", 32, 100, 1790500, 67605376},
        {"7818488874147327324245", 224, 1000, 3794920, 272388736},
        {"1111111111111111111111", 32, 10, 804634, 20915648},
        {"7777777777777777777777", 224, 1000, 5754072, 572634080},
        {"0123456780123456780123", 32, 100, 2048740, 70314496},
        {"0123456780123456780123", 224, 1000, 4053160, 236580712},
    };
    for (size_t i = 0; i < N_ELEMS(known); i++) {
        struct arena tmp = s->arena;
        struct arch a = parsed(known[i].arch);
        int side = known[i].side;
        struct model_spec spec = {.input = {side, side, 3}, .n_classes = known[i].classes};
        struct graph *g = build(&tmp, &a, &spec);
        assert_int_equal(graph_param_count(g), known[i].params);
        assert_int_equal(graph_macs(g), known[i].macs);
        assert_int_equal(fbnet()->params(&a, &spec), known[i].params);
        assert_int_equal(fbnet()->macs(&a, &spec), known[i].macs);
        static const struct shape taps[2][3] = {{{32, 32, 24}, {16, 16, 32}, {4, 4, 352}},
                                                {{56, 56, 24}, {28, 28, 32}, {7, 7, 352}}};
        assert_int_equal(g->n_taps, 3);
        for (int t = 0; t < 3; t++) {
            assert_memory_equal(&g->nodes[g->taps[t]].shape, &taps[side > 96][t],
                                sizeof(struct shape));
        }
    }
}

static void test_formulas_agree_with_graphs(void **state)
{
    struct scratch *s = *state;
    static const struct shape inputs[] = {{32, 32, 3}, {224, 224, 3}, {28, 28, 1},
                                          {33, 50, 2}, {97, 131, 3},  {7, 5, 1}};
    for (uint64_t i = 0; i < 120; i++) {
        struct arena tmp = s->arena;
        struct rng r = rng_key(1, RNG_TEST, i);
        struct arch a, canonical, again;
        space_random(fbnet(), &a, &r);
        struct model_spec spec = {.input = inputs[i % N_ELEMS(inputs)], .n_classes = 7};
        struct graph *g = build(&tmp, &a, &spec);
        assert_int_equal(fbnet()->params(&a, &spec), graph_param_count(g));
        assert_int_equal(fbnet()->macs(&a, &spec), graph_macs(g));
        fbnet()->canonical(&a, &canonical);
        fbnet()->canonical(&canonical, &again);
        assert_true(space_equal(&canonical, &again));
        assert_int_equal(fbnet()->params(&canonical, &spec), graph_param_count(g));
        assert_int_equal(fbnet()->macs(&canonical, &spec), graph_macs(g));
        assert_true(fbnet()->connected(&a));
        char text[SPACE_TEXT_LEN];
        fbnet()->format(&a, text);
        struct arch back = parsed(text);
        assert_true(space_equal(&a, &back));
    }
}

/* Skips move behind the other layers of their stage, but a first layer that changes shape stays. */
static void test_names(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"0123456780123456780123", "0123456780123456780123"},
        {"8818281838000088880808", "8812881388000088880088"},
        {"8888888888888888888888", "8888888888888888888888"},
    };
    for (size_t i = 0; i < N_ELEMS(same); i++) {
        struct arch a = parsed(same[i][0]), b = parsed(same[i][1]), c, d;
        fbnet()->canonical(&a, &c);
        fbnet()->canonical(&b, &d);
        char text[SPACE_TEXT_LEN];
        fbnet()->format(&c, text);
        if (!space_equal(&c, &d)) {
            fail_msg("%s becomes %s", same[i][0], text);
        }
    }
    struct arch x = parsed("7818488874147327324245"), y = parsed("fbnet:7818488874147327324245");
    assert_true(space_equal(&x, &y));
    assert_int_equal(fbnet()->index(&x), -1);
    static const char *const bad[] = {"",
                                      "0",
                                      "000000000000000000000",
                                      "00000000000000000000000",
                                      "0000000000000000000009",
                                      "000000000000000000000x",
                                      "nb201:0000000000000000000000",
                                      "|none~0|"};
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        struct err e = {0};
        struct arch a;
        assert_false(fbnet()->parse(&a, bad[i], &e));
        assert_int_equal(e.code, ERR_INPUT);
        assert_true(e.hint[0] != 0);
    }
}

static bool open_cost(struct cost *c, struct scratch *s, const char *device, const char *metric,
                      const char *tables, int side, int classes, struct err *e)
{
    struct cost_options *o = arena_push_zero(&s->arena, 1, sizeof *o);
    *o = (struct cost_options){.space = fbnet(),
                               .device = device,
                               .metric = metric,
                               .tables_dir = tables,
                               .model = {.input = {side, side, 3}, .n_classes = classes}};
    *e = (struct err){0};
    return cost_open(c, &s->arena, o, e);
}

/* A table with every block of 32x32, its number as latency; without: the row to leave out. */
static void write_table(struct scratch *s, const char *name, int without, const char *last)
{
    FILE *f = fopen(scratch_path(s, name), "w");
    int n = 0;
    fprintf(f, "block,phone_latency,phone_energy\n");
    struct shape input = {32, 32, 3};
    char seen[512][96];
    for (int i = 0; i < MODEL_FBNET_N_LAYERS; i++) {
        struct model_fbnet_layer l = model_fbnet_layer(input, i);
        for (int k = 0; k < MODEL_FBNET_N_CHOICES; k++) {
            struct model_fbnet_choice c = model_fbnet_choice(k);
            char row[96];
            if (k == MODEL_FBNET_SKIP) {
                snprintf(row, sizeof row, "Skip_H%d_W%d_Cin%d_Cout%d_stride%d", l.h, l.w, l.cin,
                         l.cout, l.stride);
            } else {
                snprintf(row, sizeof row,
                         "ConvBlock_H%d_W%d_Cin%d_Cout%d_exp%d_kernel%d_stride%d_group%d", l.h, l.w,
                         l.cin, l.cout, c.expansion, c.kernel, l.stride, c.groups);
            }
            bool old = false;
            for (int j = 0; j < n && !old; j++) {
                old = strcmp(seen[j], row) == 0;
            }
            if (!old) {
                strcpy(seen[n++], row);
            }
        }
    }
    static const char *const fixed[] = {"ConvNorm_H32_W32_Cin3_Cout16_kernel3_stride1_group1",
                                        "ConvNorm_H4_W4_Cin352_Cout1504_kernel1_stride1_group1",
                                        "AvgP_H4_W4_Cin1504_Cout1504_kernel4_stride1",
                                        "FC_Cin1504_Cout10"};
    for (int i = 0; i < 4; i++) {
        strcpy(seen[n++], fixed[i]);
    }
    for (int i = 0; i < n; i++) {
        if (i != without) {
            fprintf(f, "%s,%d,%s\n", seen[i], i, i == 0 ? last : "0.5");
        }
    }
    fclose(f);
    assert_int_equal(n, 112); /* 12 shapes of nine choices, and the four */
}

static void test_tables_made_here(void **state)
{
    struct scratch *s = *state;
    struct cost c;
    struct err e;
    double value;
    scratch_mkdir(s, "t");
    char dir[600];
    snprintf(dir, sizeof dir, "%s/t", s->dir);
    write_table(s, "t/blocks.csv", -1, "-1");
    assert_true(open_cost(&c, s, "phone", NULL, dir, 32, 10, &e));
    assert_string_equal(c.name, "phone latency");
    assert_string_equal(c.unit, "ms");
    /* Choice 0 of each shape is row 9 i: stages have 1, 1 + 3, 1 + 3, ... layers of shapes 0 .. 11.
     */
    double sum = 108 + 109 + 110 + 111 + 9 * 0;
    for (int shape = 1; shape < 11; shape++) {
        sum += 9 * shape * (shape % 2 ? 1 : 3);
    }
    sum += 9 * 11;
    struct arch zeros = parsed("0000000000000000000000");
    assert_true(cost_of(&c, &zeros, &value, s->arena));
    assert_true(value == sum);
    /* The energy of shape 0, choice 0 is -1: the device cannot run it. */
    assert_true(open_cost(&c, s, "phone", "energy", dir, 32, 10, &e));
    assert_false(cost_of(&c, &zeros, &value, s->arena));
    struct arch ones = parsed("1111111111111111111111");
    assert_true(cost_of(&c, &ones, &value, s->arena));
    assert_true(value == 26 * .5);
    char spec[700];
    snprintf(spec, sizeof spec, "blocks:%s/blocks.csv:phone_latency", dir);
    assert_true(open_cost(&c, s, spec, NULL, NULL, 32, 10, &e));

    static const struct {
        const char *device;
        int side, classes;
        enum err_code code;
        const char *word;
    } bad[] = {
        {"phnoe", 32, 10, ERR_USAGE, "phnoe"},
        {"phone", 32, 11, ERR_USAGE, "FC_Cin1504_Cout11"},
        {"phone", 28, 10, ERR_USAGE, "ConvNorm_H28_W28"},
        {"phone", 224, 10, ERR_USAGE, "ConvNorm_H224_W224"},
        {"blocks:nowhere.csv:x", 32, 10, ERR_INPUT, "nowhere.csv"},
        {"blocks:nowhere.csv", 32, 10, ERR_USAGE, "names no column"},
    };
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        assert_false(open_cost(&c, s, bad[i].device, NULL, dir, bad[i].side, bad[i].classes, &e));
        assert_int_equal(e.code, bad[i].code);
        assert_non_null(strstr(e.text, bad[i].word));
    }
    assert_false(open_cost(&c, s, "phone", NULL, NULL, 32, 10, &e));
    assert_int_equal(e.code, ERR_USAGE);
    for (int without = 0; without < 112; without += 5) { /* no block may be missing */
        write_table(s, "t/blocks.csv", without, "1");
        assert_false(open_cost(&c, s, "phone", NULL, dir, 32, 10, &e));
        assert_non_null(strstr(e.text, "has no block"));
    }
}

/* False where the published tables are not at hand. */
static bool tables(char dir[512], char file[600])
{
    const char *data = getenv("HDNAS_TEST_DATA");
    snprintf(dir, 512, "%s/nas", data ? data : "../shared/data");
    snprintf(file, 600, "%s/fbnet5000_help_latency_cifar100.csv", dir);
    return file_exists(file);
}

static void test_published_sums(void **state)
{
    struct scratch *s = *state;
    char dir[512], file[600];
    if (!tables(dir, file)) {
        skip();
    }
    static const struct {
        const char *device, *metric;
        double cifar100, imagenet;
    } known[] = {
        {"edgegpu", "latency", 15.804523468, 16.431165},
        {"edgegpu", "energy", 86.980959, 102.716043},
        {"raspi4", "latency", 17.618579145, 57.6565},
        {"pixel3", "latency", 7.7889731, 27.5423871},
        {"eyeriss", "latency", 3.940896, 18.127332},
        {"eyeriss", "energy", 3.242008, 16.945472},
        {"fpga", "latency", 10.73952, 29.4219},
        {"fpga", "energy", 75.17664, 205.9533},
    };
    struct arch zeros = parsed("0000000000000000000000");
    for (size_t i = 0; i < N_ELEMS(known); i++) {
        for (int large = 0; large < 2; large++) {
            struct cost c;
            struct err e;
            double value, expected = large ? known[i].imagenet : known[i].cifar100;
            assert_true(open_cost(&c, s, known[i].device, known[i].metric, dir, large ? 224 : 32,
                                  large ? 1000 : 100, &e));
            assert_true(cost_of(&c, &zeros, &value, s->arena));
            if (!(fabs(value - expected) <= 1e-6)) {
                fail_msg("%s %s: %.9f, expected %.9f", known[i].device, known[i].metric, value,
                         expected);
            }
        }
    }
}

/* The file rounds to five significant digits; the table's sum rounded alike must be the same. */
static double rounded(double value, int digits)
{
    char text[40];
    snprintf(text, sizeof text, "%.*g", digits, value);
    return strtod(text, NULL);
}

static void test_published_architectures(void **state)
{
    struct scratch *s = *state;
    char dir[512], file[600];
    struct err e = {0};
    struct csv t;
    if (!tables(dir, file)) {
        skip();
    }
    assert_true(csv_read(&t, &s->arena, file, &e));
    assert_int_equal(t.n_rows, 5000);
    static const char *const devices[] = {"raspi4", "pixel3", "eyeriss", "fpga"};
    for (int d = 0; d < 4; d++) {
        struct cost c, looked_up;
        char column[32], spec[700];
        double worst = 0, worst_rounded = 0;
        snprintf(column, sizeof column, "%s_ms", devices[d]);
        snprintf(spec, sizeof spec, "table:%s:%s", file, column);
        assert_true(open_cost(&c, s, devices[d], NULL, dir, 32, 100, &e));
        assert_true(open_cost(&looked_up, s, spec, NULL, NULL, 32, 100, &e));
        for (size_t row = 0; row < t.n_rows; row++) {
            struct arch a = parsed(csv_cell(&t, row, 0));
            double value, published, again;
            assert_true(csv_number(&t, row, csv_column(&t, column), &published, &e));
            assert_true(cost_of(&c, &a, &value, s->arena));
            assert_true(cost_of(&looked_up, &a, &again, s->arena));
            assert_true(again == published);
            worst = fmax(worst, fabs(value - published));
            worst_rounded = fmax(worst_rounded, fabs(rounded(value, 5) - published));
        }
        print_message("%s: largest difference %.3g ms, as rounded there %.3g\n", devices[d], worst,
                      worst_rounded);
        assert_true(worst_rounded <= 1e-6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counts, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_formulas_agree_with_graphs, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test(test_names),
        cmocka_unit_test_setup_teardown(test_tables_made_here, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_published_sums, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_published_architectures, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests_name("nas_fbnet", tests, NULL, NULL);
}
